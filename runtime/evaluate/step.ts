import type { ContextWith, StepCounts } from "../platform/step";
import { readShards } from "../preprocess";
import {
  type Classifier,
  type Contender,
  currentModel,
  type Decision,
  decide,
  loadClassifier,
  modelFilesInStore,
  setCurrent,
} from "../registry";
import type { Evaluation } from "./evaluation";
import { type EvaluationRow, evaluateTestSplit } from "./test-split";

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
  const sets = await loadSets(context);
  const { evaluation, skipped } = await evaluateModel(context, options.model, sets);
  const decision = await challenge(context, evaluation, sets);
  const test = sets.test.length;
  const notes = [...decision.notes, `report: ${workspace.buckets.reports.uri}/evaluation/${options.model}/report.html`];
  return { evaluation, decision, items: skipped ? 0 : test, skipped: skipped ? test : 0, rejected: 0, notes };
}

type Sets = Readonly<Record<"test" | "validation", readonly EvaluationRow[]>>;

async function loadSets({ workspace }: EvaluateContext): Promise<Sets> {
  const collections = new Map(
    (
      await workspace.warehouse.query<{ id: string; collection: string }>(
        "select id, collection from images where collection is not null",
      )
    ).map(({ id, collection }) => [id, collection]),
  );
  const load = async (split: "test" | "validation") => {
    const rows: EvaluationRow[] = [];
    for await (const { id, label, ...image } of readShards(workspace, { split })) {
      if (label !== null) rows.push({ ...image, label, collection: collections.get(id) ?? null });
    }
    return rows;
  };
  return { test: await load("test"), validation: await load("validation") };
}

async function evaluateModel({ workspace, seed }: EvaluateContext, model: string, sets: Sets) {
  const { models, reports } = workspace.buckets;
  const classifier: Classifier = await loadClassifier(modelFilesInStore(models, model));
  try {
    return await evaluateTestSplit({ classifier, ...sets, reports, seed });
  } finally {
    classifier.dispose();
  }
}

/** Compares with the champion on the same images, and moves the pointer unless another process has moved it meanwhile. */
async function challenge(
  context: EvaluateContext,
  evaluation: Evaluation,
  sets: Sets,
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
          : contender((await evaluateModel(context, seen.model, sets)).evaluation);
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
