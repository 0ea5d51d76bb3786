import { mkdir } from "node:fs/promises";
import { ConfigurationError, parseEnv } from "../platform/config";
import { reportJobFailure, runJob } from "../platform/job";
import { openStores, openTables } from "../platform/open-stores";
import { createProgress } from "../platform/progress";
import { useBackend } from "../tensorflow";
import { trainContract } from "./contract";
import { trainEvaluatePromote, trainForRetraining } from "./run";

/**
 * The training job: trains, evaluates on the untouched test split, promotes by the change plan's rule; for a retraining it
 * trains alone. One run, then it exits.
 */
export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const settings = parseEnv(trainContract.env, env);
  if (settings.SERVES === "teacher" && settings.TEACHER === undefined)
    throw new ConfigurationError("SERVES", ["it is teacher, and TEACHER names none: name one, or leave SERVES out."]);
  const backend = await useBackend(settings.BACKEND);
  await runJob("train", async ({ log, signal }) => {
    const buckets = await openStores(trainContract, settings);
    const warehouse = await openTables(trainContract, settings);
    try {
      await mkdir(settings.SCRATCH_DIRECTORY, { recursive: true });
      const workspace = { directory: settings.SCRATCH_DIRECTORY, warehouse, buckets };
      const context = { workspace, seed: settings.SEED, log, progress: createProgress("train"), signal };
      const options = {
        backend,
        ...(settings.EPOCHS === undefined ? {} : { epochs: settings.EPOCHS }),
        ...(settings.TEACHER === undefined ? {} : { teacher: { backbone: settings.TEACHER, serves: settings.SERVES } }),
      };
      if (settings.RETRAINING !== undefined) {
        const { metadata, notes = [] } = await trainForRetraining(context, settings.RETRAINING, options);
        for (const note of notes) log.info(note);
        log.info({ model: metadata.id, retraining: settings.RETRAINING }, "trained for a retraining");
        return;
      }
      const { trained, evaluation, promotion } = await trainEvaluatePromote(options, async (_, work) => {
        const outcome = await work(context);
        for (const note of outcome.notes ?? []) log.info(note);
        return outcome;
      });
      const { verdict, test } = evaluation;
      const { promoted, current, reason } = promotion;
      log.info({ model: trained.metadata.id, verdict, test, promoted, current, reason }, "trained and evaluated");
    } finally {
      await warehouse.close();
    }
  });
}

if (require.main === module) main().catch(reportJobFailure);
