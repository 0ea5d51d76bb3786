import { readEvaluation, summaryOf } from "../evaluate";
import { ingestStep } from "../ingest";
import type { StepContext } from "../platform/step";
import type { ReadableStore } from "../platform/stores";
import { preprocessStep } from "../preprocess";
import { currentModel, progressWrittenDown, readProgress, type StepProgress } from "../registry";
import {
  type Begin,
  checkTriggers,
  type FeedbackRules,
  giveUpRun,
  isOver,
  type KnownRun,
  OWN_WORK,
  orderOf,
  outcomeOf,
  RETRAIN_STEPS,
  type RetrainReport,
  type RetrainStepName,
  readRun,
  requireSnapshot,
  retrain,
  runNames,
  type StepWork,
  type Trigger,
  type TriggerRules,
  type TriggerState,
  workedOnUntil,
} from "../retrain";
import { type Backend, useBackend } from "../tensorflow";
import { type TeacherOptions, trainableTeacher, trainForRetraining } from "../train";
import { runStep, type StepOptions } from "./command-line";
import { inWorkspace } from "./models";

export interface RetrainCommandOptions extends StepOptions {
  readonly epochs?: number;
  readonly backend?: Backend;
  readonly teacher?: TeacherOptions;
  readonly trigger: Trigger;
  readonly rules: TriggerRules;
}

/** What a command came to: a run that is over, or why nothing was begun. */
export type Retrained =
  | { readonly begun: true; readonly report: RetrainReport }
  | { readonly begun: false; readonly reason: string };

/** Retrains in a workspace, all of it in this process. A trigger that does not fire begins nothing. */
export async function retrainWorkspace(options: RetrainCommandOptions): Promise<Retrained> {
  const { out, rules, trigger } = options;
  const reason = trigger === "person" ? "A person asked for it." : await firing(out, trigger, rules);
  if (reason === undefined) {
    const [state] = (await checkWorkspace(out, rules)).filter((one) => one.trigger === trigger);
    return { begun: false, reason: `The trigger ${trigger} does not fire: ${state?.reason ?? ""}` };
  }
  const newest = await newestRun(out);
  const begins = !newest || isOver(newest);
  // A run keeps what it began with: what cannot be used is refused before.
  const teacher =
    begins && options.teacher
      ? await trainableTeacher(options.teacher, await useBackend(options.backend))
      : options.teacher;
  let report: RetrainReport | undefined;
  await runStep("retrain", options, async (context) => {
    const { seed } = context;
    const { epochs, backend } = options;
    const feedback: FeedbackRules = {
      ...rules.feedback,
      // Ingest takes in whatever has landed, as it does where landing wakes it.
      takeIn: async (_, signal) => void (await ingestStep({ ...context, signal })),
    };
    const given = {
      ...(epochs === undefined ? {} : { epochs }),
      ...(backend ? { backend } : {}),
      ...(teacher ? { teacher } : {}),
    };
    const begin: Begin = { trigger, reason, seed, ...given, at: new Date().toISOString() };
    const { progress, workspace } = context;
    report = await retrain(
      { ...context, feedback },
      {
        begin,
        work: { ...OWN_WORK, preprocess: preprocessHere(context), train: trainHere(context) },
        usual: await usualSeconds(workspace.buckets.reports),
        onRun: ({ run, isResumed, begin: { at } }) =>
          progress.say(isResumed ? `goes on with run ${run}, which began at ${at}.` : `begins run ${run}.`),
        onStep: (name, place, left) => {
          const title = RETRAIN_STEPS[place - 1]?.title;
          const rest = left === undefined ? "" : `; the rest took ${Math.ceil(left)} s the last time`;
          progress.say(`${place}/${RETRAIN_STEPS.length} ${name}: ${title}${rest}`);
        },
      },
    );
    const { recorded, steps } = report;
    const model = recorded.model ?? "";
    const evaluation = await readEvaluation(workspace.buckets.reports, model);
    const current = recorded.outcome === "promoted";
    const skipped = steps.filter((step) => step.skipped).length;
    return {
      ...{ items: steps.length - skipped, skipped, rejected: 0, notes: [recorded.reason] },
      ...(evaluation ? { summary: { ...summaryOf(evaluation), promotion: { current, reason: recorded.reason } } } : {}),
    };
  });
  return { begun: true, report: report as RetrainReport };
}

/** Shards of everything that is curated; the run takes of them what its snapshot names. */
const preprocessHere =
  (context: StepContext): StepWork =>
  async (retraining, run) => {
    await requireSnapshot(retraining, run);
    const { reports } = context.workspace.buckets;
    const progress = progressWrittenDown(context.progress, reports, run.run, "preprocess");
    await preprocessStep({ ...context, progress, signal: retraining.signal });
    return OWN_WORK.preprocess(retraining, run);
  };

const trainHere =
  (context: StepContext): StepWork =>
  async (retraining, run) => {
    await requireSnapshot(retraining, run);
    const { seed, epochs, backend: wanted, teacher } = run.begin;
    const backend = await useBackend(wanted as Backend | undefined);
    const progress = progressWrittenDown(context.progress, context.workspace.buckets.reports, run.run, "train");
    const its = { ...context, progress, seed, signal: retraining.signal };
    const { notes = [] } = await trainForRetraining(its, orderOf(run), {
      backend,
      ...(epochs === undefined ? {} : { epochs }),
      ...(teacher ? { teacher } : {}),
    });
    for (const note of notes) context.progress.say(note);
    return OWN_WORK.train(retraining, run);
  };

async function newestRun(out: string): Promise<KnownRun | undefined> {
  return inWorkspace(out, async ({ buckets: { reports } }) => {
    const [name] = await runNames(reports);
    return name === undefined ? undefined : readRun(reports, name);
  });
}

/** Why a run begins or goes on; undefined where the trigger does not fire and no run waits for its end. */
async function firing(out: string, trigger: Trigger, rules: TriggerRules): Promise<string | undefined> {
  const newest = await newestRun(out);
  if (newest && !isOver(newest)) return newest.begin.reason;
  return (await checkWorkspace(out, rules)).find((state) => state.trigger === trigger && state.fires)?.reason;
}

/** Which triggers would start a retraining now, and why. */
export function checkWorkspace(out: string, rules: TriggerRules): Promise<readonly TriggerState[]> {
  return inWorkspace(out, ({ warehouse, buckets: { models, reports } }) =>
    checkTriggers({ warehouse, models, reports }, rules, new Date()),
  );
}

/** The newest run, how far it is, and whether somebody works on it. */
export interface RetrainStatus {
  readonly run: string;
  readonly begin: Begin;
  readonly done: readonly { readonly name: RetrainStepName; readonly seconds: number; readonly at: string }[];
  readonly next: RetrainStepName | null;
  /** How far the next step was when that was last written down; null where it was not. */
  readonly within: StepProgress | null;
  readonly outcome: ReturnType<typeof outcomeOf> | null;
  /** ISO 8601: until when somebody works on it, unless that is renewed; null where nobody does. */
  readonly until: string | null;
  readonly current: string | null;
}

export function retrainStatus(out: string): Promise<RetrainStatus | undefined> {
  return inWorkspace(out, async ({ buckets: { reports, models } }) => {
    const [name] = await runNames(reports);
    if (name === undefined) return undefined;
    const known: KnownRun = await readRun(reports, name);
    const until = (await workedOnUntil(reports)) ?? null;
    const done = RETRAIN_STEPS.flatMap(({ name: step }) => {
      const result = known.steps.get(step);
      return result ? [{ name: step, seconds: result.seconds, at: result.at }] : [];
    });
    const next = RETRAIN_STEPS.find(({ name: step }) => !known.steps.has(step))?.name ?? null;
    const current = (await currentModel(models))?.model ?? null;
    const told = await readProgress(reports, name);
    const within = told && told.step === next ? told : null;
    return { run: name, begin: known.begin, done, next, within, outcome: outcomeOf(known) ?? null, until, current };
  });
}

/** Ends the run that is not over. @returns its name; undefined where there is none */
export function giveUpWorkspace(out: string): Promise<string | undefined> {
  return inWorkspace(out, (workspace) => giveUpRun({ workspace }, "A person gave it up."));
}

/** Seconds of each step in the newest run that is over. */
async function usualSeconds(reports: ReadableStore): Promise<ReadonlyMap<RetrainStepName, number>> {
  for (const name of await runNames(reports)) {
    const known = await readRun(reports, name);
    if (isOver(known) && outcomeOf(known) !== "given-up")
      return new Map([...known.steps].map(([step, { seconds }]) => [step, seconds]));
  }
  return new Map();
}
