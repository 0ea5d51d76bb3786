import type { MonitoringAlertPolicy } from "@cdktf/provider-google/lib/monitoring-alert-policy";
import { MonitoringCustomService } from "@cdktf/provider-google/lib/monitoring-custom-service";
import { MonitoringSlo, type MonitoringSloConfig } from "@cdktf/provider-google/lib/monitoring-slo";
import { Construct } from "constructs";
import type { Indicator, Objective } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import { alertPolicy } from "./alert-policies";

export interface ObjectivesProps {
  readonly hospital: HospitalRef;
  readonly objectives: readonly Objective[];
  /** Ids of notification channels. */
  readonly channels: readonly string[];
}

const PERIOD_DAYS = 30;

/**
 * How fast the budget of errors is used up, as a multiple of what would last for the period: over a long window, so that it
 * matters, and over a short one, so that it still goes on. https://sre.google/workbook/alerting-on-slos/
 */
const BURNS = [
  { speed: "fast", severity: "CRITICAL", rate: 14.4, windows: [3600, 300], meaning: "2 % is used up within an hour" },
  { speed: "slow", severity: "WARNING", rate: 3, windows: [86_400, 7200], meaning: "10 % is used up within a day" },
] as const;

/** One service in Cloud Monitoring, its objectives, and for each a fast and a slow alert. */
export class Objectives extends Construct {
  /** Full names of the objectives, by their short ones. */
  readonly names: Readonly<Record<string, string>>;
  readonly policies: readonly MonitoringAlertPolicy[];

  constructor(scope: Construct, id: string, props: ObjectivesProps) {
    super(scope, id);
    const { hospital, objectives, channels } = props;
    const service = new MonitoringCustomService(this, "service", {
      project: hospital.project,
      serviceId: resourceName(hospital, "service"),
      displayName: `Brain tumour service: ${hospital.name}`,
    });
    const made = objectives.map((objective) => ({
      objective,
      slo: new MonitoringSlo(this, objective.name, {
        project: hospital.project,
        service: service.serviceId,
        sloId: resourceName(hospital, objective.name),
        displayName: `${hospital.name}: ${objective.percent} % ${objective.title}`,
        // A percentage has no digits beyond these; dividing it makes some.
        goal: Number((objective.percent / 100).toFixed(6)),
        rollingPeriodDays: PERIOD_DAYS,
        ...indicator(objective.indicator),
      }),
    }));
    this.names = Object.fromEntries(made.map(({ objective, slo }) => [objective.name, slo.name]));
    const alerts = new Construct(this, "alerts");
    this.policies = made.flatMap(({ objective, slo }) =>
      BURNS.map(({ speed, severity, rate, windows, meaning }) =>
        alertPolicy(alerts, {
          hospital,
          channels,
          dependsOn: [],
          alert: {
            name: `${objective.name}-${speed}`,
            title: `Below ${objective.percent} %: ${objective.title}`,
            documentation: `Of what may go wrong in ${PERIOD_DAYS} days (${objective.percent} % ${objective.title}), ${meaning}, and it goes on. ${objective.documentation}`,
            severity,
            burnRates: windows.map((seconds) => ({ slo: slo.name, seconds, rate })),
          },
        }),
      ),
    );
  }
}

/** What the API leaves out when it answers, an open end of a range, is left out here. */
function indicator(one: Indicator): Pick<MonitoringSloConfig, "requestBasedSli" | "windowsBasedSli"> {
  switch (one.kind) {
    case "requests":
      return { requestBasedSli: { goodTotalRatio: { badServiceFilter: one.bad, totalServiceFilter: one.total } } };
    case "distribution":
      return { requestBasedSli: { distributionCut: { distributionFilter: one.filter, range: { max: one.max } } } };
    case "windows":
      return {
        windowsBasedSli: {
          windowPeriod: `${one.seconds}s`,
          metricMeanInRange: { timeSeries: one.filter, range: { max: one.max } },
        },
      };
  }
}
