import type { Metric } from "../platform/metric";

/** Numbers as reports show them. */

export const count = (n: number, noun: string): string => `${whole(n)} ${noun}${n === 1 ? "" : "s"}`;

export const whole = (n: number): string => n.toLocaleString("en-US");

/** "0.934 (0.901 to 0.957)" */
export const metricText = (metric: Metric): string =>
  metric.value === null
    ? "not defined"
    : `${metric.value.toFixed(3)} (${metric.low.toFixed(3)} to ${metric.high.toFixed(3)})`;

/** A share of 1 as a whole number of per cent. */
export const percentage = (share: number): string => `${Math.round(100 * share)} %`;

/** The probability of one scan, as the dashboard writes it. */
export const probabilityText = (probability: number): string => `${(100 * probability).toFixed(1)} %`;

/** "2026-11-27 10:20 UTC" */
export const timeText = (time: Date): string => `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;

/** What stood within a sentence as one of its own. */
export const capital = (sentence: string): string => sentence.charAt(0).toUpperCase() + sentence.slice(1);
