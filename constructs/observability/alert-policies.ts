import { MonitoringAlertPolicy } from "@cdktf/provider-google/lib/monitoring-alert-policy";
import type { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { Alert, Series } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";

export interface AlertPolicyProps {
  readonly hospital: HospitalRef;
  readonly alert: Alert;
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
    combiner: "OR",
    enabled: true,
    severity: alert.severity,
    conditions: [
      {
        displayName: alert.title,
        conditionThreshold: {
          filter: alert.series.filter,
          comparison: alert.comparison,
          thresholdValue: alert.threshold,
          duration: `${alert.durationSeconds}s`,
          aggregations: [aggregation(alert.series)],
          trigger: { count: 1 },
        },
      },
    ],
    notificationChannels: [...props.channels],
    alertStrategy: { autoClose: AUTO_CLOSE },
    documentation: {
      subject: `${hospital.name}: ${alert.title}`,
      content: alert.documentation,
      mimeType: "text/markdown",
    },
    dependsOn: [...props.dependsOn],
  });
}

function aggregation(series: Series) {
  return {
    alignmentPeriod: `${series.periodSeconds}s`,
    perSeriesAligner: series.aligner,
    ...(series.reducer ? { crossSeriesReducer: series.reducer } : {}),
    ...(series.groupBy ? { groupByFields: [...series.groupBy] } : {}),
  };
}
