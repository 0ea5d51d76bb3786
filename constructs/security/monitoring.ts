import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, keyRingName } from "../core/naming";

/** What matters about a hospital's own keys: without them, everything that is stored is lost. */
export function keysMonitoring(hospital: HospitalRef): MonitoringContribution {
  const name = "key-version-destroyed";
  return {
    logMetrics: [
      {
        name,
        description: "Versions of keys that were scheduled for destruction or disabled",
        filter: `log_id("cloudaudit.googleapis.com/activity") AND resource.type="cloudkms_cryptokeyversion" AND resource.labels.key_ring_id="${keyRingName(hospital)}" AND protoPayload.methodName=~"(DestroyCryptoKeyVersion|UpdateCryptoKeyVersion)$"`,
      },
    ],
    alerts: [
      {
        name,
        title: "A key of the hospital is disabled or about to be destroyed",
        documentation: `Unless you are taking the hospital down, restore it now: a version that is scheduled for destruction can be restored for 30 days, and what it encrypts is lost with it. \`gcloud kms keys versions restore VERSION --key KEY --keyring ${keyRingName(hospital)} --location ${hospital.region} --project ${hospital.project}\`, then find out in the audit log who did it.`,
        severity: "CRITICAL",
        series: { logMetric: name, resourceType: "cloudkms_cryptokeyversion", periodSeconds: 300 },
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
    ],
    charts: [],
  };
}
