import {
  cautionsOf,
  percentOf,
  type ReportedAnswer,
  type ReportedImage,
  SYSTEM,
  summaryOf,
  wellFormed,
} from "./answer";
import { uuidOf } from "./identifiers";
import { DECISIONS, limitsOf, OWN_SCHEME, TERMS, type Term } from "./terms";

const VERSION = "2.5.1";
/** As MSH-1 and MSH-2 declare them. */
const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\E\\",
  "|": "\\F\\",
  "^": "\\S\\",
  "&": "\\T\\",
  "~": "\\R\\",
};

/**
 * A text in which nothing is a delimiter, or ends a segment, for any reader (HL7 2.5.1, 2.7): control characters and
 * Unicode's line breaks stand as the hexadecimal of their UTF-8 bytes. Halves of surrogate pairs become U+FFFD.
 */
export function escaped(text: string): string {
  return wellFormed(text)
    .replace(/[\\|^&~]/g, (sign) => ESCAPES[sign] as string)
    .replace(/[\p{Cc}\u2028\u2029]/gu, (sign) => `\\X${Buffer.from(sign).toString("hex").toUpperCase()}\\`);
}

const component = (...parts: readonly string[]) => parts.map(escaped).join("^");
const own = (term: Term) => component(term, TERMS[term], OWN_SCHEME.designator);
const dcm = (code: string, name: string) => component(code, name, "DCM");
const uid = (value: string) => component("", value, "ISO");
const PERCENT = component("%", "percent", "UCUM");

/**
 * The answer as an unsolicited observation message, ORU^R01 of HL7 2.5.1, UTF-8: every result preliminary (P). The same
 * answer gives the same bytes. What a model says that learnt from drawn pictures alone is marked as training (MSH-11).
 */
export function hl7Message(answer: ReportedAnswer): string {
  const { request, answeredAt, model, modelSha256, recipe, synthetic, image, whole } = answer;
  const at = `${answeredAt.slice(0, 19).replace(/[-T:]/g, "")}+0000`;
  const [gravest = "", other = ""] = cautionsOf(answer);
  const observations: readonly (readonly [type: string, code: string, value: string, units?: string])[] = [
    ["TX", own("caution"), escaped(gravest)],
    ["TX", own("caution"), escaped(other)],
    ["NM", dcm("111047", "Probability of cancer"), percentOf(answer.probability), PERCENT],
    ["CWE", own("decision"), own(DECISIONS[answer.decision])],
    ...limitsOf(answer).map(([term, share]) => ["NM", own(term), percentOf(share), PERCENT] as const),
    ...(whole && !("reason" in whole.told)
      ? ([
          ["NM", own("study-cancer"), percentOf(whole.told.probability), PERCENT],
          ["CWE", own("study-decision"), own(DECISIONS[whole.told.decision])],
          ["NM", own("study-threshold"), percentOf(whole.told.threshold), PERCENT],
        ] as const)
      : []),
    ["TX", own("summary"), escaped(summaryOf(answer))],
    ["ST", dcm("111001", "Algorithm Name"), escaped(model)],
    ["ST", dcm("111003", "Algorithm Version"), escaped(modelSha256)],
    ["ST", dcm("111002", "Algorithm Parameters"), escaped(`recipe=${recipe}`)],
    ...placeOf(answer),
  ];
  const segments = [
    [
      "MSH",
      "^~\\&",
      component(SYSTEM),
      "",
      "",
      "",
      at,
      "",
      component("ORU", "R01", "ORU_R01"),
      // At most 20 characters.
      uuidOf("hl7", request).replaceAll("-", "").slice(0, 20),
      synthetic ? "T" : "P",
      VERSION,
      ...Array<string>(5).fill(""),
      "UNICODE UTF-8",
    ],
    ...patientOf(image),
    [
      "OBR",
      "1",
      "",
      component(request, SYSTEM),
      component("24590-2", "Brain MRI", "LN"),
      "",
      "",
      at,
      ...Array<string>(10).fill(""),
      escaped(image?.accession ?? ""),
      "",
      "",
      "",
      at,
      "",
      "RAD",
      "P",
    ],
    ...observations.map(([type, code, value, units = ""], index) => [
      "OBX",
      String(index + 1),
      type,
      code,
      // Two results of one kind are told apart by it.
      String(index + 1),
      value,
      units,
      "",
      "",
      "",
      "",
      "P",
      "",
      "",
      at,
    ]),
  ];
  return segments.map((fields) => `${fields.join("|")}\r`).join("");
}

function patientOf(image: ReportedImage | undefined): readonly (readonly string[])[] {
  if (image?.patient === undefined) return [];
  const { patient, person } = image;
  // A pseudonym has no name: type S.
  if (!person) return [["PID", "1", "", component(patient, "", "", SYSTEM, "PI"), "", "^^^^^^S"]];
  // DICOM has prefix before suffix, and further spellings of a name behind "=".
  const [family = "", given = "", middle = "", prefix = "", suffix = ""] = (person.name.split("=")[0] ?? "").split("^");
  const name = component(family, given, middle, suffix, prefix);
  return [
    [
      "PID",
      "1",
      "",
      component(patient, "", "", "", "PI"),
      "",
      name,
      "",
      escaped(person.birthDate),
      escaped(person.sex),
    ],
  ];
}

/** In the stored pixels of the frame, or, without a study, in the page. */
function placeOf({ peak, page, image }: ReportedAnswer) {
  const place = own("place");
  if (!image) {
    return [
      ["NM", own("page"), String(page)],
      ["NA", place, component(String(peak.x + 0.5), String(peak.y + 0.5))],
    ] as const;
  }
  const { study, series, instance, frame, point } = image;
  return [
    ["HD", dcm("110180", "Study Instance UID"), uid(study)],
    ["HD", dcm("112002", "Series Instance UID"), uid(series)],
    ["HD", own("instance"), uid(instance)],
    ...(frame === undefined ? [] : [["NM", own("frame"), String(frame)] as const]),
    ["NA", place, component(String(point.column), String(point.row))],
  ] as const;
}
