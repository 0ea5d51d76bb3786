import { runFrameService } from "../platform/frame-service";
import { reportJobFailure } from "../platform/job";
import { featuresContract } from "./contract";
import { requestHandler } from "./requests";

/** What spark/pca.py starts beside the driver and beside each Python worker, see {@link requestHandler}. */
export function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  return runFrameService(featuresContract, env, ({ stores: { processed, models }, warehouse }) => ({
    handle: requestHandler({ processed, models, warehouse }),
    close: async () => {},
  }));
}

if (require.main === module) main().catch(reportJobFailure);
