import { type Geometry, RECIPE } from "../imaging";
import type { Answer } from "../model";

/** Where a model looked when it spoke for Cancer. */
export interface Explanation {
  /**
   * 128 x 128, row by row, in the recipe's square; 0 to 1, where 1 is the strongest evidence *in this image*. All 0
   * where no place speaks for Cancer.
   */
  readonly map: Float32Array;
  /** The signed map before rectifying, on the grid of the layer. */
  readonly coarse: { readonly rows: number; readonly columns: number; readonly values: Float32Array };
  /**
   * The strongest place inside the image (never in the padding), in pixels of the recipe's square, centre of the first
   * pixel at 0.5. Where no place speaks for Cancer, the one that speaks least against it.
   */
  readonly peak: { readonly x: number; readonly y: number };
}

/**
 * What is drawn of a model's signed map: see {@link Explanation}.
 *
 * @param coarse Grad-CAM (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391) for the class Cancer, as a model answers
 * @param geometry where the image lies in the square; without it, all of the square counts as image
 */
export function explanationOf(coarse: Answer["map"], geometry?: Geometry): Explanation {
  const signed = upsample(coarse, RECIPE.side);
  // By number: an iterator of this many values is an object a value.
  let strongest = 0;
  for (let i = 0; i < signed.length; i++) strongest = Math.max(strongest, signed[i] as number);
  const map = new Float32Array(signed.length);
  if (strongest > 0) for (let i = 0; i < map.length; i++) map[i] = Math.max(0, signed[i] as number) / strongest;
  return { map, coarse, peak: peakIn(signed, geometry) };
}

/** The strongest place alone: see {@link Explanation.peak}. */
export function peakOf(coarse: Answer["map"], geometry: Geometry): Explanation["peak"] {
  return peakIn(upsample(coarse, RECIPE.side), geometry);
}

function peakIn(signed: Float32Array, geometry?: Geometry): Explanation["peak"] {
  const side = RECIPE.side;
  const padLeft = geometry?.padLeft ?? 0;
  const padTop = geometry?.padTop ?? 0;
  let highest = Number.NEGATIVE_INFINITY;
  let peakX = side / 2;
  let peakY = side / 2;
  for (let y = Math.ceil(padTop); y < side - padTop; y++) {
    for (let x = Math.ceil(padLeft); x < side - padLeft; x++) {
      const value = signed[y * side + x] as number;
      if (value <= highest) continue;
      highest = value;
      peakX = x + 0.5;
      peakY = y + 0.5;
    }
  }
  return { x: peakX, y: peakY };
}

/** Bilinear, with cell centres at half positions, so that a cell's maximum stays over the cell. */
function upsample(
  { rows, columns, values }: { rows: number; columns: number; values: Float32Array },
  side: number,
): Float32Array {
  const [down, across] = [placesOf(rows, side), placesOf(columns, side)];
  const result = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    const [top, bottom] = [(down.before[y] as number) * columns, (down.after[y] as number) * columns];
    const vertical = down.share[y] as number;
    for (let x = 0; x < side; x++) {
      const left = across.before[x] as number;
      const right = across.after[x] as number;
      const horizontal = across.share[x] as number;
      const topLeft = values[top + left] as number;
      const bottomLeft = values[bottom + left] as number;
      const above = topLeft + ((values[top + right] as number) - topLeft) * horizontal;
      const below = bottomLeft + ((values[bottom + right] as number) - bottomLeft) * horizontal;
      result[y * side + x] = above + (below - above) * vertical;
    }
  }
  return result;
}

interface Places {
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly share: Float64Array;
}

/** By count and side: the product's models have one grid. */
const known = new Map<string, Places>();

/** Between which two of `count` cells each of `side` places lies, and how far from the first to the second. */
function placesOf(count: number, side: number): Places {
  const key = `${count} ${side}`;
  const places = known.get(key) ?? findPlaces(count, side);
  known.set(key, places);
  return places;
}

function findPlaces(count: number, side: number): Places {
  const place = (i: number) => Math.min(count - 1, Math.max(0, ((i + 0.5) * count) / side - 0.5));
  const places = Float64Array.from({ length: side }, (_, i) => place(i));
  const before = Int32Array.from(places, Math.floor);
  return {
    before,
    after: before.map((i) => Math.min(count - 1, i + 1)),
    share: places.map((at, i) => at - (before[i] as number)),
  };
}
