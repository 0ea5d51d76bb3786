import { DISCLAIMER } from "../intake";
import type { ModelMetadata } from "../model";
import type { Metric } from "../platform/metric";
import type { Evaluation, Measured } from "./evaluation";
import { cell, count, escapeHtml, percent } from "./html";
import type { MetricName } from "./metrics";
import { PLOTS, type PlotName } from "./plots";
import { baselineSection, decisionSection, groupTables, guardSection, shortcutSection } from "./report-sections";

/** One picture of the report. */
export interface ReportPicture {
  readonly path: string;
  readonly label: string;
  readonly probability: number;
  /** PNG. */
  readonly png: Buffer;
}

export interface ReportInput {
  readonly evaluation: Evaluation;
  readonly metadata: ModelMetadata;
  /** What was evaluated, e.g. "the untouched test split of this workspace". */
  readonly subject: string;
  /** SVG documents. */
  readonly plots: ReadonlyMap<PlotName, string>;
  /** Cancer called Non-Cancer, the surest first. */
  readonly misses: readonly ReportPicture[];
  /** Non-Cancer called Cancer, the surest first. */
  readonly falseAlarms: readonly ReportPicture[];
  /** Overlays of Grad-CAM. */
  readonly explanations: readonly ReportPicture[];
  /** Further sentences under "What this number means". */
  readonly notes: readonly string[];
}

const NAMES: Readonly<Record<MetricName, readonly [string, string]>> = {
  auc: ["AUC", "Chance that a random Cancer image gets a higher probability than a random Non-Cancer image."],
  accuracy: ["Accuracy", "Share of images called right."],
  recall: ["Sensitivity (recall)", "Of the Cancer images, the share called Cancer."],
  specificity: ["Specificity", "Of the Non-Cancer images, the share called Non-Cancer."],
  precision: ["Precision", "Of the images called Cancer, the share that is Cancer."],
  f1: ["F1", "Harmonic mean of precision and sensitivity."],
  ece: ["Calibration error (ECE)", "Mean distance between probability and share of Cancer; 0 is best."],
};

/** One HTML file with everything in it: it opens without a network and asks nothing of anybody. */
export function renderReport(input: ReportInput): string {
  const { evaluation, metadata, plots } = input;
  const { test, validation } = evaluation;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Evaluation of ${escapeHtml(metadata.id)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<p class="kicker">Model evaluation</p>
<h1>${escapeHtml(metadata.id)}</h1>
<p class="verdict${evaluation.verdict.fit ? " fit" : ""}" role="note"><strong>${escapeHtml(evaluation.verdict.sentence)}</strong></p>
<p class="lead">Measured on ${escapeHtml(input.subject)}: ${count(test.n, "labelled image")} in ${count(test.groups, "group")}.</p>
<p class="disclaimer" role="note"><strong>${escapeHtml(DISCLAIMER)}</strong></p>
${evaluation.synthetic ? SYNTHETIC : ""}
</header>

<section aria-labelledby="results">
<h2 id="results">Results</h2>
<div class="tiles">${(["auc", "accuracy", "recall", "specificity"] as const).map((name) => tile(name, test[name])).join("")}</div>
<table>
<caption>All metrics with 95 % intervals, at the threshold ${test.threshold.toFixed(3)}</caption>
<thead><tr><th scope="col">Metric</th><th scope="col">Test</th>${validation ? '<th scope="col">Validation</th>' : ""}<th scope="col">What it is</th></tr></thead>
<tbody>${(Object.keys(NAMES) as MetricName[])
    .map(
      (name) =>
        `<tr><th scope="row">${NAMES[name][0]}</th><td class="number">${cell(test[name])}</td>${validation ? `<td class="number muted">${cell(validation[name])}</td>` : ""}<td class="muted">${NAMES[name][1]}</td></tr>${name === "recall" ? guardedRow(evaluation) : ""}`,
    )
    .join("\n")}</tbody>
</table>
</section>

<section aria-labelledby="meaning">
<h2 id="meaning">What these numbers mean</h2>
<ul>${[...meaning(evaluation), ...input.notes].map((sentence) => `<li>${escapeHtml(sentence)}</li>`).join("\n")}</ul>
</section>

<section aria-labelledby="data">
<h2 id="data">Data</h2>
<table>
<caption>Images that were measured</caption>
<thead><tr><th scope="col">Set</th><th scope="col">Images</th><th scope="col">Cancer</th><th scope="col">Non-Cancer</th><th scope="col">Groups</th></tr></thead>
<tbody>${dataRow("Test", test)}${validation ? dataRow("Validation", validation) : ""}</tbody>
</table>
<p class="muted">The model was trained on ${count(metadata.counts.train, "image")}; ${count(metadata.counts.validation, "validation image")} calibrated it, and with that chose threshold and uncertain band. ${evaluation.unlabelled > 0 ? `${count(evaluation.unlabelled, "unlabelled image")} got a probability and count in no metric. ` : ""}${rejectedSentence(evaluation.rejected)}</p>
${groupTables(evaluation)}
</section>

<section aria-labelledby="plots">
<h2 id="plots">Plots</h2>
${plots.size === 0 ? "<p>The data do not allow any plot: there is no labelled image.</p>" : ""}
<div class="plots">${PLOTS.flatMap((name) => {
    const svg = plots.get(name);
    return svg ? [`<figure>${embed(svg, name)}</figure>`] : [];
  }).join("\n")}</div>
</section>

${decisionSection(evaluation)}
${guardSection(evaluation)}
${baselineSection(evaluation)}
${shortcutSection(evaluation)}

<section aria-labelledby="errors">
<h2 id="errors">Worst errors</h2>
${errors("Missed", "Cancer that is called Non-Cancer", input.misses, test.n)}
${errors("False alarms", "Non-Cancer that is called Cancer", input.falseAlarms, test.n)}
</section>

<section aria-labelledby="explanations">
<h2 id="explanations">Where the model looked</h2>
${
  input.explanations.length === 0
    ? "<p>There is no image to explain.</p>"
    : `<p class="muted">Grad-CAM: yellow is the strongest evidence for Cancer within each image; an image without colour has none. The colours of two images cannot be compared.</p><div class="pictures">${input.explanations.map(picture).join("\n")}</div>`
}
</section>

<section aria-labelledby="model">
<h2 id="model">Model</h2>
<table class="facts"><tbody>
${fact("Model", metadata.id)}${fact("Pixel recipe", metadata.recipe)}${fact("Trainable parameters", metadata.parameters.toLocaleString("en-US"))}${fact("Threshold", String(metadata.threshold))}${fact("Trained on backend", metadata.backend)}${fact("Training seed", String(metadata.seed))}${fact("Data set (SHA-256)", metadata.dataset)}${Object.entries(
  metadata.configuration,
)
  .map(([key, value]) => fact(key, typeof value === "string" ? value : JSON.stringify(value)))
  .join("")}
</tbody></table>
</section>
<footer><p><strong>${escapeHtml(DISCLAIMER)}</strong></p></footer>
</main>
</body>
</html>
`;
}

const SYNTHETIC = `<p class="synthetic" role="note"><strong>Synthetic data.</strong> This model was trained on drawn phantoms, not on scans of people. The numbers show that the program works; they say nothing about medicine.</p>`;

function meaning({ test, intervals }: Evaluation): string[] {
  const { auc } = test;
  const sentences = [
    auc.value === null
      ? `AUC is not given: ${auc.reason}`
      : `AUC ${percent(auc)}: shown one Cancer and one Non-Cancer image of this set, the model gives the Cancer image the higher probability about ${Math.round(100 * auc.value)} times in 100.`,
    `Intervals: ${intervals}, because images of one group are not independent. They cover the chance of drawing these groups, and not the difference to another hospital, scanner or population, where the model can be much worse. Resampling raises the ECE, so its interval reaches farther up than down.`,
  ];
  return sentences;
}

function guardedRow({ test: { tumours }, validation }: Evaluation): string {
  if (!tumours) return "";
  const what = `The same if the ${tumours.refused} of ${count(tumours.scans, "tumour")} that the input guard refuses count as missed.`;
  return `<tr><th scope="row">Sensitivity behind the guard</th><td class="number">${cell(tumours.found)}</td>${validation ? "<td></td>" : ""}<td class="muted">${what}</td></tr>`;
}

function tile(name: MetricName, metric: Metric): string {
  const value = metric.value === null ? "–" : metric.value.toFixed(3);
  const range =
    metric.value === null ? escapeHtml(metric.reason) : `${metric.low.toFixed(3)} to ${metric.high.toFixed(3)}`;
  return `<div class="tile"><span class="name">${NAMES[name][0]}</span><span class="value">${value}</span><span class="range">${range}</span></div>`;
}

function dataRow(name: string, set: Measured): string {
  return `<tr><th scope="row">${name}</th><td class="number">${set.n}</td><td class="number">${set.cancer}</td><td class="number">${set.nonCancer}</td><td class="number">${set.groups}</td></tr>`;
}

function rejectedSentence(rejected: Readonly<Record<string, number>>): string {
  const entries = Object.entries(rejected);
  if (entries.length === 0) return "";
  const total = entries.reduce((sum, [, n]) => sum + n, 0);
  return `${count(total, "file")} could not be used: ${entries.map(([code, n]) => `${escapeHtml(code)} ${n}`).join(", ")}.`;
}

function errors(title: string, what: string, pictures: readonly ReportPicture[], measured: number): string {
  const none = measured === 0 ? "No labelled image was measured." : "None.";
  const shown = `<p class="muted">${what}, the surest first, as the model sees it.</p><div class="pictures">${pictures.map(picture).join("\n")}</div>`;
  return `<h3>${title}</h3>${pictures.length === 0 ? `<p>${none}</p>` : shown}`;
}

function picture({ path, label, probability, png }: ReportPicture): string {
  const name = escapeHtml(path);
  return `<figure><img src="data:image/png;base64,${png.toString("base64")}" alt="${name}, ${escapeHtml(label)}, probability of Cancer ${probability.toFixed(2)}" width="128" height="128"><figcaption><span class="p">${probability.toFixed(2)}</span> truth ${escapeHtml(label)}<br><span class="path" title="${name}">${name}</span></figcaption></figure>`;
}

/** An SVG document inside HTML: without prolog, with a name for those who cannot see it. */
function embed(svg: string, name: PlotName): string {
  return svg.slice(svg.indexOf("<svg")).replace("<svg", `<svg role="img" aria-label="Plot: ${name}"`);
}

function fact(name: string, value: string): string {
  return `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`;
}

const STYLE = `
:root{--ink:#1f2a33;--muted:#56636e;--line:#dfe5e9;--accent:#2f6690;--warm:#b3402e;--paper:#fff;--ground:#f4f6f8}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 24px 48px}
section,header{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:22px 26px;margin-bottom:18px}
h1{font-size:26px;line-height:1.25;margin:0 0 6px;overflow-wrap:anywhere}h2{font-size:18px;margin:0 0 12px}
.kicker{margin:0;color:var(--accent);font-weight:600;letter-spacing:.02em}.lead{margin:0 0 12px;font-size:16px}
.verdict,.disclaimer,.synthetic{margin:12px 0 0;padding:10px 14px;border-radius:8px;border-left:4px solid var(--warm);background:#fbf1ef}
.verdict{margin:12px 0}.synthetic{border-color:#b7860b;background:#fdf7e6}.fit{border-color:#2f6b4f;background:#eef7f1}
.muted,small{color:var(--muted)}small{font-size:12px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin-bottom:18px}
.tile{border:1px solid var(--line);border-radius:8px;padding:12px 14px;display:flex;flex-direction:column}
.tile .name{color:var(--muted);font-size:13px}.tile .value{font-size:30px;font-weight:600;line-height:1.2;font-variant-numeric:tabular-nums}.tile .range{color:var(--muted);font-size:13px}
h3{font-size:15px;margin:16px 0 8px}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:0 0 14px}caption{text-align:left;color:var(--muted);padding-bottom:6px;font-size:13px}
th,td{text-align:left;padding:7px 10px 7px 0;border-top:1px solid var(--line);vertical-align:top}thead th{border-top:0;color:var(--muted);font-weight:600;font-size:13px}
tbody th{font-weight:600}.number{font-variant-numeric:tabular-nums;white-space:nowrap}.why{white-space:normal}.facts th{width:260px;font-weight:500;color:var(--muted)}.facts td{overflow-wrap:anywhere}
ul{margin:0;padding-left:20px}li{margin-bottom:6px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(380px,100%),1fr));gap:20px}figure{margin:0}.plots svg{max-width:100%;height:auto}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:16px}.pictures img{display:block;width:100%;height:auto;border-radius:6px;background:#000;image-rendering:auto}
figcaption{font-size:12px;color:var(--muted);margin-top:5px;line-height:1.35}.p{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}.path{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
footer{color:var(--muted);padding:0 26px}
@media (max-width:600px){main{padding:12px 8px 32px}section,header{padding:16px 14px}section{overflow-x:auto}.facts th{width:auto}}
@media print{body{background:#fff}section,header{break-inside:avoid;border:0}}
`;
