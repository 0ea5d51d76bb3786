import { laterDay } from "./days";
import { type AlarmDetail, type DayRow, WINDOW_DAYS } from "./report";
import type { Monitored } from "./step";
import { ADVICE, type WatchName } from "./watches";

/** A number of things: `1 scan`, `2 scans`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

const RUN =
  "Run npm run monitor -- --out WORKSPACE where the workspace lies; on Google Cloud it is the step monitor of the daily workflow: look why it has not run.";

/** An alarm as it is told. */
export interface ToldAlarm extends AlarmDetail {
  readonly day: string;
  readonly watch: WatchName;
}

/** The alarm that a row tells of. */
export function alarmIn({ day, part, detail }: Pick<DayRow, "day" | "part" | "detail">): ToldAlarm {
  const { since = day, drivers = [], scans = [], answers = [] } = JSON.parse(detail ?? "{}") as Partial<AlarmDetail>;
  return { day, watch: part as WatchName, since, drivers, scans, answers };
}

/** What rang, since which day it speaks for a change and by which statistics: a sentence. */
export function describeAlarm({ day, watch, since, drivers }: Omit<ToldAlarm, "scans" | "answers">): string {
  const named = drivers.map(({ statistic, direction }) => `${statistic} ${direction}`).join(", ");
  return `On ${day} the watch over the ${watch} rang, since ${since}${named ? `: ${named}` : ""}.`;
}

/** What a person is to know first, and to do. */
export interface Standing {
  /**
   * - `alarm`: one rang within {@link WINDOW_DAYS} days to the last that is told of
   * - `late`: nothing is told of the last days, so that an alarm would not be heard
   * - `untold`: nothing is told at all
   */
  readonly state: "alarm" | "late" | "untold" | "quiet";
  readonly sentence: string;
  /** Sentences; at least one. */
  readonly todo: readonly string[];
}

/**
 * @param told newest rows of the days from `from` to `to`
 * @param due the day of which something is to be told by now; undefined where nobody waits for it
 */
export function standingOf(
  told: readonly Pick<DayRow, "day" | "name" | "part" | "detail">[],
  {
    model,
    from,
    to,
    due,
  }: { readonly model: string; readonly from: string; readonly to: string; readonly due?: string },
): Standing {
  if (from > to)
    return {
      state: "untold",
      sentence: `The first day, ${from}, lies after the last, ${to}: there is no day to tell of.`,
      todo: ["Give an earlier first day, or a later last one."],
    };
  const last = told.reduce<string | undefined>((newest, { day }) => (newest && newest > day ? newest : day), undefined);
  if (last === undefined)
    return { state: "untold", sentence: `Nothing is told of ${model} from ${from} to ${to}.`, todo: [RUN] };
  const alarms = standingAlarms(told, last);
  const unheard = `Nothing is told after ${last}, so a later alarm would not be heard.`;
  const late = due !== undefined && last < due;
  if (alarms.length > 0)
    return {
      state: "alarm",
      sentence: `${counted(alarms.length, "alarm")} in the ${WINDOW_DAYS} days to ${last}. ${alarms.map(describeAlarm).join(" ")}`,
      todo: [...new Set(alarms.map(({ watch }) => ADVICE[watch])), ...(late ? [`${unheard} ${RUN}`] : [])],
    };
  const quiet = `No alarm rang in the ${WINDOW_DAYS} days to ${last}.`;
  return late
    ? { state: "late", sentence: `${unheard} ${quiet}`, todo: [RUN] }
    : { state: "quiet", sentence: quiet, todo: ["There is nothing to do."] };
}

/** Alarms that count as standing on a day, the newest first. */
export function standingAlarms(
  told: readonly Pick<DayRow, "day" | "name" | "part" | "detail">[],
  last: string,
): readonly ToldAlarm[] {
  return told
    .filter(({ day, name }) => name === "alarm" && day <= last && day > laterDay(last, -WINDOW_DAYS))
    .map(alarmIn)
    .sort((a, b) => b.day.localeCompare(a.day));
}

/** What is told of the last day, and every alarm of the days, for a person. */
export function describeMonitored({ model, from, to, reference, rows, changed }: Monitored): string {
  const last = rows.filter(({ day }) => day === to);
  const one = (name: string, part: string | null = null) => last.find((row) => row.name === name && row.part === part);
  const sum = (...names: readonly string[]) =>
    rows.filter(({ name }) => names.includes(name)).reduce((all, { value }) => all + (value ?? 0), 0);
  const [median, p95] = [one("latency", "median")?.value, one("latency", "p95")?.value];
  const lines = [
    `${model}, ${from} to ${to}: ${counted(sum("answers"), "answer")}, ${counted(sum("quarantined"), "page")} quarantined; compared with ${counted(reference, "held-out scan")}. Days stored: ${changed}.`,
    `Requests for a prediction without an answer: ${sum("refused")} refused, ${sum("failed")} failed.${median == null || p95 == null ? "" : ` On ${to} half of the answers took at most ${median} ms, 95 % at most ${p95} ms.`}`,
    `Accuracy without labels, 30 days to ${to}: ${shareOf(one("accuracy-estimated"))}`,
    `Accuracy from feedback, 30 days to ${to}: ${shareOf(one("accuracy-feedback"))}`,
  ];
  const alarms = rows.filter(({ name }) => name === "alarm").map(alarmIn);
  if (alarms.length === 0) lines.push("No alarm rang in these days.");
  for (const alarm of alarms) {
    lines.push(`${describeAlarm(alarm)} ${ADVICE[alarm.watch]}`);
    lines.push(`  Scans that speak most for it: ${alarm.scans.join(", ")}`);
  }
  return `${lines.join("\n")}\n`;
}

const UNKNOWN: Readonly<Record<string, string>> = {
  "too-few": "not known: too few scans.",
  "input-drift":
    "not known: the input has drifted, and whether the probabilities still hold nobody can tell without labels.",
  "no-reference": "not known: too few held-out scans to see how well its probabilities hold.",
  "not-calibrated": "not known: on the held-out scans its probabilities were wrong by more than chance.",
};

/** Why an accuracy is not known: `not known: ...`. */
export const describeUnknown = (reason: string | null): string => UNKNOWN[reason ?? ""] ?? "not known.";

function shareOf(row: DayRow | undefined): string {
  if (!row) return "not known.";
  if (row.value === null) return describeUnknown(row.detail);
  const [value, low, high] = [row.value, row.low ?? 0, row.high ?? 1].map((number) => number.toFixed(3));
  return `${value} (95 % interval ${low} to ${high}, ${counted(row.scans ?? 0, "scan")}).`;
}
