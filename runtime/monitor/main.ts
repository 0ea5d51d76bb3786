import { basename } from "node:path";
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
    ({ stores, warehouse, ...tools }) =>
      new MonitorService({
        ...tools,
        buckets: stores,
        warehouse,
        progress: silentProgress,
        // A hospital's data set is its own, where others share its project.
        place: basename(env.WAREHOUSE ?? ""),
      }),
  );
}

if (require.main === module) main().catch(reportJobFailure);
