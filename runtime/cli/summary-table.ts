import { DISCLAIMER } from "../intake";
import type { Metric } from "../platform/metric";
import type { Summary } from "../platform/summary";
import { pText } from "../promotion";
import type { Comparison } from "../serve";
import type { ListedModel } from "./models";

const METRICS = [
  ["accuracy", "accuracy"],
  ["precision", "precision"],
  ["recall", "recall (sensitivity)"],
  ["specificity", "specificity"],
  ["f1", "F1"],
  ["auc", "AUC"],
  ["ece", "ECE"],
] as const;

/** The summary of a workspace as text for a terminal. */
export function renderSummary(summary: Summary, directory: string): string {
  const { steps, dataset, model, verdict, test, promotion } = summary;
  const lines = [
    table([
      ["step", "items", "done before", "refused", "seconds", "items/s *"],
      ...steps.map(({ name, items, skipped, rejected, seconds, itemsPerSecond }) => [
        name,
        String(items),
        String(skipped),
        String(rejected),
        seconds.toFixed(1),
        itemsPerSecond === null ? "" : itemsPerSecond.toFixed(1),
      ]),
    ]),
  ];
  lines.push("* of the last run that had something to do; for training, images learnt from, epoch after epoch");
  if (dataset) {
    const { images, curated, quarantined, groups, split } = dataset;
    lines.push(
      `${images} images: ${curated} curated, ${quarantined} in quarantine (reasons: ${directory}/quarantine)`,
      `${groups} groups: ${split.train} images to train on, ${split.validation} to validate, ${split.test} to test`,
    );
  }
  if (verdict) lines.push("", verdict.sentence);
  if (model) lines.push(`model ${model.id}, ${model.parameters} parameters, backend ${summary.backend}`);
  if (promotion && !promotion.current) lines.push(`not promoted, another model is served: ${promotion.reason}`);
  if (model?.synthetic)
    lines.push("", "SYNTHETIC: these images are drawn phantoms. The numbers say nothing about patients.");
  if (model && test) {
    lines.push(
      "",
      renderMetrics(`test split, ${test.n} images`, test),
      `threshold ${test.threshold.toFixed(3)} of the probability of Cancer, chosen on the validation split`,
      `report: ${directory}/reports/evaluation/${model.id}/report.html`,
    );
  }
  return ["", ...lines, DISCLAIMER, ""].join("\n");
}

/** A model of a list, with its verdict before its numbers. */
export function renderListed({
  id,
  current,
  parameters,
  counts,
  synthetic,
  verdict,
  auc,
  engine,
  comparisons,
}: ListedModel): string {
  const marks = [current ? "current" : "", synthetic ? "SYNTHETIC: of drawn phantoms" : ""].filter(Boolean);
  const lines = [
    verdict ?? "No evaluation of it is stored.",
    ...(auc ? [`AUC on the test split: ${inWords(auc)}`] : []),
    ...(counts ? [`${counts.train} images learnt from, ${parameters} parameters`] : []),
    ...comparisons.map(
      ({ champion, number, most, level, p, better }) =>
        `comparison ${number} of ${most}, with ${champion}: ${better ? "" : "not "}shown to be better${p === null ? "" : `, p ${pText(p)}`}, at most ${pText(level)}`,
    ),
    engine,
  ];
  return [`${id}${marks.length > 0 ? ` (${marks.join("; ")})` : ""}`, ...lines.map((line) => `  ${line}`), ""].join(
    "\n",
  );
}

/** Two models side by side: their verdicts first, then what was measured on their test sets, then what the rule says. */
export function renderComparison({ a, b, comparable, metrics, rule }: Comparison): string {
  const cell = (value: number | null | undefined) => value?.toFixed(4) ?? "";
  const verdicts = [a, b].map(
    ({ id, current, problem, verdict }) =>
      `${id}${current ? " (current)" : ""}: ${problem ?? verdict?.sentence ?? "No evaluation of it is stored."}`,
  );
  const lines = metrics.map(({ name, a: left, b: right, difference }) => [
    METRICS.find(([key]) => key === name)?.[1] ?? name,
    cell(left?.value),
    cell(right?.value),
    cell(difference),
  ]);
  const note = comparable ? [] : ["They were not measured on the same test set, so the numbers cannot be compared."];
  const said = `${b.id} ${rule.promotes ? "may" : "may not"} take over from ${a.id}: ${rule.reason}`;
  return [...verdicts, table([["test", a.id, b.id, "difference"], ...lines]), ...note, said, DISCLAIMER, ""].join("\n");
}

/** Metrics with their intervals, a line each, and below them why one has no value; where an input guard has a say, the sensitivity with what it refuses stands first. */
export function renderMetrics(title: string, metrics: NonNullable<Summary["test"]>): string {
  const { tumours } = metrics;
  const rows = table([
    [title, "value", "95 % interval"],
    ...METRICS.flatMap(([key, name]) => [
      ...(key === "recall" && tumours ? behindGuard(tumours) : []),
      cells(key === "recall" && tumours ? "  recall, guard left aside" : name, metrics[key]),
    ]),
  ]);
  const missing = METRICS.flatMap(([key, name]) => {
    const metric = metrics[key];
    return metric.value === null ? [`${name}: ${inWords(metric)}`] : [];
  });
  return [rows, ...missing.map((line) => `${line}\n`)].join("");
}

/** A tumour that the guard refuses counts as missed. */
function behindGuard({ scans, refused, found }: NonNullable<NonNullable<Summary["test"]>["tumours"]>): string[][] {
  return [cells("recall (sensitivity)", found), ["  refused tumours, missed in it", `${refused} of ${scans}`, ""]];
}

const range = (low: number, high: number) => `${low.toFixed(3)} to ${high.toFixed(3)}`;

const inWords = (metric: Metric): string =>
  metric.value === null
    ? `none. ${metric.reason}`
    : `${metric.value.toFixed(3)}, 95 % interval ${range(metric.low, metric.high)}`;

/** A sentence in a cell would stretch the column. */
const cells = (name: string, metric: Metric): string[] => [
  name,
  ...(metric.value === null ? ["none", ""] : [metric.value.toFixed(3), range(metric.low, metric.high)]),
];

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  const [head = [], ...body] = rows;
  return [line(head), "-".repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...body.map(line), ""].join("\n");
}
