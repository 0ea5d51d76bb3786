import type { Metric } from "../platform/metric";
import { type Content, type Html, html } from "./html";

export interface Column {
  /** Empty where what stands below says it all. */
  readonly head: string;
  /** Numbers stand in columns; quiet is what explains others. */
  readonly kind?: "number" | "quiet";
}

export interface Row {
  /** What others link to. */
  readonly id?: string;
  /** The first names the row. */
  readonly cells: readonly Content[];
}

/**
 * A table with a caption, whose first column names the rows. On a narrow screen a row becomes a card in which every
 * value has its head beside it, so that nothing has to be scrolled sideways; roles keep it a table for who hears it.
 */
export function table(caption: string, columns: readonly Column[], rows: readonly Row[]): Html {
  const body = rows.map(
    ({ id, cells: [name, ...values] }) =>
      html`<tr role="row"${id === undefined ? undefined : html` id="${id}"`}><th scope="row" role="rowheader">${name}</th>${values.map((value, i) => cell(columns[i + 1], value))}</tr>
`,
  );
  return html`<table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map(({ head }) => (head === "" ? html`<td role="cell"></td>` : html`<th scope="col" role="columnheader">${head}</th>`))}</tr></thead>
<tbody role="rowgroup">${body}</tbody>
</table>`;
}

function cell(column: Column | undefined, value: Content): Html {
  const { head = "", kind } = column ?? {};
  return html`<td role="cell"${kind && html` class="${kind}"`}${head === "" ? undefined : html` data-head="${head}"`}><div>${value}</div></td>`;
}

/** A metric with its interval, or why it has none. */
export function metricCell(metric: Metric): Html {
  return metric.value === null
    ? html`not defined<br><small>${metric.reason}</small>`
    : html`<span class="nowrap">${metric.value.toFixed(3)} <small>${metric.low.toFixed(3)} to ${metric.high.toFixed(3)}</small></span>`;
}
