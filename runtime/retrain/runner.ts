import type { LeaseLostError, LeaseTaken } from "../platform/lease";
import { RETRAIN_STEPS, type RetrainStepName } from "./contract";
import { type Begin, OwnedRun } from "./state";
import * as work from "./work";

/** What a step does; its result is written down, and a run that is gone on with does not do it again. */
export type StepWork = (context: work.RetrainContext, run: OwnedRun) => Promise<unknown>;

/** What the steps do that need nothing but what retraining knows by itself. */
export const OWN_WORK = {
  snapshot: work.snapshot,
  preprocess: work.confirmPreprocessed,
  train: work.confirmTrained,
  evaluate: work.evaluate,
  compare: work.compare,
  promote: work.promoteOrNot,
  record: work.record,
} as const satisfies Record<RetrainStepName, StepWork>;

/** Somebody else retrains. */
export class RetrainingBusyError extends Error {
  constructor({ until }: LeaseTaken) {
    super(
      `Another retraining is at work (its lease ends at ${until} at the latest, unless it is renewed): nothing was done here. ` +
        "npm run retrain -- --status says how far it is.",
    );
    this.name = "RetrainingBusyError";
  }
}

/** A run, how far it is and what its steps came to. */
export interface RetrainReport {
  readonly run: string;
  readonly trigger: Begin["trigger"];
  readonly reason: string;
  /** Whether an earlier runner had begun it. */
  readonly resumed: boolean;
  readonly steps: readonly { readonly name: RetrainStepName; readonly seconds: number; readonly skipped: boolean }[];
  /** What feedback taught; null of a run that an earlier program began. */
  readonly feedback: work.Taught | null;
  readonly recorded: work.Recorded;
  readonly test: { readonly challenger: work.OnSets["test"]; readonly champion: work.OnSets["test"] };
  readonly reference: { readonly challenger: work.OnSets["test"]; readonly champion: work.OnSets["test"] };
}

export interface RetrainOptions {
  readonly begin: Begin;
  /** The work of each step. */
  readonly work: Readonly<Record<RetrainStepName, StepWork>>;
  /** Told before each step is done: its place from 1, and seconds that the rest took in the last run, where that is known. */
  readonly onStep?: (step: RetrainStepName, place: number, secondsLeft: number | undefined) => void;
  /** Told once it is known which run it is. */
  readonly onRun?: (run: OwnedRun) => void;
  /** Seconds of each step in the last run. */
  readonly usual?: ReadonlyMap<RetrainStepName, number>;
}

/**
 * Retrains: goes on with the run that is not over, or begins one, and does each step that is not done. Each is written down
 * once; killed at any point, the next runner goes on from there to the same model.
 *
 * @throws {RetrainingBusyError} {@link LeaseLostError}, {@link work.NothingToRetrainError}, and
 *   {@link work.SnapshotGoneError} once the run has been given up for it
 */
export async function retrain(context: work.RetrainContext, options: RetrainOptions): Promise<RetrainReport> {
  const { reports } = context.workspace.buckets;
  const lease = await OwnedRun.lease(reports);
  if ("until" in lease) throw new RetrainingBusyError(lease);
  try {
    return await lease.during(async (signal) => {
      const run = await OwnedRun.open(reports, lease, options.begin, await OwnedRun.unfinished(reports));
      options.onRun?.(run);
      return await carryOut({ ...context, seed: run.begin.seed, signal }, run, options);
    }, context.signal);
  } finally {
    await lease.giveBack();
  }
}

async function carryOut(
  context: work.RetrainContext,
  run: OwnedRun,
  { work: works, onStep, usual }: RetrainOptions,
): Promise<RetrainReport> {
  const skipped = new Set(RETRAIN_STEPS.map(({ name }) => name).filter((name) => run.of(name) !== undefined));
  for (const [index, { name }] of RETRAIN_STEPS.entries()) {
    if (skipped.has(name)) continue;
    context.signal.throwIfAborted();
    onStep?.(name, index + 1, secondsFrom(index, usual));
    await doStep(context, run, name, works[name]);
  }
  return reportOf(run, skipped);
}

function secondsFrom(index: number, usual: RetrainOptions["usual"]): number | undefined {
  if (!usual || usual.size === 0) return undefined;
  return RETRAIN_STEPS.slice(index).reduce((sum, { name }) => sum + (usual.get(name) ?? 0), 0);
}

/**
 * Does a step and writes down what it came to; one that is done already is not done again.
 *
 * @throws {work.SnapshotGoneError} once the run was given up for it
 */
export async function doStep(
  context: work.RetrainContext,
  run: OwnedRun,
  name: RetrainStepName,
  doing: StepWork,
): Promise<unknown> {
  const done = run.of(name);
  if (done) return done.result;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    const result = await doing(context, run);
    context.signal.throwIfAborted();
    return (await run.write(name, result, seconds())).result;
  } catch (error) {
    if (error instanceof work.SnapshotGoneError) {
      await run.lease.renew();
      await run.write("record", await work.giveUp(context, run, error.message), seconds());
    }
    throw error;
  }
}

export function reportOf(run: OwnedRun, skipped: ReadonlySet<RetrainStepName>): RetrainReport {
  const challenger = work.evaluatedSchema.parse(run.of("evaluate")?.result);
  const { champion } = work.comparedSchema.parse(run.of("compare")?.result);
  const { trigger, reason } = run.begin;
  return {
    ...{ run: run.run, trigger, reason, resumed: run.isResumed },
    steps: RETRAIN_STEPS.map(({ name }) => ({
      ...{ name, seconds: run.of(name)?.seconds ?? 0, skipped: skipped.has(name) },
    })),
    feedback: work.snapshotSchema.parse(run.of("snapshot")?.result).feedback ?? null,
    recorded: work.recordedSchema.parse(run.of("record")?.result),
    test: { challenger: challenger.test, champion: champion?.test ?? null },
    reference: { challenger: challenger.reference, champion: champion?.reference ?? null },
  };
}

/**
 * Ends the run that is not over, and says which it was; undefined where there is none.
 *
 * @param by where given, who ends it though somebody works on it, who then stops at his next safe point
 * @throws {RetrainingBusyError} where somebody works on it
 */
export async function giveUpRun(
  context: Parameters<typeof work.giveUp>[0],
  reason: string,
  by?: string,
): Promise<string | undefined> {
  const { reports } = context.workspace.buckets;
  const lease = await OwnedRun.lease(reports, by, by !== undefined);
  if ("until" in lease) throw new RetrainingBusyError(lease);
  try {
    const unfinished = await OwnedRun.unfinished(reports);
    if (!unfinished) return undefined;
    const run = await OwnedRun.open(reports, lease, unfinished.begin, unfinished);
    await run.write("record", await work.giveUp(context, run, reason), 0);
    return run.run;
  } finally {
    await lease.giveBack();
  }
}
