import { laterDay } from "../../runtime/monitor";
import type { MonitoringRow, Warehouse } from "../../runtime/platform/warehouse";

/** A row as monitoring stores it. */
export const toldRow = (
  model: string,
  day: string,
  name: string,
  more: Partial<MonitoringRow> = {},
): MonitoringRow => ({
  ...{ model, day, name, part: null, value: null, low: null, high: null, scans: null, detail: null, revision: 1 },
  ...{ computed_at: `${day}T03:00:00.000Z`, ...more },
});

/** What is stored of the scans of {@link monitoredDays}'s alarm: one that was sent to the service, one that was not. */
export const NAMED = [
  { request: "live-1", id: "a".repeat(64), sha256: "1".repeat(64) },
  { request: "live-2", id: null, sha256: "2".repeat(64) },
];

export interface MonitoredDays {
  readonly last: string;
  /** @default 8 */
  readonly days?: number;
  /** Id of the answer of the first scan that the alarm names. @default as in {@link NAMED} */
  readonly id?: string;
}

/**
 * Days of a model as monitoring stores them, each day's rows: on the fifth before the last the watch over the input rings,
 * and accuracy cannot be estimated from then on.
 */
export function monitoredDays(model: string, { last, days = 8, id }: MonitoredDays): readonly MonitoringRow[][] {
  return Array.from({ length: days }, (_, i) => {
    const day = laterDay(last, i - days + 1);
    const since = i - (days - 6);
    const row = (name: string, more: Partial<MonitoringRow> = {}) => toldRow(model, day, name, more);
    const estimated =
      since >= 0 ? { detail: "input-drift", scans: 90 } : { value: 0.93, low: 0.88, high: 0.98, scans: 90 };
    return [
      row("answers", { value: 30 + i, scans: 30 + i }),
      row("uncertain", { value: 0.1, scans: 30 + i }),
      row("quarantined", { part: "truncated", value: 2 }),
      row("refused", { part: "not-a-brain-scan", value: 3 }),
      ...(i === days - 1 ? [row("failed", { part: "busy", value: 1 })] : []),
      row("latency", { part: "median", value: 180, scans: 12 }),
      row("latency", { part: "p95", value: 640, scans: 12 }),
      row("drift", { part: "input", value: since === 0 ? 4.5 : 0.01 * (1 + (i % 7)), scans: 25 }),
      row("drift", { part: "prediction", value: 0.02, scans: 25 }),
      row("drift", { part: "feedback", value: 0.005, scans: 25 }),
      ...(since === 0 ? [row("alarm", { part: "input", value: 1, detail: detailOf(laterDay(day, -1), id) })] : []),
      row("psi", { part: "log-odds", value: 0.3, scans: 90 }),
      row("accuracy-estimated", estimated),
      row("accuracy-estimated", { part: "view=axial", ...estimated, scans: 60 }),
      row("accuracy-estimated", { part: "view=coronal", detail: "too-few", scans: 12 }),
      row("accuracy-feedback", { value: 0.9, low: 0.7, high: 0.97, scans: 20 }),
      row("accuracy-feedback", { part: "view=axial", value: 0.95, low: 0.75, high: 0.99, scans: 18 }),
    ];
  });
}

/** Stores {@link monitoredDays}. */
export async function storeMonitored(
  warehouse: Pick<Warehouse, "append">,
  model: string,
  days: MonitoredDays,
): Promise<void> {
  for (const rows of monitoredDays(model, days))
    await warehouse.append("monitoring", `${model}/${rows[0]?.day}/1`, rows);
}

const detailOf = (since: string, id?: string) =>
  JSON.stringify({
    since,
    drivers: [
      { statistic: "noise", direction: "higher", share: 0.8 },
      { statistic: "sharpness", direction: "lower", share: 0.2 },
    ],
    scans: NAMED.map(({ request }) => request),
    answers: NAMED.map((named, i) => ({ id: i === 0 ? (id ?? named.id) : named.id, sha256: named.sha256 })),
  });
