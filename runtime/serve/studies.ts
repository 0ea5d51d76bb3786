import type { ReportedAnswer, ReportedImage } from "../exchange";
import { type AnsweredFrame, type DicomHeader, readAnsweredFrame, readDicomHeader, storedPlace } from "../imaging";
import type { Identities } from "../intake";
import type { KeptAnswer, KeptStudy } from "./kept/answers";

/** What of a DICOM file's header is needed to keep of what study an answer is: identifiers as they stand there. */
export type StudyFacts = Readonly<Record<"studyUid" | "seriesUid" | "instanceUid" | "sopClass", string>> &
  Pick<DicomHeader, "patientId" | "accession"> &
  AnsweredFrame;

/**
 * Reads them; undefined where the file lacks one of the UIDs that name an instance.
 * @param frame that the answer is about, from 1
 */
export function studyFactsOf(bytes: Buffer, frame: number): StudyFacts | undefined {
  const { patientId, studyUid, seriesUid, instanceUid, sopClass, accession } = readDicomHeader(bytes);
  if (!studyUid || !seriesUid || !instanceUid || !sopClass) return undefined;
  return { patientId, studyUid, seriesUid, instanceUid, sopClass, accession, ...readAnsweredFrame(bytes, frame) };
}

/**
 * What is kept of the DICOM file that an answer is about, in pseudonyms.
 *
 * @param page that the answer is about, from 1
 * @throws if the key of pseudonyms cannot be used
 */
export async function studyOf(facts: StudyFacts, page: number, identities: Identities): Promise<KeptStudy> {
  const { patientId, studyUid, seriesUid, instanceUid, sopClass, accession, frames, place, burnedIn } = facts;
  const names = await identities.of(patientId);
  return {
    study: names.uid(studyUid),
    series: names.uid(seriesUid),
    instance: names.uid(instanceUid),
    sopClass,
    frame: frames === undefined ? null : page,
    patient: names.patient ?? null,
    accession: accession === undefined ? null : names.accession(accession),
    burnedIn: burnedIn ?? null,
    place,
  };
}

/** An answer as other systems are told of it. */
export function reportedAnswer({ prediction, study }: KeptAnswer): ReportedAnswer {
  const { request, model, recipe, receipt, probability, decision, threshold, uncertain } = prediction;
  const { page, pages, peak, verdict, synthetic, disclaimer } = prediction;
  return {
    request,
    answeredAt: receipt.answered_at,
    model,
    modelSha256: receipt.model_sha256,
    recipe,
    probability,
    decision,
    threshold,
    uncertain,
    page,
    pages,
    peak,
    verdict,
    synthetic,
    disclaimer,
    image: study && imageOf(study, peak),
  };
}

function imageOf(kept: KeptStudy, peak: { readonly x: number; readonly y: number }): ReportedImage {
  const { study, series, instance, sopClass, frame, patient, accession, burnedIn, place } = kept;
  return {
    study,
    series,
    instance,
    sopClass,
    frame: frame ?? undefined,
    patient: patient ?? undefined,
    accession: accession ?? undefined,
    burnedIn: burnedIn ?? undefined,
    // The middle of the pixel.
    point: storedPlace(place, peak.x + 0.5, peak.y + 0.5),
  };
}
