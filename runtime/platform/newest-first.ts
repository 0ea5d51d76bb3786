/** Names of objects that stores list the newest first. */

const LAST_MILLISECOND = 9_999_999_999_999;

/** A time that is sorted by, and an id: an entry's name, and a cursor. */
export const CURSOR = /^\d{13}-[0-9a-f-]{36}$/;

/** Sorts the newest first. */
export const newestFirst = (at: Date, id: string): string =>
  `${String(LAST_MILLISECOND - at.getTime()).padStart(13, "0")}-${id}`;

/** When an object that is named by {@link newestFirst} was made; undefined for others. */
export function timeOfName(name: string): Date | undefined {
  const inverted = /(?:^|\/)(\d{13})-[^/]*$/.exec(name)?.[1];
  return inverted === undefined ? undefined : new Date(LAST_MILLISECOND - Number(inverted));
}

/** Of a list that is cut by months: `<folder>/<year-month>/<time>-<id>`. */
export const entryName = (folder: string, at: Date, id: string): string =>
  `${folder}/${monthOf(at)}/${newestFirst(at, id)}`;

/** `2026-11`, UTC. */
export const monthOf = (at: Date): string => at.toISOString().slice(0, 7);
