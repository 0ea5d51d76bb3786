import { parseEnv } from "../platform/config";
import { serveFrames } from "../platform/framed";
import { reportJobFailure, runJob } from "../platform/job";
import { openStore } from "../platform/stores";
import { ObjectStoreWarehouse } from "../platform/warehouse/object-store-warehouse";
import { preprocessContract } from "./contract";
import { PreprocessService } from "./service";

/**
 * A process of the Spark steps: answers the frames of its standard input (see {@link PreprocessService}) until that ends.
 * What it logs goes to standard error.
 */
export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { CURATED_BUCKET, PROCESSED_BUCKET, MODELS_BUCKET, WAREHOUSE_BUCKET } = parseEnv(preprocessContract.env, env);
  await runJob("preprocess", async ({ log, signal }) => {
    const warehouse = new ObjectStoreWarehouse(await openStore(WAREHOUSE_BUCKET));
    const buckets = {
      curated: await openStore(CURATED_BUCKET),
      processed: await openStore(PROCESSED_BUCKET),
      models: await openStore(MODELS_BUCKET),
    };
    const service = new PreprocessService({ workspace: { buckets, warehouse }, log, signal });
    try {
      await serveFrames(process.stdin, process.stdout, (request) => service.handle(request));
    } finally {
      await service.close();
      await warehouse.close();
    }
  });
}

if (require.main === module) main().catch(reportJobFailure);
