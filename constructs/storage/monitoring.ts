import type { MonitoringContribution } from "../core/monitoring";
import type { HospitalRef } from "../core/naming";

/** What matters about the buckets: who is let in, and how much lies there. */
export function storageMonitoring(hospital: HospitalRef): MonitoringContribution {
  const name = "bucket-access-changed";
  const prefix = `${hospital.project}-${hospital.name}-`;
  return {
    logMetrics: [
      {
        name,
        description: "Changes of who may access a bucket (CIS 2.10)",
        filter: `log_id("cloudaudit.googleapis.com/activity") AND resource.type="gcs_bucket" AND resource.labels.bucket_name:"${prefix}" AND protoPayload.methodName="storage.setIamPermissions"`,
      },
    ],
    alerts: [
      {
        name,
        title: "Somebody changed who may access a bucket",
        documentation:
          "A deploy does this too, and then the incident can be closed. Otherwise the audit log says who did it and what was changed: take it back with the next deploy of the stack that owns the bucket, and find out why it was done by hand.",
        severity: "WARNING",
        series: { logMetric: name, resourceType: "gcs_bucket", periodSeconds: 300 },
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
    ],
    charts: [
      {
        title: "Storage: bytes by bucket",
        unit: "By",
        series: [
          {
            filter: `metric.type="storage.googleapis.com/storage/v2/total_bytes" resource.type="gcs_bucket" resource.label.bucket_name=starts_with("${prefix}")`,
            aligner: "ALIGN_MEAN",
            periodSeconds: 3600,
            reducer: "REDUCE_SUM",
            groupBy: ["resource.label.bucket_name"],
          },
        ],
      },
    ],
  };
}
