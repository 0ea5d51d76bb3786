import { logOddsOf } from "../model";
import type { MonitoringRow } from "../platform/warehouse";
import { laterDay } from "./days";
import { type CalibrationGap, estimatedAccuracy, feedbackAccuracy, psi, type Share } from "./estimate";
import type { Alarm, Confirmed, WatchedDay } from "./watch";

/** Days, the one told of included, over which accuracy is told and an alarm counts as standing. */
export const WINDOW_DAYS = 30;

/** An answer to a scan that is none of the model's own data set. */
export interface LiveAnswer {
  readonly request: string;
  /** Of the answer, where somebody sent the scan to the service: who has an answer kept of it finds it by that. */
  readonly id: string | null;
  readonly sha256: string;
  readonly day: string;
  /** From the end of the upload to the answer, milliseconds; null where nobody waited. */
  readonly milliseconds: number | null;
  readonly probability: number;
  readonly decision: string;
  /** What is known of where the scan comes from, by the names of {@link PARTS}. */
  readonly parts: Readonly<Record<string, string | null>>;
}

/** By what accuracy is told beside that of all scans. */
export const PARTS = ["scanner", "view", "subtype", "collection"] as const;

export type ConfirmedAnswer = Confirmed & { readonly day: string; readonly parts: LiveAnswer["parts"] };

/** What is known of a model's days. */
export interface MonitoredLife {
  readonly answers: readonly LiveAnswer[];
  /** By the day on which the label was given. */
  readonly confirmed: readonly ConfirmedAnswer[];
  readonly pages: readonly { readonly day: string; readonly pages: number }[];
  readonly quarantined: readonly { readonly day: string; readonly reason: string | null; readonly pages: number }[];
  /** Requests that got no answer, by what the caller was told: `failed` by the service, or `refused`. */
  readonly refused: readonly {
    readonly day: string;
    readonly outcome: "failed" | "refused";
    readonly code: string;
    readonly requests: number;
  }[];
  readonly watched: ReadonlyMap<string, WatchedDay>;
  /** Names of the days of the watch, by their numbers. */
  readonly days: readonly string[];
  readonly threshold: number;
  readonly gap: CalibrationGap | undefined;
  /** Log odds of the reference. */
  readonly reference: readonly number[];
}

/** What is stored of an alarm, as JSON in `detail`. */
export interface AlarmDetail {
  readonly since: string;
  readonly drivers: readonly { readonly statistic: string; readonly direction: string; readonly share: number }[];
  /** Requests of the scans that speak most for it. */
  readonly scans: readonly string[];
  /**
   * Of each of them, the id of the answer that the service gave, null where nobody sent the scan to it, and the picture's
   * SHA-256. Absent in what earlier versions stored.
   */
  readonly answers?: readonly { readonly id: string | null; readonly sha256: string | null }[];
}

export type DayRow = Omit<MonitoringRow, "model" | "revision" | "computed_at">;

type Numbers = Partial<Pick<DayRow, "part" | "value" | "low" | "high" | "scans" | "detail">>;

/** Everything that is told of a day, a row a number. */
export function rowsOfDay(day: string, life: MonitoredLife): readonly DayRow[] {
  const row = (name: string, numbers: Numbers): DayRow => ({
    ...{ day, name, part: null, value: null, low: null, high: null, scans: null, detail: null },
    ...numbers,
  });
  const today = life.answers.filter((answer) => answer.day === day);
  const uncertain = today.filter(({ decision }) => decision === "Uncertain").length;
  const watched = life.watched.get(day);
  const first = laterDay(day, 1 - WINDOW_DAYS);
  const within = <T extends { readonly day: string }>(all: readonly T[]) =>
    all.filter((one) => one.day >= first && one.day <= day);
  const [answers, confirmed] = [within(life.answers), within(life.confirmed)];
  const inputDrift = [...life.watched].some(
    ([name, { alarms }]) => name >= first && name <= day && alarms.some(({ watch }) => watch === "input"),
  );
  const estimated = (some: readonly LiveAnswer[]) =>
    estimatedAccuracy(
      some.map(({ probability }) => probability),
      life.threshold,
      { gap: life.gap, inputDrift },
    );
  return [
    row("answers", { value: today.length, scans: today.length }),
    row("uncertain", { value: today.length === 0 ? null : uncertain / today.length, scans: today.length }),
    ...life.pages.filter((one) => one.day === day).map(({ pages }) => row("pages", { value: pages })),
    ...life.quarantined
      .filter((one) => one.day === day)
      .map(({ reason, pages }) => row("quarantined", { part: reason, value: pages })),
    ...life.refused
      .filter((one) => one.day === day)
      .map(({ outcome, code, requests }) => row(outcome, { part: code, value: requests })),
    ...latencyRows(today, row),
    ...Object.entries(watched?.levels ?? {}).map(([part, value]) =>
      row("drift", { part, value, scans: watched?.scans ?? 0 }),
    ),
    ...(watched?.alarms ?? []).map((alarm) => row("alarm", { part: alarm.watch, value: 1, detail: told(alarm, life) })),
    row("psi", {
      part: "log-odds",
      value: psi(
        life.reference,
        answers.map(({ probability }) => logOddsOf(probability)),
      ),
      scans: answers.length,
    }),
    ...accuracyRows("accuracy-estimated", answers, estimated, row),
    ...accuracyRows("accuracy-feedback", confirmed, (some) => feedbackAccuracy(some, life.threshold), row),
  ];
}

/** How long callers waited; nothing of a day on which none did. */
function latencyRows(today: readonly LiveAnswer[], row: (name: string, numbers: Numbers) => DayRow): readonly DayRow[] {
  const waits = today.flatMap(({ milliseconds }) => milliseconds ?? []).sort((a, b) => a - b);
  if (waits.length === 0) return [];
  // The smallest that so many of them do not exceed.
  const at = (share: number) => waits[Math.ceil(share * waits.length) - 1] ?? null;
  const scans = waits.length;
  return [
    row("latency", { part: "median", value: at(0.5), scans }),
    row("latency", { part: "p95", value: at(0.95), scans }),
  ];
}

function told({ since, drivers, scans }: Alarm, { days, answers }: MonitoredLife): string {
  const named = new Map(answers.filter(({ request }) => scans.includes(request)).map((one) => [one.request, one]));
  const detail: AlarmDetail = {
    since: days[since] as string,
    drivers,
    scans,
    answers: scans.map((name) => ({ id: named.get(name)?.id ?? null, sha256: named.get(name)?.sha256 ?? null })),
  };
  return JSON.stringify(detail);
}

/** Of all scans, and of every part of which there is more than one. */
function accuracyRows<T extends { readonly parts: LiveAnswer["parts"] }>(
  name: string,
  all: readonly T[],
  measure: (some: readonly T[]) => Share,
  row: (name: string, numbers: Numbers) => DayRow,
): readonly DayRow[] {
  const rows = [row(name, shareNumbers(measure(all)))];
  for (const part of PARTS) {
    const values = new Set(all.map(({ parts }) => parts[part]).filter((value) => value != null));
    if (values.size < 2) continue;
    for (const value of [...values].sort())
      rows.push(
        row(name, {
          part: `${part}=${value}`,
          ...shareNumbers(measure(all.filter(({ parts }) => parts[part] === value))),
        }),
      );
  }
  return rows;
}

const shareNumbers = (share: Share): Numbers =>
  share.value === null
    ? { scans: share.n, detail: share.reason }
    : { value: share.value, low: share.low, high: share.high, scans: share.n };
