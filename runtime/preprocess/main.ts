import { parseEnv } from "../platform/config";
import { reportJobFailure, runJob } from "../platform/job";
import { openStore } from "../platform/open-store";
import { silentProgress } from "../platform/progress";
import { ObjectStoreWarehouse } from "../platform/warehouse/object-store-warehouse";
import { preprocessContract } from "./contract";
import { preprocessStep } from "./step";

/** The preprocess job: one run over everything that is curated. Exits with 0 when all shards are written, else with 1. */
export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { CURATED_BUCKET, PROCESSED_BUCKET, WAREHOUSE_BUCKET } = parseEnv(preprocessContract.env, env);
  await runJob("preprocess", async ({ log, signal }) => {
    const warehouse = new ObjectStoreWarehouse(await openStore(WAREHOUSE_BUCKET));
    try {
      const buckets = { curated: await openStore(CURATED_BUCKET), processed: await openStore(PROCESSED_BUCKET) };
      const workspace = { buckets, warehouse };
      const { notes = [], ...counts } = await preprocessStep({ workspace, log, progress: silentProgress, signal });
      for (const note of notes) log.warn(note);
      log.info(counts, "preprocessed");
    } finally {
      await warehouse.close();
    }
  });
}

if (require.main === module) main().catch(reportJobFailure);
