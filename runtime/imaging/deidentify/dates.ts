import { DAY_MS } from "../../platform/day";

/** `YYYYMMDD`, or `YYYY.MM.DD` as before 1993. */
const DATE = /^(\d{4})(\.?)(\d{2})\2(\d{2})$/;
/** PS3.5, 6.2: hours, then minutes, seconds and fractions as far as they are known; colons as before 1993. */
const TIME = /^([01]\d|2[0-3])(:?[0-5]\d(:?[0-6]\d(\.\d{1,6})?)?)?$/;
const DATE_TIME = /^(\d{8})((?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-6]\d(?:\.\d{1,6})?)?)?)?([+-]\d{4})?$/;

/**
 * A date (DA), time (TM) or both (DT), some days earlier; a time stays. What is none, or has no day, is undefined.
 * @param days 0: as it is
 */
export function earlier(vr: "DA" | "DT" | "TM", text: string, days: number): string | undefined {
  if (vr === "TM") return TIME.test(text) ? text.replaceAll(":", "") : undefined;
  if (vr === "DA") {
    const [, year, , month, day] = DATE.exec(text) ?? [];
    return year === undefined ? undefined : dayBefore(`${year}${month}${day}`, days);
  }
  const [, date, time = "", zone = ""] = DATE_TIME.exec(text) ?? [];
  const shifted = date === undefined ? undefined : dayBefore(date, days);
  return shifted && `${shifted}${time}${zone}`;
}

function dayBefore(date: string, days: number): string | undefined {
  const iso = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
  const time = Date.parse(`${iso}T00:00:00Z`);
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== iso) return undefined;
  const shifted = new Date(time - days * DAY_MS).toISOString();
  return /^\d{4}-/.test(shifted) ? shifted.slice(0, 10).replaceAll("-", "") : undefined;
}
