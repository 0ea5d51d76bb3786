import { runFrameService } from "../platform/frame-service";
import { reportJobFailure } from "../platform/job";
import { scoreContract } from "./contract";
import { ScoreService } from "./service";

/** A process of the Spark step `score`, see {@link ScoreService}. */
export function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  return runFrameService(
    scoreContract,
    env,
    ({ stores, warehouse }) => new ScoreService({ buckets: stores, warehouse }),
  );
}

if (require.main === module) main().catch(reportJobFailure);
