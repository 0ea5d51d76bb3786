import { type ColourPicture, fhirBundle, hl7Message, secondaryCapture, structuredReport } from "../exchange";
import type { KeptAnswer } from "./kept/answers";
import type { ReportFormat, Slice } from "./schemas";
import { reportedAnswer } from "./studies";

/** How each format is called on the way, and as a file. HL7's has no registered name: this is the one that FHIR uses. */
export const DOCUMENTS: Readonly<Record<ReportFormat, { readonly type: string; readonly ending: string }>> = {
  fhir: { type: "application/fhir+json", ending: "fhir.json" },
  sr: { type: "application/dicom", ending: "sr.dcm" },
  sc: { type: "application/dicom", ending: "sc.dcm" },
  hl7: { type: "x-application/hl7-v2+er7", ending: "hl7" },
};

/** An answer of which no study is kept has no objects of DICOM. */
export class NoStudy extends Error {}

/**
 * An answer as other systems take it. The same answer gives the same bytes.
 *
 * @param paint draws the overlay of a page, where the format has it
 * @throws {NoStudy}
 */
export async function documentOf(
  kept: KeptAnswer,
  format: ReportFormat,
  paint: (slice: Slice) => Promise<ColourPicture>,
): Promise<Buffer> {
  const answer = reportedAnswer(kept);
  if (format === "fhir") return Buffer.from(JSON.stringify(fhirBundle(answer)));
  if (format === "hl7") return Buffer.from(hl7Message(answer));
  const { image } = answer;
  if (!image) throw new NoStudy();
  if (format === "sr") return structuredReport({ ...answer, image });
  const { slices, page } = kept.prediction;
  const slice = slices.find((each) => each.page === page);
  if (!slice) throw new Error(`The answer ${answer.request} is about page ${page}, and has none.`);
  return secondaryCapture({ ...answer, image }, await paint(slice));
}
