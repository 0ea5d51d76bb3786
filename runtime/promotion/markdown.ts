import type { Metric } from "../platform/metric";

/** Parts of documents that are written for people. */

export const bullets = (items: readonly string[]): string => items.map((item) => `- ${item}`).join("\n");

/** Names that others gave stay text. */
export const plain = (value: string): string => value.replace(/[\\|`*_<>[\]]/g, "\\$&").replace(/\s+/g, " ");

/** "None." where there is no row. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? "None."
    : [head, head.map(() => "---"), ...rows.map((row) => row.map(plain))]
        .map((row) => `| ${row.join(" | ")} |`)
        .join("\n");

/** A metric with its interval. */
export const metricText = (metric: Metric): string =>
  metric.value === null
    ? "not defined"
    : `${metric.value.toFixed(3)} (${metric.low.toFixed(3)} to ${metric.high.toFixed(3)})`;
