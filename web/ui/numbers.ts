/** The one scale of probabilities on the page. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Short, for a mark on a scale: no more digits than it needs. */
export const percentMark = (share: number): string => `${Number((100 * share).toFixed(1))} %`;

export const three = (value: number): string => value.toFixed(3);

export const whole = (value: number): string => value.toLocaleString("en-US");

/** An ISO time as a person here reads it. */
export function localTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const two = (value: number) => String(value).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

export const counted = (n: number, noun: string, plural = `${noun}s`): string =>
  `${whole(n)} ${n === 1 ? noun : plural}`;

/** Enough of a long name to tell it from others. */
export const short = (name: string): string => (name.length > 14 ? `${name.slice(0, 12)}\u2026` : name);
