import { parseEnv } from "../platform/config";
import { createLogger } from "../platform/logging";
import { openStore } from "../platform/open-store";
import { silentProgress } from "../platform/progress";
import { ObjectStoreWarehouse } from "../platform/warehouse/object-store-warehouse";
import { preprocessContract } from "./contract";
import { preprocessStep } from "./step";

/** The preprocess job: one run over everything that is curated. Exits with 0 when all shards are written, else with 1. */
export async function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { CURATED_BUCKET, PROCESSED_BUCKET, WAREHOUSE_BUCKET } = parseEnv(preprocessContract.env, env);
  const log = createLogger("preprocess");
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
  const warehouse = new ObjectStoreWarehouse(await openStore(WAREHOUSE_BUCKET));
  try {
    const buckets = { curated: await openStore(CURATED_BUCKET), processed: await openStore(PROCESSED_BUCKET) };
    const { notes = [], ...counts } = await preprocessStep({
      workspace: { buckets, warehouse },
      log,
      progress: silentProgress,
      signal: stop.signal,
    });
    for (const note of notes) log.warn(note);
    log.info(counts, "preprocessed");
  } finally {
    await warehouse.close();
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
