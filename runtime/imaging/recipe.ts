import { createHash } from "node:crypto";
import type { Geometry, GreyImage } from "./types";

const PARAMETERS = {
  /** Grows when the arithmetic changes without a parameter changing. */
  version: 1,
  /** Side of the square result, pixels. */
  side: 128,
  channels: 3,
  /** Longest side of the grid on which the foreground is searched, cells. */
  searchSide: 256,
  /** Percentiles of the whole frame between which the foreground threshold lies. */
  frameLow: 0.01,
  frameHigh: 0.99,
  /** Where between them it lies. */
  foreground: 0.12,
  /** A cell is foreground if most of its neighbourhood is: (2r + 1) squared cells, r a share of the longest side. */
  smoothing: 1 / 128,
  /** Connected regions below this share of the largest one are specks: burnt-in text, marks, noise. */
  speck: 0.1,
  /** A foreground box with a side below this share of the frame's is not believed; the full frame is taken. */
  smallestBox: 0.1,
  /** Added around the foreground on each side, as a share of the box's longest side. */
  margin: 0.02,
  /** Percentiles of the foreground (high) and of the crop (low) that become white and black. */
  cropLow: 0.01,
  cropHigh: 0.995,
} as const;

/**
 * The one way from a decoded page to a model's input, used wherever pixels meet a model. Two processes whose `id` is
 * equal make the same bytes from the same page. Percentiles and shares are fractions of 1.
 */
export const RECIPE = {
  id: `r${PARAMETERS.version}-${createHash("sha256").update(JSON.stringify(PARAMETERS)).digest("hex").slice(0, 10)}`,
  ...PARAMETERS,
} as const;

export interface RecipeResult {
  /** 128 x 128 x 3, row by row, the three channels of a pixel side by side and equal; 0 to 255. */
  readonly pixels: Uint8Array;
  readonly geometry: Geometry;
}

/**
 * Foreground crop, aspect-preserving fit, intensity window, three equal channels.
 *
 * Every sum is of integers below 2^53, so the result does not depend on the machine, and the recipe of a mirrored page
 * is the mirrored recipe of the page (where the search grid is the pixel grid: up to 256 pixels a side).
 */
export function applyRecipe(image: GreyImage): RecipeResult {
  const { grey, geometry } = applyRecipeGrey(image);
  const pixels = new Uint8Array(grey.length * RECIPE.channels);
  for (let i = 0, o = 0; i < grey.length; i++) {
    const value = grey[i] as number;
    pixels[o++] = value;
    pixels[o++] = value;
    pixels[o++] = value;
  }
  return { pixels, geometry };
}

/** {@link applyRecipe} before the channel is replicated: 128 x 128 bytes. */
export function applyRecipeGrey(image: GreyImage): { grey: Uint8Array; geometry: Geometry } {
  const values = countValues(image, { left: 0, top: 0, width: image.width, height: image.height });
  const { box, threshold } = findForeground(image, values);
  const window = intensityWindow(valuesWithin(image, values, box), box, threshold);
  const longest = Math.max(box.width, box.height);
  const padLeft = (RECIPE.side - fittedSide(box.width, longest)) / 2;
  const padTop = (RECIPE.side - fittedSide(box.height, longest)) / 2;
  const geometry = { ...box, scale: longest / RECIPE.side, padLeft, padTop };
  return { grey: fitBox(image, geometry, window), geometry };
}

/** A page's box in the recipe's square, `low` to `high` as 0 to 255. */
function fitBox(image: GreyImage, geometry: Geometry, { low, high }: { low: number; high: number }): Uint8Array {
  const { padLeft, padTop } = geometry;
  const across = taps(geometry.width, RECIPE.side - 2 * padLeft);
  const down = taps(geometry.height, RECIPE.side - 2 * padTop);
  const grey = new Uint8Array(RECIPE.side * RECIPE.side);
  const weight = across.total * down.total;
  // The last result pixels' taps may reach past the row, with weight 0.
  const lines = new Float64Array(geometry.width + across.stride);
  for (let y = 0; y < down.first.length; y++) {
    mixRows(image, geometry, down, y, lines);
    writeLevels(lines, across, low * weight, (high - low) * weight, grey, (y + padTop) * RECIPE.side + padLeft);
  }
  return grey;
}

/**
 * A lesion mask in the recipe's square: what {@link applyRecipeGrey} did to the page's geometry, done to its mask.
 *
 * @param mask of the page's size, 8 bit: 255 where the lesion is, else 0
 * @param geometry of the page
 * @returns 128 x 128 bytes: the share of lesion in each pixel, 0 to 255
 */
export function applyRecipeToMask(mask: GreyImage, geometry: Geometry): Uint8Array {
  return fitBox(mask, geometry, { low: 0, high: 255 });
}

/**
 * Maps a point of the recipe's square (pixels, centre of the first pixel at 0.5) to the original page, clipped to the
 * foreground box.
 */
export function toOriginal(geometry: Geometry, x: number, y: number): { x: number; y: number } {
  const fittedWidth = RECIPE.side - 2 * geometry.padLeft;
  const fittedHeight = RECIPE.side - 2 * geometry.padTop;
  const clip = (value: number) => Math.min(1, Math.max(0, value));
  return {
    x: geometry.left + clip((x - geometry.padLeft) / fittedWidth) * geometry.width,
    y: geometry.top + clip((y - geometry.padTop) / fittedHeight) * geometry.height,
  };
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Even, so that the padding is equal on both sides and mirroring stays exact. */
function fittedSide(side: number, longest: number): number {
  return Math.max(2, 2 * Math.floor((side * RECIPE.side) / (2 * longest) + 0.5));
}

/** The value below which a share of the counted pixels lies. */
function percentile(histogram: Uint32Array, count: number, share: number): number {
  const rank = Math.floor(share * (count - 1));
  let seen = 0;
  for (let value = 0; value < histogram.length; value++) {
    seen += histogram[value] as number;
    if (seen > rank) return value;
  }
  return histogram.length - 1;
}

/** How often each value occurs in some boxes, 256 or 65,536 values. */
function countValues(image: GreyImage, ...boxes: readonly Box[]): Uint32Array {
  const { width, pixels, depth } = image;
  const histogram = new Uint32Array(depth === 8 ? 256 : 65_536);
  // Neighbours are often equal, and a counter that was just written has to be waited for: four take turns.
  const counts = new Uint32Array(4 * 256);
  for (const box of boxes) {
    for (let y = box.top; y < box.top + box.height; y++) {
      const end = y * width + box.left + box.width;
      let i = y * width + box.left;
      if (depth === 16) {
        for (; i < end; i++) (histogram[pixels[i] as number] as number)++;
        continue;
      }
      for (; i + 3 < end; i += 4) {
        (counts[pixels[i] as number] as number)++;
        (counts[256 + (pixels[i + 1] as number)] as number)++;
        (counts[512 + (pixels[i + 2] as number)] as number)++;
        (counts[768 + (pixels[i + 3] as number)] as number)++;
      }
      for (; i < end; i++) (counts[pixels[i] as number] as number)++;
    }
  }
  if (depth === 8) for (let i = 0; i < counts.length; i++) (histogram[i & 255] as number) += counts[i] as number;
  return histogram;
}

/** {@link countValues} of a box, from those of the whole frame: what lies outside is counted where that is less. */
function valuesWithin(image: GreyImage, ofFrame: Uint32Array, box: Box): Uint32Array {
  const { width, height } = image;
  if (2 * box.width * box.height < width * height) return countValues(image, box);
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const outside = countValues(
    image,
    { left: 0, top: 0, width, height: box.top },
    { left: 0, top: bottom, width, height: height - bottom },
    { left: 0, top: box.top, width: box.left, height: box.height },
    { left: right, top: box.top, width: width - right, height: box.height },
  );
  return ofFrame.map((count, value) => count - (outside[value] as number));
}

/** @param histogram how often each value occurs in the frame */
function findForeground(image: GreyImage, histogram: Uint32Array): { box: Box; threshold: number } {
  const { width, height, pixels } = image;
  const frame = { left: 0, top: 0, width, height };
  let low = percentile(histogram, pixels.length, RECIPE.frameLow);
  let high = percentile(histogram, pixels.length, RECIPE.frameHigh);
  if (high <= low) {
    low = percentile(histogram, pixels.length, 0);
    high = percentile(histogram, pixels.length, 1);
  }
  const threshold = low + RECIPE.foreground * (high - low);

  const cell = Math.ceil(Math.max(width, height) / RECIPE.searchSide);
  const columns = Math.ceil(width / cell);
  const rows = Math.ceil(height / cell);
  const found = boxOfLargeRegions(majority(thresholdCells(image, cell, columns, rows, threshold), columns, rows));
  if (!found) return { box: frame, threshold };

  const left = found.left * cell;
  const top = found.top * cell;
  const right = Math.min(width, (found.left + found.width) * cell);
  const bottom = Math.min(height, (found.top + found.height) * cell);
  if (right - left < RECIPE.smallestBox * width || bottom - top < RECIPE.smallestBox * height) {
    return { box: frame, threshold };
  }
  const margin = Math.ceil(RECIPE.margin * Math.max(right - left, bottom - top));
  const x = Math.max(0, left - margin);
  const y = Math.max(0, top - margin);
  return {
    box: {
      left: x,
      top: y,
      width: Math.min(width, right + margin) - x,
      height: Math.min(height, bottom + margin) - y,
    },
    threshold,
  };
}

const WORD = Int32Array.BYTES_PER_ELEMENT;
/**
 * The cells of the page that is being searched. Arrays of this size, one a page, are what makes Node collect its garbage most.
 */
const CELLS = new Uint8Array(RECIPE.searchSide * (RECIPE.searchSide + 1));

/** A row of cells, one byte each, as whole words. */
function paddedColumns(columns: number): number {
  return WORD * Math.ceil(columns / WORD);
}

/**
 * 1 where the mean of a cell x cell block of pixels is above the threshold.
 * @returns rows of {@link paddedColumns} cells, of which the first `columns` count, and one more that is empty; good until
 * the next page is searched
 */
function thresholdCells(
  image: GreyImage,
  cell: number,
  columns: number,
  rows: number,
  threshold: number,
): Uint8Array<ArrayBuffer> {
  const { width, height, pixels } = image;
  const stride = paddedColumns(columns);
  const mask = CELLS.fill(0, 0, stride * (rows + 1));
  if (cell === 1) {
    // No pixel is between the threshold and the integer below it.
    const below = Math.floor(threshold);
    if (image.depth === 8 && stride === columns && pixels.byteOffset % WORD === 0) {
      compareWords(new Int32Array(pixels.buffer, pixels.byteOffset, (stride * rows) / WORD), below, mask);
      return mask;
    }
    // The sign of a difference of integers: no branch that noise in the picture makes a processor mispredict.
    for (let y = 0, i = 0; y < rows; y++) {
      const end = y * stride + columns;
      for (let at = y * stride; at < end; at++, i++) mask[at] = (below - (pixels[i] as number)) >>> 31;
    }
    return mask;
  }
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    const bottom = Math.min(height, (row + 1) * cell);
    for (let y = row * cell; y < bottom; y++) {
      for (let column = 0, x = y * width; column < columns; column++) {
        const end = y * width + Math.min(width, (column + 1) * cell);
        let sum = 0;
        for (; x < end; x++) sum += pixels[x] as number;
        sums[column] = (sums[column] as number) + sum;
      }
    }
    const cellHeight = bottom - row * cell;
    for (let column = 0; column < columns; column++) {
      const area = cellHeight * (Math.min(width, (column + 1) * cell) - column * cell);
      mask[row * stride + column] = (sums[column] as number) > threshold * area ? 1 : 0;
    }
  }
  return mask;
}

/** 1 for every byte above `below` (0 to 255). Each byte of a word, with its neighbour's place to carry into. */
function compareWords(words: Int32Array, below: number, mask: Uint8Array<ArrayBuffer>): void {
  const result = new Int32Array(mask.buffer, 0, words.length);
  const carry = (255 - below) * 0x00010001;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    const even = (word & 0x00ff00ff) + carry;
    const odd = ((word >>> 8) & 0x00ff00ff) + carry;
    result[i] = ((even >>> 8) & 0x00010001) | (odd & 0x01000100);
  }
}

/** What is foreground, row by row: run i takes the columns from `left[i]` to before `right[i]`. */
interface Runs {
  readonly left: number[];
  readonly right: number[];
  /** The first run of each row; one more for the end. */
  readonly rowStart: number[];
}

/**
 * Removes what is thinner than half the neighbourhood (text, lines) without moving straight edges. Four cells are worked
 * on at a time, one in each byte of a word, the first in its lowest bits (of the processors that Node is built for, nearly all
 * are little-endian). The largest sum, (2r + 1) squared with r at most 2, leaves a byte's highest bit free.
 * @param mask as of {@link thresholdCells}
 */
function majority(mask: Uint8Array<ArrayBuffer>, columns: number, rows: number): Runs {
  const radius = Math.max(1, Math.round(RECIPE.smoothing * Math.max(columns, rows)));
  const runs: Runs = { left: [], right: [], rowStart: [] };
  const stride = paddedColumns(columns);
  const words = stride / WORD;
  // Foreground of each column within the rows of the neighbourhood; after the last there is none.
  const sums = new Int32Array(words + 1);
  const maskWords = new Int32Array(mask.buffer);
  const rowOf = (y: number) => words * (y < 0 || y >= rows ? rows : y);
  // What lifts a byte to 128 or more if it is above half of its neighbourhood; beyond the last column nothing is.
  const lift = new Uint8Array(stride);
  const liftWords = new Int32Array(lift.buffer);
  let liftOf = 0;
  for (let y = -radius; y < rows; y++) {
    moveDown(sums, maskWords, rowOf(y + radius), rowOf(y - radius - 1), words);
    if (y < 0) continue;
    const height = Math.min(rows, y + radius + 1) - Math.max(0, y - radius);
    if (height !== liftOf) {
      for (let x = 0; x < columns; x++) {
        const half = (height * (Math.min(columns, x + radius + 1) - Math.max(0, x - radius))) >> 1;
        lift[x] = 127 - half;
      }
      liftOf = height;
    }
    runs.rowStart.push(runs.left.length);
    addRuns(sums, radius, liftWords, columns, runs);
  }
  runs.rowStart.push(runs.left.length);
  return runs;
}

/** Takes the row that comes into the neighbourhood into the sums of the columns, and out the one that leaves it. */
function moveDown(sums: Int32Array, mask: Int32Array, coming: number, leaving: number, length: number): void {
  for (let i = 0; i < length; i++) {
    sums[i] = ((sums[i] as number) + (mask[coming + i] as number) - (mask[leaving + i] as number)) | 0;
  }
}

/** Adds the runs of one row: the cells of whose neighbourhood more than half is foreground. */
function addRuns(sums: Int32Array, radius: number, lift: Int32Array, columns: number, runs: Runs): void {
  let inside = 0;
  let before = 0;
  let word = sums[0] as number;
  for (let i = 0; i < lift.length; i++) {
    const after = sums[i + 1] as number;
    let around = (lift[i] as number) + word + ((word << 8) | (before >>> 24)) + ((word >>> 8) | (after << 24));
    if (radius === 2) around += ((word << 16) | (before >>> 16)) + ((word >>> 16) | (after << 16));
    before = word;
    word = after;
    const foreground = (around >>> 7) & 0x01010101;
    // Where all four cells are what the one before was, no run begins or ends.
    if (foreground === inside) continue;
    for (let cell = 0; cell < WORD; cell++) {
      const now = ((foreground >>> (8 * cell)) & 1) * 0x01010101;
      if (now === inside) continue;
      (now === 0 ? runs.right : runs.left).push(WORD * i + cell);
      inside = now;
    }
  }
  if (inside !== 0) runs.right.push(columns);
}

/** Box around every 4-connected region that is not a speck beside the largest one. */
function boxOfLargeRegions({ left, right, rowStart }: Runs): Box | undefined {
  if (left.length === 0) return undefined;
  const parent = new Int32Array(left.length);
  for (let run = 0; run < parent.length; run++) parent[run] = run;
  const root = (run: number): number => {
    let at = run;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number;
      at = parent[at] as number;
    }
    return at;
  };
  for (let row = 1; row + 1 < rowStart.length; row++) {
    let above = rowStart[row - 1] as number;
    let run = rowStart[row] as number;
    const [aboveEnd, runEnd] = [run, rowStart[row + 1] as number];
    while (above < aboveEnd && run < runEnd) {
      if ((left[above] as number) < (right[run] as number) && (left[run] as number) < (right[above] as number)) {
        parent[root(run)] = root(above);
      }
      if ((right[above] as number) < (right[run] as number)) above++;
      else run++;
    }
  }
  const areas = new Float64Array(left.length);
  for (let run = 0; run < left.length; run++) {
    const region = root(run);
    areas[region] = (areas[region] as number) + (right[run] as number) - (left[run] as number);
  }
  const least = RECIPE.speck * areas.reduce((largest, area) => Math.max(largest, area), 0);
  const box = { left: Number.POSITIVE_INFINITY, top: -1, right: 0, bottom: 0 };
  for (let row = 0, run = 0; row + 1 < rowStart.length; row++) {
    for (; run < (rowStart[row + 1] as number); run++) {
      if ((areas[root(run)] as number) < least) continue;
      if (box.top < 0) box.top = row;
      box.bottom = row + 1;
      box.left = Math.min(box.left, left[run] as number);
      box.right = Math.max(box.right, right[run] as number);
    }
  }
  return { left: box.left, top: box.top, width: box.right - box.left, height: box.bottom - box.top };
}

/** @param histogram how often each value occurs in the box; it is changed */
function intensityWindow(histogram: Uint32Array, box: Box, threshold: number): { low: number; high: number } {
  const count = box.width * box.height;
  const low = percentile(histogram, count, RECIPE.cropLow);
  let foreground = 0;
  for (let value = 0; value < histogram.length; value++) {
    if (value > threshold) foreground += histogram[value] as number;
    else histogram[value] = 0;
  }
  const high = foreground > 0 ? percentile(histogram, foreground, RECIPE.cropHigh) : low;
  return { low, high: Math.max(high, low + 1) };
}

/**
 * Source positions and integer weights of each result position along one axis; the weights of each sum to `total`. Each
 * has room for `stride` weights, at least {@link LEAST_TAPS}, of which those after `count` are 0.
 */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Float64Array;
  readonly stride: number;
  readonly total: number;
}

const LEAST_TAPS = 3;

/** Area average when shrinking, linear interpolation when growing. */
function taps(from: number, to: number): Taps {
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  if (from >= to) {
    // In units of 1/(from * to) of the axis a source pixel is `to` wide and a result pixel `from` wide.
    const stride = Math.max(LEAST_TAPS, Math.ceil(from / to) + 1);
    const weights = new Float64Array(to * stride);
    for (let i = 0; i < to; i++) {
      const begin = i * from;
      const end = begin + from;
      const start = Math.floor(begin / to);
      first[i] = start;
      let n = 0;
      for (let j = start; j * to < end; j++) {
        weights[i * stride + n++] = Math.min(end, (j + 1) * to) - Math.max(begin, j * to);
      }
      count[i] = n;
    }
    return { first, count, weights, stride, total: from };
  }
  const unit = 2 * to;
  const stride = LEAST_TAPS;
  const weights = new Float64Array(to * stride);
  for (let i = 0; i < to; i++) {
    const position = Math.min(Math.max((2 * i + 1) * from - to, 0), (from - 1) * unit);
    const start = Math.min(Math.floor(position / unit), Math.max(0, from - 2));
    first[i] = start;
    count[i] = from === 1 ? 1 : 2;
    weights[stride * i] = from === 1 ? unit : unit - (position - start * unit);
    weights[stride * i + 1] = position - start * unit;
  }
  return { first, count, weights, stride, total: unit };
}

/** Weighted sum of the source rows below one result row: a value for each column of the box. */
function mixRows(image: GreyImage, box: Box, down: Taps, y: number, lines: Float64Array): void {
  const { width, pixels } = image;
  const columns = box.width;
  const n = down.count[y] as number;
  const at = y * down.stride;
  const from = (box.top + (down.first[y] as number)) * width + box.left;
  const [first, second, third] = [from, from + width, from + 2 * width];
  const [one, two, three] = [
    down.weights[at] as number,
    down.weights[at + 1] as number,
    down.weights[at + 2] as number,
  ];
  if (n === 1) {
    for (let x = 0; x < columns; x++) lines[x] = one * (pixels[first + x] as number);
  } else if (n === 2) {
    for (let x = 0; x < columns; x++) {
      lines[x] = one * (pixels[first + x] as number) + two * (pixels[second + x] as number);
    }
  } else {
    for (let x = 0; x < columns; x++) {
      lines[x] =
        one * (pixels[first + x] as number) +
        two * (pixels[second + x] as number) +
        three * (pixels[third + x] as number);
    }
  }
  for (let k = 3; k < n; k++) {
    const more = down.weights[at + k] as number;
    const row = from + k * width;
    for (let x = 0; x < columns; x++) lines[x] = (lines[x] as number) + more * (pixels[row + x] as number);
  }
}

/** One result row: weighted sums of neighbours, then black to white as 0 to 255. */
function writeLevels(
  lines: Float64Array,
  across: Taps,
  black: number,
  range: number,
  grey: Uint8Array,
  at: number,
): void {
  const { first, weights, stride } = across;
  for (let x = 0, tap = 0; x < first.length; x++, tap += stride) {
    const from = first[x] as number;
    let sum =
      (lines[from] as number) * (weights[tap] as number) +
      (lines[from + 1] as number) * (weights[tap + 1] as number) +
      (lines[from + 2] as number) * (weights[tap + 2] as number);
    for (let k = LEAST_TAPS; k < stride; k++) sum += (lines[from + k] as number) * (weights[tap + k] as number);
    const level = (255 * (sum - black)) / range + 0.5;
    grey[at + x] = level <= 0 ? 0 : Math.min(255, level);
  }
}
