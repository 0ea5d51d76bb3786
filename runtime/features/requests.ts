import { z } from "zod";
import { RECIPE } from "../imaging";
import { type Frame, frame } from "../platform/framed";
import type { CreatableStore, ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import { type FitRequest, isFitted, loadPca, type Pca, PIXELS, pcaId, storePca } from "./components";
import { digestOfBatches } from "./fitted-rows";
import { doubles, littleEndian } from "./npy";
import { Projection } from "./projection";
import { appendScores, makeCurrent, missingScores } from "./score-table";
import { shortfall, TooFewImagesError } from "./too-few-images";

/** What the requests of spark/pca.py are answered from. */
export interface RequestContext {
  readonly processed: ReadableStore;
  readonly models: ReadableStore & CreatableStore;
  readonly warehouse: Warehouse;
}

const batchName = z.string().regex(/^[0-9a-f]{2}$/);
const fitSchema = {
  components: z.int().min(1),
  /** Digests of the training rows of each batch, see fitted-rows.ts. */
  digests: z.record(batchName, z.string()),
  images: z.int().min(0),
};

const requestSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello") }),
  /** Which shards there are, and how their pixels lie. */
  z.object({ type: z.literal("shards") }),
  /** What a fit would be called, and whether it is there. `processed`: images in all splits. */
  z.object({ type: z.literal("plan"), ...fitSchema, processed: z.int().min(0) }),
  /** Payload: mean, scale, explained variances, components, as little-endian doubles one after the other. */
  z.object({
    type: z.literal("publish"),
    ...fitSchema,
    /** Components in the payload. */
    found: z.int().min(1),
    totalVariance: z.number().positive(),
  }),
  /** Which of a batch's images have no scores. `ids`: all of the batch. */
  z.object({ type: z.literal("missing"), pca: z.string(), batch: batchName, ids: z.array(z.string()) }),
  /** Payload: one channel of each image, 16,384 bytes. The answer's payload: scores as little-endian doubles. */
  z.object({ type: z.literal("score"), pca: z.string() }),
  /** Payload: scores of the images, as little-endian doubles. */
  z.object({ type: z.literal("append"), pca: z.string(), batch: batchName, ids: z.array(z.string()) }),
  /** Every image has its scores. */
  z.object({ type: z.literal("complete"), pca: z.string() }),
]);
type Request = z.infer<typeof requestSchema>;
type RequestOf<T extends Request["type"]> = Extract<Request, { readonly type: T }>;

/**
 * Answers the requests of the Spark driver and of its executors. What is stored, and where, is decided here and in no
 * other place: a fit on a cluster and one on a single machine give the same kind of components and the same rows.
 */
export function requestHandler(context: RequestContext): (request: Frame) => Promise<Frame> {
  const load = async (id: string) => {
    const pca = await loadPca(context.models, id);
    return { pca, projection: new Projection(pca) };
  };
  const loaded = new Map<string, ReturnType<typeof load>>();
  const fitOf = (id: string) => {
    const fit = loaded.get(id) ?? load(id);
    loaded.set(id, fit);
    return fit;
  };
  return async ({ header, payload }) => {
    const request = requestSchema.parse(header);
    switch (request.type) {
      case "hello":
        return frame({});
      case "shards":
        return frame({ recipe: RECIPE.id, pixels: PIXELS, channels: RECIPE.channels, names: await shards(context) });
      case "plan":
        return plan(context, request);
      case "publish":
        return publish(context, request, payload);
      case "missing": {
        const by = { recipe: RECIPE.id, pca: request.pca };
        return frame({ ids: await missingScores(context.warehouse, by, request.batch, request.ids) });
      }
      case "score":
        return frame({}, littleEndian(await (await fitOf(request.pca)).projection.scores(payload)));
      case "append":
        return append(context, request, (await fitOf(request.pca)).pca, payload);
      case "complete":
        await makeCurrent(context.warehouse, { recipe: RECIPE.id, pca: request.pca }, new Date());
        return frame({});
    }
  };
}

async function shards({ processed }: RequestContext): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of processed.listAll(`${RECIPE.id}/part-`)) if (name.endsWith(".parquet")) names.push(name);
  return names;
}

function requested({ components, digests, images }: RequestOf<"plan" | "publish">): FitRequest {
  return {
    recipe: RECIPE.id,
    method: { name: "arpack", seed: null },
    components,
    fitted: { images, rows: digestOfBatches(new Map(Object.entries(digests))) },
  };
}

async function plan({ models }: RequestContext, request: RequestOf<"plan">): Promise<Frame> {
  TooFewImagesError.check(request.images, request.processed);
  const id = pcaId(requested(request));
  return frame({ pca: id, fitted: await isFitted(models, id) });
}

async function publish({ models }: RequestContext, request: RequestOf<"publish">, payload: Uint8Array): Promise<Frame> {
  const { found, totalVariance } = request;
  const values = doubles(payload);
  const expected = 2 * PIXELS + found + found * PIXELS;
  if (values.length !== expected) throw new RangeError(`${values.length} numbers came instead of ${expected}.`);
  const start = 2 * PIXELS + found;
  const { metadata } = await storePca(models, requested(request), {
    mean: values.slice(0, PIXELS),
    scale: values.slice(PIXELS, 2 * PIXELS),
    explainedVariance: values.slice(2 * PIXELS, start),
    components: Array.from({ length: found }, (_, i) => values.slice(start + i * PIXELS, start + (i + 1) * PIXELS)),
    totalVariance,
  });
  const { id, components, explainedVarianceRatio } = metadata;
  const notes = shortfall(components, request.components, request.images);
  return frame({ pca: id, components, held: explainedVarianceRatio.reduce((sum, part) => sum + part, 0), notes });
}

async function append(
  { warehouse }: RequestContext,
  { batch, ids }: RequestOf<"append">,
  pca: Pca,
  payload: Uint8Array,
): Promise<Frame> {
  const { id, components } = pca.metadata;
  const values = doubles(payload);
  if (values.length !== ids.length * components)
    throw new RangeError(`${values.length} scores came of ${ids.length} images and ${components} components.`);
  const scores = new Map(ids.map((image, i) => [image, values.subarray(i * components, (i + 1) * components)]));
  await appendScores(warehouse, { recipe: RECIPE.id, pca: id }, batch, scores);
  return frame({ rows: ids.length });
}
