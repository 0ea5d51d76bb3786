import { SEALED } from "../../runtime/audit/contract";
import { longestGapDays } from "../core/cron";
import type { Alert, LogMetric, MonitoringContribution } from "../core/monitoring";
import type { HospitalRef } from "../core/naming";

const JOB = "cloud_run_job";
const DAY_SECONDS = 86_400;

/**
 * What matters about the sealer: that it runs, and that it finds the log as it left it.
 * @param sealing when it is started; undefined where nothing starts it
 */
export function auditMonitoring(
  hospital: Pick<HospitalRef, "name">,
  job: string,
  sealing: string | undefined,
): MonitoringContribution {
  const sealed: LogMetric = {
    name: "audit-seals",
    description: `Seals of ${hospital.name} that came to their end`,
    filter: `resource.type="${JOB}" AND resource.labels.job_name="${job}" AND jsonPayload.message="${SEALED}"`,
  };
  const failed = {
    filter: `metric.type="run.googleapis.com/job/completed_execution_count" AND resource.type="${JOB}" AND resource.label.job_name="${job}" AND metric.label.result="failed"`,
    aligner: "ALIGN_DELTA",
    periodSeconds: 3600,
    reducer: "REDUCE_SUM",
  } as const;
  const days = sealing === undefined ? undefined : longestGapDays(sealing) + 1;
  const missing: Alert[] =
    days === undefined
      ? []
      : [
          {
            name: "audit-missing",
            title: `Nothing was sealed for ${days} days`,
            documentation: `Rows that no seal has taken are not protected: until the next one, somebody could change an answer and it would not be seen. Look at the executions of the job \`${job}\` and at its schedule, and start it by hand.`,
            severity: "ERROR",
            series: {
              logMetric: sealed.name,
              resourceType: JOB,
              periodSeconds: days * DAY_SECONDS,
              onceWithinSeconds: (days + 30) * DAY_SECONDS,
            },
            comparison: "COMPARISON_LT",
            threshold: 1,
            durationSeconds: 0,
          },
        ];
  return {
    logMetrics: [sealed],
    alerts: [
      {
        name: "audit-failed",
        title: "The log of answers and acts could not be sealed, or left rows out",
        documentation: `Read the last execution of the job \`${job}\`. "was cut, or put back" or "another one than that of which": **the log here is not what the archive knows: treat it as tampering until you know better**, change nothing, and verify it from outside. Rows left out came late or were inserted: \`npm run audit -- verify\` names them. Anything else is a right or a service that is missing; the next seal goes on.`,
        severity: "CRITICAL",
        series: failed,
        comparison: "COMPARISON_GT",
        threshold: 0,
        durationSeconds: 0,
      },
      ...missing,
    ],
    charts: [{ title: "Audit: seals that failed", unit: "1", series: [failed] }],
  };
}
