import { runFrameService } from "../platform/frame-service";
import { reportJobFailure } from "../platform/job";
import { ExtractionService } from "./backbone";
import { featuresContract } from "./contract";
import { requestHandler } from "./requests";

/**
 * What spark/pca.py and spark/deep.py start beside the driver and beside each Python worker, see {@link requestHandler} and
 * {@link ExtractionService}.
 */
export function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  return runFrameService(featuresContract, env, ({ stores: { processed, models }, warehouse }) => {
    const components = requestHandler({ processed, models, warehouse });
    const extraction = new ExtractionService({ processed, warehouse }, env.BACKBONE);
    return {
      handle: async (request) => (await extraction.handle(request)) ?? components(request),
      close: () => extraction.close(),
    };
  });
}

if (require.main === module) main().catch(reportJobFailure);
