import { createHash } from "node:crypto";
import { newSalt } from "../audit";
import { appendFeatures, curatedName, currentImages, decodedBytes, picturesWithFeatures } from "../dataset";
import { RECIPE, replicate } from "../imaging";
import { type Answer, type Classifier, decisionOf, labelOf, loadClassifier, modelFilesInStore } from "../model";
import type { ReadableStore } from "../platform/stores";
import type { Workspace } from "../platform/workspace";
import { currentModel } from "../registry";

/** Pictures whose answers are stored together. */
const BATCH = 256;

/** A picture of which an answer of the model, or what the model sees in it, is not stored. */
export interface Unscored {
  readonly object: string;
  readonly sha256: string;
  /** Whether rows are missing in `predictions`, and in `features_deep`: both come from one answer. */
  readonly lacks: { readonly answer: boolean; readonly features: boolean };
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
  /** Pictures that have both rows. */
  readonly skipped: number;
  readonly notes: readonly string[];
}

/** Which curated pictures, labelled or not, the current model has not scored, equal pixels once. */
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
  const seen = await picturesWithFeatures(workspace.warehouse, { recipe: RECIPE.id, backbone: model });
  const pictures = new Map<string, Unscored & { readonly cost: number }>();
  for (const row of await currentImages(workspace.warehouse)) {
    const { sha256 } = row;
    const lacks = { answer: !scored.has(sha256), features: !seen.has(sha256) };
    if (!pictures.has(sha256))
      pictures.set(sha256, { object: curatedName(sha256), sha256, lacks, cost: decodedBytes(row) });
  }
  const waiting = [...pictures.values()]
    .filter(({ lacks }) => lacks.answer || lacks.features)
    .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  const batches: ScoringBatch[] = [];
  for (let start = 0; start < waiting.length; start += BATCH) {
    const part = waiting.slice(start, start + BATCH);
    const key = createHash("sha256").update(
      part.map(({ sha256, lacks }) => (lacks.answer ? sha256 : `${sha256} features`)).join("\n"),
    );
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

  /** @param threads that answer. Default: one a core. */
  constructor(
    private readonly workspace: {
      readonly buckets: { readonly models: ReadableStore };
      readonly warehouse: Workspace["warehouse"];
    },
    private readonly threads?: number,
  ) {}

  /**
   * Stores the model's answers for a batch, and what it sees in each picture.
   * @param pixels one channel, 128 x 128 bytes, by the picture's SHA-256; pictures without are left out
   * @returns SHA-256s of the pictures that do not look like brain scans, which get no row
   */
  async score(
    batch: Omit<ScoringBatch, "cost">,
    pixels: ReadonlyMap<string, Uint8Array>,
    now: Date,
  ): Promise<readonly string[]> {
    const classifier = await this.classifier(batch.model);
    const { metadata, guard } = classifier;
    const { id: model, recipe, threshold } = metadata;
    if (model !== batch.model) throw new Error(`The batch ${batch.name} is not for the model ${model}.`);
    const refused: string[] = [];
    const asked: { readonly picture: Unscored; readonly image: Uint8Array }[] = [];
    for (const picture of batch.pictures) {
      const grey = pixels.get(picture.sha256);
      if (!grey) continue;
      const image = replicate(grey);
      if (guard?.judge(image).refused) refused.push(picture.sha256);
      else asked.push({ picture, image });
    }
    const answers = await classifier.answer(asked.map(({ image }) => image));
    const answered = asked.map(({ picture }, index) => ({ ...picture, answer: answers[index] as Answer }));
    const rows = answered
      .filter(({ lacks }) => lacks.answer)
      .map(({ sha256, answer: { probability } }) => ({
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
        milliseconds: null,
        salt: newSalt(),
      }));
    const features = new Map(
      answered.filter(({ lacks }) => lacks.features).map(({ sha256, answer }) => [sha256, answer.features]),
    );
    const { warehouse } = this.workspace;
    if (rows.length > 0) await warehouse.append("predictions", batch.name, rows);
    if (features.size > 0) await appendFeatures(warehouse, { recipe, backbone: model }, features, now);
    return refused;
  }

  /** The model's, loaded once. */
  classifier(model: string): Promise<Classifier> {
    this.loaded ??= this.load(model);
    return this.loaded;
  }

  private load(model: string): Promise<Classifier> {
    const { threads } = this;
    return loadClassifier(
      modelFilesInStore(this.workspace.buckets.models, model),
      threads === undefined ? {} : { threads },
    );
  }

  async close(): Promise<void> {
    await (await this.loaded?.catch(() => undefined))?.dispose();
  }
}
