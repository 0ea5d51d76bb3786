import { MonitoringAlertPolicy } from "@cdktf/provider-google/lib/monitoring-alert-policy";
import type { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { type Alert, type LogCount, logMetricType, type Series } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";

/** An alert that fires while an objective's budget of errors is used up faster than each of these says. */
export interface BurnAlert extends Pick<Alert, "name" | "title" | "documentation" | "severity"> {
  readonly burnRates: readonly BurnRate[];
}

interface BurnRate {
  /** Full name of the objective. */
  readonly slo: string;
  /** How far it looks back; Cloud Monitoring allows a day. */
  readonly seconds: number;
  readonly rate: number;
}

export interface AlertPolicyProps {
  readonly hospital: HospitalRef;
  readonly alert: Alert | BurnAlert;
  /** Ids of notification channels. */
  readonly channels: readonly string[];
  readonly dependsOn: readonly ITerraformDependable[];
}

/** 30 minutes without another violation close an incident. */
const AUTO_CLOSE = "1800s";

/** What Cloud Monitoring would fill in is written out. */
export function alertPolicy(scope: Construct, props: AlertPolicyProps): MonitoringAlertPolicy {
  const { hospital, alert } = props;
  return new MonitoringAlertPolicy(scope, alert.name, {
    project: hospital.project,
    displayName: resourceName(hospital, alert.name),
    combiner: "burnRates" in alert ? "AND" : "OR",
    enabled: true,
    severity: alert.severity,
    conditions:
      "burnRates" in alert
        ? alert.burnRates.map(burnCondition)
        : [{ displayName: alert.title, ...condition(hospital, alert) }],
    notificationChannels: [...props.channels],
    alertStrategy: { autoClose: AUTO_CLOSE },
    documentation: {
      subject: `${hospital.name}: ${alert.title}`,
      content: `${alert.documentation}\n\nRunbook: docs/runbooks.md, ${alert.name}.`,
      mimeType: "text/markdown",
    },
    dependsOn: [...props.dependsOn],
  });
}

function condition(hospital: HospitalRef, { series, comparison, threshold, durationSeconds }: Alert) {
  const duration = `${durationSeconds}s`;
  if (isLogCount(series))
    return {
      conditionPrometheusQueryLanguage: {
        query: countCondition(hospital, series, `${OPERATORS[comparison]} ${threshold}`),
        duration,
        evaluationInterval: "30s",
        // Cloud Monitoring knows a log metric up to ten minutes after it was made, and refuses a threshold on it until then.
        disableMetricValidation: true,
      },
    };
  return {
    conditionThreshold: {
      filter: series.filter,
      comparison,
      thresholdValue: threshold,
      duration,
      aggregations: [aggregation(series)],
      trigger: { count: 1 },
    },
  };
}

export const isLogCount = (series: Series | LogCount): series is LogCount => "logMetric" in series;

const OPERATORS: Readonly<Record<Alert["comparison"], string>> = { COMPARISON_GT: ">", COMPARISON_LT: "<" };

/** https://cloud.google.com/monitoring/promql/promql-mapping: the first slash is a colon, what PromQL has no sign for a low line. */
function countCondition(hospital: HospitalRef, series: LogCount, condition: string): string {
  const { logMetric, resourceType, periodSeconds, onceWithinSeconds } = series;
  const metric = logMetricType(hospital, logMetric)
    .replace("/", ":")
    .replace(/[^\w:]/g, "_");
  const count = (seconds: number) => `sum(increase(${metric}{monitored_resource="${resourceType}"}[${seconds}s]))`;
  if (onceWithinSeconds === undefined) return `${count(periodSeconds)} ${condition}`;
  // A count without an entry has no value, which is less than nothing: it counts as 0 where there was one before.
  return `(${count(periodSeconds)} or 0 * (${count(onceWithinSeconds)} > 0)) ${condition}`;
}

/** Such a series is one number already: there is nothing to align. Where nothing was asked, it has no points. */
function burnCondition({ slo, seconds, rate }: BurnRate) {
  return {
    displayName: `${rate} times as fast as it lasts, over ${seconds / 60} minutes`,
    conditionThreshold: {
      filter: `select_slo_burn_rate("${slo}", "${seconds}s")`,
      comparison: "COMPARISON_GT",
      thresholdValue: rate,
      duration: "0s",
      trigger: { count: 1 },
    },
  };
}

function aggregation(series: Series) {
  return {
    alignmentPeriod: `${series.periodSeconds}s`,
    perSeriesAligner: series.aligner,
    ...(series.reducer ? { crossSeriesReducer: series.reducer } : {}),
    ...(series.groupBy ? { groupByFields: [...series.groupBy] } : {}),
  };
}
