import type { MonitoringContribution, Series } from "../core/monitoring";

/** @param cluster what the names of the workflow's clusters begin with */
export function preprocessMonitoring(cluster: string): MonitoringContribution {
  const metric = (name: string): string =>
    `metric.type="dataproc.googleapis.com/cluster/${name}" AND resource.type="cloud_dataproc_cluster" AND resource.label.cluster_name=starts_with("${cluster}-")`;
  const failed: Series = {
    filter: metric("job/failed_count"),
    aligner: "ALIGN_DELTA",
    periodSeconds: 300,
    reducer: "REDUCE_SUM",
  };
  return {
    logMetrics: [],
    alerts: [
      {
        name: "preprocess-failed",
        title: "A step of the preprocess workflow failed",
        documentation:
          "Until the step preprocess succeeds, new scans are not in the training data; score and pca come after it. Open the job in Dataproc: its output says which variable, bucket or scan is the reason. Instantiate the workflow template again when it is removed: what was done is not done twice.",
        severity: "ERROR",
        series: failed,
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
    ],
    charts: [
      {
        title: "Preprocess: jobs",
        unit: "jobs",
        series: [{ ...failed, filter: metric("job/submitted_count") }, failed],
      },
      {
        title: "Preprocess: YARN memory",
        unit: "GiB",
        series: [
          {
            filter: metric("yarn/memory_size"),
            aligner: "ALIGN_MEAN",
            periodSeconds: 60,
            reducer: "REDUCE_SUM",
            groupBy: ["metric.label.status"],
          },
        ],
      },
    ],
  };
}
