import { DISCLAIMER } from "../intake";
import {
  ADVICE,
  alarmIn,
  describeAlarm,
  describeUnknown,
  laterDay,
  standingAlarms,
  standingOf,
  WATCHES,
} from "../monitor";
import type { MonitoringRow } from "../platform/warehouse";
import type { MonitoredAlarm, MonitoredDay, MonitoredShare, Monitoring } from "./monitoring-schemas";

/** Of what something is told. */
export interface MonitoredSpan {
  readonly model: string;
  readonly current: boolean;
  readonly from: string;
  readonly to: string;
  /** The day that it is. */
  readonly today: string;
}

/**
 * What the rows of `monitoring` say, as it is answered.
 *
 * @param rows newest of their days, from 29 days before `from` on: alarms of these may stand
 */
export function monitoringOf(
  rows: readonly MonitoringRow[],
  { model, current, from, to, today }: MonitoredSpan,
): Monitoring {
  const shown = rows.filter(({ day }) => day >= from);
  const last = shown.at(-1)?.day;
  const standing = last === undefined ? [] : standingAlarms(rows, last);
  const isStanding = (day: string, watch: string) => standing.some((one) => one.day === day && one.watch === watch);
  const days = new Map<string, MonitoringRow[]>();
  for (const row of shown) days.set(row.day, [...(days.get(row.day) ?? []), row]);
  const alarms = rows
    .filter(({ name, day, part }) => name === "alarm" && (day >= from || isStanding(day, part ?? "")))
    .map(alarmIn)
    .reverse();
  // A day may be told of once it is over.
  const due = current ? laterDay(to < today ? to : today, -1) : undefined;
  const span = { model, from, to, ...(due === undefined ? {} : { due }) };
  const { state, sentence, todo } = standingOf(last === undefined ? [] : rows, span);
  return {
    ...{ model, current, from, to, state, sentence, todo: [...todo] },
    alarms: alarms.map(
      (alarm): MonitoredAlarm => ({
        ...{ day: alarm.day, watch: alarm.watch, since: alarm.since, standing: isStanding(alarm.day, alarm.watch) },
        ...{ sentence: describeAlarm(alarm), advice: ADVICE[alarm.watch] },
        drivers: [...alarm.drivers],
        scans: alarm.scans.map((request, i) => {
          const { id = null, sha256 = null } = alarm.answers?.[i] ?? {};
          return { request, id, sha256 };
        }),
      }),
    ),
    accuracy: last === undefined ? null : accuracyOf(last, shown),
    days: [...days.values()].map(dayOf),
    disclaimer: DISCLAIMER,
  };
}

function dayOf(rows: readonly MonitoringRow[]): MonitoredDay {
  const [{ day, revision, computed_at }] = rows as [MonitoringRow];
  const find = (name: string, part: string | null = null) => rows.find((row) => row.name === name && row.part === part);
  const value = (name: string, part: string | null = null) => find(name, part)?.value ?? null;
  const counts = (name: string) => rows.filter((row) => row.name === name);
  const [median, p95] = [value("latency", "median"), value("latency", "p95")];
  const coded = (name: string) =>
    counts(name).map(({ part, value: requests }) => ({ code: part ?? "unknown", requests: requests ?? 0 }));
  return {
    day,
    answers: value("answers") ?? 0,
    uncertain: value("uncertain"),
    quarantined: counts("quarantined").map(({ part, value: pages }) => ({ reason: part, pages: pages ?? 0 })),
    refused: coded("refused"),
    failed: coded("failed"),
    latency: median === null || p95 === null ? null : { median, p95, answers: find("latency", "median")?.scans ?? 0 },
    evidence: Object.fromEntries(WATCHES.map((name) => [name, value("drift", name)])) as MonitoredDay["evidence"],
    estimated: shareOf(find("accuracy-estimated")),
    feedback: shareOf(find("accuracy-feedback")),
    psi: value("psi", "log-odds"),
    revision,
    computed_at,
  };
}

function accuracyOf(day: string, rows: readonly MonitoringRow[]): NonNullable<Monitoring["accuracy"]> {
  const byPart = (name: string) =>
    new Map(rows.filter((row) => row.day === day && row.name === name).map((row) => [row.part, row]));
  const [estimated, feedback] = [byPart("accuracy-estimated"), byPart("accuracy-feedback")];
  const both = (part: string | null) => ({
    estimated: shareOf(estimated.get(part)),
    feedback: shareOf(feedback.get(part)),
  });
  const parts = [...new Set([...estimated.keys(), ...feedback.keys()])].filter((part) => part !== null).sort();
  return {
    day,
    ...both(null),
    parts: parts.map((part) => {
      const [by = "", ...value] = part.split("=");
      return { by, value: value.join("="), ...both(part) };
    }),
  };
}

function shareOf(row: MonitoringRow | undefined): MonitoredShare | null {
  if (!row) return null;
  const { value, low, high, detail, scans } = row;
  if (value === null) return { value, reason: describeUnknown(detail), scans: scans ?? 0 };
  return { value, low: low ?? 0, high: high ?? 1, scans: scans ?? 0 };
}
