import { type ColourPicture, type ReportedStudy, uuidOf } from "../../exchange";
import { storedPlace } from "../../imaging";
import type { StudyAnswer } from "../../study";
import type { StudyAtHome } from "../mapping";

/** An answer as it is handed on. */
export interface Outgoing {
  readonly report: ReportedStudy;
  /**
   * Fetches its most suspicious slice with the map over it.
   * @throws {RefusedError} where there is none, for good
   */
  overlay(): Promise<ColourPicture>;
}

/** A receiver understood, and takes it at no time; or there is nothing to hand on. The message is a sentence without a name. */
export class RefusedError extends Error {}

/** An answer that cannot be put into the hospital's own words. The message is a sentence, without a name. */
export class NotAtHomeError extends Error {}

/** Names an answer for ever: the study and the slices that it is of. All identifiers of its documents follow from it. */
export const requestOf = ({ study, pictures }: Pick<StudyAnswer, "study" | "pictures">): string =>
  uuidOf("study-answer", study, pictures);

/**
 * The answer with the identifiers of the hospital in place of their pseudonyms: of study, series, instance, patient, order,
 * and the dates. The same answer gives the same report.
 *
 * @throws {NotAtHomeError} where the mapping does not know the slice that it is about
 */
export function reportedStudy(answer: StudyAnswer, { records, landed }: StudyAtHome): ReportedStudy {
  const [strongest] = answer.slices;
  const record = strongest && records.get(strongest.instance);
  if (!strongest || !record || record.series !== strongest.series)
    throw new NotAtHomeError(
      "It is of an instance that the mapping does not know. Put the mapping back from its backup.",
    );
  const place = record.places[strongest.page - 1] ?? record.places[0];
  if (!place)
    throw new NotAtHomeError(
      "It was landed by an earlier version, which did not write down how the picture lies in the file.",
    );
  const { patientId, patientName, birthDate, sex, accession, studyUid, seriesUid, instanceUid } = record.identifiers;
  const { studyDate, studyTime, studyId } = record.identifiers;
  const { peak, whole } = answer;
  return {
    request: requestOf(answer),
    answeredAt: answer.answered_at,
    model: answer.model,
    modelSha256: answer.model_sha256,
    recipe: answer.recipe,
    probability: strongest.probability,
    decision: strongest.decision,
    threshold: answer.threshold,
    uncertain: answer.uncertain,
    page: strongest.page,
    pages: 1,
    peak,
    verdict: answer.verdict,
    synthetic: answer.synthetic,
    disclaimer: answer.disclaimer,
    image: {
      study: studyUid,
      series: seriesUid,
      instance: instanceUid,
      sopClass: record.sopClass ?? MR_IMAGE,
      frame: record.frames === null ? undefined : strongest.page,
      patient: patientId ?? undefined,
      accession: accession ?? undefined,
      // The middle of the pixel.
      point: storedPlace(place, peak.x + 0.5, peak.y + 0.5),
      burnedIn: undefined,
      person: {
        name: patientName ?? "",
        birthDate: birthDate ?? "",
        sex: sex ?? "",
        studyDate: studyDate ?? "",
        studyTime: studyTime ?? "",
        studyId: studyId ?? "",
      },
    },
    whole: { slices: answer.slices.length, sent: Math.max(landed.size, answer.slices.length), told: whole },
  };
}

/** What the gateway takes first; it takes none without a class. */
const MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4";
