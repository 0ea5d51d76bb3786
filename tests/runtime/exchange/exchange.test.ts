import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fhir } from "fhir/fhir";
import type { Bundle, DiagnosticReport, Observation } from "fhir/r4";
import {
  fhirBundle,
  hl7Message,
  type ReportedStudy,
  secondaryCapture,
  structuredReport,
} from "../../../runtime/exchange";
import { ANSWER, PLAIN, STUDY } from "./answers";
import { type Kind, readBack as read } from "./read-back";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "exchange-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const readBack = (...documents: readonly (readonly [Kind, Buffer | string])[]) => read(folder, ...documents);

const sizeOf = (back: Record<string, unknown> | undefined) => (back?.shape ?? []) as [number, number];

const grey = (width: number, height: number) => ({ width, height, rgb: Buffer.alloc(3 * width * height, 90) });
const FIT = { fit: true, sentence: "Fit for research: AUC 0.9." };

describe("a structured report", () => {
  test("is read by highdicom as a measurement report: probability, decision, model, recipe, place, evidence", () => {
    const [back] = readBack(["sr", structuredReport(ANSWER)]);
    expect(back).toEqual({
      class: "ComprehensiveSR",
      flags: ["PRELIMINARY", "COMPLETE", "UNVERIFIED"],
      uids: [expect.stringMatching(/^2\.25\.\d{1,39}$/), expect.stringMatching(/^2\.25\.\d{1,39}$/)],
      study: STUDY.study,
      patient: STUDY.patient,
      accession: STUDY.accession,
      evidence: [STUDY.study, STUDY.series],
      measured: {
        "111047": [83.123457, "%"],
        threshold: [41, "%"],
        "uncertain-from": [35, "%"],
        "uncertain-to": [50, "%"],
      },
      probability: 83.123457,
      evaluated: { decision: "Cancer" },
      algorithm: {
        "Algorithm Name": ANSWER.model,
        "Algorithm Version": ANSWER.modelSha256,
        "Algorithm Parameters": `recipe=${ANSWER.recipe}`,
      },
      point: [[10.5, 20.25]],
      image: [STUDY.sopClass, STUDY.instance, 2],
      comments: [
        "Model m-20260101-abcdef says Cancer: probability of Cancer 83.1 % on page 2, the most suspicious of 3, threshold 41.0 %.",
        ANSWER.verdict.sentence,
        ANSWER.disclaimer,
      ],
    });
  });

  test("of a file of one frame names none, and what is not known is empty", () => {
    const image = { ...STUDY, frame: undefined, patient: undefined, accession: undefined };
    const answer: ReportedStudy = { ...ANSWER, image, uncertain: null, decision: "Non-Cancer", pages: 1, page: 1 };
    const [back] = readBack(["sr", structuredReport(answer)]);
    expect(back).toMatchObject({
      patient: "",
      accession: "",
      image: [STUDY.sopClass, STUDY.instance, null],
      evaluated: { decision: "Non-Cancer" },
      measured: { "111047": [83.123457, "%"], threshold: [41, "%"] },
    });
    expect(Object.keys(back?.measured as object)).toHaveLength(2);
  });

  test("any probability is a decimal number of at most 16 characters", () => {
    const probabilities = [0, 1, 1e-9, 1 / 3, 0.1 + 0.2];
    const back = readBack(
      ...probabilities.map((probability) => ["sr", structuredReport({ ...ANSWER, probability })] as const),
    );
    for (const [i, probability] of probabilities.entries())
      expect(back[i]?.probability).toBeCloseTo(100 * probability, 5);
  });
});

describe("a secondary capture", () => {
  test("is derived, of another modality, refers to its source, and says below the picture what it is", () => {
    const [back] = readBack(["sc", secondaryCapture(ANSWER, grey(300, 200))]);
    expect(back).toMatchObject({
      class: "Secondary Capture Image Storage",
      study: STUDY.study,
      patient: STUDY.patient,
      modality: "OT",
      type: ["DERIVED", "SECONDARY"],
      burned_in: "NO",
      source: [STUDY.sopClass, STUDY.instance, 2],
      corner: [90, 90, 90],
      comments: expect.stringMatching(/^Not fit for use.*\r\nFor research\..*\r\nModel m-/),
    });
    const [height, width] = sizeOf(back);
    expect(width).toBe(300);
    expect(height).toBeGreaterThan(200 + 30);
    expect(back?.written).toBeGreaterThan(20);
  });

  test("the caption of an unfit model has a line more, and a narrow picture gets room for words", () => {
    const [unfit, fit] = readBack(
      ["sc", secondaryCapture(ANSWER, grey(32, 40))],
      ["sc", secondaryCapture({ ...ANSWER, verdict: FIT }, grey(32, 40))],
    );
    const [high, wide] = sizeOf(unfit);
    const [lower] = sizeOf(fit);
    expect(wide).toBe(256);
    expect(high).toBeGreaterThan(lower);
    expect(fit?.comments).toMatch(/^For research\..*\r\nFit for research/);
  });

  test("what the scan says of text in its pixels is said again, and nothing where it says nothing", () => {
    const back = readBack(
      ...(["YES", "NO", undefined] as const).map(
        (burnedIn) => ["sc", secondaryCapture({ ...ANSWER, image: { ...STUDY, burnedIn } }, grey(256, 40))] as const,
      ),
    );
    expect(back.map(({ burned_in }) => burned_in)).toEqual(["YES", "NO", null]);
  });

  test("pixels of an odd number of bytes, and a model whose name fits no line", () => {
    const model = "m".repeat(63);
    const [back] = readBack(["sc", secondaryCapture({ ...ANSWER, model }, grey(257, 41))]);
    const [height, width] = sizeOf(back);
    expect(width).toBe(257);
    expect(height).toBeGreaterThan(41 + 50);
  });
});

/** What a receiver of HL7 does with a field: chapter 2.7. */
function unescaped(field: string): string {
  const signs: Readonly<Record<string, string>> = { E: "\\", F: "|", S: "^", T: "&", R: "~" };
  return field.replace(/\\(?:X(?<hex>(?:[0-9A-F]{2})+)|(?<sign>[EFSTR]))\\/g, (_, hex?: string, sign?: string) =>
    hex ? Buffer.from(hex, "hex").toString("utf8") : (signs[sign ?? ""] as string),
  );
}

describe("a message of HL7 v2", () => {
  const fieldsOf = (message: string) => message.split("\r").map((segment) => segment.split("|"));

  test("is read by hl7apy: every result preliminary, with its unit", () => {
    const [back, plain] = readBack(["hl7", hl7Message(ANSWER)], ["hl7", hl7Message({ ...PLAIN, synthetic: false })]);
    expect(back).toMatchObject({ structure: "ORU_R01", version: "2.5.1", processing: "T", status: "P" });
    expect(back?.control).toMatch(/^[0-9a-f]{20}$/);
    expect(back?.segments).toEqual(["MSH", "PID", "OBR", ...Array(16).fill("OBX")]);
    expect(back?.results).toMatchObject({
      caution: [
        ["TX", ANSWER.verdict.sentence, "", "P"],
        ["TX", ANSWER.disclaimer, "", "P"],
      ],
      "111047": [["NM", "83.123457", "%", "P"]],
      threshold: [["NM", "41", "%", "P"]],
      decision: [["CWE", "cancer^Cancer^99BTS", "", "P"]],
      "111001": [["ST", ANSWER.model, "", "P"]],
      "111002": [["ST", `recipe=${ANSWER.recipe}`, "", "P"]],
      "110180": [["HD", `^${STUDY.study}^ISO`, "", "P"]],
      instance: [["HD", `^${STUDY.instance}^ISO`, "", "P"]],
      frame: [["NM", "2", "", "P"]],
      place: [["NA", "10.5^20.25", "", "P"]],
    });
    expect(plain?.segments).toEqual(["MSH", "OBR", ...Array(13).fill("OBX")]);
    expect(plain).toMatchObject({ processing: "P", results: { place: [["NA", "10.5^20.5", "", "P"]] } });
  });

  test("any character comes through, and none is a delimiter or ends a segment", () => {
    const before = fieldsOf(hl7Message(ANSWER));
    const all = [
      ...Array.from({ length: 0x180 }, (_, i) => String.fromCharCode(i)),
      "\u2028\u2029\ufeff\u{1f9e0}",
      "\\F\\ \\X0D\\ \\.br\\ \\H\\ |^~\\& \r\nMSH|^~\\&|",
    ].join("");
    const message = hl7Message({ ...ANSWER, disclaimer: all, verdict: { fit: false, sentence: all } });
    const after = fieldsOf(message);
    expect(after.map((fields) => fields.length)).toEqual(before.map((fields) => fields.length));
    expect(message.replaceAll("\r", "")).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    for (const segment of [3, 4]) {
      const value = after[segment]?.[5] as string;
      expect(value).not.toMatch(/[\^~&]/);
      expect(unescaped(value)).toBe(all);
    }
    const half = hl7Message({ ...ANSWER, disclaimer: "a\ud800b" });
    expect(fieldsOf(half)[4]?.[5]).toBe("a\ufffdb");
    expect(Buffer.from(message, "utf8").toString("utf8")).toBe(message);
  });
});

describe("a FHIR bundle", () => {
  const fhir = new Fhir();
  const errors = (bundle: Bundle) =>
    fhir
      .validate(bundle, { errorOnUnexpected: true })
      .messages.filter(({ severity }: { severity?: string }) => severity === "error");
  const report = (bundle: Bundle) => bundle.entry?.[0]?.resource as DiagnosticReport;
  const observations = (bundle: Bundle) =>
    (bundle.entry ?? [])
      .map(({ resource }) => resource)
      .filter((it): it is Observation => it?.resourceType === "Observation");

  test.each([
    ["of a study", ANSWER],
    ["of a picture", PLAIN],
    ["without a band", { ...ANSWER, uncertain: null, verdict: FIT }],
    ["with marks of XML", { ...ANSWER, disclaimer: 'a <b> & "c" \u0001 \ud800 d' }],
  ])("%s is valid", (_, answer) => {
    expect(errors(fhirBundle(answer))).toEqual([]);
  });

  test("the validator finds a wrong status, a missing code and a property that is none", () => {
    const wrong = (change: (report: Record<string, unknown>) => void) => {
      const bundle = fhirBundle(ANSWER);
      change(report(bundle) as unknown as Record<string, unknown>);
      return errors(bundle).length;
    };
    expect(
      wrong((it) => {
        it.status = "prelim";
      }),
    ).toBeGreaterThan(0);
    expect(
      wrong((it) => {
        delete it.code;
      }),
    ).toBeGreaterThan(0);
    expect(
      wrong((it) => {
        it.probability = 1;
      }),
    ).toBeGreaterThan(0);
  });

  test("says the study by its UID, the patient by the pseudonym, and the verdict of an unfit model first", () => {
    const bundle = fhirBundle(ANSWER);
    expect(report(bundle)).toMatchObject({
      status: "preliminary",
      imagingStudy: [
        { type: "ImagingStudy", identifier: { system: "urn:dicom:uid", value: `urn:oid:${STUDY.study}` } },
      ],
      subject: { identifier: { value: STUDY.patient } },
      basedOn: [{ identifier: { value: STUDY.accession } }],
      conclusion: expect.stringMatching(/^Not fit for use.*\nFor research\..*\nModel m-/),
    });
    const [probability, decision, place] = observations(bundle);
    expect(probability?.valueQuantity).toEqual({
      value: 83.123457,
      unit: "%",
      system: "http://unitsofmeasure.org",
      code: "%",
    });
    expect(decision?.valueCodeableConcept?.coding?.[0]).toMatchObject({ code: "cancer" });
    expect(decision?.component?.map(({ valueQuantity }) => valueQuantity?.value)).toEqual([41, 35, 50]);
    expect(place?.component?.slice(0, 2).map(({ valueQuantity }) => valueQuantity?.value)).toEqual([10.5, 20.25]);
    const device = bundle.entry?.at(-1);
    expect(device?.resource).toMatchObject({
      resourceType: "Device",
      deviceName: [{ name: ANSWER.model }],
      version: [{ value: ANSWER.modelSha256 }, { value: ANSWER.recipe }],
    });
    for (const observation of observations(bundle)) {
      expect(observation).toMatchObject({ status: "preliminary", device: { reference: device?.fullUrl } });
      expect(observation.note?.map(({ text }) => text)).toEqual([ANSWER.verdict.sentence, ANSWER.disclaimer]);
    }
    const results = report(bundle).result?.map(({ reference }) => reference);
    expect(results).toEqual(bundle.entry?.slice(1, 4).map(({ fullUrl }) => fullUrl));
    for (const { request, resource } of bundle.entry ?? [])
      expect(request).toEqual({
        method: "POST",
        url: resource?.resourceType,
        ifNoneExist: expect.stringMatching(/^identifier=[^|]+\|[^|]+$/),
      });
  });

  test("of a picture names neither patient nor study", () => {
    const text = JSON.stringify(fhirBundle(PLAIN));
    for (const absent of ["imagingStudy", "derivedFrom", "subject", "basedOn"]) expect(text).not.toContain(absent);
  });
});

test("the same answer gives the same bytes in every format, and another request other identifiers", () => {
  const all = (answer: ReportedStudy) => [
    structuredReport(answer),
    secondaryCapture(answer, grey(256, 64)),
    Buffer.from(JSON.stringify(fhirBundle(answer))),
    Buffer.from(hl7Message(answer)),
  ];
  expect(all({ ...ANSWER })).toEqual(all(ANSWER));
  const [one, other] = readBack(
    ["sr", structuredReport(ANSWER)],
    ["sr", structuredReport({ ...ANSWER, request: ANSWER.request.replace("1", "2") })],
  );
  expect(new Set([one, other].flatMap((each) => each?.uids))).toHaveProperty("size", 4);
});
