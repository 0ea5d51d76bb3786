import type { MonitoringContribution } from "../core/monitoring";

/** @param workflow its name */
export function retrainMonitoring(workflow: string): MonitoringContribution {
  return {
    logMetrics: [],
    alerts: [
      {
        name: "retrain-failed",
        title: "A retraining failed",
        documentation: `The model that serves stays as it is. \`gcloud workflows executions list ${workflow}\` names the execution, whose error says which step failed and why. When the reason is removed, start the workflow again: it goes on with the same run, at the step that failed. docs/operations.md, "Retraining".`,
        severity: "ERROR",
        series: {
          filter: `metric.type="workflows.googleapis.com/finished_execution_count" AND resource.type="workflows.googleapis.com/Workflow" AND resource.labels.workflow_id="${workflow}" AND metric.labels.status="FAILED"`,
          aligner: "ALIGN_DELTA",
          periodSeconds: 3600,
          reducer: "REDUCE_SUM",
        },
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
    ],
    charts: [
      {
        title: "Retraining: executions that ended",
        unit: "executions",
        series: [
          {
            filter: `metric.type="workflows.googleapis.com/finished_execution_count" AND resource.type="workflows.googleapis.com/Workflow" AND resource.labels.workflow_id="${workflow}"`,
            aligner: "ALIGN_DELTA",
            periodSeconds: 3600,
            reducer: "REDUCE_SUM",
            groupBy: ["metric.label.status"],
          },
        ],
      },
    ],
  };
}
