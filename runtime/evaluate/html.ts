import type { Metric } from "../platform/metric";

/** Pieces of HTML that every section of the report is made of. */

export function percent(metric: Metric): string {
  return metric.value === null
    ? "not defined"
    : `${metric.value.toFixed(3)} (${metric.low.toFixed(3)} to ${metric.high.toFixed(3)})`;
}

export function cell(metric: Metric): string {
  return metric.value === null
    ? `<span title="${escapeHtml(metric.reason)}">not defined</span><br><small class="why">${escapeHtml(metric.reason)}</small>`
    : `${metric.value.toFixed(3)} <small>${metric.low.toFixed(3)} to ${metric.high.toFixed(3)}</small>`;
}

export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`;
}

export function escapeHtml(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[character] as string,
  );
}
