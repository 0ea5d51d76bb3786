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
  const side = RECIPE.side;
  const signed = upsample(coarse, side);
  const padLeft = geometry?.padLeft ?? 0;
  const padTop = geometry?.padTop ?? 0;
  let highest = Number.NEGATIVE_INFINITY;
  let peak = { x: side / 2, y: side / 2 };
  for (let y = Math.ceil(padTop); y < side - padTop; y++) {
    for (let x = Math.ceil(padLeft); x < side - padLeft; x++) {
      const value = signed[y * side + x] as number;
      if (value > highest) {
        highest = value;
        peak = { x: x + 0.5, y: y + 0.5 };
      }
    }
  }
  const strongest = signed.reduce((most, value) => Math.max(most, value), 0);
  const map = signed.map((value) => (strongest > 0 ? Math.max(0, value) / strongest : 0));
  return { map, coarse, peak };
}

/** Bilinear, with cell centres at half positions, so that a cell's maximum stays over the cell. */
function upsample(
  { rows, columns, values }: { rows: number; columns: number; values: Float32Array },
  side: number,
): Float32Array {
  const result = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    const v = Math.min(rows - 1, Math.max(0, ((y + 0.5) * rows) / side - 0.5));
    const top = Math.floor(v);
    const bottom = Math.min(rows - 1, top + 1);
    for (let x = 0; x < side; x++) {
      const u = Math.min(columns - 1, Math.max(0, ((x + 0.5) * columns) / side - 0.5));
      const left = Math.floor(u);
      const right = Math.min(columns - 1, left + 1);
      const at = (row: number, column: number) => values[row * columns + column] as number;
      const above = at(top, left) + (at(top, right) - at(top, left)) * (u - left);
      const below = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * (u - left);
      result[y * side + x] = above + (below - above) * (v - top);
    }
  }
  return result;
}
