/**
 * Times of day as Cloud Scheduler reads them: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday),
 * each `*`, a number, a range, a list of these, with `/N` for every Nth. https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules
 */
interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly daysOfWeek: ReadonlySet<number>;
  /** Where both kinds of days are limited, a day of either counts. */
  readonly either: boolean;
}

const RANGES = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const;

/** Of eight years: every date is there twice. */
const YEARS = 8;
const DAYS = YEARS * 365 + 2;
const FIRST = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;

function parse(text: string): Cron | undefined {
  const fields = text.split(" ");
  if (fields.length !== RANGES.length) return undefined;
  const sets = RANGES.map(([least, most], i) => values(fields[i] as string, least, most));
  const [minutes, hours, daysOfMonth, months, week] = sets;
  if (!minutes || !hours || !daysOfMonth || !months || !week) return undefined;
  const daysOfWeek = new Set([...week].map((day) => day % 7));
  return { minutes, hours, daysOfMonth, months, daysOfWeek, either: fields[2] !== "*" && fields[4] !== "*" };
}

function values(field: string, least: number, most: number): ReadonlySet<number> | undefined {
  const found = new Set<number>();
  for (const part of field.split(",")) {
    const [, star, first, last, step] = /^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (star === undefined && first === undefined) return undefined;
    const from = star ? least : Number(first);
    const to = star ? most : Number(last ?? (step === undefined ? first : most));
    const by = Number(step ?? 1);
    if (from < least || to > most || from > to || by < 1) return undefined;
    for (let value = from; value <= to; value += by) found.add(value);
  }
  return found;
}

/** Numbers of the days on which it is time, from {@link FIRST} on. */
function daysOf({ daysOfMonth, months, daysOfWeek, either }: Cron): readonly number[] {
  const days: number[] = [];
  for (let number = 0; number < DAYS; number++) {
    const date = new Date(FIRST + number * DAY_MS);
    const [inMonth, inWeek] = [daysOfMonth.has(date.getUTCDate()), daysOfWeek.has(date.getUTCDay())];
    if (months.has(date.getUTCMonth() + 1) && (either ? inMonth || inWeek : inMonth && inWeek)) days.push(number);
  }
  return days;
}

/** Whether it is an expression, and ever time by it. */
export function isCron(text: string): boolean {
  const cron = parse(text);
  return cron !== undefined && daysOf(cron).length > 0;
}

/** Days between two times at most, 1 or more. @param text one that {@link isCron} */
export function longestGapDays(text: string): number {
  const days = daysOf(parse(text) as Cron);
  return days.reduce((gap, day, i) => Math.max(gap, (days[i + 1] ?? day) - day), 1);
}

/** How often it is time in a month of a mean length. @param text one that {@link isCron} */
export function timesAMonth(text: string): number {
  const cron = parse(text) as Cron;
  return (daysOf(cron).length * cron.hours.size * cron.minutes.size) / (YEARS * 12);
}

/** Whether it is time at most once an hour. @param text one that {@link isCron} */
export const atMostHourly = (text: string): boolean => parse(text)?.minutes.size === 1;

/** Whether a zone is one of the IANA database, such as Europe/Vienna. */
export function isTimeZone(zone: string): boolean {
  if (!/^[A-Z]\w+(?:[/+-]\w+)*$/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
