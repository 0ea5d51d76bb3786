import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { onDisk, writeWhole } from "../platform/disk";
import { COMPACT, type Layout } from "./layout";
import type { EpochRecord } from "./trainer";

export interface Checkpoint {
  readonly curve: readonly EpochRecord[];
  /** The optimiser's whole state. */
  readonly state: Float32Array;
  /** The averaged weights of the best epoch, where training may stop early. */
  readonly best?: Float32Array;
}

export interface Checkpoints {
  load(): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
  /** The run is complete: its checkpoint is of no more use. */
  clear(): Promise<void>;
}

/**
 * The last checkpoint of one run as one local file: a line of JSON (the curve), then the state, and the best
 * epoch's weights if there are any, as little-endian float32.
 * One file, because curve and state must never be of different epochs; a local one, because it is replaced every epoch
 * and a versioned bucket would keep every copy.
 */
export function checkpointsIn(directory: string, modelId: string, layout: Layout = COMPACT): Checkpoints {
  const { size, stateSize } = layout;
  const path = join(directory, `${modelId}.checkpoint`);
  const next = `${path}.next`;
  return {
    async load() {
      const content = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      });
      if (!content) return undefined;
      const end = content.indexOf("\n");
      const bytes = content.subarray(end + 1);
      // Written by a version with another network: of no use to this one.
      if (end < 0 || ![stateSize * 4, (stateSize + size) * 4].includes(bytes.length)) return undefined;
      const floats = new Float32Array(new Uint8Array(bytes).buffer);
      return {
        curve: JSON.parse(content.subarray(0, end).toString("utf8")) as EpochRecord[],
        state: floats.slice(0, stateSize),
        ...(floats.length > stateSize ? { best: floats.slice(stateSize) } : {}),
      };
    },
    async save({ curve, state, best }) {
      await onDisk(directory, () => mkdir(directory, { recursive: true }));
      const floats = [state, ...(best ? [best] : [])].map(({ buffer, byteOffset, byteLength }) =>
        Buffer.from(buffer, byteOffset, byteLength),
      );
      await writeWhole(path, Buffer.concat([Buffer.from(`${JSON.stringify(curve)}\n`), ...floats]), next);
    },
    async clear() {
      await rm(path, { force: true });
      await rm(next, { force: true });
    },
  };
}
