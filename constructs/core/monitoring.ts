import type { HospitalRef } from "./naming";

/**
 * What a construct says about how it is watched. It names no channel and makes no resource: `constructs/observability`
 * makes log-based metrics, alert policies and a dashboard out of the contributions of all constructs.
 */
export interface MonitoringContribution {
  readonly logMetrics: readonly LogMetric[];
  readonly alerts: readonly Alert[];
  readonly charts: readonly Chart[];
  /** @default none */
  readonly uptimeChecks?: readonly UptimeCheck[];
  /** @default none */
  readonly objectives?: readonly Objective[];
}

/**
 * What people may rely on, over thirty days, and two alerts on how fast the rest of it is used up. It stands on metrics that
 * Google has before the first request; without requests there is no data, and without data nobody is alerted.
 */
export interface Objective {
  /** After the hospital's name, e.g. `serve-availability`: unique among the hospital's objectives. */
  readonly name: string;
  /** What is good, as a phrase: `answers without an error of the server`. */
  readonly title: string;
  /** What it means and what to do when it is missed, in Markdown. */
  readonly documentation: string;
  /** Percentage that has to be good. */
  readonly percent: number;
  readonly indicator: Indicator;
}

/** What is counted. Filters name metric and resource: https://cloud.google.com/monitoring/api/v3/filters */
export type Indicator =
  /** Requests of `total` that are not of `bad`. */
  | { readonly kind: "requests"; readonly bad: string; readonly total: string }
  /** Values of a distribution that are at most `max`, in its unit. */
  | { readonly kind: "distribution"; readonly filter: string; readonly max: number }
  /** Windows of so many seconds in which the mean of a gauge is at most `max`, in its unit. */
  | { readonly kind: "windows"; readonly filter: string; readonly max: number; readonly seconds: number };

/** A request that Google sends from outside every few minutes, and an alert when nobody answers as expected. */
export interface UptimeCheck {
  /** After the hospital's name, e.g. `serve-uptime`: unique among the hospital's checks and alerts. */
  readonly name: string;
  readonly title: string;
  /** What it means and what to do, in Markdown. */
  readonly documentation: string;
  /** Host name, without a scheme. */
  readonly host: string;
  readonly path: string;
  /** HTTP status codes that count as an answer. */
  readonly acceptedStatuses: readonly number[];
}

/** A counter over log entries. An alert takes it as a {@link LogCount}; in charts it is named by {@link logMetricType}. */
export interface LogMetric {
  /** After the hospital's name, e.g. `train-failures`: unique among the hospital's log metrics. */
  readonly name: string;
  readonly description: string;
  /** https://cloud.google.com/logging/docs/view/logging-query-language */
  readonly filter: string;
}

/** https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#Aligner */
export type Aligner =
  | "ALIGN_RATE"
  | "ALIGN_DELTA"
  | "ALIGN_SUM"
  | "ALIGN_MAX"
  | "ALIGN_MEAN"
  | "ALIGN_NEXT_OLDER"
  | "ALIGN_PERCENTILE_50"
  | "ALIGN_PERCENTILE_95"
  | "ALIGN_PERCENTILE_99";
/** https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#Reducer */
export type Reducer = "REDUCE_COUNT_FALSE" | "REDUCE_SUM" | "REDUCE_MAX" | "REDUCE_MEAN";

/** One time series out of a metric. */
export interface Series {
  /** Metric and resource: https://cloud.google.com/monitoring/api/v3/filters */
  readonly filter: string;
  readonly aligner: Aligner;
  /** Seconds of one point, a multiple of 60. */
  readonly periodSeconds: number;
  /** @default series are not combined */
  readonly reducer?: Reducer;
  /** Labels that keep series apart, e.g. `metric.label.response_code_class`. @default none */
  readonly groupBy?: readonly string[];
}

/** How often something stood in the log: entries that a {@link LogMetric} counts, of all its series together. */
export interface LogCount {
  /** Name of a {@link LogMetric} of the same hospital. */
  readonly logMetric: string;
  /** What writes the entries: https://cloud.google.com/monitoring/api/resources */
  readonly resourceType: string;
  /** Seconds over which entries are counted. */
  readonly periodSeconds: number;
  /**
   * Seconds within which there has to have been an entry, for too few of them to count at all.
   * @default none: where nothing was ever written, a count has no value, and nobody is alerted
   */
  readonly onceWithinSeconds?: number;
}

export interface Alert {
  /** After the hospital's name, e.g. `serve-errors`: unique among the hospital's alerts. */
  readonly name: string;
  /** One line for the subject of a message. */
  readonly title: string;
  /** What it means and what to do, in Markdown. */
  readonly documentation: string;
  readonly severity: "CRITICAL" | "ERROR" | "WARNING";
  readonly series: Series | LogCount;
  readonly comparison: "COMPARISON_GT" | "COMPARISON_LT";
  readonly threshold: number;
  /** Seconds for which every point has to violate the threshold, a multiple of 60. 0: one point is enough. */
  readonly durationSeconds: number;
}

export interface Chart {
  readonly title: string;
  /** Label of the vertical axis. */
  readonly unit: string;
  readonly series: readonly Series[];
}

/** A log metric as alerts and charts name it. Log metrics are unique in their project, which hospitals of a CI share. */
export function logMetricType(hospital: Pick<HospitalRef, "name">, name: string): string {
  return `logging.googleapis.com/user/${hospital.name}-${name}`;
}
