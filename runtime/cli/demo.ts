import { randomUUID } from "node:crypto";
import { join, resolve } from "node:path";
import { writeAct } from "../audit";
import { featuresReportStep, featuresStep, TooFewImagesError } from "../features";
import { ingestStep, uploadStep } from "../ingest";
import type { FolderNames } from "../intake";
import { drawPhantomFolder } from "../phantom";
import { createProgress } from "../platform/progress";
import type { StepContext, StepCounts } from "../platform/step";
import { readSummary, type Summary } from "../platform/summary";
import { preprocessStep } from "../preprocess";
import { scoreStep } from "../score";
import { type Backend, useBackend } from "../tensorflow";
import { type TeacherOptions, type TrainingRun, trainEvaluatePromote } from "../train";
import { runStep, type StepOptions } from "./command-line";
import { byHand, inWorkspace } from "./models";
import { renderSummary } from "./summary-table";
import { PHANTOMS } from "./workspace-data";

/** Phantoms are easily told apart: they need no more. */
const PHANTOM_EPOCHS = 30;

export interface DemoOptions extends StepOptions {
  /** Folder of scans; without one, phantoms are drawn. */
  readonly data?: string;
  readonly names?: FolderNames;
  /** Whether phantoms are drawn beside those of another seed. */
  readonly beside?: boolean;
  readonly limit?: number;
  readonly epochs?: number;
  readonly backend?: Backend;
}

/**
 * The whole way of a scan over one folder: upload, ingest, preprocess, features, train, evaluate, score, and the report on
 * what the model sees. Every step goes on where an earlier run stopped, and repeats nothing that is done.
 */
export async function runDemo(options: DemoOptions): Promise<Summary> {
  const { limit, names, beside = false, seed = 0 } = options;
  const steps = { out: options.out, seed };
  const draw = () =>
    drawPhantomFolder(join(resolve(options.out), PHANTOMS), seed, { beside, progress: createProgress("draw") });
  const data = options.data ?? (await draw());
  const selection = { data, ...(limit === undefined ? {} : { limit }), ...(names ? { names } : {}) };

  await runStep("upload", steps, (context) => uploadStep(context, selection));
  await runStep("ingest", steps, (context) => ingestStep(context));
  await runStep("preprocess", steps, (context) => preprocessStep(context));
  await runStep("features", steps, (context) => componentsIfPossible(context));
  const epochs = options.epochs ?? (options.data ? undefined : PHANTOM_EPOCHS);
  const { backend } = options;
  await runTraining({ ...steps, ...(backend ? { backend } : {}), ...(epochs === undefined ? {} : { epochs }) });
  await runStep("score", steps, (context) => scoreStep(context));
  await runStep("features-report", steps, (context) => featuresReportStep(context));

  return printSummary(options.out);
}

/** A few images, or equal ones, have no principal components, and a model all the same. */
async function componentsIfPossible(context: StepContext): Promise<StepCounts> {
  try {
    return await featuresStep(context);
  } catch (error) {
    if (!(error instanceof TooFewImagesError)) throw error;
    return { items: 0, skipped: 0, rejected: 0, notes: [error.message] };
  }
}

/** Says what a workspace holds after its steps: counts, verdict, measured values. */
export async function printSummary(out: string): Promise<Summary> {
  const directory = resolve(out);
  const summary = await readSummary({ directory });
  process.stdout.write(`${renderSummary(summary, directory)}\n`);
  return summary;
}

export interface TrainingOptions extends StepOptions {
  readonly epochs?: number;
  readonly patience?: number;
  readonly backend?: Backend;
  readonly teacher?: TeacherOptions;
}

/** Trains, then evaluates on the untouched test split and promotes the model if the change plan's rule says so. */
export async function runTraining(options: TrainingOptions): Promise<TrainingRun> {
  const backend = await useBackend(options.backend);
  const run = await trainEvaluatePromote({ ...options, backend }, (name, work) => runStep(name, options, work));
  const { promoted, current } = run.promotion;
  const { id } = run.trained.metadata;
  if (promoted && current)
    await inWorkspace(options.out, ({ warehouse }) =>
      writeAct(warehouse, byHand({ request: randomUUID(), action: "promote", subject: id, result: id })),
    );
  return run;
}
