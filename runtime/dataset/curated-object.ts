import { DEFAULT_LIMITS } from "../imaging";
import {
  ChecksumMismatchError,
  ObjectNotFoundError,
  ObjectTooLargeError,
  type ReadableStore,
} from "../platform/stores";
import type { Rejection } from "./rejects";

/** Most bytes of a curated object: the samples of the largest page that ingest takes, which a PNG hardly exceeds. */
const LARGEST = Math.ceil(1.02 * DEFAULT_LIMITS.decodedBytes);

/** Where a page's pixels lie in the curated bucket. */
export function curatedName(sha256: string): string {
  return `images/${sha256}.png`;
}

const MASKS = "masks/";

/** The lesion masks in the curated bucket: image id and object name. */
export async function* curatedMasks(curated: ReadableStore): AsyncGenerator<{ id: string; name: string }> {
  for await (const { name } of curated.listAll(MASKS))
    yield { id: name.slice(MASKS.length).replace(/\.png$/, ""), name };
}

/** The bytes of a curated object, or what is wrong with it. What is wrong with the store is thrown. */
export async function readCuratedObject(curated: ReadableStore, name: string): Promise<Buffer | Rejection> {
  try {
    return await curated.read(name, { atMost: LARGEST });
  } catch (error) {
    if (error instanceof ObjectNotFoundError)
      return { reason: "curated-missing", message: `its file curated/${name} is gone.` };
    if (error instanceof ChecksumMismatchError)
      return { reason: "curated-damaged", message: `its file curated/${name} is damaged.` };
    if (error instanceof ObjectTooLargeError) {
      const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20).toLocaleString("en-US");
      const message = `its file curated/${name} has ${mebibytes(error.size)} MiB; at most ${mebibytes(LARGEST)} MiB are read.`;
      return { reason: "curated-too-large", message };
    }
    throw error;
  }
}

/** That a file could be read and is not the scan that was ingested. */
export function differs(name: string): Rejection {
  return { reason: "pixels-differ", message: `its file curated/${name} does not hold the pixels that were ingested.` };
}
