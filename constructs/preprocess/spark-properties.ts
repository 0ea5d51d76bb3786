import type { RuntimeContract } from "../../runtime/platform/contract";

/** What the workers are: two groups of task slots share the four CPUs and the 12 GiB that YARN hands out of the 16. */
export const WORKER_MACHINE_TYPE = "n2-standard-4";
const EXECUTOR_CORES = 2;

/**
 * How Spark runs a step on the cluster, beside Dataproc's own defaults (dynamic allocation, the external shuffle service).
 * https://spark.apache.org/docs/3.5.7/configuration.html
 */
export function sparkProperties({ resources }: Pick<RuntimeContract, "resources">): Record<string, string> {
  return {
    // The driver is on the master with its Python and the one runtime process that it asks: half is theirs.
    "spark.driver.memory": `${Math.max(1, Math.floor(resources.memoryGiB / 2))}g`,
    "spark.executor.cores": String(EXECUTOR_CORES),
    "spark.executor.memory": "3g",
    // Outside of the JVM: a Python worker and a Node process (about 300 MiB) a task slot, and the images that they hold.
    "spark.executor.memoryOverhead": "2560m",
    // A Python worker keeps the Node process that it started for the next task.
    "spark.python.worker.reuse": "true",
    // Two attempts at once would write the same shard twice.
    "spark.speculation": "false",
    // Spot workers are taken away in the middle of tasks, and with them what was shuffled to them.
    "spark.task.maxFailures": "8",
    "spark.stage.maxConsecutiveAttempts": "10",
  };
}
