import { runFrameService } from "../platform/frame-service";
import { reportJobFailure } from "../platform/job";
import { preprocessContract } from "./contract";
import { PreprocessService } from "./service";

/** A process of the Spark step `preprocess`, see {@link PreprocessService}. */
export function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  return runFrameService(
    preprocessContract,
    env,
    ({ stores, warehouse, log, signal }) =>
      new PreprocessService({ workspace: { buckets: stores, warehouse }, log, signal }),
  );
}

if (require.main === module) main().catch(reportJobFailure);
