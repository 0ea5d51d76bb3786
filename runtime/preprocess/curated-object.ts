import { DEFAULT_LIMITS } from "../imaging";
import { ChecksumMismatchError, ObjectNotFoundError, type ObjectStore } from "../platform/object-store";
import type { Rejection } from "./rejects";

/** Most bytes of a curated object: the samples of the largest page that ingest takes, which a PNG hardly exceeds. */
const LARGEST = Math.ceil(1.02 * DEFAULT_LIMITS.decodedBytes);

/** Where a page's pixels lie in the curated bucket. */
export function curatedName(sha256: string): string {
  return `images/${sha256}.png`;
}

const MASKS = "masks/";

/** The lesion masks in the curated bucket: object name by image id. */
export async function curatedMasks(curated: ObjectStore): Promise<Map<string, string>> {
  const masks = new Map<string, string>();
  for await (const { name } of curated.listAll(MASKS)) masks.set(name.slice(MASKS.length).replace(/\.png$/, ""), name);
  return masks;
}

/** The bytes of a curated object, or what is wrong with it. What is wrong with the store is thrown. */
export async function readCuratedObject(curated: ObjectStore, name: string): Promise<Buffer | Rejection> {
  try {
    const info = await curated.stat(name);
    if (!info) return missing(name);
    if (info.size > LARGEST) {
      const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20).toLocaleString("en-US");
      return {
        reason: "curated-too-large",
        message: `its file curated/${name} has ${mebibytes(info.size)} MiB; at most ${mebibytes(LARGEST)} MiB are read.`,
      };
    }
    return await curated.read(name, { generation: info.generation });
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return missing(name);
    if (error instanceof ChecksumMismatchError)
      return { reason: "curated-damaged", message: `its file curated/${name} is damaged.` };
    throw error;
  }
}

function missing(name: string): Rejection {
  return { reason: "curated-missing", message: `its file curated/${name} is gone.` };
}

/** That a file could be read and is not the scan that was ingested. */
export function differs(name: string): Rejection {
  return { reason: "pixels-differ", message: `its file curated/${name} does not hold the pixels that were ingested.` };
}
