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
  readonly day: string;
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
  readonly quarantined: readonly { readonly day: string; readonly reason: string | null; readonly pages: number }[];
  readonly watched: ReadonlyMap<string, WatchedDay>;
  /** Names of the days of the watch, by their numbers. */
  readonly days: readonly string[];
  readonly threshold: number;
  readonly gap: CalibrationGap | undefined;
  /** Log odds of the reference. */
  readonly reference: readonly number[];
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
    ...life.quarantined
      .filter((one) => one.day === day)
      .map(({ reason, pages }) => row("quarantined", { part: reason, value: pages })),
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

function told({ since, drivers, scans }: Alarm, { days }: MonitoredLife): string {
  return JSON.stringify({ since: days[since], drivers, scans });
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
