import { DAY_MS } from "../platform/day";

/** YYYY-MM-DD in UTC. */
export const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

/** The day so many days later. */
export const laterDay = (day: string, days: number): string => dayOf(new Date(Date.parse(day) + days * DAY_MS));

/** Every day from the first to the last, both included. */
export function daysBetween(first: string, last: string): readonly string[] {
  const days: string[] = [];
  for (let day = first; day <= last; day = laterDay(day, 1)) days.push(day);
  return days;
}

/** Whether a text is a day of the calendar. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) && dayOf(new Date(text)) === text;
