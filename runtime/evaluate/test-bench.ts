import { readShardRows, readShards } from "../dataset";
import type { Split } from "../intake";
import { loadClassifier, modelFilesInStore } from "../model";
import { mixSeed, uniform } from "../platform/random";
import type { ContextWith, StepCounts } from "../platform/step";
import { type Contender, currentModel, decide, type PromotionDecision, setCurrent } from "../registry";
import { type Header, MOST_ROWS, type PlainImage } from "./classical";
import type { Evaluation } from "./evaluation";
import { type EvaluationRow, earlierEvaluation, evaluateTestSplit, setsHash } from "./test-split";

export type EvaluateContext = ContextWith<"processed" | "models" | "reports">;

export interface EvaluateStepOutcome extends StepCounts {
  readonly evaluation: Evaluation;
  /** What became of the model, and whether it is the current one now. */
  readonly decision: PromotionDecision & { readonly current: boolean };
}

/**
 * Evaluates a model on the workspace's untouched test split and, if it is not worse than the current model on the same
 * images, makes it the current one. The backend must have been chosen.
 */
export async function evaluateStep(
  context: EvaluateContext,
  options: { readonly model: string },
): Promise<EvaluateStepOutcome> {
  const { workspace } = context;
  const bench = await TestBench.open(context);
  const { evaluation, skipped } = await bench.evaluate(options.model);
  const decision = await challenge(context, evaluation, bench);
  const test = evaluation.test.n;
  const notes = [...decision.notes, `report: ${workspace.buckets.reports.uri}/evaluation/${options.model}/report.html`];
  return { evaluation, decision, items: skipped ? 0 : test, skipped: skipped ? test : 0, rejected: 0, notes };
}

type Sets = Readonly<Record<"test" | "validation", readonly EvaluationRow[]>> & {
  readonly learn: readonly PlainImage[];
};

/** What the table of images says of one of them. */
type Facts = Pick<EvaluationRow, "collection" | "subtype" | "view"> & { readonly header: Header };

interface FactsRow extends Record<string, unknown> {
  readonly id: string;
  readonly collection: string | null;
  readonly subtype: string | null;
  readonly view: string | null;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly format: string | null;
}

/** The workspace's images, split by split. Their pixels are read only if a model has not been evaluated on them. */
class TestBench {
  private sets: Promise<Sets> | undefined;

  private constructor(
    private readonly context: EvaluateContext,
    private readonly facts: ReadonlyMap<string, Facts>,
    private readonly dataset: string,
    private readonly trainingRows: number,
  ) {}

  static async open(context: EvaluateContext): Promise<TestBench> {
    const { workspace } = context;
    const known = await workspace.warehouse.query<FactsRow>(
      `select id, collection, subtype, view, width, height, bytes, format from images
       where status = 'curated' and width is not null and height is not null`,
    );
    const facts = new Map(
      known.map(({ id, collection, subtype, view, width, height, bytes, format }) => [
        id,
        {
          collection,
          subtype,
          view,
          header: { width: Number(width), height: Number(height), bytes: Number(bytes), format },
        },
      ]),
    );
    const rows = await readShardRows(workspace);
    const described = (split: Split) =>
      rows.flatMap(({ id, label, ...row }) =>
        row.split === split && label !== null ? [{ ...row, label, collection: facts.get(id)?.collection ?? null }] : [],
      );
    const dataset = setsHash({ test: described("test"), validation: described("validation") });
    return new TestBench(context, facts, dataset, rows.filter(({ split }) => split === "train").length);
  }

  async evaluate(model: string): Promise<{ readonly evaluation: Evaluation; readonly skipped: boolean }> {
    const { seed, workspace } = this.context;
    const { models, reports } = workspace.buckets;
    const earlier = await earlierEvaluation(reports, model, this.dataset, seed);
    if (earlier) return { evaluation: earlier, skipped: true };
    const classifier = await loadClassifier(modelFilesInStore(models, model));
    try {
      this.sets ??= this.load();
      return await evaluateTestSplit({ classifier, ...(await this.sets), reports, seed });
    } finally {
      classifier.dispose();
    }
  }

  private async load(): Promise<Sets> {
    const load = async (split: Split) => {
      const rows: EvaluationRow[] = [];
      for await (const { id, label, ...image } of readShards(this.context.workspace, { split })) {
        if (label !== null) rows.push({ ...image, label, ...this.facts.get(id) });
      }
      return rows;
    };
    return { test: await load("test"), validation: await load("validation"), learn: await this.trainingImages() };
  }

  /** What baselines and probes learn from: the training split, or as many images of it as they can use. */
  private async trainingImages(): Promise<readonly PlainImage[]> {
    const random = uniform(mixSeed(this.context.seed, 13));
    const share = MOST_ROWS / Math.max(1, this.trainingRows);
    const images: PlainImage[] = [];
    for await (const { id, label, group, pixels } of readShards(this.context.workspace, {
      split: "train",
      channels: 1,
    })) {
      if (label === null || random() >= share) continue;
      images.push({ label: label === "Cancer" ? 1 : 0, group, grey: pixels, header: this.facts.get(id)?.header });
    }
    return images;
  }
}

/** Compares with the champion on the same images, and moves the pointer unless another process has moved it meanwhile. */
async function challenge(
  context: EvaluateContext,
  evaluation: Evaluation,
  bench: TestBench,
): Promise<EvaluateStepOutcome["decision"] & { readonly notes: readonly string[] }> {
  const { models } = context.workspace.buckets;
  const seen = await currentModel(models);
  const notes: string[] = [];
  let champion: Contender | undefined;
  if (seen) {
    try {
      champion =
        seen.model === evaluation.model
          ? contender(evaluation)
          : contender((await bench.evaluate(seen.model)).evaluation);
    } catch (error) {
      notes.push(`The current model ${seen.model} cannot be measured: ${(error as Error).message}`);
    }
  }
  const decision = decide(contender(evaluation), champion);
  if (decision.promoted) {
    const moved = await setCurrent(models, { model: evaluation.model, reason: decision.reason }, seen, new Date());
    if (!moved) {
      const reason = "Another process promoted a model meanwhile: start this step again to compare with that one.";
      return { promoted: false, current: false, reason, notes: [...notes, reason] };
    }
  }
  const current = decision.promoted || seen?.model === evaluation.model;
  return { ...decision, current, notes: [...notes, decision.reason] };
}

function contender({ model, dataset, test }: Evaluation): Contender {
  return { model, testSet: dataset, auc: test.auc.value };
}
