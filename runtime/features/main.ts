import { parseEnv } from "../platform/config";
import { serveFrames } from "../platform/framed";
import { reportJobFailure } from "../platform/job";
import { openStore } from "../platform/stores";
import { ObjectStoreWarehouse } from "../platform/warehouse/object-store-warehouse";
import { featuresContract } from "./contract";
import { requestHandler } from "./requests";

/**
 * What spark/pca.py starts beside the driver and beside each Python worker: it answers requests until its input ends.
 * Exits with 0, with 1 when the exchange breaks, and with 2 when its environment is wrong.
 */
export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { PROCESSED_BUCKET, MODELS_BUCKET, WAREHOUSE_BUCKET } = parseEnv(featuresContract.env, env);
  const warehouse = new ObjectStoreWarehouse(await openStore(WAREHOUSE_BUCKET));
  try {
    const [processed, models] = [await openStore(PROCESSED_BUCKET), await openStore(MODELS_BUCKET)];
    await serveFrames(process.stdin, process.stdout, requestHandler({ processed, models, warehouse }));
  } finally {
    await warehouse.close();
  }
}

if (require.main === module) main().catch(reportJobFailure);
