import type { ReportedAnswer } from "./answer";
import { uidOf } from "./identifiers";

/** Terms that no standard has, the same in every format; docs/standards.md lists them. */
export const OWN_SCHEME = { designator: "99BTS", name: "Answers of brain-tumor-stack", uid: uidOf("coding-scheme") };

/** What each means, in at most 64 characters. */
export const TERMS = {
  threshold: "Probability from which the label is Cancer",
  "uncertain-from": "Lowest probability that is Uncertain",
  "uncertain-to": "Highest probability that is Uncertain",
  decision: "Decision of the model",
  cancer: "Cancer",
  "non-cancer": "Non-Cancer",
  uncertain: "Uncertain: a person has to read the scan",
  place: "Strongest place for Cancer, which outlines no lesion",
  column: "Column, the first pixel from 0 to 1",
  row: "Row, the first pixel from 0 to 1",
  page: "Page of the file",
  frame: "Frame of the instance",
  instance: "SOP Instance UID",
  study: "The study as a whole",
  "study-cancer": "Probability of Cancer of the whole study",
  "study-decision": "Decision of the model on the whole study",
  "study-threshold": "Probability from which a whole study is Cancer",
  caution: "Read first",
  summary: "Summary",
} as const;
export type Term = keyof typeof TERMS;

export const DECISIONS: Readonly<Record<ReportedAnswer["decision"], Term>> = {
  Cancer: "cancer",
  "Non-Cancer": "non-cancer",
  Uncertain: "uncertain",
};

/** The probabilities that decide, in the order in which they are told. */
export function limitsOf({ threshold, uncertain }: ReportedAnswer): readonly (readonly [term: Term, share: number])[] {
  if (uncertain === null) return [["threshold", threshold]];
  return [
    ["threshold", threshold],
    ["uncertain-from", uncertain.low],
    ["uncertain-to", uncertain.high],
  ];
}
