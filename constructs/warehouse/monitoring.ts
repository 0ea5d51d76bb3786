import type { MonitoringContribution } from "../core/monitoring";
import { datasetId, type HospitalRef } from "../core/naming";

/** What the warehouse says about itself: how much lies in it. */
export function warehouseMonitoring(hospital: HospitalRef): MonitoringContribution {
  return {
    logMetrics: [],
    alerts: [],
    charts: [
      {
        title: "Warehouse: stored bytes by table",
        unit: "By",
        series: [
          {
            filter: `metric.type="bigquery.googleapis.com/storage/stored_bytes" resource.type="bigquery_dataset" resource.label.dataset_id="${datasetId(hospital)}"`,
            aligner: "ALIGN_MEAN",
            periodSeconds: 3600,
            reducer: "REDUCE_MAX",
            groupBy: ["metric.label.table"],
          },
        ],
      },
    ],
  };
}
