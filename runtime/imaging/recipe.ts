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
  const { box, threshold } = findForeground(image);
  const window = intensityWindow(image, box, threshold);
  const longest = Math.max(box.width, box.height);
  const fittedWidth = fittedSide(box.width, longest);
  const fittedHeight = fittedSide(box.height, longest);
  const padLeft = (RECIPE.side - fittedWidth) / 2;
  const padTop = (RECIPE.side - fittedHeight) / 2;
  const sums = resample(image, box, fittedWidth, fittedHeight);

  const grey = new Uint8Array(RECIPE.side * RECIPE.side);
  const black = window.low * sums.weight;
  const range = (window.high - window.low) * sums.weight;
  for (let y = 0; y < fittedHeight; y++) {
    const out = (y + padTop) * RECIPE.side + padLeft;
    const row = y * fittedWidth;
    for (let x = 0; x < fittedWidth; x++) {
      const level = Math.floor((255 * ((sums.values[row + x] as number) - black)) / range + 0.5);
      grey[out + x] = Math.max(0, Math.min(255, level));
    }
  }
  return { grey, geometry: { ...box, scale: longest / RECIPE.side, padLeft, padTop } };
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

function findForeground(image: GreyImage): { box: Box; threshold: number } {
  const { width, height, pixels, depth } = image;
  const histogram = new Uint32Array(depth === 8 ? 256 : 65_536);
  for (let i = 0; i < pixels.length; i++) (histogram[pixels[i] as number] as number)++;
  let low = percentile(histogram, pixels.length, RECIPE.frameLow);
  let high = percentile(histogram, pixels.length, RECIPE.frameHigh);
  if (high <= low) {
    low = percentile(histogram, pixels.length, 0);
    high = percentile(histogram, pixels.length, 1);
  }
  const threshold = low + RECIPE.foreground * (high - low);
  const frame = { left: 0, top: 0, width, height };

  const cell = Math.ceil(Math.max(width, height) / RECIPE.searchSide);
  const columns = Math.ceil(width / cell);
  const rows = Math.ceil(height / cell);
  const mask = majority(thresholdCells(image, cell, columns, rows, threshold), columns, rows);
  const found = boxOfLargeRegions(mask, columns, rows);
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

/** 1 where the mean of a cell x cell block of pixels is above the threshold. */
function thresholdCells(image: GreyImage, cell: number, columns: number, rows: number, threshold: number): Uint8Array {
  const { width, height, pixels } = image;
  const mask = new Uint8Array(columns * rows);
  if (cell === 1) {
    for (let i = 0; i < pixels.length; i++) mask[i] = (pixels[i] as number) > threshold ? 1 : 0;
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
      mask[row * columns + column] = (sums[column] as number) > threshold * area ? 1 : 0;
    }
  }
  return mask;
}

/** Removes what is thinner than half the neighbourhood (text, lines) without moving straight edges. */
function majority(mask: Uint8Array, columns: number, rows: number): Uint8Array {
  const radius = Math.max(1, Math.round(RECIPE.smoothing * Math.max(columns, rows)));
  const stride = columns + 1;
  const integral = new Uint32Array(stride * (rows + 1));
  for (let y = 0; y < rows; y++) {
    let sum = 0;
    for (let x = 0; x < columns; x++) {
      sum += mask[y * columns + x] as number;
      integral[(y + 1) * stride + x + 1] = (integral[y * stride + x + 1] as number) + sum;
    }
  }
  const smooth = new Uint8Array(mask.length);
  const lefts = Int32Array.from({ length: columns }, (_, x) => Math.max(0, x - radius));
  const rights = Int32Array.from({ length: columns }, (_, x) => Math.min(columns, x + radius + 1));
  for (let y = 0; y < rows; y++) {
    const top = Math.max(0, y - radius);
    const bottom = Math.min(rows, y + radius + 1);
    for (let x = 0; x < columns; x++) {
      const left = lefts[x] as number;
      const right = rights[x] as number;
      const inside =
        (integral[bottom * stride + right] as number) -
        (integral[top * stride + right] as number) -
        (integral[bottom * stride + left] as number) +
        (integral[top * stride + left] as number);
      smooth[y * columns + x] = 2 * inside > (bottom - top) * (right - left) ? 1 : 0;
    }
  }
  return smooth;
}

/** Box around every 4-connected region that is not a speck beside the largest one. Clears the mask. */
function boxOfLargeRegions(mask: Uint8Array, columns: number, rows: number): Box | undefined {
  const regions: { area: number; left: number; top: number; right: number; bottom: number }[] = [];
  const stack = new Int32Array(mask.length);
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start]) continue;
    const region = { area: 0, left: columns, top: rows, right: 0, bottom: 0 };
    let depth = 0;
    stack[depth++] = start;
    mask[start] = 0;
    while (depth > 0) {
      const at = stack[--depth] as number;
      const x = at % columns;
      const y = (at - x) / columns;
      region.area++;
      if (x < region.left) region.left = x;
      if (x >= region.right) region.right = x + 1;
      if (y < region.top) region.top = y;
      if (y >= region.bottom) region.bottom = y + 1;
      if (x > 0 && mask[at - 1]) {
        mask[at - 1] = 0;
        stack[depth++] = at - 1;
      }
      if (x + 1 < columns && mask[at + 1]) {
        mask[at + 1] = 0;
        stack[depth++] = at + 1;
      }
      if (y > 0 && mask[at - columns]) {
        mask[at - columns] = 0;
        stack[depth++] = at - columns;
      }
      if (y + 1 < rows && mask[at + columns]) {
        mask[at + columns] = 0;
        stack[depth++] = at + columns;
      }
    }
    regions.push(region);
  }
  if (regions.length === 0) return undefined;
  const largest = Math.max(...regions.map((region) => region.area));
  const kept = regions.filter((region) => region.area >= RECIPE.speck * largest);
  const left = Math.min(...kept.map((region) => region.left));
  const top = Math.min(...kept.map((region) => region.top));
  return {
    left,
    top,
    width: Math.max(...kept.map((region) => region.right)) - left,
    height: Math.max(...kept.map((region) => region.bottom)) - top,
  };
}

function intensityWindow(image: GreyImage, box: Box, threshold: number): { low: number; high: number } {
  const { width, pixels, depth } = image;
  const histogram = new Uint32Array(depth === 8 ? 256 : 65_536);
  for (let y = box.top; y < box.top + box.height; y++) {
    const end = y * width + box.left + box.width;
    for (let i = y * width + box.left; i < end; i++) (histogram[pixels[i] as number] as number)++;
  }
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

/** Source positions and integer weights of each result position along one axis; the weights of each sum to `total`. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Float64Array;
  readonly stride: number;
  readonly total: number;
}

/** Area average when shrinking, linear interpolation when growing. */
function taps(from: number, to: number): Taps {
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  if (from >= to) {
    // In units of 1/(from * to) of the axis a source pixel is `to` wide and a result pixel `from` wide.
    const stride = Math.ceil(from / to) + 1;
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
  const weights = new Float64Array(to * 2);
  for (let i = 0; i < to; i++) {
    const position = Math.min(Math.max((2 * i + 1) * from - to, 0), (from - 1) * unit);
    const start = Math.min(Math.floor(position / unit), Math.max(0, from - 2));
    first[i] = start;
    count[i] = from === 1 ? 1 : 2;
    weights[2 * i] = from === 1 ? unit : unit - (position - start * unit);
    weights[2 * i + 1] = position - start * unit;
  }
  return { first, count, weights, stride: 2, total: unit };
}

/** The box in a new size: each value is the weighted mean times `weight`, exactly. */
function resample(image: GreyImage, box: Box, toWidth: number, toHeight: number) {
  const { width, pixels } = image;
  const across = taps(box.width, toWidth);
  const down = taps(box.height, toHeight);
  const rows = new Float64Array(box.height * toWidth);
  for (let y = 0; y < box.height; y++) {
    const base = (box.top + y) * width + box.left;
    for (let x = 0; x < toWidth; x++) {
      const from = base + (across.first[x] as number);
      const weightsAt = x * across.stride;
      const n = across.count[x] as number;
      let sum = 0;
      for (let k = 0; k < n; k++) sum += (pixels[from + k] as number) * (across.weights[weightsAt + k] as number);
      rows[y * toWidth + x] = sum;
    }
  }
  const values = new Float64Array(toWidth * toHeight);
  for (let y = 0; y < toHeight; y++) {
    const n = down.count[y] as number;
    for (let k = 0; k < n; k++) {
      const weight = down.weights[y * down.stride + k] as number;
      const from = ((down.first[y] as number) + k) * toWidth;
      for (let x = 0; x < toWidth; x++) {
        values[y * toWidth + x] = (values[y * toWidth + x] as number) + weight * (rows[from + x] as number);
      }
    }
  }
  return { values, weight: across.total * down.total };
}
