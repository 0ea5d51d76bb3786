import { readShardRows, readShards } from "../dataset";
import { RECIPE } from "../imaging";
import type { Split } from "../intake";
import { loadClassifier, modelFilesInStore, readTrainingCurve } from "../model";
import { mixSeed, uniform } from "../platform/random";
import type { ContextWith } from "../platform/step";
import type { ReadableStore, ReplaceableStore } from "../platform/stores";
import { IMAGE_FACTS } from "../platform/warehouse";
import { type Header, MOST_ROWS, type PlainImage } from "./classical";
import type { Evaluation } from "./evaluation";
import { evaluationPrefix } from "./scored-scan";
import { type FeatureKeys, StoredFeatures } from "./stored-features";
import { type EvaluationRow, earlierEvaluation, evaluateTestSplit, type Learning, setsHash } from "./test-split";

export type EvaluateContext = ContextWith<{
  processed: ReadableStore;
  models: ReadableStore;
  reports: ReadableStore & ReplaceableStore;
}>;

type Sets = Readonly<Record<"test" | "validation", readonly EvaluationRow[]>> & { readonly learn: Learning };

/** What the table of images says of one of them. */
type Facts = Pick<EvaluationRow, "collection" | "subtype" | "view" | "sequence" | "scanner" | "study"> & {
  readonly header: Header;
};

/**
 * Measures models of a workspace on its untouched test split, all on the same images. Pixels are read only if a model
 * has not been evaluated on them.
 */
export class TestBench {
  private sets: Promise<Sets> | undefined;

  private constructor(
    private readonly context: EvaluateContext,
    private readonly facts: ReadonlyMap<string, Facts>,
    private readonly dataset: string,
    private readonly trainingRows: number,
    private readonly stored: StoredFeatures,
  ) {}

  static async open(context: EvaluateContext): Promise<TestBench> {
    const { workspace } = context;
    const known = await workspace.warehouse.ask(IMAGE_FACTS, {});
    const facts = new Map(
      known.map(({ id, collection, subtype, view, sequence, scanner, study, ...header }) => [
        id,
        { collection, subtype, view, sequence, scanner, study, header },
      ]),
    );
    const rows = await readShardRows(workspace);
    const described = (split: Split) =>
      rows.flatMap(({ id, label, ...row }) =>
        row.split === split && label !== null ? [{ ...row, label, collection: facts.get(id)?.collection ?? null }] : [],
      );
    const dataset = setsHash({ test: described("test"), validation: described("validation") });
    const training = rows.filter(({ split }) => split === "train").length;
    const labelled = rows.filter(({ label }) => label !== null);
    const stored = await StoredFeatures.open(workspace.warehouse, workspace.buckets.models, labelled);
    return new TestBench(context, facts, dataset, training, stored);
  }

  /** Where the report of a model lies. */
  reportOf(model: string): string {
    return `${this.context.workspace.buckets.reports.uri}/${evaluationPrefix(model)}report.html`;
  }

  /**
   * The evaluation of a model, stored below `evaluation/<model>/` of the reports bucket; `skipped` if it was there.
   *
   * @throws {UnusableModelError} if the model cannot be used
   */
  async evaluate(model: string): Promise<{ readonly evaluation: Evaluation; readonly skipped: boolean }> {
    const { seed, workspace } = this.context;
    const { models, processed, reports } = workspace.buckets;
    const earlier = await earlierEvaluation(reports, model, this.dataset, seed, this.stored.ids);
    if (earlier) return { evaluation: earlier, skipped: true };
    const files = modelFilesInStore(models, model);
    const classifier = await loadClassifier(files);
    try {
      this.sets ??= this.load();
      return await evaluateTestSplit({
        classifier,
        ...(await this.sets),
        reports,
        seed,
        signal: this.context.signal,
        provenance: { data: `${processed.uri}/${RECIPE.id}/` },
        training: await readTrainingCurve(files),
      });
    } finally {
      await classifier.dispose();
    }
  }

  private async load(): Promise<Sets> {
    const load = async (split: Split) => {
      const rows: (EvaluationRow & FeatureKeys)[] = [];
      for await (const { label, ...image } of readShards(this.context.workspace, { split })) {
        this.context.signal.throwIfAborted();
        if (label !== null) rows.push({ ...image, label, ...this.facts.get(image.id) });
      }
      return rows;
    };
    const [test, validation] = [await load("test"), await load("validation")];
    const learn = { images: await this.trainingImages(), keys: { test, validation }, stored: this.stored };
    return { test, validation, learn };
  }

  /** What baselines and probes learn from: the training split, or as many images of it as they can use. */
  private async trainingImages(): Promise<Learning["images"]> {
    const random = uniform(mixSeed(this.context.seed, 13));
    const share = MOST_ROWS / Math.max(1, this.trainingRows);
    const images: (PlainImage & FeatureKeys)[] = [];
    for await (const { id, sha256, label, group, pixels } of readShards(this.context.workspace, {
      split: "train",
      channels: 1,
    })) {
      this.context.signal.throwIfAborted();
      if (label === null || random() >= share) continue;
      const header = this.facts.get(id)?.header;
      images.push({ id, sha256, label: label === "Cancer" ? 1 : 0, group, grey: pixels, header });
    }
    return images;
  }
}
