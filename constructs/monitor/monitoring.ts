import { markOf, RAN, SIGNALS } from "../../runtime/monitor/signals";
import { type Alert, type LogMetric, logMetricType, type MonitoringContribution } from "../core/monitoring";
import { datasetId, type HospitalRef } from "../core/naming";

/** What writes the step's log. https://cloud.google.com/monitoring/api/resources#tag_cloud_dataproc_job */
const JOB = "cloud_dataproc_job";
const DAY_SECONDS = 86_400;
/** Days beside those between two runs before somebody is told that none came: one that failed is told of by itself. */
const SPARE_DAYS = 2;
/** Days for which a run is missed; a hospital that has rested for longer is one that nobody uses. */
const REMEMBERED_DAYS = 30;

/**
 * What the step `monitor` says of a day as counters of its log's lines, and an alert for each kind. Kinds, words and rates
 * of false alarms are those of `runtime/monitor`.
 * @param gapDays how many days may pass between two runs; undefined where nothing starts by itself
 */
export function monitorMonitoring(
  hospital: Pick<HospitalRef, "name">,
  gapDays: number | undefined,
): MonitoringContribution {
  const place = datasetId(hospital);
  // A driver's line is the entry's text, or its message, as JSON or parsed.
  const lines = (mark: string) => `resource.type="${JOB}" AND (jsonPayload.message:"${mark}" OR textPayload:"${mark}")`;
  const told = SIGNALS.map(({ name, title, advice }) => {
    const metric: LogMetric = {
      name: `monitor-${name}`,
      description: `Days of which monitoring says: ${title}`,
      filter: lines(markOf(place, name)),
    };
    const alert: Alert = {
      name: metric.name,
      title,
      documentation: advice,
      severity: "WARNING",
      // An incident that stays open for a day is seen by who looks into the console alone.
      series: { logMetric: metric.name, resourceType: JOB, periodSeconds: DAY_SECONDS },
      comparison: "COMPARISON_GT",
      threshold: 0,
      durationSeconds: 0,
    };
    return { metric, alert };
  });
  const runs: LogMetric = {
    name: "monitor-runs",
    description: "Runs of the step monitor that came to their end",
    filter: lines(markOf(place, RAN)),
  };
  const absent: Alert[] =
    gapDays === undefined
      ? []
      : [
          {
            name: "monitor-missing",
            title: `Monitoring has not run for ${gapDays + SPARE_DAYS} days`,
            documentation:
              "Nobody knows whether the model still does what it was tested for. The step monitor is the last of the workflow: look whether the schedule is paused or refused (daily-not-started), and which step before it failed (preprocess-failed). Then start the workflow by hand: the output preprocess_command of the app stack.",
            severity: "ERROR",
            series: {
              logMetric: runs.name,
              resourceType: JOB,
              periodSeconds: (gapDays + SPARE_DAYS) * DAY_SECONDS,
              // A hospital in which none has ever run waits for its first one.
              onceWithinSeconds: (gapDays + SPARE_DAYS + REMEMBERED_DAYS) * DAY_SECONDS,
            },
            comparison: "COMPARISON_LT",
            threshold: 1,
            durationSeconds: 0,
          },
        ];
  const metrics = [...told.map(({ metric }) => metric), runs];
  return {
    logMetrics: metrics,
    alerts: [...told.map(({ alert }) => alert), ...absent],
    charts: [
      {
        title: "Monitoring: runs, and what they told of",
        unit: "days",
        series: metrics.map(({ name }) => ({
          filter: `metric.type="${logMetricType(hospital, name)}" resource.type="${JOB}"`,
          aligner: "ALIGN_DELTA",
          periodSeconds: 3600,
          reducer: "REDUCE_SUM",
        })),
      },
    ],
  };
}
