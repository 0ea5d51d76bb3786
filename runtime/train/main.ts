import { mkdir } from "node:fs/promises";
import { evaluateStep } from "../evaluate";
import { ConfigurationError, parseEnv } from "../platform/config";
import { createLogger } from "../platform/logging";
import { openStore } from "../platform/open-store";
import { createProgress } from "../platform/progress";
import { ObjectStoreWarehouse } from "../platform/warehouse/object-store-warehouse";
import { useBackend } from "../registry";
import { trainContract } from "./contract";
import { trainStep } from "./step";

/** The training job: trains, evaluates on the untouched test split, promotes if not worse. One run, then it exits. */
export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const settings = parseEnv(trainContract.env, env);
  const backend = await useBackend(settings.BACKEND);
  const log = createLogger("train");
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
  const warehouse = new ObjectStoreWarehouse(await openStore(settings.WAREHOUSE_BUCKET));
  try {
    await mkdir(settings.SCRATCH_DIRECTORY, { recursive: true });
    const context = {
      workspace: {
        directory: settings.SCRATCH_DIRECTORY,
        warehouse,
        buckets: {
          processed: await openStore(settings.PROCESSED_BUCKET),
          models: await openStore(settings.MODELS_BUCKET),
          reports: await openStore(settings.REPORTS_BUCKET),
        },
      },
      seed: settings.SEED,
      log,
      progress: createProgress("train"),
      signal: stop.signal,
    };
    const { metadata, notes: trained = [] } = await trainStep(context, {
      backend,
      ...(settings.EPOCHS === undefined ? {} : { epochs: Number(settings.EPOCHS) }),
    });
    const { evaluation, decision, notes: evaluated = [] } = await evaluateStep(context, { model: metadata.id });
    for (const note of [...trained, ...evaluated]) log.info(note);
    log.info({ model: metadata.id, test: evaluation.test, ...decision }, "trained and evaluated");
  } finally {
    await warehouse.close();
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof ConfigurationError ? 2 : 1;
  });
}
