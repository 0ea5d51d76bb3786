import { createHash } from "node:crypto";
import { ShardFiles, type ShardRow } from "../../../runtime/dataset/shards";
import { type Pca, PIXELS } from "../../../runtime/features/components";
import type { Split } from "../../../runtime/intake";
import { symmetricEigen } from "../../../runtime/platform/linear-algebra";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";
import type { Workspace } from "../../../runtime/platform/workspace";
import { planShards } from "../../support/plan-shards";

/** Images as preprocess leaves them, drawn and never scanned. */
export interface Drawn {
  readonly row: ShardRow;
  /** One channel. */
  readonly pixels: Uint8Array;
}

const SIDE = 128;
const WAVES = 40;
const waves = Array.from({ length: WAVES }, (_, i) => {
  const random = uniform(mixSeed(i, 77));
  const [u, v, phase] = [1 + 6 * random(), 1 + 6 * random(), 2 * Math.PI * random()];
  return Float64Array.from({ length: PIXELS }, (_, j) =>
    Math.cos((u * (j % SIDE) + v * Math.floor(j / SIDE)) * (Math.PI / SIDE) + phase),
  );
});

/** Those that were drawn: a test draws the same hundreds as the one before. */
const drawnFields = new Map<number, Uint8Array>();

/** A smooth random field on black ground: 40 waves, each weaker than the one before. Its first line is always black. */
export function drawField(seed: number): Uint8Array {
  const known = drawnFields.get(seed);
  if (known) return known;
  const draw = normal(uniform(mixSeed(seed, 5)));
  const field = new Float64Array(PIXELS).fill(120);
  for (const [i, wave] of waves.entries()) {
    const weight = 40 * 0.9 ** i * draw();
    for (let j = 0; j < PIXELS; j++) field[j] = (field[j] as number) + weight * (wave[j] as number);
  }
  const pixels = Uint8Array.from(field, (value, j) => (j < SIDE ? 0 : Math.min(255, Math.max(0, Math.round(value)))));
  drawnFields.set(seed, pixels);
  return pixels;
}

export function drawn(name: string, split: Split, pixels: Uint8Array): Drawn {
  const hash = (text: string | Uint8Array) => createHash("sha256").update(text).digest("hex");
  const [id, sha256] = [hash(name), hash(pixels)];
  return {
    row: {
      id,
      label: null,
      group: id,
      split,
      sha256,
      phash: "0".repeat(64),
      source: name,
      generation: 1,
      masked: false,
    },
    pixels,
  };
}

export const fields = (split: Split, count: number, first = 0): Drawn[] =>
  Array.from({ length: count }, (_, i) => drawn(`${split}-${first + i}`, split, drawField(first + i + 1)));

/** Makes these the processed images of a workspace, in place of all others. */
export async function process(workspace: Workspace, images: readonly Drawn[]): Promise<void> {
  const { processed } = workspace.buckets;
  const files = await ShardFiles.open(processed);
  try {
    const planes = new Map(images.map(({ row, pixels }) => [row.id, { grey: pixels, mask: null }]));
    const shards = planShards(images.map(({ row }) => row));
    for (const shard of shards) await files.write(shard, planes);
    const wanted = new Set(shards.map(({ name }) => name));
    for (const name of await files.names()) if (!wanted.has(name)) await processed.delete(name);
  } finally {
    await files.close();
  }
}

/** Mean, population deviation (1 where there is none) and principal components, by the Gramian of the few images. */
export function exactPca(images: readonly Uint8Array[], count: number) {
  const n = images.length;
  const mean = new Float64Array(PIXELS);
  const scale = new Float64Array(PIXELS);
  let varying = 0;
  for (let j = 0; j < PIXELS; j++) {
    const values = images.map((image) => image[j] as number);
    const average = values.reduce((sum, value) => sum + value, 0) / n;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / n);
    mean[j] = average;
    scale[j] = deviation || 1;
    if (deviation > 0) varying++;
  }
  const rows = images.map((image) =>
    Float64Array.from(image, (value, j) => (value - (mean[j] as number)) / (scale[j] as number)),
  );
  const gramian = new Float64Array(n * n);
  for (let p = 0; p < n; p++)
    for (let q = 0; q < n; q++) gramian[p * n + q] = product(rows[p] as Float64Array, rows[q] as Float64Array);
  const { values, vectors } = symmetricEigen(gramian, n);
  const components = vectors.slice(0, count).map((weights, i) => {
    const component = new Float64Array(PIXELS);
    for (const [r, row] of rows.entries())
      for (let j = 0; j < PIXELS; j++)
        component[j] = (component[j] as number) + (weights[r] as number) * (row[j] as number);
    return component.map((value) => value / Math.sqrt(values[i] as number));
  });
  return { mean, scale, components, variances: values.map((value) => value / (n - 1)), total: (varying * n) / (n - 1) };
}

/** The largest principal angle between two subspaces, in degrees. */
export function largestAngle(a: Pca["components"], b: Pca["components"]): number {
  const n = a.length;
  const cosines = a.map((one) => b.map((other) => product(one, other)));
  const square = new Float64Array(n * n);
  for (let p = 0; p < n; p++)
    for (let q = 0; q < n; q++)
      square[p * n + q] = (cosines[p] as number[]).reduce(
        (sum, value, i) => sum + value * (cosines[q]?.[i] as number),
        0,
      );
  const smallest = symmetricEigen(square, n).values[n - 1] as number;
  return (Math.acos(Math.min(1, Math.sqrt(Math.max(0, smallest)))) * 180) / Math.PI;
}

export function product(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
