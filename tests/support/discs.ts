import { uniform } from "../../runtime/platform/random";
import type { Checkpoints } from "../../runtime/train/checkpoints";
import { trainingConfiguration } from "../../runtime/train/configuration";
import { NO_LESION } from "../../runtime/train/lesions";
import type { TrainingSet, trainNetwork } from "../../runtime/train/trainer";

export const SIDE = 128;
const ROWS = 16;

/** Half of the images carry a bright disc at a random place. */
export function discs(): TrainingSet {
  const random = uniform(11);
  const pixels = new Uint8Array(ROWS * SIDE * SIDE);
  const labels = new Uint8Array(ROWS);
  const masks = new Uint8Array((ROWS / 2) * SIDE * SIDE);
  for (let row = 0; row < ROWS; row++) {
    labels[row] = row % 2;
    const [cx, cy] = [40 + 48 * random(), 40 + 48 * random()];
    for (let i = 0; i < SIDE * SIDE; i++) {
      const near = ((i % SIDE) - cx) ** 2 + (Math.floor(i / SIDE) - cy) ** 2 < 144;
      pixels[row * SIDE * SIDE + i] = 60 + 40 * random() + (labels[row] && near ? 100 : 0);
      if (labels[row] && near) masks[((row - 1) / 2) * SIDE * SIDE + i] = 255;
    }
  }
  const rows = Array.from({ length: ROWS }, (_, row) => row);
  return {
    images: {
      side: SIDE,
      pixels,
      labels,
      masks,
      maskOf: Int32Array.from(rows, (row) => (row % 2 ? (row - 1) / 2 : NO_LESION)),
      donors: Int32Array.from(rows.filter((row) => row % 2 === 1 && row < 12)),
    },
    train: Int32Array.from(rows.slice(0, 12)),
    validation: Int32Array.from(rows.slice(12)),
    groups: rows.map((row) => `g${row}`),
  };
}

/** Three epochs of two steps. */
export const CONFIGURATION = { ...trainingConfiguration(12, { seed: 3, epochs: 3 }), batch: 6 };

export function weightsOf(result: Awaited<ReturnType<typeof trainNetwork>>): Float32Array[] {
  return result.network.getWeights().map((tensor) => tensor.dataSync() as Float32Array);
}

/** Bit for bit; jest's own comparison of long arrays takes seconds. */
export function sameBits(one: readonly Float32Array[], other: readonly Float32Array[]): boolean {
  const bytes = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return one.length === other.length && one.every((values, i) => bytes(values).equals(bytes(other[i] as Float32Array)));
}

/** Checkpoints that end the training once so many epochs are saved. */
export function interruptAfter(
  epochs: number,
  watched: Checkpoints,
): { checkpoints: Checkpoints; signal: AbortSignal } {
  const stop = new AbortController();
  const checkpoints: Checkpoints = {
    ...watched,
    async save(checkpoint) {
      await watched.save(checkpoint);
      if (checkpoint.curve.length === epochs) stop.abort();
    },
  };
  return { checkpoints, signal: stop.signal };
}
