import { RECIPE } from "../imaging";
import type { ReadableStore } from "../platform/stores";
import { CURRENT_FEATURES, DEEP_BACKBONES, DEEP_FEATURES, DEEP_PICTURES, type Warehouse } from "../platform/warehouse";
import type { FeatureSet } from "./feature-baselines";
import type { Rows } from "./linear";

/** What features of an image are stored under: principal components by its id, what networks see by its picture. */
export interface FeatureKeys {
  readonly id: string;
  readonly sha256: string;
}

type Keys = Readonly<Record<keyof FeatureSet["rows"], readonly FeatureKeys[]>>;

/** Features that are stored of every labelled image; nothing is computed here. */
export class StoredFeatures {
  private constructor(
    private readonly warehouse: Warehouse,
    /** The current fit of principal components, with the scores by image id. */
    private readonly pca: { readonly id: string; readonly scores: ReadonlyMap<string, readonly number[]> } | undefined,
    private readonly backbones: readonly string[],
    /** A sentence for each set that is left out. */
    readonly notes: readonly string[],
  ) {}

  /**
   * @param models where those lie whose own features are among the others
   * @param images labelled ones of all splits
   */
  static async open(
    warehouse: Warehouse,
    models: ReadableStore,
    images: readonly FeatureKeys[],
  ): Promise<StoredFeatures> {
    const notes: string[] = [];
    const rows = await warehouse.ask(CURRENT_FEATURES, { recipe: RECIPE.id });
    const scores = new Map(rows.map(({ id, values }) => [id, values]));
    const hasScores = rows.length > 0 && images.every(({ id }) => scores.has(id));
    if (!hasScores)
      notes.push(
        `There are ${rows.length > 0 ? "no principal components of some images" : "no principal components"}: npm run features, then npm run train, adds baselines on them.`,
      );
    const backbones: string[] = [];
    for (const { backbone } of await warehouse.ask(DEEP_BACKBONES, { recipe: RECIPE.id })) {
      if (await models.stat(`${backbone}/metadata.json`)) continue;
      const seen = await warehouse.ask(DEEP_PICTURES, { recipe: RECIPE.id, backbone });
      const pictures = new Set(seen.map(({ sha256 }) => sha256));
      const missing = images.filter(({ sha256 }) => !pictures.has(sha256)).length;
      if (missing === 0) backbones.push(backbone);
      else
        notes.push(
          `Features of ${backbone} are left out: ${missing} of ${images.length} images have none. npm run features -- --backbone goes on with them.`,
        );
    }
    const pca = hasScores ? { id: rows[0]?.pca as string, scores } : undefined;
    return new StoredFeatures(warehouse, pca, backbones, notes);
  }

  /** What is stored, by name: an evaluation of other features is another one. */
  get ids(): readonly string[] {
    return [...(this.pca ? [this.pca.id] : []), ...this.backbones];
  }

  async sets(keys: Keys): Promise<FeatureSet[]> {
    const sets: FeatureSet[] = [];
    if (this.pca) {
      const { id, scores } = this.pca;
      const width = [...scores.values()][0]?.length ?? 0;
      sets.push({
        ...{ id, name: "PCA", description: `${width} principal components of the training images (${id}).` },
        rows: rowsOf(keys, (image) => scores.get(image.id)),
      });
    }
    for (const backbone of this.backbones) {
      const seen = await this.of(backbone);
      const width = [...seen.values()][0]?.length ?? 0;
      sets.push({
        ...{ id: backbone, name: backbone.replace(/-[0-9a-f]{12}$/, "") },
        description: `${width} features of a network that was trained on other pictures (${backbone}).`,
        rows: rowsOf(keys, (image) => seen.get(image.sha256)),
      });
    }
    return sets;
  }

  /** What a network sees, by picture. */
  async of(backbone: string): Promise<ReadonlyMap<string, readonly number[]>> {
    const rows = await this.warehouse.ask(DEEP_FEATURES, { recipe: RECIPE.id, backbone });
    return new Map(rows.map(({ sha256, features }) => [sha256, features]));
  }
}

function rowsOf(keys: Keys, features: (image: FeatureKeys) => ArrayLike<number> | undefined): FeatureSet["rows"] {
  const of = (images: readonly FeatureKeys[]): Rows =>
    images.map((image) => Float64Array.from(features(image) as ArrayLike<number>));
  return { learn: of(keys.learn), validation: of(keys.validation), test: of(keys.test) };
}
