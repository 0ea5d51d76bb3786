import { type Evaluation, summaryOf, TestBench } from "../evaluate";
import type { StoresOf } from "../platform/open-stores";
import type { ContextWith, StepOutcome } from "../platform/step";
import { considerPromotion, contenderOf, type Promotion, readReference } from "../promotion";
import { orderedScans, tellTrained } from "../registry";
import type { trainContract } from "./contract";
import { type TrainOptions, type TrainOutcome, trainStep } from "./step";

export interface TrainingRun {
  readonly trained: TrainOutcome;
  readonly evaluation: Evaluation;
  readonly promotion: Promotion;
}

type RunContext = ContextWith<StoresOf<typeof trainContract>>;

/** Runs one step: gives it its context, tells its notes, and keeps what it did. */
export type RunStep = <O extends StepOutcome>(
  name: "train" | "evaluate",
  work: (context: RunContext) => Promise<O>,
) => Promise<O>;

/**
 * Trains a model, evaluates it on the untouched test split, and makes it the current one if the rule of promotion says so:
 * one way for the command line, the job, and whatever trains again. Each step goes on where an earlier run stopped. The
 * backend must have been chosen.
 */
export async function trainEvaluatePromote(options: TrainOptions, run: RunStep): Promise<TrainingRun> {
  const trained = await run("train", async (context) => {
    const outcome = await trainStep(context, options);
    const { id, recipe, parameters, synthetic } = outcome.metadata;
    const model = { id, recipe, parameters, synthetic };
    return { ...outcome, summary: { backend: options.backend, model, verdict: null, test: null, promotion: null } };
  });
  const { evaluation, promotion } = await run("evaluate", (context) =>
    evaluateAndPromote(context, trained.metadata.id),
  );
  return { trained, evaluation, promotion };
}

/** Trains on the scans that a retraining names, and says which model that is: what becomes of it is not decided here. */
export async function trainForRetraining(
  context: RunContext,
  order: string,
  options: TrainOptions,
): Promise<TrainOutcome> {
  const { reports } = context.workspace.buckets;
  const outcome = await trainStep(context, { ...options, only: await orderedScans(reports, order) });
  await tellTrained(reports, order, outcome.metadata.id);
  return outcome;
}

async function evaluateAndPromote(context: RunContext, model: string) {
  const bench = await TestBench.open(context);
  const { evaluation, skipped } = await bench.evaluate(model);
  const { models, reports } = context.workspace.buckets;
  const promotion = await considerPromotion({
    models,
    challenger: await contenderOf(reports, evaluation),
    measure: async (champion) => contenderOf(reports, (await bench.evaluate(champion)).evaluation),
    reference: await readReference(reports),
    asker: "program",
  });
  const { current, reason } = promotion;
  const { verdict, test } = summaryOf(evaluation);
  const { n } = test;
  return {
    evaluation,
    promotion,
    items: skipped ? 0 : n,
    skipped: skipped ? n : 0,
    rejected: 0,
    notes: [verdict.sentence, ...promotion.notes, `report: ${bench.reportOf(model)}`],
    summary: { verdict, test, promotion: { current, reason } },
  };
}
