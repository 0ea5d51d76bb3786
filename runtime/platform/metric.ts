/** A measured value before its interval is known, or why the data cannot give one. */
export type Estimate = { readonly value: number } | { readonly value: null; readonly reason: string };

/** Why there is no metric at all. */
export const NO_LABELLED_IMAGE = "There is no labelled image to measure on.";

/** A measured value with its 95 % interval, or why the data cannot give one. */
export type Metric =
  | { readonly value: number; readonly low: number; readonly high: number }
  | { readonly value: null; readonly reason: string };
