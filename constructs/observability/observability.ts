import { LoggingMetric } from "@cdktf/provider-google/lib/logging-metric";
import { MonitoringDashboard } from "@cdktf/provider-google/lib/monitoring-dashboard";
import { MonitoringNotificationChannel } from "@cdktf/provider-google/lib/monitoring-notification-channel";
import { MonitoringUptimeCheckConfig } from "@cdktf/provider-google/lib/monitoring-uptime-check-config";
import { Construct } from "constructs";
import { Fn, Token } from "../core/cdktf";
import type { Alert, MonitoringContribution, UptimeCheck } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import { alertPolicy, isLogCount } from "./alert-policies";
import { dashboardJson } from "./dashboard";
import { Objectives } from "./objectives";

export interface ObservabilityProps {
  readonly hospital: HospitalRef;
  /** What each construct says about how it is watched. */
  readonly contributions: readonly MonitoringContribution[];
  /**
   * E-mail addresses that alerts go to, each once.
   * @default nobody; incidents stand in the console all the same
   */
  readonly emails?: readonly string[];
}

const UPTIME_PERIOD_SECONDS = 300;
const UPTIME_TIMEOUT = "10s";

/** Log-based metrics, uptime checks, alert policies, their channels and one dashboard, out of all contributions. */
export class Observability extends Construct {
  readonly channels: readonly MonitoringNotificationChannel[];
  /** Display names of all alert policies. */
  readonly alertNames: readonly string[];
  /** Full names of the objectives, by their short ones. */
  readonly objectiveNames: Readonly<Record<string, string>>;
  /** Address of the dashboard in the console; undefined if there is nothing to show. */
  readonly dashboardUrl: string | undefined;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ObservabilityProps,
  ) {
    super(scope, id);
    const { hospital, contributions } = props;
    const alerts = [
      ...contributions.flatMap((contribution) => contribution.alerts),
      ...contributions.flatMap(({ uptimeChecks }) => (uptimeChecks ?? []).map((check) => this.uptimeAlert(check))),
    ];
    const metrics = contributions.flatMap(({ logMetrics }) => logMetrics);
    refuseTwins(metrics, "log metric");
    refuseTwins(alerts, "alert");
    for (const { name, series } of alerts)
      if (isLogCount(series) && !metrics.some((metric) => metric.name === series.logMetric))
        throw new Error(
          `The alert "${name}" is about the log metric "${series.logMetric}", which no construct contributes.`,
        );

    this.channels = (props.emails ?? []).map(
      (email, index) =>
        new MonitoringNotificationChannel(this, `email-${index + 1}`, {
          project: hospital.project,
          type: "email",
          displayName: `${resourceName(hospital, "alerts")}: ${email}`,
          labels: { email_address: email },
          enabled: true,
          forceDelete: true,
        }),
    );
    const logMetrics = metrics.map(
      ({ name, description, filter }) =>
        new LoggingMetric(this, name, {
          project: hospital.project,
          name: resourceName(hospital, name),
          description,
          filter,
          metricDescriptor: { metricKind: "DELTA", valueType: "INT64", unit: "1" },
        }),
    );
    const channels = this.channels.map((channel) => channel.id);
    const policies = alerts.map((alert) =>
      alertPolicy(this.alerts, { hospital, alert, channels, dependsOn: logMetrics }),
    );
    const objectives = contributions.flatMap((contribution) => contribution.objectives ?? []);
    refuseTwins(objectives, "objective");
    const kept = objectives.length > 0 && new Objectives(this, "objectives", { hospital, objectives, channels });
    this.objectiveNames = kept ? kept.names : {};
    this.alertNames = [...policies, ...(kept ? kept.policies : [])].map(
      ({ displayNameInput }) => displayNameInput ?? "",
    );

    const charts = contributions.flatMap((contribution) => contribution.charts);
    if (charts.length > 0) {
      const dashboard = new MonitoringDashboard(this, "dashboard", {
        project: hospital.project,
        dashboardJson: dashboardJson(`Brain tumour service: ${hospital.name}`, charts),
        dependsOn: logMetrics,
      });
      // projects/NUMBER/dashboards/ID
      const id = Fn.element(Fn.split("/", dashboard.id), 3);
      this.dashboardUrl = `https://console.cloud.google.com/monitoring/dashboards/builder/${Token.asString(id)}?project=${hospital.project}`;
    }
  }

  private get alerts(): Construct {
    return (this.node.tryFindChild("alerts") as Construct | undefined) ?? new Construct(this, "alerts");
  }

  /** Makes the check, and says when it counts as failed: two of the places that it is sent from get no answer. */
  private uptimeAlert(check: UptimeCheck): Alert {
    const { hospital } = this.props;
    const resource = new MonitoringUptimeCheckConfig(this, check.name, {
      project: hospital.project,
      displayName: resourceName(hospital, check.name),
      period: `${UPTIME_PERIOD_SECONDS}s`,
      timeout: UPTIME_TIMEOUT,
      checkerType: "STATIC_IP_CHECKERS",
      logCheckFailures: true,
      httpCheck: {
        path: check.path,
        port: 443,
        requestMethod: "GET",
        useSsl: true,
        validateSsl: true,
        acceptedResponseStatusCodes: check.acceptedStatuses.map((statusValue) => ({ statusValue })),
      },
      monitoredResource: { type: "uptime_url", labels: { host: check.host, project_id: hospital.project } },
    });
    return {
      name: check.name,
      title: check.title,
      documentation: check.documentation,
      severity: "CRITICAL",
      series: {
        filter: `metric.type="monitoring.googleapis.com/uptime_check/check_passed" resource.type="uptime_url" metric.label.check_id="${resource.uptimeCheckId}"`,
        aligner: "ALIGN_NEXT_OLDER",
        periodSeconds: 2 * UPTIME_PERIOD_SECONDS,
        reducer: "REDUCE_COUNT_FALSE",
        groupBy: ["resource.label.host"],
      },
      comparison: "COMPARISON_GT",
      threshold: 1,
      durationSeconds: 0,
    };
  }
}

function refuseTwins(items: readonly { readonly name: string }[], what: string): void {
  const names = new Set<string>();
  for (const { name } of items) {
    if (names.has(name)) throw new Error(`Two constructs contribute a ${what} "${name}": its name must be unique.`);
    names.add(name);
  }
}
