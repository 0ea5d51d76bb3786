import type { ContextWith, StepCounts } from "../platform/step";
import { readShardRows, readShards, type Split } from "../preprocess";
import {
  type Contender,
  currentModel,
  type Decision,
  decide,
  loadClassifier,
  modelFilesInStore,
  setCurrent,
} from "../registry";
import type { Evaluation } from "./evaluation";
import { type EvaluationRow, earlierEvaluation, evaluateTestSplit, setsHash } from "./test-split";

export type EvaluateContext = ContextWith<"processed" | "models" | "reports">;

export interface EvaluateStepOutcome extends StepCounts {
  readonly evaluation: Evaluation;
  readonly decision: Decision;
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

type Sets = Readonly<Record<"test" | "validation", readonly EvaluationRow[]>>;

/** The workspace's test and validation images. Their pixels are read only if a model has not been evaluated on them. */
class TestBench {
  private sets: Promise<Sets> | undefined;

  private constructor(
    private readonly context: EvaluateContext,
    private readonly collections: ReadonlyMap<string, string>,
    private readonly dataset: string,
  ) {}

  static async open(context: EvaluateContext): Promise<TestBench> {
    const { workspace } = context;
    const known = await workspace.warehouse.query<{ id: string; collection: string }>(
      "select id, collection from images where collection is not null",
    );
    const collections = new Map(known.map(({ id, collection }) => [id, collection]));
    const rows = await readShardRows(workspace);
    const described = (split: Split) =>
      rows.flatMap(({ id, label, ...row }) =>
        row.split === split && label !== null ? [{ ...row, label, collection: collections.get(id) ?? null }] : [],
      );
    const dataset = setsHash({ test: described("test"), validation: described("validation") });
    return new TestBench(context, collections, dataset);
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
        if (label !== null) rows.push({ ...image, label, collection: this.collections.get(id) ?? null });
      }
      return rows;
    };
    return { test: await load("test"), validation: await load("validation") };
  }
}

/** Compares with the champion on the same images, and moves the pointer unless another process has moved it meanwhile. */
async function challenge(
  context: EvaluateContext,
  evaluation: Evaluation,
  bench: TestBench,
): Promise<Decision & { readonly notes: readonly string[] }> {
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
      return { promoted: false, reason, notes: [...notes, reason] };
    }
  }
  return { ...decision, notes: [...notes, decision.reason] };
}

function contender({ model, dataset, test }: Evaluation): Contender {
  return { model, testSet: dataset, auc: test.auc.value };
}
