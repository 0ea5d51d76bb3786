import { cautionsOf, percentOf, SYSTEM, summaryOf } from "./answer";
import { dicomFile, type Element, floats, sequence, text } from "./dicom-file";
import { type Code, codeItem, commonModules, dcm, evidence, instanceItem, type ReportedStudy } from "./dicom-modules";
import { uidOf } from "./identifiers";
import { DECISIONS, limitsOf, OWN_SCHEME, TERMS, type Term } from "./terms";

const COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33";
const own = (term: Term): Code => ({ value: term, scheme: OWN_SCHEME.designator, meaning: TERMS[term] });
const PERCENT: Code = { value: "%", scheme: "UCUM", meaning: "Percent" };

type Relationship = "CONTAINS" | "HAS OBS CONTEXT" | "HAS CONCEPT MOD" | "SELECTED FROM";

const item = (relationship: Relationship, type: string, name: Code, ...value: readonly Element[]) => [
  text(0x0040_a010, "CS", relationship),
  text(0x0040_a040, "CS", type),
  sequence(0x0040_a043, codeItem(name)),
  ...value,
];
const content = (...items: readonly (readonly Element[])[]) => sequence(0x0040_a730, ...items);
const template = (id: string) => sequence(0x0040_a504, [text(0x0008_0105, "CS", "DCMR"), text(0x0040_db00, "CS", id)]);
const separate = text(0x0040_a050, "CS", "SEPARATE");

const code = (relationship: Relationship, name: Code, value: Code) =>
  item(relationship, "CODE", name, sequence(0x0040_a168, codeItem(value)));
const words = (relationship: Relationship, name: Code, value: string) =>
  item(relationship, "TEXT", name, text(0x0040_a160, "UT", value));
const uid = (relationship: Relationship, name: Code, value: string) =>
  item(relationship, "UIDREF", name, text(0x0040_a124, "UI", value));
const container = (name: Code, ...value: readonly Element[]) => item("CONTAINS", "CONTAINER", name, separate, ...value);
const percent = (name: Code, share: number) =>
  item(
    "CONTAINS",
    "NUM",
    name,
    sequence(0x0040_a300, [sequence(0x0040_08ea, codeItem(PERCENT)), text(0x0040_a30a, "DS", percentOf(share))]),
  );

/** SOP Instance UID of the structured report of an answer. */
export const reportInstance = (request: string): string => uidOf("sr", request);

/**
 * The answer as a Measurement Report (PS3.16, TID 1500) in a Comprehensive SR: complete, preliminary, verified by nobody.
 * The strongest place is a point on the frame that was answered, in its stored pixels. The same answer gives the same bytes.
 */
export function structuredReport(answer: ReportedStudy): Buffer {
  const { request, image } = answer;
  const instance = reportInstance(request);
  const series = {
    uid: uidOf("sr-series", request),
    number: 901,
    modality: "SR",
    description: "Preliminary answer of a model, not for diagnostic use",
  };
  return dicomFile(COMPREHENSIVE_SR, instance, [
    ...commonModules(answer, series),
    sequence(0x0008_0110, [
      text(0x0008_0102, "SH", OWN_SCHEME.designator),
      text(0x0008_010c, "UI", OWN_SCHEME.uid),
      text(0x0008_0115, "ST", OWN_SCHEME.name),
      text(0x0008_0116, "ST", SYSTEM),
    ]),
    sequence(0x0008_1111),
    text(0x0040_a040, "CS", "CONTAINER"),
    sequence(0x0040_a043, codeItem(dcm("126000", "Imaging Measurement Report"))),
    separate,
    sequence(0x0040_a372),
    evidence(image),
    text(0x0040_a491, "CS", "COMPLETE"),
    text(0x0040_a493, "CS", "UNVERIFIED"),
    text(0x0040_a496, "CS", "PRELIMINARY"),
    template("1500"),
    content(
      code("HAS CONCEPT MOD", dcm("121049", "Language of Content Item and Descendants"), {
        value: "en-US",
        scheme: "RFC5646",
        meaning: "English (United States)",
      }),
      code("HAS OBS CONTEXT", dcm("121005", "Observer Type"), dcm("121007", "Device")),
      uid("HAS OBS CONTEXT", dcm("121012", "Device Observer UID"), uidOf("device", answer.modelSha256)),
      words("HAS OBS CONTEXT", dcm("121013", "Device Observer Name"), SYSTEM),
      words("HAS OBS CONTEXT", dcm("121015", "Device Observer Model Name"), answer.model),
      code("HAS CONCEPT MOD", dcm("121058", "Procedure reported"), {
        value: "24590-2",
        scheme: "LN",
        meaning: "Brain MRI",
      }),
      container(dcm("126010", "Imaging Measurements"), content(...ofWhole(answer), measurements(answer))),
      ...[summaryOf(answer), ...cautionsOf(answer)].map((said) => words("CONTAINS", dcm("121106", "Comment"), said)),
    ),
  ]);
}

/** The group of what is said of the study as a whole, which has no place: TID 1501. */
function ofWhole({ request, model, modelSha256, whole }: ReportedStudy): readonly (readonly Element[])[] {
  if (!whole || "reason" in whole.told) return [];
  const { probability, threshold, decision } = whole.told;
  return [
    container(
      dcm("125007", "Measurement Group"),
      template("1501"),
      content(
        words("HAS OBS CONTEXT", dcm("112039", "Tracking Identifier"), `${request} study`),
        uid("HAS OBS CONTEXT", dcm("112040", "Tracking Unique Identifier"), uidOf("study", request)),
        code("CONTAINS", dcm("121071", "Finding"), own("study")),
        words("HAS CONCEPT MOD", dcm("111001", "Algorithm Name"), model),
        words("HAS CONCEPT MOD", dcm("111003", "Algorithm Version"), modelSha256),
        percent(own("study-cancer"), probability),
        percent(own("study-threshold"), threshold),
        code("CONTAINS", own("study-decision"), own(DECISIONS[decision])),
      ),
    ),
  ];
}

/** The group of what was measured at a place: TID 1410. */
function measurements(answer: ReportedStudy): readonly Element[] {
  const { request, model, modelSha256, recipe, probability, decision, image } = answer;
  const { point } = image;
  return container(
    dcm("125007", "Measurement Group"),
    template("1410"),
    content(
      words("HAS OBS CONTEXT", dcm("112039", "Tracking Identifier"), request),
      uid("HAS OBS CONTEXT", dcm("112040", "Tracking Unique Identifier"), uidOf("place", request)),
      code("CONTAINS", dcm("121071", "Finding"), own("place")),
      words("HAS CONCEPT MOD", dcm("111001", "Algorithm Name"), model),
      words("HAS CONCEPT MOD", dcm("111003", "Algorithm Version"), modelSha256),
      words("HAS CONCEPT MOD", dcm("111002", "Algorithm Parameters"), `recipe=${recipe}`),
      percent(dcm("111047", "Probability of cancer"), probability),
      ...limitsOf(answer).map(([term, share]) => percent(own(term), share)),
      code("CONTAINS", own("decision"), own(DECISIONS[decision])),
      item(
        "CONTAINS",
        "SCOORD",
        dcm("111030", "Image Region"),
        text(0x0070_0023, "CS", "POINT"),
        floats(0x0070_0022, point.column, point.row),
        content(
          item(
            "SELECTED FROM",
            "IMAGE",
            { value: "260753009", scheme: "SCT", meaning: "Source" },
            sequence(0x0008_1199, instanceItem(image)),
          ),
        ),
      ),
    ),
  );
}
