import { failedAnswersFilter, failedAnswersMetric } from "../../runtime/platform/cloud-run";
import {
  type LogMetric,
  logMetricType,
  type MonitoringContribution,
  type Objective,
  type Series,
} from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import type { ObjectivesOf } from "../observability";

export type ServeObjectives = Pick<ObjectivesOf, "availability" | "latency" | "latencySeconds">;

/**
 * @param domain where people reach the page, if a load balancer stands before it
 * @param objectives what people may rely on, if anything
 */
export function serveMonitoring(
  hospital: Pick<HospitalRef, "name">,
  domain: string | undefined,
  objectives: ServeObjectives | undefined,
): MonitoringContribution {
  const service = resourceName(hospital, "serve");
  const metric = (name: string, more = ""): string =>
    `metric.type="run.googleapis.com/${name}" AND resource.type="cloud_run_revision" AND resource.label.service_name="${service}"${more}`;
  const requests = (more?: string): Series => ({
    filter: metric("request_count", more),
    aligner: "ALIGN_RATE",
    periodSeconds: 60,
    reducer: "REDUCE_SUM",
  });
  const latency = (aligner: "ALIGN_PERCENTILE_50" | "ALIGN_PERCENTILE_95"): Series => ({
    filter: metric("request_latencies"),
    aligner,
    periodSeconds: 300,
    reducer: "REDUCE_MAX",
  });
  // By it a canary is judged, too: see runtime/canary.
  const failedAnswers: LogMetric = {
    name: failedAnswersMetric("serve"),
    description: "Requests for an answer that ended in 5xx, by revision",
    filter: failedAnswersFilter(service),
  };
  return {
    logMetrics: [failedAnswers],
    alerts: [
      {
        name: "serve-errors",
        title: "Predictions fail",
        documentation: `The service \`${service}\` answers with 5xx. 503 with the code no-model: nothing is promoted or the model cannot be loaded, /readyz says why. 503 with busy: more instances or fewer requests. Otherwise find the request's id in the log; roll back to the model before if it began with a new one.`,
        severity: "CRITICAL",
        series: requests(' AND metric.label.response_code_class="5xx"'),
        comparison: "COMPARISON_GT",
        threshold: 0.05,
        durationSeconds: 300,
      },
      {
        name: "serve-slow",
        title: "Predictions are slow",
        documentation: `95 of 100 answers of \`${service}\` take longer than five seconds. Look at the chart of instances: at its limit, raise maxInstances; below it, large scans or cold starts are the usual reasons.`,
        severity: "WARNING",
        series: latency("ALIGN_PERCENTILE_95"),
        comparison: "COMPARISON_GT",
        threshold: 5000,
        durationSeconds: 600,
      },
    ],
    charts: [
      {
        title: "Serve: requests",
        unit: "1/s",
        series: [{ ...requests(), groupBy: ["metric.label.response_code_class"] }],
      },
      {
        title: "Serve: answers that failed, by revision",
        unit: "1",
        series: [
          {
            filter: `metric.type="${logMetricType(hospital, failedAnswers.name)}" AND resource.type="cloud_run_revision"`,
            aligner: "ALIGN_DELTA",
            periodSeconds: 300,
            reducer: "REDUCE_SUM",
            groupBy: ["resource.label.revision_name"],
          },
        ],
      },
      {
        title: "Serve: time of an answer",
        unit: "ms",
        series: [latency("ALIGN_PERCENTILE_50"), latency("ALIGN_PERCENTILE_95")],
      },
      {
        title: "Serve: instances",
        unit: "instances",
        series: [
          {
            filter: metric("container/instance_count"),
            aligner: "ALIGN_MAX",
            periodSeconds: 60,
            reducer: "REDUCE_SUM",
            groupBy: ["metric.label.state"],
          },
        ],
      },
    ],
    objectives: objectives ? promised(objectives, metric, service) : [],
    uptimeChecks:
      domain === undefined
        ? []
        : [
            {
              name: "serve-uptime",
              title: "The page cannot be reached",
              documentation: `https://${domain} gives no answer from outside. Check its address record, the certificate's state and the load balancer. A sign-in page is the right answer: the check does not sign in.`,
              host: domain,
              path: "/",
              acceptedStatuses: [302, 401, 403],
            },
          ],
  };
}

function promised(
  { availability, latency, latencySeconds }: ServeObjectives,
  metric: (name: string, more?: string) => string,
  service: string,
): Objective[] {
  return [
    {
      name: "serve-availability",
      title: "answers without an error of the server",
      documentation: `The service \`${service}\` answers with 5xx. What to do is what the alert serve-errors says.`,
      percent: availability,
      indicator: {
        kind: "requests",
        bad: metric("request_count", ' AND metric.label.response_code_class="5xx"'),
        total: metric("request_count"),
      },
    },
    {
      name: "serve-latency",
      title: `answers within ${latencySeconds} s`,
      documentation: `The service \`${service}\` is slow. What to do is what the alert serve-slow says.`,
      percent: latency,
      indicator: { kind: "distribution", filter: metric("request_latencies"), max: latencySeconds * 1000 },
    },
  ];
}
