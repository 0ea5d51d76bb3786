import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";

/** Events on their way to a function, in the words of whoever watches them. */
export interface Queue {
  /** Of subscription, function and alerts. */
  readonly name: string;
  /** What waits, in the plural: begins a sentence. */
  readonly what: string;
  /** What could not be done with them: ends one. */
  readonly failure: string;
  /** Name of the topic, behind the hospital's. */
  readonly topic: string;
  /** What to know before events are published again: a sentence. */
  readonly again: string;
}

/** What matters about a queue: what waits for long, and what nobody could deal with. */
export function queueMonitoring(
  hospital: HospitalRef,
  { name, what, failure, topic, again }: Queue,
): MonitoringContribution {
  const [subscription, deadLetter] = [resourceName(hospital, name), resourceName(hospital, `${name}-dead-letter`)];
  const of = (metric: string, id: string) =>
    `metric.type="pubsub.googleapis.com/subscription/${metric}" resource.type="pubsub_subscription" resource.label.subscription_id="${id}"`;
  const oldest = of("oldest_unacked_message_age", subscription);
  return {
    logMetrics: [],
    alerts: [
      {
        name: `${name}-dead-letters`,
        title: `${what} could not be ${failure}`,
        documentation: `Notifications wait in the subscription \`${deadLetter}\`, for 31 days. The log of the function \`${subscription}\` says why each failed. Correct the cause, then publish them to the topic \`${resourceName(hospital, topic)}\` again: ${again}`,
        severity: "ERROR",
        series: {
          filter: of("num_undelivered_messages", deadLetter),
          aligner: "ALIGN_MAX",
          periodSeconds: 300,
          reducer: "REDUCE_SUM",
        },
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
      {
        name: `${name}-backlog`,
        title: `${what} have waited for an hour`,
        documentation: `The function \`${subscription}\` fails or has too few instances. Its log names failures; \`ingest.maxInstances\` of the hospital's line is its limit too.`,
        severity: "WARNING",
        series: { filter: oldest, aligner: "ALIGN_MAX", periodSeconds: 300, reducer: "REDUCE_MAX" },
        comparison: "COMPARISON_GT",
        threshold: 3600,
        durationSeconds: 300,
      },
    ],
    charts: [
      {
        title: `${what}: age of the oldest that waits`,
        unit: "s",
        series: [{ filter: oldest, aligner: "ALIGN_MAX", periodSeconds: 60, reducer: "REDUCE_MAX" }],
      },
    ],
  };
}
