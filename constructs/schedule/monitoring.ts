import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";

/** What matters about a schedule: that what it calls was started. What became of that is told by what it started. */
export function scheduleMonitoring(hospital: HospitalRef, schedule: string): MonitoringContribution {
  const name = `${schedule}-not-started`;
  const job = resourceName(hospital, schedule);
  return {
    logMetrics: [
      {
        name,
        description: `Calls of the schedule ${job} that were refused or not answered`,
        filter: `resource.type="cloud_scheduler_job" AND resource.labels.job_id="${job}" AND severity>=ERROR`,
      },
    ],
    alerts: [
      {
        name,
        title: "The workflow of the day was not started",
        documentation: `Cloud Scheduler's job \`${job}\` was refused or not answered. Its log entry names the status: 403 is a right that is missing (\`npm run doctor\` names it), 404 a template that is not there (deploy the app stack), 409 a run that is still at work: nothing was doubled, look why it takes so long. When the reason is removed: \`gcloud scheduler jobs run ${job} --location ${hospital.region} --project ${hospital.project}\`.`,
        severity: "ERROR",
        series: { logMetric: name, resourceType: "cloud_scheduler_job", periodSeconds: 3600 },
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
    ],
    charts: [],
  };
}
