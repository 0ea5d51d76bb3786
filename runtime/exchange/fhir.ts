import type {
  Bundle,
  BundleEntry,
  CodeableConcept,
  Device,
  DiagnosticReport,
  Identifier,
  Observation,
  ObservationComponent,
  Quantity,
  Reference,
} from "fhir/r4";
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
import { DECISIONS, limitsOf, TERMS, type Term } from "./terms";

/** Whose identifiers and terms: docs/standards.md lists them. */
const OWN = `urn:${SYSTEM}`;
const DICOM_TERMS = "http://dicom.nema.org/resources/ontology/DCM";
const LOINC = "http://loinc.org";
const DICOM_UID = "urn:dicom:uid";

/**
 * The answer as FHIR R4: a transaction of a `DiagnosticReport`, its `Observation`s and the `Device` that a model is, all
 * preliminary. Each is created only where none has its identifier, so a bundle that arrives twice makes one report. The
 * study is referred to by its UID. The same answer gives the same bundle.
 */
export function fhirBundle(answer: ReportedAnswer): Bundle {
  const { request, answeredAt, model, modelSha256 } = answer;
  const device = deviceOf(answer);
  const deviceEntry = entryOf(device, `${OWN}:model`, modelSha256);
  const observations = observationsOf(answer, { reference: deviceEntry.fullUrl as string, display: model });
  const entries = observations.map(({ name, ...resource }) => entryOf(resource, `${OWN}:${name}`, request));
  const results = entries.map(({ fullUrl }): Reference => ({ reference: fullUrl as string }));
  const report = reportOf(answer, results);
  return {
    resourceType: "Bundle",
    id: uuidOf("fhir", request),
    meta: { lastUpdated: answeredAt },
    type: "transaction",
    entry: [entryOf(report, `${OWN}:report`, request), ...entries, deviceEntry],
  };
}

function entryOf(resource: Device | DiagnosticReport | Observation, system: string, value: string): BundleEntry {
  const identifier: Identifier = { system, value };
  const identified = { ...resource, identifier: [identifier] };
  return {
    fullUrl: `urn:uuid:${uuidOf(system, value)}`,
    resource: identified,
    request: {
      method: "POST",
      url: resource.resourceType,
      ifNoneExist: `identifier=${encodeURIComponent(system)}|${encodeURIComponent(value)}`,
    },
  };
}

/** What was deployed: a model and the recipe that its pictures go through. */
const deviceOf = ({ model, modelSha256, recipe, synthetic }: ReportedAnswer): Device => ({
  resourceType: "Device",
  deviceName: [{ name: model, type: "model-name" }],
  version: [
    { type: { text: "SHA-256 of the model" }, value: modelSha256 },
    { type: { text: "Pixel recipe" }, value: recipe },
  ],
  note: [{ text: synthetic ? "Trained on drawn phantoms only." : "Research software." }],
});

function reportOf(answer: ReportedAnswer, result: Reference[]): DiagnosticReport {
  const { answeredAt, image } = answer;
  const said = [...cautionsOf(answer), summaryOf(answer)];
  return {
    resourceType: "DiagnosticReport",
    text: {
      status: "generated",
      div: `<div xmlns="http://www.w3.org/1999/xhtml">${said.map((line) => `<p>${markup(line)}</p>`).join("")}</div>`,
    },
    status: "preliminary",
    category: [{ coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0074", code: "RAD" }] }],
    code: { coding: [{ system: LOINC, code: "24590-2", display: "MR Brain" }] },
    ...subjectOf(image),
    ...(image?.accession === undefined
      ? {}
      : { basedOn: [{ type: "ServiceRequest", identifier: { type: ACCESSION, value: image.accession } }] }),
    issued: answeredAt,
    result,
    ...(image ? { imagingStudy: [studyOf(image)] } : {}),
    conclusion: said.join("\n"),
  };
}

const ACCESSION: CodeableConcept = {
  coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0203", code: "ACSN" }],
};

const studyOf = ({ study }: ReportedImage): Reference => ({
  type: "ImagingStudy",
  identifier: { system: DICOM_UID, value: `urn:oid:${study}` },
});

const subjectOf = (image: ReportedImage | undefined): { subject?: Reference } =>
  image?.patient === undefined
    ? {}
    : {
        subject: {
          type: "Patient",
          // Which of its systems a hospital's own number is of, the file does not say.
          identifier: { ...(image.person ? {} : { system: `${OWN}:patient` }), value: image.patient },
          ...(image.person?.name ? { display: image.person.name } : {}),
        },
      };

type NamedObservation = Observation & { readonly name: string };

function observationsOf(answer: ReportedAnswer, device: Reference): readonly NamedObservation[] {
  const { answeredAt, probability, decision, image, whole } = answer;
  const shared = {
    resourceType: "Observation" as const,
    status: "preliminary" as const,
    category: [{ coding: [{ system: "http://terminology.hl7.org/CodeSystem/observation-category", code: "imaging" }] }],
    ...subjectOf(image),
    issued: answeredAt,
    device,
    // An observation is looked at without its report too.
    note: cautionsOf(answer).map((text) => ({ text })),
    ...(image ? { derivedFrom: [studyOf(image)] } : {}),
  };
  return [
    {
      ...shared,
      name: "probability",
      code: { coding: [{ system: DICOM_TERMS, code: "111047", display: "Probability of cancer" }] },
      valueQuantity: percent(probability),
    },
    {
      ...shared,
      name: "decision",
      code: own("decision"),
      valueCodeableConcept: own(DECISIONS[decision]),
      component: limitsOf(answer).map(([term, share]) => ({ code: own(term), valueQuantity: percent(share) })),
    },
    { ...shared, name: "place", code: own("place"), component: placeOf(answer) },
    ...(whole && !("reason" in whole.told)
      ? [
          {
            ...shared,
            name: "study-cancer",
            code: own("study-cancer"),
            valueQuantity: percent(whole.told.probability),
          },
          {
            ...shared,
            name: "study-decision",
            code: own("study-decision"),
            valueCodeableConcept: own(DECISIONS[whole.told.decision]),
            component: [{ code: own("study-threshold"), valueQuantity: percent(whole.told.threshold) }],
          },
        ]
      : []),
  ];
}

/** In the stored pixels of the frame, or, without a study, in the page. */
function placeOf({ peak, page, image }: ReportedAnswer): ObservationComponent[] {
  const pixels = (term: Term, value: number): ObservationComponent => ({
    code: own(term),
    valueQuantity: { value, unit: "pixels", system: UCUM, code: "{pixels}" },
  });
  const { column, row } = image?.point ?? { column: peak.x + 0.5, row: peak.y + 0.5 };
  return [
    pixels("column", column),
    pixels("row", row),
    ...(image
      ? [{ code: own("instance"), valueString: `urn:oid:${image.instance}` }]
      : [{ code: own("page"), valueInteger: page }]),
    ...(image?.frame === undefined ? [] : [{ code: own("frame"), valueInteger: image.frame }]),
  ];
}

const UCUM = "http://unitsofmeasure.org";
const percent = (share: number): Quantity => ({
  value: Number(percentOf(share)),
  unit: "%",
  system: UCUM,
  code: "%",
});

const own = (term: Term): CodeableConcept => ({
  coding: [{ system: `${OWN}:terms`, code: term, display: TERMS[term] }],
});

const SIGNS: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
/** What XML has no character for is left out. */
const markup = (text: string) =>
  wellFormed(text)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "")
    .replace(/[&<>"]/g, (sign) => SIGNS[sign] as string);
