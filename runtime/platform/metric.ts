/** A measured value with its 95 % interval, or why the data cannot give one. */
export type Metric =
  | { readonly value: number; readonly low: number; readonly high: number }
  | { readonly value: null; readonly reason: string };
