import { logMetricType, type MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";

/** @param machines what the names of the training machines begin with */
export function trainMonitoring(hospital: Pick<HospitalRef, "name">, machines: string): MonitoringContribution {
  const log = `logName:"gcplogs-docker-driver" AND resource.type="gce_instance" AND jsonPayload.instance.name:"${machines}"`;
  const count = (name: string) =>
    ({
      filter: `metric.type="${logMetricType(hospital, name)}" AND resource.type="gce_instance"`,
      aligner: "ALIGN_DELTA",
      periodSeconds: 300,
      reducer: "REDUCE_SUM",
    }) as const;
  return {
    logMetrics: [
      {
        name: "train-errors",
        description: `Errors that training jobs of ${resourceName(hospital, "train")} write`,
        filter: `${log} AND jsonPayload.message=~"\\"severity\\":\\"(ERROR|CRITICAL)\\"|cannot be used:"`,
      },
      {
        name: "train-done",
        description: "Training jobs that trained and evaluated a model",
        filter: `${log} AND jsonPayload.message:"trained and evaluated"`,
      },
    ],
    alerts: [
      {
        name: "train-failed",
        title: "A training job failed",
        documentation:
          "The model that serves stays as it is. Read the job's log entries (gcplogs-docker-driver), and the guest attribute brain-tumor-stack/exit-code of its machine: 2 is a wrong environment or no GPU in the container, 3 a machine without a working GPU. Start the job again when the reason is removed.",
        severity: "ERROR",
        series: { logMetric: "train-errors", resourceType: "gce_instance", periodSeconds: 300 },
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
    ],
    charts: [
      { title: "Training: models and errors", unit: "jobs", series: [count("train-done"), count("train-errors")] },
    ],
  };
}
