import { mkdir } from "node:fs/promises";
import { evaluateStep } from "../evaluate";
import { useBackend } from "../model";
import { parseEnv } from "../platform/config";
import { reportJobFailure, runJob } from "../platform/job";
import { createProgress } from "../platform/progress";
import { openStore } from "../platform/stores";
import { ObjectStoreWarehouse } from "../platform/warehouse/object-store-warehouse";
import { trainContract } from "./contract";
import { trainStep } from "./step";

/** The training job: trains, evaluates on the untouched test split, promotes if not worse. One run, then it exits. */
export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const settings = parseEnv(trainContract.env, env);
  const backend = await useBackend(settings.BACKEND);
  await runJob("train", async ({ log, signal }) => {
    const warehouse = new ObjectStoreWarehouse(await openStore(settings.WAREHOUSE_BUCKET));
    try {
      await mkdir(settings.SCRATCH_DIRECTORY, { recursive: true });
      const [processed, models, reports] = await Promise.all([
        openStore(settings.PROCESSED_BUCKET),
        openStore(settings.MODELS_BUCKET),
        openStore(settings.REPORTS_BUCKET),
      ]);
      const workspace = { directory: settings.SCRATCH_DIRECTORY, warehouse, buckets: { processed, models, reports } };
      const context = { workspace, seed: settings.SEED, log, progress: createProgress("train"), signal };
      const epochs = settings.EPOCHS === undefined ? {} : { epochs: settings.EPOCHS };
      const { metadata, notes: trained = [] } = await trainStep(context, { backend, ...epochs });
      const { evaluation, decision, notes: evaluated = [] } = await evaluateStep(context, { model: metadata.id });
      for (const note of [...trained, ...evaluated]) log.info(note);
      log.info({ model: metadata.id, test: evaluation.test, ...decision }, "trained and evaluated");
    } finally {
      await warehouse.close();
    }
  });
}

if (require.main === module) main().catch(reportJobFailure);
