import { createHash } from "node:crypto";
import {
  type DeidentifyOptions,
  deidentify,
  isUid,
  RejectedImage,
  readDicomHeader,
  readDicomIdentifiers,
  readFramePlaces,
} from "../imaging";
import { dicomObject, GATEWAY_FOLDER, type Identities, placeOf } from "../intake";
import { crc32cOf } from "../platform/stores";
import { dataSetOf } from "./file-meta";
import type { MappingRecord } from "./mapping";
import { type PixelText, TextNotLookedForError } from "./pixel-text";
import type { Refusal } from "./spool";

/** What is asked of a scan later stays: when it was made, by its patient's own calendar, and what it shows. */
const OPTIONS: DeidentifyOptions = { retainDates: "modified", cleanDescriptors: true };

/** What leaves of an instance, and what stays. */
export interface Prepared {
  readonly bytes: Uint8Array;
  /** Of these bytes, base64. */
  readonly crc32c: string;
  /** Its name below landing. */
  readonly object: string;
  readonly record: Omit<MappingRecord, "recorded">;
}

/** An instance that stays at home. */
export class RefusedInstance extends Error {
  constructor(
    readonly refusal: Refusal,
    options?: ErrorOptions,
  ) {
    super(refusal.message, options);
    this.name = "RefusedInstance";
  }
}

/**
 * Takes all that names somebody out of a spooled file, and names it anew.
 *
 * @throws {RefusedInstance} where that cannot be done; anything else concerns the key or who looks for text, and not the file
 */
export async function prepare(file: Buffer, identities: Identities, pixelText: PixelText): Promise<Prepared> {
  const header = readDicomHeader(file);
  const { studyUid, seriesUid, instanceUid } = header;
  if (studyUid === undefined || seriesUid === undefined || instanceUid === undefined)
    throw new RefusedInstance({
      code: "incomplete",
      message: "The file does not say of which study, series and instance it is, or cannot be read so far.",
    });
  // By what a sender means with blanks around it, UIDs of old devices count as well.
  if (![studyUid, seriesUid, instanceUid].every(isUid))
    throw new RefusedInstance({
      code: "malformed-uid",
      message:
        "The study, series or instance UID of the file is none: numbers with dots between them, 64 characters at most.",
    });
  const text = await orRefuse(() => pixelText.refusalOf(file, header.burnedIn === true));
  if (text) throw new RefusedInstance(text);
  const names = await identities.of(header.patientId);
  const sha256 = createHash("sha256").update(dataSetOf(file)).digest("hex");
  const place = placeOf(header, sha256, names);
  const bytes = await orRefuse(() => deidentify(file, names, OPTIONS));
  const { frames, places } = framesOf(file);
  return {
    bytes,
    crc32c: crc32cOf(bytes),
    object: dicomObject(GATEWAY_FOLDER, place),
    record: {
      ...place,
      patient: names.patient ?? null,
      identifiers: { ...readDicomIdentifiers(file), studyUid, seriesUid, instanceUid },
      sopClass: header.sopClass ?? null,
      frames: frames ?? null,
      places: [...places],
      dayShift: names.dayShift,
      sha256,
    },
  };
}

/** Of a file whose pixels cannot be described, nothing: ingest refuses it, and no answer comes home. */
function framesOf(file: Buffer): ReturnType<typeof readFramePlaces> {
  try {
    return readFramePlaces(file);
  } catch {
    return { frames: undefined, places: [] };
  }
}

/** Whatever goes wrong within concerns this file alone: it may not hold up the others, and may not leave. */
async function orRefuse<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TextNotLookedForError) throw cause;
    const refusal =
      cause instanceof RejectedImage
        ? { code: cause.code, message: cause.message }
        : { code: "not-de-identified", message: `The file could not be de-identified (${(cause as Error).name}).` };
    throw new RefusedInstance(refusal, { cause });
  }
}
