import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import type { ObjectivesOf } from "../observability";

export type IngestObjectives = Pick<ObjectivesOf, "freshness" | "freshnessMinutes">;

/**
 * What matters about ingest: scans that wait, and scans that nobody could read.
 * @param objectives what people may rely on, if anything
 */
export function ingestMonitoring(hospital: HospitalRef, objectives?: IngestObjectives): MonitoringContribution {
  const deadLetters = `metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages" resource.type="pubsub_subscription" resource.label.subscription_id="${resourceName(hospital, "ingest-dead-letter")}"`;
  const oldest = `metric.type="pubsub.googleapis.com/subscription/oldest_unacked_message_age" resource.type="pubsub_subscription" resource.label.subscription_id="${resourceName(hospital, "ingest")}"`;
  const requests = `metric.type="run.googleapis.com/request_count" resource.type="cloud_run_revision" resource.label.service_name="${resourceName(hospital, "ingest")}"`;
  const latency = `metric.type="run.googleapis.com/request_latencies" resource.type="cloud_run_revision" resource.label.service_name="${resourceName(hospital, "ingest")}"`;
  return {
    logMetrics: [],
    objectives: objectives
      ? [
          {
            name: "ingest-freshness",
            title: `time in which no scan waits longer than ${objectives.freshnessMinutes} min`,
            documentation: "Scans wait to be ingested. What to do is what the alert ingest-backlog says.",
            percent: objectives.freshness,
            indicator: { kind: "windows", filter: oldest, max: objectives.freshnessMinutes * 60, seconds: 300 },
          },
        ]
      : [],
    alerts: [
      {
        name: "ingest-dead-letters",
        title: "Scans could not be ingested",
        documentation: `Events of scans wait in the subscription \`${resourceName(hospital, "ingest-dead-letter")}\`, for 31 days. The function's log says why each failed. Correct the cause, then publish them to the topic \`${resourceName(hospital, "landing")}\` again: ingesting a scan twice does no harm.`,
        severity: "ERROR",
        series: { filter: deadLetters, aligner: "ALIGN_MAX", periodSeconds: 300, reducer: "REDUCE_SUM" },
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
      {
        name: "ingest-backlog",
        title: "Scans have waited for an hour",
        documentation:
          "The function fails or has too few instances. Its log names failures; `ingest.maxInstances` of the hospital's line is the limit on instances.",
        severity: "WARNING",
        series: { filter: oldest, aligner: "ALIGN_MAX", periodSeconds: 300, reducer: "REDUCE_MAX" },
        comparison: "COMPARISON_GT",
        threshold: 3600,
        durationSeconds: 300,
      },
    ],
    charts: [
      {
        title: "Ingest: requests by status",
        unit: "1/s",
        series: [
          {
            filter: requests,
            aligner: "ALIGN_RATE",
            periodSeconds: 60,
            reducer: "REDUCE_SUM",
            groupBy: ["metric.label.response_code_class"],
          },
        ],
      },
      {
        title: "Ingest: duration of a request, 95th percentile",
        unit: "ms",
        series: [{ filter: latency, aligner: "ALIGN_PERCENTILE_95", periodSeconds: 60, reducer: "REDUCE_MAX" }],
      },
      {
        title: "Ingest: age of the oldest waiting scan",
        unit: "s",
        series: [{ filter: oldest, aligner: "ALIGN_MAX", periodSeconds: 60, reducer: "REDUCE_MAX" }],
      },
      {
        title: "Ingest: dead letters",
        unit: "1",
        series: [{ filter: deadLetters, aligner: "ALIGN_MAX", periodSeconds: 60, reducer: "REDUCE_SUM" }],
      },
    ],
  };
}
