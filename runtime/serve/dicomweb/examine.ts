import { createHash } from "node:crypto";
import { checkDicom, isDicom, RejectedImage, readDicomHeader } from "../../imaging";
import { FAILURE, type FailureReason, reasonOf } from "./outcome";

/** What a part of a request is, by its bytes alone. */
export interface ExaminedInstance {
  /** As its sender calls it; undefined where that cannot be said. */
  readonly instance: { readonly sopClass: string; readonly uid: string } | undefined;
  /** What it is of; undefined where one of them is missing, or no UID. */
  readonly of: { readonly studyUid: string; readonly seriesUid: string } | undefined;
  /** Why it is not stored. */
  readonly reason: FailureReason | undefined;
  /** Of the bytes. */
  readonly sha256: string;
}

/**
 * Reads the header of an instance with the limits of the reader of pictures, and decodes nothing. UIDs are held to the
 * standard (PS3.5, 6.2 and 9.1): two that a reader mended might become one.
 */
export function examineInstance(bytes: Buffer): ExaminedInstance {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const nameless = (reason: FailureReason) => ({ instance: undefined, of: undefined, reason, sha256 });
  if (!isDicom(bytes)) return nameless(FAILURE.notUnderstood);
  const { sopClass, studyUid, seriesUid, instanceUid, malformedUids } = readDicomHeader(bytes);
  if (sopClass === undefined || instanceUid === undefined || malformedUids.has("sopClass"))
    return nameless(FAILURE.noStorageInstance);
  if (malformedUids.has("instanceUid")) return nameless(FAILURE.invalidInstance);
  const instance = { sopClass, uid: instanceUid };
  const reason = whyRefused(bytes);
  // Of a file that cannot be read on, what is missing may stand there.
  if (studyUid === undefined || seriesUid === undefined || malformedUids.size > 0)
    return { instance, of: undefined, reason: reason ?? FAILURE.noStorageInstance, sha256 };
  return { instance, of: { studyUid, seriesUid }, reason, sha256 };
}

/** Why ingest would refuse all of a file; undefined where it would look at its pixels. */
function whyRefused(bytes: Buffer): FailureReason | undefined {
  try {
    checkDicom(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof RejectedImage) return reasonOf(error);
    throw error;
  }
}
