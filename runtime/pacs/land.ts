import { createHash } from "node:crypto";
import { checkDicom, isDicom, RejectedImage } from "../imaging";
import { dicomObject, type Identities, otherDicomObject, placeOf, scannedHeader } from "../intake";
import { type CreatableStore, crc32cOf, PreconditionFailedError, type ReadableStore } from "../platform/stores";

/** What came without a label, and not from the hospital's gateway. */
const UNLABELLED = "Unlabelled/instance.dcm";

/** What became of an instance. */
export type Landed =
  | { readonly outcome: "landed" | "there already"; readonly object: string; readonly generation: number }
  /** Nothing that ingest would look at. `code` of imaging's rejections. */
  | { readonly outcome: "left"; readonly code: string };

/**
 * Lands an instance as every door does: below `Unlabelled/`, byte by byte as it came, called by pseudonyms of its UIDs,
 * created and never replaced. Of several files of one instance the first has that name, and each other one a part of its
 * content's hash behind it, as with an upload. A repeated delivery lands nothing.
 */
export async function landInstance(
  bytes: Buffer,
  landing: CreatableStore & Pick<ReadableStore, "stat">,
  identities: () => Promise<Identities>,
): Promise<Landed> {
  const code = whyLeft(bytes);
  if (code !== undefined) return { outcome: "left", code };
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const scanned = scannedHeader(bytes, sha256);
  if (!scanned) return { outcome: "left", code: NO_DICOM };
  const place = placeOf(scanned.header, sha256, await (await identities()).of(undefined));
  const crc32c = crc32cOf(bytes);
  for (const object of [dicomObject(UNLABELLED, place), otherDicomObject(UNLABELLED, place, sha256)]) {
    try {
      const { generation } = await landing.create(object, bytes, { crc32c, contentType: "application/dicom" });
      return { outcome: "landed", object, generation };
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
      const there = await landing.stat(object);
      if (there?.size === bytes.length && there.crc32c === crc32c)
        return { outcome: "there already", object, generation: there.generation };
    }
  }
  throw new Error("Another file has the name of this instance and the hash of its content.");
}

const NO_DICOM = "no-dicom";

/** A store of a whole hospital has much that is no MR image: it stays there, and is not copied into quarantine. */
function whyLeft(bytes: Buffer): string | undefined {
  if (!isDicom(bytes)) return NO_DICOM;
  try {
    checkDicom(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof RejectedImage) return error.code;
    throw error;
  }
}
