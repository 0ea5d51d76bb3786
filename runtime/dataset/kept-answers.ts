import { entryName, newestFirst } from "../platform/newest-first";

/** What is kept of answers, in the bucket of reports: everything below is kept for so many days and then gone. */
export const ANSWERS = "answers/";

/** An answer as it was given, with the study that it is about. */
export const keptAnswerName = (id: string, request: string, at: Date): string =>
  `${ANSWERS}${id}/${newestFirst(at, request)}.json`;

/** A page that was answered, as a lossless PNG: once a day however often it is sent. */
export const keptPageName = (id: string, sha256: string, at: Date): string =>
  `${ANSWERS}${id}/pages-${at.toISOString().slice(0, 10)}/${sha256}.png`;

/** The folder of what stays of answers: an empty object each, whose metadata say what the history says. */
export const HISTORY = "history";

export const historyName = (at: Date, request: string): string => entryName(HISTORY, at, request);
