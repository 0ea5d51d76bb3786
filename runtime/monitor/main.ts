import { runFrameService } from "../platform/frame-service";
import { reportJobFailure } from "../platform/job";
import { silentProgress } from "../platform/progress";
import { monitorContract } from "./contract";
import { MonitorService } from "./service";

/** The process of the Spark step `monitor`, see {@link MonitorService}. */
export function main(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  return runFrameService(
    monitorContract,
    env,
    ({ stores, warehouse, signal }) =>
      new MonitorService({ buckets: stores, warehouse, progress: silentProgress, signal }),
  );
}

if (require.main === module) main().catch(reportJobFailure);
