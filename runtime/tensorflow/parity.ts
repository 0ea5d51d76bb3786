import { AnswerPool, type Parity, type PoolOptions, type Views } from "../model";
import type { TrainedNetwork } from "./trained-network";

/** One image of a comparison. */
export interface Compared {
  /** Recipe output, 128 x 128 x 3. */
  readonly pixels: Uint8Array;
}

/**
 * Compares what `model.onnx` says with what the trained network says: every view's log odds, and the map.
 *
 * @param network on the current TensorFlow.js backend
 * @param onEach called after each image with its own differences
 * @throws what `signal` was aborted with
 */
export async function measureParity<I extends Compared>(
  {
    network,
    onnx,
    views,
  }: {
    readonly network: Pick<TrainedNetwork, "judge">;
    readonly onnx: Uint8Array;
    readonly views: Views | undefined;
  },
  images: AsyncIterable<I> | Iterable<I>,
  {
    signal,
    onEach,
    ...options
  }: PoolOptions & {
    readonly signal?: AbortSignal | undefined;
    readonly onEach?: (image: I, difference: Difference) => void;
  } = {},
): Promise<Difference & Pick<Parity, "images">> {
  const pool = await AnswerPool.start({ onnx, views }, { threads: 1, ...options });
  let worst = { images: 0, logits: 0, maps: 0, strongest: 0 };
  try {
    for await (const image of images) {
      signal?.throwIfAborted();
      const answered = pool.answer(image.pixels, signal);
      const [mine, theirs] = await Promise.all([answered, network.judge(image.pixels)]);
      const difference: Difference = {
        logits: largestDifference(mine.logits, theirs.logits),
        maps: largestDifference(mine.map.values, theirs.map.values),
        strongest: theirs.map.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      };
      worst = {
        images: worst.images + 1,
        logits: Math.max(worst.logits, difference.logits),
        maps: Math.max(worst.maps, difference.maps),
        strongest: Math.max(worst.strongest, difference.strongest),
      };
      onEach?.(image, difference);
    }
  } finally {
    await pool.close();
  }
  return worst;
}

export type Difference = Pick<Parity, "logits" | "maps" | "strongest">;

/** Infinite where one side has no number, or the two are of unequal length. */
function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((most, value, i) => {
    const difference = Math.abs(value - (b[i] as number));
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
}
