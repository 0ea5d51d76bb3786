import type { ModelMetadata } from "../model";
import type { Metric } from "../platform/metric";
import {
  capital,
  count,
  decisionText,
  facts,
  type Html,
  html,
  metricCell,
  metricText,
  type Notice,
  nameText,
  type Outline,
  type Plot,
  type Provenance,
  plotFigure,
  probabilityText,
  provenanceFacts,
  type Row,
  renderPage,
  type Section,
  SYNTHETIC,
  scanFigure,
  table,
  whole,
} from "../report";
import type { Evaluation, Measured } from "./evaluation";
import type { MetricName } from "./metrics";
import { PLOTS, type PlotName } from "./plots";
import {
  baselineSection,
  decisionSection,
  groupTables,
  guardSection,
  lesionSection,
  neighbourSection,
  shortcutSection,
  studySection,
} from "./report-sections";

/** A test image as the report lists it. */
export interface ReportScan {
  readonly path: string;
  readonly label: string;
  readonly decision: string;
  /** Of Cancer, calibrated. */
  readonly probability: number;
  /** Row of `predictions.csv` as a spreadsheet counts, its head being the first. */
  readonly row: number;
}

/** One picture of the report. */
export interface ReportPicture extends ReportScan {
  /** PNG. */
  readonly png: Buffer;
  /** Whether it is the scan alone, or has a map over it. */
  readonly kind: "scan" | "map";
  readonly lesion: Outline | undefined;
}

/** Images of one kind of error: the surest of them, and how many there are. */
export interface ReportErrors {
  readonly total: number;
  readonly scans: readonly ReportScan[];
  readonly pictures: readonly ReportPicture[];
}

export interface ReportInput {
  readonly evaluation: Evaluation;
  readonly metadata: ModelMetadata;
  /** What was evaluated, e.g. "the untouched test split of this workspace". */
  readonly subject: string;
  readonly provenance: Provenance;
  readonly plots: ReadonlyMap<PlotName, Plot>;
  /** Cancer called Non-Cancer, the surest first. */
  readonly misses: ReportErrors;
  /** Non-Cancer called Cancer, the surest first. */
  readonly falseAlarms: ReportErrors;
  /** Overlays of Grad-CAM. */
  readonly explanations: readonly ReportPicture[];
  /** Further sentences under "What this number means". */
  readonly notes: readonly string[];
}

const NAMES: Readonly<Record<MetricName, readonly [string, string]>> = {
  auc: ["AUC", "Chance that a random Cancer image gets a higher probability than a random Non-Cancer image."],
  accuracy: ["Accuracy", "Share of images called right."],
  recall: ["Sensitivity (recall)", "Of the Cancer images, the share called Cancer; the input guard is left aside."],
  specificity: ["Specificity", "Of the Non-Cancer images, the share called Non-Cancer."],
  precision: ["Precision", "Of the images called Cancer, the share that is Cancer."],
  f1: ["F1", "Harmonic mean of precision and sensitivity."],
  ece: ["Calibration error (ECE)", "Mean distance between probability and share of Cancer; 0 is best."],
};
const TILES = ["auc", "accuracy", "recall", "specificity"] as const;

/** One HTML file with everything in it: it opens without a network and asks nothing of anybody. */
export function renderReport(input: ReportInput): string {
  const { evaluation, metadata, subject, provenance } = input;
  const { test } = evaluation;
  return renderPage({
    title: `Evaluation of ${metadata.id}`,
    kicker: "Model evaluation",
    heading: metadata.id,
    notices: [verdictNotice(evaluation), ...(evaluation.synthetic ? [SYNTHETIC] : [])],
    facts: [
      ["Measured on", `${subject}: ${count(test.n, "labelled image")} in ${count(test.groups, "group")}`],
      ...provenanceFacts("Evaluated", provenance),
      ["Learnt from", metadata.synthetic ? "synthetic images (drawn phantoms)" : "scans, not synthetic images"],
      ["Pixel recipe", nameText(metadata.recipe)],
    ],
    sections: sections(input),
  });
}

function sections(input: ReportInput): readonly Section[] {
  const { evaluation, metadata, plots, explanations } = input;
  return [
    { id: "results", title: "Results", content: results(evaluation) },
    {
      id: "meaning",
      title: "What these numbers mean",
      content: html`<ul class="bullets prose">${[...meaning(evaluation), ...input.notes].map(
        (sentence) => html`<li class="path">${capital(sentence)}</li>
`,
      )}</ul>`,
    },
    { id: "plots", title: "Plots", content: plotsOf(plots, (name) => !name.startsWith("training-"), NO_PLOT) },
    {
      id: "errors",
      title: "Worst errors",
      content: [
        errors(
          "Missed tumours",
          "Cancer below the threshold, whether or not it counts as uncertain",
          input.misses,
          evaluation.test.n,
        ),
        errors(
          "False alarms",
          "Non-Cancer from the threshold on, whether or not it counts as uncertain",
          input.falseAlarms,
          evaluation.test.n,
        ),
      ],
    },
    {
      id: "explanations",
      title: "Where the model looked",
      content:
        explanations.length === 0
          ? html`<p>There is no image to explain.</p>`
          : html`<p class="hint prose">Grad-CAM: yellow is the strongest evidence for Cancer within each image; an image without colour has none. The colours of two images cannot be compared.${lesionKey(explanations)}</p>
${figures(explanations, "map")}`,
    },
    { id: "scans", title: "These scans, row by row", content: scanRows(input) },
    { id: "data", title: "Data", content: data(evaluation, metadata) },
    lesionSection(evaluation),
    decisionSection(evaluation),
    guardSection(evaluation),
    studySection(evaluation),
    baselineSection(evaluation),
    neighbourSection(evaluation),
    shortcutSection(evaluation),
    { id: "training", title: "Training", content: plotsOf(plots, (name) => name.startsWith("training-"), NO_CURVE) },
    { id: "model", title: "Model", content: facts(modelFacts(metadata), true) },
  ].filter((part) => part !== undefined);
}

const NO_PLOT = "The data do not allow any plot: there is no labelled image.";
const NO_CURVE = "The model's files hold no training curve that can be read: its training cannot be shown.";

function verdictNotice({ verdict: { fit, sentence, reasons } }: Evaluation): Notice {
  const tags = reasons.map((reason) => html`<li class="tag">${reason}</li>`);
  return {
    tone: fit ? "good" : "bad",
    verdict: true,
    content: html`<strong>${sentence}</strong>${tags.length > 0 ? html`<ul class="tags" aria-label="Reasons">${tags}</ul>` : undefined}`,
  };
}

function results(evaluation: Evaluation): Html {
  const { test, validation, headline } = evaluation;
  const first: Readonly<Record<(typeof TILES)[number], Metric>> = { ...test, recall: headline.sensitivity };
  const rows = (Object.keys(NAMES) as MetricName[]).flatMap((name): Row[] => {
    const [title, what] = NAMES[name];
    const cells = [title, metricCell(test[name]), ...(validation ? [metricCell(validation[name])] : []), what];
    return name === "recall" ? [...guardedRow(evaluation), { cells }] : [{ cells }];
  });
  return html`<dl class="tiles">${TILES.map((name) => tile(name, first[name]))}</dl>
${table(
  `All metrics with 95 % intervals, at the threshold ${test.threshold.toFixed(3)}`,
  [
    { head: "Metric" },
    { head: "Test", kind: "number" },
    ...(validation ? [{ head: "Validation", kind: "number" as const }] : []),
    { head: "What it is", kind: "quiet" },
  ],
  rows,
)}`;
}

function tile(name: MetricName, metric: Metric): Html {
  const value = metric.value === null ? "–" : metric.value.toFixed(3);
  const range = metric.value === null ? metric.reason : `${metric.low.toFixed(3)} to ${metric.high.toFixed(3)}`;
  return html`<div class="tile"><dt>${NAMES[name][0]}</dt><dd class="value">${value}</dd><dd class="range">${range}</dd></div>
`;
}

function guardedRow({ headline, test: { tumours }, validation }: Evaluation): Row[] {
  if (!tumours) return [];
  const what = `Of all tumours the share called Cancer: the ${headline.refused} of ${count(headline.tumours, "tumour")} that the input guard refuses count as missed.`;
  const cells = [
    "Sensitivity, refused ones missed",
    metricCell(headline.sensitivity),
    ...(validation ? ["–"] : []),
    what,
  ];
  return [{ cells }];
}

function meaning({ test, intervals }: Evaluation): string[] {
  const { auc } = test;
  return [
    auc.value === null
      ? `AUC is not given: ${auc.reason}`
      : `AUC ${metricText(auc)}: shown one Cancer and one Non-Cancer image of this set, the model gives the Cancer image the higher probability about ${Math.round(100 * auc.value)} times in 100.`,
    `Intervals: ${intervals}, because images of one group are not independent. They cover the chance of drawing these groups, and not the difference to another hospital, scanner or population, where the model can be much worse. Resampling raises the ECE, so its interval reaches farther up than down.`,
  ];
}

function plotsOf(plots: ReportInput["plots"], which: (name: PlotName) => boolean, none: string): Html {
  const drawn = PLOTS.filter(which).flatMap((name) => plots.get(name) ?? []);
  return drawn.length === 0 ? html`<p>${none}</p>` : html`<div class="plots">${drawn.map(plotFigure)}</div>`;
}

function errors(title: string, what: string, { total, scans, pictures }: ReportErrors, measured: number): Html {
  const none = measured === 0 ? "No labelled image was measured." : "None.";
  const rest =
    total > scans.length ? ` ${whole(scans.length)} of them stand below, row by row; all are in predictions.csv.` : "";
  return html`<h3>${title} <span class="tag">${whole(total)}</span></h3>
${
  total === 0
    ? html`<p>${none}</p>`
    : html`<p class="hint prose">${what}: the ${pictures.length < total ? `${whole(pictures.length)} surest, the surest` : "surest"} first, as the model sees them.${rest}${lesionKey(pictures)}</p>
${figures(pictures, "error")}`
}
`;
}

function lesionKey(pictures: readonly ReportPicture[]): Html | undefined {
  if (!pictures.some(({ lesion }) => lesion)) return undefined;
  return html` <span class="key"></span> lesion, where a mask says so.`;
}

function figures(pictures: readonly ReportPicture[], prefix: string): Html {
  return html`<div class="scans">${pictures.map(({ png, kind, row, ...scan }) =>
    scanFigure({
      ...scan,
      id: `${prefix}-${row}`,
      pictures: [{ src: `data:image/png;base64,${png.toString("base64")}`, kind }],
      more: html`<a href="#row-${row}">row ${row}</a>`,
    }),
  )}</div>`;
}

/** The scans of the pictures and all wrong ones, as far as they are listed. */
function scanRows({ misses, falseAlarms, explanations }: ReportInput): Html {
  const pictured = new Map<number, string>([
    ...explanations.map(({ row }) => [row, `map-${row}`] as const),
    ...[...misses.pictures, ...falseAlarms.pictures].map(({ row }) => [row, `error-${row}`] as const),
  ]);
  const wrong = [...misses.scans, ...falseAlarms.scans];
  const listed = new Set(wrong.map(({ row }) => row));
  const scans = [...wrong, ...explanations.filter(({ row }) => !listed.has(row))];
  if (scans.length === 0) return html`<p>There is none.</p>`;
  return table(
    `Wrong calls at the threshold, the surest first, then the other scans that are shown above: ${whole(scans.length)}. Rows are those of predictions.csv.`,
    [
      { head: "Scan" },
      { head: "Truth" },
      { head: "Decision" },
      { head: "Probability", kind: "number" },
      { head: "Row", kind: "number" },
      { head: "Picture" },
    ],
    scans.map(({ row, path, label, decision, probability }) => {
      const picture = pictured.get(row);
      const link =
        picture === undefined ? "–" : html`<a href="#${picture}">picture<span class="hidden"> of row ${row}</span></a>`;
      return {
        id: `row-${row}`,
        cells: [nameText(path), label, decisionText(decision), probabilityText(probability), row, link],
      };
    }),
  );
}

function data(evaluation: Evaluation, { counts }: ModelMetadata): Html {
  const { test, validation, unlabelled, rejected } = evaluation;
  const row = (name: string, set: Measured): Row => ({
    cells: [name, whole(set.n), whole(set.cancer), whole(set.nonCancer), whole(set.groups)],
  });
  return html`${table(
    "Images that were measured",
    [
      { head: "Set" },
      ...["Images", "Cancer", "Non-Cancer", "Groups"].map((head) => ({ head, kind: "number" as const })),
    ],
    [row("Test", test), ...(validation ? [row("Validation", validation)] : [])],
  )}
<p class="quiet prose">The model was trained on ${count(counts.train, "image")}; ${count(counts.validation, "validation image")} calibrated it, and with that chose threshold and uncertain band. ${unlabelled > 0 ? `${count(unlabelled, "unlabelled image")} got a probability and count in no metric. ` : ""}${rejectedSentence(rejected)}</p>
${groupTables(evaluation)}`;
}

function rejectedSentence(rejected: Readonly<Record<string, number>>): string {
  const entries = Object.entries(rejected);
  if (entries.length === 0) return "";
  const total = entries.reduce((sum, [, n]) => sum + n, 0);
  return `${count(total, "file")} could not be used: ${entries.map(([code, n]) => `${code} ${n}`).join(", ")}.`;
}

function modelFacts(metadata: ModelMetadata): [string, Html][] {
  const known: readonly (readonly [string, string])[] = [
    ["Model", metadata.id],
    ["Pixel recipe", metadata.recipe],
    ["Trainable parameters", whole(metadata.parameters)],
    ["Threshold", String(metadata.threshold)],
    ["Trained on backend", metadata.backend],
    ["Training seed", String(metadata.seed)],
    ["Data set (SHA-256)", metadata.dataset],
    ...Object.entries(metadata.configuration).map(
      ([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)] as const,
    ),
  ];
  return known.map(([term, value]) => [term, nameText(value)]);
}
