import { readShardRows, readShards } from "../dataset";
import { RECIPE } from "../imaging";
import type { StoresOf } from "../platform/open-stores";
import type { ContextWith, StepCounts } from "../platform/step";
import { type FitRequest, isFitted, loadPca, type Pca, PIXELS, pcaId, storePca } from "./components";
import type { featuresContract } from "./contract";
import { digestOfRows } from "./fitted-rows";
import { PixelSpool } from "./pixel-spool";
import { Projection } from "./projection";
import { fitRandomizedPca, MAX_PASSES } from "./randomized-pca";
import { appendScores, BATCHES, batchOf, makeCurrent, missingScores } from "./score-table";
import { shortfall, TooFewImagesError } from "./too-few-images";

export type FeaturesContext = ContextWith<Pick<StoresOf<typeof featuresContract>, "processed" | "models">>;

export const DEFAULT_COMPONENTS = 64;
/** Images whose scores are held before they are stored. */
const HELD = 8192;
/** Images that are scored at a time. */
const BLOCK = 64;

export interface FeaturesOptions {
  /** Default 64. */
  readonly components?: number;
}

export interface FeaturesOutcome extends StepCounts {
  /** Id of the components that every processed image now has scores on. */
  readonly pca: string;
}

/**
 * Principal components of the processed images: fitted to the training split, and to nothing else, then every processed
 * image gets its scores on them. They are fitted again when the training images change (one more, one less, other
 * pixels), when another number of components or another seed is asked for, and when the recipe changes; every image gets
 * scores by the new fit then, which becomes the current one. Otherwise only images without scores are read.
 *
 * @throws {TooFewImagesError}
 */
export async function featuresStep(context: FeaturesContext, options: FeaturesOptions = {}): Promise<FeaturesOutcome> {
  const { workspace, seed } = context;
  const rows = await readShardRows(workspace);
  const training = rows.filter(({ split }) => split === "train");
  TooFewImagesError.check(training.length, rows.length);
  const request: FitRequest = {
    recipe: RECIPE.id,
    method: { name: "randomized", seed },
    components: options.components ?? DEFAULT_COMPONENTS,
    fitted: { images: training.length, rows: digestOfRows(training) },
  };
  const id = pcaId(request);
  const notes: string[] = [];
  if (!(await isFitted(workspace.buckets.models, id))) notes.push(await fitComponents(context, request));
  const pca = await loadPca(workspace.buckets.models, id);
  notes.push(...shortfall(pca.metadata.components, request.components, training.length));

  const missing = await missingImages(
    context,
    id,
    rows.map((row) => row.id),
  );
  await score(context, pca, missing);
  await makeCurrent(workspace.warehouse, { recipe: RECIPE.id, pca: id }, new Date());
  return { items: missing.size, skipped: rows.length - missing.size, rejected: 0, notes, pca: id };
}

/** @returns what was fitted, as a sentence */
async function fitComponents({ workspace, progress, signal }: FeaturesContext, request: FitRequest): Promise<string> {
  const { images } = request.fitted;
  const { seed } = request.method;
  const spool = await PixelSpool.open();
  try {
    // Reading, the moments, and the passes.
    progress.start(images * (2 + MAX_PASSES));
    for await (const { pixels } of readShards(workspace, { split: "train", channels: 1 })) {
      signal.throwIfAborted();
      await spool.add(pixels);
      progress.advance();
    }
    const fitted = await fitRandomizedPca(spool, {
      components: request.components,
      seed: seed ?? 0,
      signal,
      onImages: (count) => progress.advance(count, "fitting"),
    });
    const { metadata } = await storePca(workspace.buckets.models, request, fitted);
    const held = metadata.explainedVarianceRatio.reduce((sum, part) => sum + part, 0);
    return (
      `${metadata.components} components fitted to ${images} training images in ${fitted.passes} passes; ` +
      `they hold ${(100 * held).toFixed(1)} % of the variance.`
    );
  } finally {
    progress.finish();
    await spool.close();
  }
}

async function missingImages(
  { workspace, signal }: FeaturesContext,
  pca: string,
  ids: readonly string[],
): Promise<Set<string>> {
  const batches = new Map<string, string[]>(BATCHES.map((batch) => [batch, []]));
  for (const id of ids) batches.get(batchOf(id))?.push(id);
  const missing = new Set<string>();
  for (const [batch, members] of batches) {
    signal.throwIfAborted();
    const found = await missingScores(workspace.warehouse, { recipe: RECIPE.id, pca }, batch, members);
    for (const id of found) missing.add(id);
  }
  return missing;
}

/** Scores images and stores the scores; of an interrupted run, those that it has. */
async function score(context: FeaturesContext, pca: Pca, missing: ReadonlySet<string>): Promise<void> {
  if (missing.size === 0) return;
  const { workspace, progress, signal } = context;
  const by = { recipe: RECIPE.id, pca: pca.metadata.id };
  const projection = new Projection(pca);
  let scored = new Map<string, Float64Array>();
  const store = async () => {
    const batches = new Map<string, Map<string, Float64Array>>();
    for (const [id, values] of scored) {
      const batch = batches.get(batchOf(id)) ?? new Map<string, Float64Array>();
      batches.set(batchOf(id), batch.set(id, values));
    }
    scored = new Map();
    for (const [batch, scores] of batches) await appendScores(workspace.warehouse, by, batch, scores);
  };
  progress.start(missing.size);
  try {
    for await (const block of blocks(readShards(workspace, { channels: 1 }), missing)) {
      if (signal.aborted) break;
      const scores = await projection.scores(block.pixels);
      const width = pca.components.length;
      for (const [i, id] of block.ids.entries()) scored.set(id, scores.subarray(i * width, (i + 1) * width));
      if (scored.size >= HELD) await store();
      progress.advance(block.ids.length, "scoring");
    }
    await store();
    signal.throwIfAborted();
  } finally {
    progress.finish();
  }
}

/** Images that are wanted, some at a time. */
async function* blocks(
  images: AsyncIterable<{ readonly id: string; readonly pixels: Uint8Array }>,
  wanted: ReadonlySet<string>,
): AsyncGenerator<{ readonly ids: readonly string[]; readonly pixels: Uint8Array }> {
  let ids: string[] = [];
  let pixels = new Uint8Array(BLOCK * PIXELS);
  for await (const image of images) {
    if (!wanted.has(image.id)) continue;
    pixels.set(image.pixels, ids.length * PIXELS);
    ids.push(image.id);
    if (ids.length < BLOCK) continue;
    yield { ids, pixels };
    ids = [];
    pixels = new Uint8Array(BLOCK * PIXELS);
  }
  if (ids.length > 0) yield { ids, pixels: pixels.subarray(0, ids.length * PIXELS) };
}
