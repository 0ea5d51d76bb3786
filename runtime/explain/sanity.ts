import { RECIPE } from "../imaging";
import { type Answer, AnswerPool, type Classifier, labelOf } from "../model";
import { drawWeights } from "./drawn-weights";

/** Cells of a side of the grid on which maps are compared. */
const GRID = 8;
/** Side of the patch that hides a part of the picture, and how far it moves, pixels of the recipe's square. */
const PATCH = 24;
const STRIDE = 16;

/** How explanations behave on some images: means over the images. */
export interface SanityReport {
  readonly images: number;
  /**
   * Spearman correlation, over the places of the head, of the map with that of the same network with drawn weights
   * (Adebayo et al. 2018): near 0 if the map shows what was learnt, near 1 if it shows edges whatever was learnt. Around
   * the head any network finds little, so that all maps are alike there.
   */
  readonly randomisedWeights: number | null;
  /**
   * Of the map for Cancer with the map for Non-Cancer. With one output the latter is the former's negative part, so this
   * is at most 0 by construction: it says that the maps differ, and is no evidence for either.
   */
  readonly otherLabel: number | null;
  /** Of the map with how much the log odds of Cancer fall when a patch of the picture is hidden. */
  readonly occlusion: number | null;
  /**
   * Of the images that are called Cancer: the share of the head's other places whose hiding costs Cancer less than hiding
   * the map's maximum does (the mean; ties count half). 0.5 is chance, and at 1 the map points where it matters most. A
   * rank correlation over all places weighs the many that hardly matter as much as the few that do.
   */
  readonly hidingThePeak: number | null;
}

/**
 * Checks that Grad-CAM depends on what the network has learnt and on the label that is asked for, and that it agrees
 * with hiding parts of the picture, which needs no gradient.
 *
 * @param images recipe output, 128 x 128 x 3 each
 */
export async function checkSanity(
  classifier: Classifier,
  images: readonly Uint8Array[],
  seed: number,
  signal?: AbortSignal,
): Promise<SanityReport> {
  const { metadata, onnx } = classifier;
  const answers = await classifier.answer(images, signal);
  const learnt = answers.map(({ map }) => toGrid(map));
  const opposite = learnt.map((map) => map.map((value) => Math.max(0, -value)));
  const rectified = learnt.map((map) => map.map((value) => Math.max(0, value)));
  const hidden = await withPool(onnx, "plain", (pool) => inTurn(images, (image) => occlusionMap(pool, image, signal)));
  const suspicious = images.flatMap((_, i) =>
    labelOf((answers[i] as Answer).probability, metadata.threshold) === "Cancer" ? [i] : [],
  );
  const drawn = await withPool(await drawWeights(onnx, seed), metadata.views, (pool) =>
    inTurn(images, async (image) => toGrid((await pool.answer(image, signal)).map)),
  );
  return {
    images: images.length,
    randomisedWeights: meanOf(
      learnt.map((map, i) => {
        const isHead = headCells(images[i] as Uint8Array);
        const inHead = (values: Float64Array) => values.filter((_, cell) => isHead[cell]);
        return spearman(inHead(map), inHead(drawn[i] as Float64Array));
      }),
    ),
    otherLabel: meanOf(rectified.map((map, i) => spearman(map, opposite[i] as Float64Array))),
    occlusion: meanOf(learnt.map((map, i) => spearman(map, hidden[i] as Float64Array))),
    hidingThePeak: meanOf(suspicious.map((i) => rankOfPeak(learnt[i] as Float64Array, hidden[i] as Float64Array))),
  };
}

async function withPool<T>(
  onnx: Uint8Array,
  views: Classifier["metadata"]["views"],
  work: (pool: AnswerPool) => Promise<T>,
): Promise<T> {
  const pool = await AnswerPool.start({ onnx, views });
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
}

async function inTurn<A, B>(things: readonly A[], work: (thing: A) => Promise<B>): Promise<B[]> {
  const done: B[] = [];
  for (const thing of things) done.push(await work(thing));
  return done;
}

/** Whether at least half of a cell of the grid is not dark. */
function headCells(image: Uint8Array): readonly boolean[] {
  const { side, channels, foreground } = RECIPE;
  const across = side / GRID;
  const lit = new Uint32Array(GRID * GRID);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const cell = Math.floor(y / across) * GRID + Math.floor(x / across);
      if ((image[(y * side + x) * channels] as number) > 255 * foreground) lit[cell] = (lit[cell] as number) + 1;
    }
  return Array.from(lit, (pixels) => 2 * pixels >= across * across);
}

/** Means of a map over the cells of the grid; a coarser map is repeated. */
function toGrid({ rows, columns, values }: Answer["map"]): Float64Array {
  const sums = new Float64Array(GRID * GRID);
  const fine = GRID * Math.max(1, Math.ceil(Math.max(rows, columns) / GRID));
  for (let y = 0; y < fine; y++) {
    for (let x = 0; x < fine; x++) {
      const value = values[Math.floor((y * rows) / fine) * columns + Math.floor((x * columns) / fine)] as number;
      const cell = Math.floor((y * GRID) / fine) * GRID + Math.floor((x * GRID) / fine);
      sums[cell] = (sums[cell] as number) + value;
    }
  }
  return sums;
}

/**
 * Fall of the log odds of Cancer, cell by cell, when a patch over the cell shows the picture's mean grey. The network is
 * shown the picture as it is, whatever views the model answers for: of 65 pictures, these would be many.
 *
 * @param pool of the model, with the view "plain"
 */
export async function occlusionMap(pool: AnswerPool, image: Uint8Array, signal?: AbortSignal): Promise<Float64Array> {
  const side = RECIPE.side;
  const lit = image.filter((value) => value > 255 * RECIPE.foreground);
  const grey = lit.length > 0 ? Math.round(lit.reduce((sum, value) => sum + value, 0) / lit.length) : 0;
  const variants = Array.from({ length: GRID * GRID }, (_, cell) => {
    const variant = Uint8Array.from(image);
    const left = Math.max(0, (cell % GRID) * STRIDE + (STRIDE - PATCH) / 2);
    const top = Math.max(0, Math.floor(cell / GRID) * STRIDE + (STRIDE - PATCH) / 2);
    for (let y = top; y < Math.min(side, top + PATCH); y++) {
      const from = (y * side + left) * RECIPE.channels;
      const to = (y * side + Math.min(side, left + PATCH)) * RECIPE.channels;
      // The dark around the head stays dark: hiding nothing must change nothing.
      for (let at = from; at < to; at++) if ((variant[at] as number) > 255 * RECIPE.foreground) variant[at] = grey;
    }
    return variant;
  });
  const answers = await Promise.all([image, ...variants].map((variant) => pool.answer(variant, signal)));
  const [whole = 0, ...parts] = answers.map(({ logits }) => logits[0] as number);
  return Float64Array.from(parts, (part) => whole - part);
}

/** Where nothing of the head was hidden, log odds change by less than this: by rounding alone. */
const UNCHANGED = 1e-5;

/** See {@link SanityReport.hidingThePeak}; undefined where the map's maximum lies beside the head. */
export function rankOfPeak(map: Float64Array, falls: Float64Array): number | undefined {
  const peak = map.indexOf(Math.max(...map));
  const fall = falls[peak] as number;
  const others = Array.from(falls).filter((value, cell) => cell !== peak && Math.abs(value) > UNCHANGED);
  if (Math.abs(fall) <= UNCHANGED || others.length === 0) return undefined;
  const below = others.reduce((sum, value) => sum + (value < fall ? 1 : value === fall ? 0.5 : 0), 0);
  return below / others.length;
}

function meanOf(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Rank correlation, ties at their mean rank; 0 where one side is constant, undefined where both are. */
export function spearman(a: Float64Array, b: Float64Array): number | undefined {
  const [x, y] = [ranks(a), ranks(b)];
  const middle = (a.length - 1) / 2;
  let [both, left, right] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [(x[i] as number) - middle, (y[i] as number) - middle];
    both += dx * dy;
    left += dx * dx;
    right += dy * dy;
  }
  if (left === 0 && right === 0) return undefined;
  return left > 0 && right > 0 ? both / Math.sqrt(left * right) : 0;
}

function ranks(values: Float64Array): Float64Array {
  const order = Array.from(values.keys()).sort((i, j) => (values[i] as number) - (values[j] as number));
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end] as number] === values[order[start] as number]) end++;
    for (let k = start; k < end; k++) result[order[k] as number] = (start + end - 1) / 2;
    start = end;
  }
  return result;
}
