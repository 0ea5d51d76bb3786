import { createHash } from "node:crypto";
import { z } from "zod";
import { RECIPE } from "../imaging";
import { type CreatableStore, type ReadableStore, readJson, tryToCreate } from "../platform/stores";
import { decodeNpz, encodeNpz, type NumericArray } from "./npy";

/** Values of one channel. The recipe's three are equal: the other two would add nothing but a factor. */
export const PIXELS = RECIPE.side * RECIPE.side;

const METADATA_FILE = "metadata.json";

const methodSchema = z.union([
  z.object({
    /** Randomised subspace iteration on one machine, see randomized-pca.ts. */
    name: z.literal("randomized"),
    seed: z.int(),
  }),
  z.object({
    /** Distributed singular value decomposition by Spark MLlib, see spark/pca.py. It draws nothing by chance. */
    name: z.literal("arpack"),
    seed: z.null(),
  }),
]);
/** How components were found: part of their id. */
export type FitMethod = z.infer<typeof methodSchema>;

const metadataSchema = z.object({
  id: z.string(),
  recipe: z.string(),
  method: methodSchema,
  /** Training images that mean, scale and components were fitted to, and the digest of their ids and pixels. */
  fitted: z.object({ images: z.int(), rows: z.string() }),
  /** How many were asked for; there are fewer where the training images have no more. */
  requested: z.int(),
  components: z.int(),
  pixels: z.int(),
  /** Variance along each component, with n - 1 in the denominator. */
  explainedVariance: z.array(z.number()),
  /** The same as parts of the total variance. */
  explainedVarianceRatio: z.array(z.number()),
  totalVariance: z.number(),
  arrays: z.object({ file: z.string(), sha256: z.string() }),
});
export type PcaMetadata = z.infer<typeof metadataSchema>;

/** Everything that turns pixels into scores: (pixels - mean) / scale, along each component. */
export interface Pca {
  readonly metadata: PcaMetadata;
  /** Of each pixel over the training images, 0 to 255. */
  readonly mean: Float64Array;
  /** Population standard deviation of each pixel; 1 where a pixel never varies. */
  readonly scale: Float64Array;
  /** Vectors of length one, by descending variance; the largest entry of each (by magnitude) is positive. */
  readonly components: readonly Float64Array[];
}

/** A fit before it has a name. */
export interface FittedPca extends Pick<Pca, "mean" | "scale" | "components"> {
  /** Along each component, with n - 1 in the denominator. */
  readonly explainedVariance: Float64Array;
  readonly totalVariance: number;
}

/** What a fit is to be made of: the same request has the same id, and nothing is fitted twice. */
export interface FitRequest {
  readonly recipe: string;
  readonly method: FitMethod;
  /** Components that are asked for. */
  readonly components: number;
  readonly fitted: { readonly images: number; readonly rows: string };
}

/** `pca-` and 12 hex digits: the hash of everything that decides what is fitted. */
export function pcaId({ recipe, method, components, fitted }: FitRequest): string {
  const parts = [recipe, method.name, method.seed, components, fitted.rows];
  return `pca-${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12)}`;
}

/** Where the parts of a fit lie in the bucket of models: no model has this prefix. */
const folderOf = (id: string) => `features/${id}`;

/** Whether a fit was stored whole. */
export async function isFitted(models: ReadableStore, id: string): Promise<boolean> {
  return (await models.stat(`${folderOf(id)}/${METADATA_FILE}`)) !== undefined;
}

/**
 * Stores a fit under `features/<id>/`: arrays under the name of their hash, then what describes them. Whoever comes
 * second with the same id leaves what the first one stored, and uses it.
 */
export async function storePca(
  models: ReadableStore & CreatableStore,
  request: FitRequest,
  fit: FittedPca,
): Promise<Pca> {
  const id = pcaId(request);
  const components = fit.components.map(withFixedSign);
  const arrays = encodeNpz({
    mean: { shape: [PIXELS], data: fit.mean },
    scale: { shape: [PIXELS], data: fit.scale },
    components: { shape: [components.length, PIXELS], data: concatenated(components) },
  });
  const sha256 = createHash("sha256").update(arrays).digest("hex");
  const explainedVariance = [...fit.explainedVariance];
  const metadata: PcaMetadata = {
    id,
    recipe: request.recipe,
    method: request.method,
    fitted: request.fitted,
    requested: request.components,
    components: components.length,
    pixels: PIXELS,
    explainedVariance,
    explainedVarianceRatio: explainedVariance.map((variance) => variance / fit.totalVariance),
    totalVariance: fit.totalVariance,
    arrays: { file: `arrays-${sha256.slice(0, 16)}.npz`, sha256 },
  };
  await tryToCreate(models, `${folderOf(id)}/${metadata.arrays.file}`, arrays, { contentType: "application/zip" });
  const text = `${JSON.stringify(metadata, null, 2)}\n`;
  if (await tryToCreate(models, `${folderOf(id)}/${METADATA_FILE}`, text, { contentType: "application/json" }))
    return { metadata, mean: fit.mean, scale: fit.scale, components };
  return loadPca(models, id);
}

/** @throws {Error} if the fit is not there or not what was stored */
export async function loadPca(models: ReadableStore, id: string): Promise<Pca> {
  const folder = folderOf(id);
  const where = `${models.uri}/${folder}`;
  try {
    const metadata = metadataSchema.parse(await readJson(models, `${folder}/${METADATA_FILE}`));
    const content = await models.read(`${folder}/${metadata.arrays.file}`);
    if (createHash("sha256").update(content).digest("hex") !== metadata.arrays.sha256)
      throw new Error(`${metadata.arrays.file} is not what ${METADATA_FILE} describes.`);
    const arrays = decodeNpz(content);
    const data = (name: string, ...shape: number[]) => shaped(arrays, name, shape);
    const rows = data("components", metadata.components, PIXELS);
    const components = Array.from({ length: metadata.components }, (_, i) =>
      rows.subarray(i * PIXELS, (i + 1) * PIXELS),
    );
    return { metadata, mean: data("mean", PIXELS), scale: data("scale", PIXELS), components };
  } catch (error) {
    throw new Error(
      `The principal components ${where} cannot be used: ${(error as Error).message} ` +
        "Remove that folder and run features again.",
      { cause: error },
    );
  }
}

function shaped(arrays: Record<string, NumericArray>, name: string, shape: readonly number[]): Float64Array {
  const array = arrays[name];
  if (array?.shape.join(" x ") !== shape.join(" x "))
    throw new Error(`${name} has the shape ${array?.shape.join(" x ")} instead of ${shape.join(" x ")}.`);
  return array.data;
}

/** A component and its opposite fit equally well: of the two, the one whose largest entry by magnitude is positive. */
function withFixedSign(component: Float64Array): Float64Array {
  let largest = 0;
  for (const value of component) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return largest < 0 ? component.map((value) => -value) : component;
}

function concatenated(rows: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(rows.length * PIXELS);
  for (const [i, row] of rows.entries()) all.set(row, i * PIXELS);
  return all;
}
