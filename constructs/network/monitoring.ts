import { logMetricType, type MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import { NAME_OF_DENIAL } from "./firewall-rules";

/** What matters about the network: machines that try to leave it. */
export function networkMonitoring(hospital: HospitalRef): MonitoringContribution {
  const name = "network-egress-denied";
  const rule = resourceName(hospital, NAME_OF_DENIAL);
  const filter = `metric.type="${logMetricType(hospital, name)}" resource.type="gce_subnetwork"`;
  return {
    logMetrics: [
      {
        name,
        description: "Connections that a machine tried to open and that no rule allows",
        filter: `log_id("compute.googleapis.com/firewall") AND jsonPayload.disposition="DENIED" AND jsonPayload.rule_details.reference:"${rule}"`,
      },
    ],
    alerts: [
      {
        name,
        title: "A machine tries to leave the network",
        documentation: `The rule \`${rule}\` denied connections to somewhere outside Google's APIs. The firewall's log names the machine and the destination. A training machine or cluster has no reason to: find out what runs there before you allow anything with \`network.egress\` of the hospital's line.`,
        severity: "WARNING",
        series: { logMetric: name, resourceType: "gce_subnetwork", periodSeconds: 300 },
        comparison: "COMPARISON_GT",
        // Time servers and package mirrors are tried by every fresh machine.
        threshold: 100,
        durationSeconds: 0,
      },
    ],
    charts: [
      {
        title: "Network: denied connections to outside",
        unit: "1",
        series: [{ filter, aligner: "ALIGN_SUM", periodSeconds: 300, reducer: "REDUCE_SUM" }],
      },
    ],
  };
}
