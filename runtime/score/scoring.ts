import { createHash } from "node:crypto";
import { curatedName, currentImages, decodedBytes } from "../dataset";
import { replicate } from "../imaging";
import { type Classifier, decisionOf, labelOf, loadClassifier, modelFilesInStore } from "../model";
import type { ReadableStore } from "../platform/stores";
import type { Workspace } from "../platform/workspace";
import { currentModel } from "../registry";

/** Pictures whose answers are stored together. */
const BATCH = 256;

/** A picture without an answer of the model. */
export interface Unscored {
  readonly object: string;
  readonly sha256: string;
}

/** Pictures that are scored and stored together: the batch's name depends on them and on the model alone. */
export interface ScoringBatch {
  readonly name: string;
  readonly model: string;
  readonly pictures: readonly Unscored[];
  /** Bytes of the decoded pixels, about. */
  readonly cost: number;
}

export interface ScoringPlan {
  readonly batches: readonly ScoringBatch[];
  /** Pictures that the model has answered for. */
  readonly skipped: number;
  readonly notes: readonly string[];
}

/** Which curated pictures the current model has not scored, equal pixels once. */
export async function planScoring(workspace: {
  readonly buckets: { readonly models: ReadableStore };
  readonly warehouse: Workspace["warehouse"];
}): Promise<ScoringPlan> {
  const current = await currentModel(workspace.buckets.models);
  if (!current) {
    const note = "there is no model here yet. Run npm run train on this workspace first.";
    return { batches: [], skipped: 0, notes: [note] };
  }
  const { model } = current;
  const scored = new Set<string>();
  for (const { row } of await workspace.warehouse.rows("predictions")) if (row.model === model) scored.add(row.sha256);
  const pictures = new Map<string, Unscored & { readonly cost: number }>();
  for (const row of await currentImages(workspace.warehouse)) {
    const { sha256 } = row;
    if (!pictures.has(sha256)) pictures.set(sha256, { object: curatedName(sha256), sha256, cost: decodedBytes(row) });
  }
  const waiting = [...pictures.values()]
    .filter(({ sha256 }) => !scored.has(sha256))
    .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  const batches: ScoringBatch[] = [];
  for (let start = 0; start < waiting.length; start += BATCH) {
    const part = waiting.slice(start, start + BATCH);
    const key = createHash("sha256").update(part.map(({ sha256 }) => sha256).join("\n"));
    batches.push({
      name: `scored/${model}/${key.digest("hex").slice(0, 20)}`,
      model,
      pictures: part.map(({ cost: _cost, ...picture }) => picture),
      cost: part.reduce((sum, { cost }) => sum + cost, 0),
    });
  }
  const notes = pictures.size === 0 ? ["there is no curated image here. Run npm run ingest first."] : [];
  return { batches, skipped: pictures.size - waiting.length, notes };
}

/** Scores pictures with one model, which it loads once. */
export class Scorer {
  private loaded: Promise<Classifier> | undefined;

  constructor(
    private readonly workspace: {
      readonly buckets: { readonly models: ReadableStore };
      readonly warehouse: Workspace["warehouse"];
    },
  ) {}

  /**
   * Stores the model's answers for a batch.
   * @param pixels one channel, 128 x 128 bytes, by the picture's SHA-256; pictures without are left out
   * @returns SHA-256s of the pictures that do not look like brain scans, which get no answer
   */
  async score(
    batch: Omit<ScoringBatch, "cost">,
    pixels: ReadonlyMap<string, Uint8Array>,
    now: Date,
  ): Promise<readonly string[]> {
    this.loaded ??= this.load(batch.model);
    const classifier = await this.loaded;
    const { metadata, guard } = classifier;
    const { id: model, recipe, threshold } = metadata;
    if (model !== batch.model) throw new Error(`The batch ${batch.name} is not for the model ${model}.`);
    const refused: string[] = [];
    const images = new Map<string, Uint8Array>();
    for (const { sha256 } of batch.pictures) {
      const grey = pixels.get(sha256);
      if (!grey) continue;
      const image = replicate(grey);
      if (guard?.judge(image).refused) refused.push(sha256);
      else images.set(sha256, image);
    }
    if (images.size === 0) return refused;
    const probabilities = await classifier.predict([...images.values()]);
    await this.workspace.warehouse.append(
      "predictions",
      batch.name,
      [...images.keys()].map((sha256, index) => {
        const probability = probabilities[index] as number;
        return {
          request: `${batch.name}/${sha256}`,
          // That of serve's answer for a file of this one page.
          id: createHash("sha256").update(model).update(sha256).digest("hex"),
          model,
          recipe,
          probability,
          label: labelOf(probability, threshold),
          decision: decisionOf(probability, metadata),
          threshold,
          sha256,
          predicted_at: now.toISOString(),
          who: null,
        };
      }),
    );
    return refused;
  }

  private load(model: string): Promise<Classifier> {
    // Spark starts a process on every core it has.
    return loadClassifier(modelFilesInStore(this.workspace.buckets.models, model), { threads: 1 });
  }

  async close(): Promise<void> {
    await (await this.loaded?.catch(() => undefined))?.dispose();
  }
}
