import sharp from "sharp";
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Evaluation, ScoredImage } from "./evaluation";

export const PLOTS = ["roc", "precision-recall", "reliability", "confusion", "probabilities", "risk-coverage"] as const;
export type PlotName = (typeof PLOTS)[number];

const CANCER = "#b3402e";
const NON_CANCER = "#2f6690";
const GUIDE = "#9aa5ae";
const INK = "#1f2a33";
const FONT = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";

const CONFIG: NonNullable<TopLevelSpec["config"]> = {
  background: "#ffffff",
  font: FONT,
  view: { stroke: "#d5dbe0" },
  axis: {
    gridColor: "#edf0f2",
    domainColor: "#c3cbd2",
    tickColor: "#c3cbd2",
    labelColor: "#4a5660",
    titleColor: INK,
    titleFontWeight: "normal",
    labelFontSize: 11,
    titleFontSize: 12,
  },
  title: {
    color: INK,
    subtitleColor: "#4a5660",
    fontSize: 14,
    fontWeight: "bold",
    subtitleFontSize: 11,
    anchor: "start",
    offset: 10,
    subtitlePadding: 4,
  },
  legend: { labelColor: "#4a5660", titleColor: INK, orient: "bottom" },
};
const WIDTH = 300;
const HEIGHT = 260;
const UNIT_SCALE = { domain: [0, 1], nice: false };

const diagonal = {
  data: {
    values: [
      { x: 0, y: 0 },
      { x: 1, y: 1 },
    ],
  },
  mark: { type: "line" as const, color: GUIDE, strokeDash: [4, 4] },
  encoding: { x: { field: "x", type: "quantitative" as const }, y: { field: "y", type: "quantitative" as const } },
};

/** Every plot of an evaluation that its data allow, as a standalone SVG. */
export async function drawPlots(
  evaluation: Evaluation,
  test: readonly ScoredImage[],
): Promise<ReadonlyMap<PlotName, string>> {
  const specs: [PlotName, TopLevelSpec | undefined][] = [
    ["roc", rocPlot(evaluation)],
    ["precision-recall", precisionRecallPlot(evaluation)],
    ["reliability", reliabilityPlot(evaluation)],
    ["confusion", confusionPlot(evaluation)],
    ["probabilities", probabilityPlot(evaluation, test)],
    ["risk-coverage", riskPlot(evaluation)],
  ];
  const plots = new Map<PlotName, string>();
  for (const [name, spec] of specs) if (spec) plots.set(name, await toSvg(spec));
  return plots;
}

/** Twice the SVG's size, for slides and documents. */
export function svgToPng(svg: string): Promise<Buffer> {
  return sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
}

async function toSvg(spec: TopLevelSpec): Promise<string> {
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** A metric as people read it, e.g. "0.93 (0.90 to 0.96)". */
function short(metric: Evaluation["test"]["auc"]): string {
  if (metric.value === null) return "not defined";
  return `${metric.value.toFixed(2)} (${metric.low.toFixed(2)} to ${metric.high.toFixed(2)})`;
}

function rocPlot({ roc, test }: Evaluation): TopLevelSpec | undefined {
  if (roc.length === 0) return undefined;
  const { recall, specificity } = test;
  const at = recall.value === null || specificity.value === null ? [] : [{ x: 1 - specificity.value, y: recall.value }];
  return {
    title: { text: "ROC curve", subtitle: `AUC ${short(test.auc)}; the dot is the model's threshold` },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      diagonal,
      {
        data: { values: roc.map((point, order) => ({ x: point.falsePositiveRate, y: point.truePositiveRate, order })) },
        mark: { type: "line", color: CANCER, strokeWidth: 2 },
        encoding: {
          x: { field: "x", type: "quantitative", title: "1 − specificity", scale: UNIT_SCALE },
          y: { field: "y", type: "quantitative", title: "Sensitivity", scale: UNIT_SCALE },
          order: { field: "order", type: "quantitative" },
        },
      },
      {
        data: { values: at },
        mark: { type: "point", filled: true, size: 80, color: INK, opacity: 1 },
        encoding: { x: { field: "x", type: "quantitative" }, y: { field: "y", type: "quantitative" } },
      },
    ],
  };
}

function precisionRecallPlot({ precisionRecall, test }: Evaluation): TopLevelSpec | undefined {
  if (precisionRecall.length === 0) return undefined;
  const prevalence = test.cancer / test.n;
  return {
    title: {
      text: "Precision and recall",
      subtitle: `Dashed: ${prevalence.toFixed(2)}, what calling images at random gives`,
    },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      {
        data: { values: [{ y: prevalence }] },
        mark: { type: "rule", color: GUIDE, strokeDash: [4, 4] },
        encoding: { y: { field: "y", type: "quantitative" } },
      },
      {
        data: { values: precisionRecall.map((point, order) => ({ x: point.recall, y: point.precision, order })) },
        mark: { type: "line", color: CANCER, strokeWidth: 2 },
        encoding: {
          x: { field: "x", type: "quantitative", title: "Recall (sensitivity)", scale: UNIT_SCALE },
          y: { field: "y", type: "quantitative", title: "Precision", scale: UNIT_SCALE },
          order: { field: "order", type: "quantitative" },
        },
      },
    ],
  };
}

function reliabilityPlot({ reliability, test }: Evaluation): TopLevelSpec | undefined {
  const filled = reliability.filter((bin) => bin.count > 0);
  if (filled.length === 0) return undefined;
  return {
    title: { text: "Reliability", subtitle: `Expected calibration error ${short(test.ece)}` },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      diagonal,
      {
        data: { values: filled.map((bin) => ({ x: bin.predicted, y: bin.observed, images: bin.count })) },
        mark: { type: "line", color: NON_CANCER, strokeWidth: 1, opacity: 0.5 },
        encoding: { x: { field: "x", type: "quantitative" }, y: { field: "y", type: "quantitative" } },
      },
      {
        data: { values: filled.map((bin) => ({ x: bin.predicted, y: bin.observed, images: bin.count })) },
        mark: { type: "point", filled: true, color: NON_CANCER, opacity: 0.9 },
        encoding: {
          x: { field: "x", type: "quantitative", title: "Mean probability of Cancer", scale: UNIT_SCALE },
          y: { field: "y", type: "quantitative", title: "Share of Cancer", scale: UNIT_SCALE },
          size: { field: "images", type: "quantitative", title: "Images", scale: { range: [20, 320] }, legend: null },
        },
      },
    ],
  };
}

function confusionPlot({ confusion, test }: Evaluation): TopLevelSpec | undefined {
  if (test.n === 0) return undefined;
  const cell = (truth: string, called: string, count: number, of: number) => ({
    truth,
    called,
    count,
    text: String(count),
    detail: of > 0 ? `${Math.round((100 * count) / of)} %` : "",
    share: of > 0 ? count / of : 0,
  });
  const values = [
    cell("Cancer", "Cancer", confusion.truePositive, test.cancer),
    cell("Cancer", "Non-Cancer", confusion.falseNegative, test.cancer),
    cell("Non-Cancer", "Cancer", confusion.falsePositive, test.nonCancer),
    cell("Non-Cancer", "Non-Cancer", confusion.trueNegative, test.nonCancer),
  ];
  const x = { field: "called", type: "nominal" as const, title: "Model says", axis: { labelAngle: 0 } };
  const y = { field: "truth", type: "nominal" as const, title: "Truth" };
  const colour = { condition: { test: "datum.share > 0.5", value: "white" }, value: INK };
  return {
    title: { text: "Confusion matrix", subtitle: `At threshold ${test.threshold.toFixed(3)}; shares are of the row` },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    data: { values },
    layer: [
      {
        mark: { type: "rect" },
        encoding: {
          x,
          y,
          color: {
            field: "share",
            type: "quantitative",
            scale: { domain: [0, 1], range: ["#f2f5f7", NON_CANCER] },
            legend: null,
          },
        },
      },
      {
        mark: { type: "text", fontSize: 22, fontWeight: "bold", dy: -8 },
        encoding: { x, y, text: { field: "text" }, color: colour },
      },
      { mark: { type: "text", fontSize: 12, dy: 14 }, encoding: { x, y, text: { field: "detail" }, color: colour } },
    ],
  };
}

function riskPlot({ riskCoverage, selective }: Evaluation): TopLevelSpec | undefined {
  if (riskCoverage.length === 0) return undefined;
  const coverage = selective && selective.referred.value !== null ? 1 - selective.referred.value : null;
  const risk = selective?.accuracyKept.value == null ? null : 1 - selective.accuracyKept.value;
  const at = coverage === null || risk === null ? [] : [{ x: coverage, y: risk }];
  return {
    title: {
      text: "Risk and coverage",
      subtitle: at.length > 0 ? "The dot is the model's uncertain band" : "The surest images are decided first",
    },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      {
        data: { values: riskCoverage.map((point, order) => ({ x: point.coverage, y: point.risk, order })) },
        mark: { type: "line", color: CANCER, strokeWidth: 2 },
        encoding: {
          x: { field: "x", type: "quantitative", title: "Share of images decided", scale: UNIT_SCALE },
          y: { field: "y", type: "quantitative", title: "Share of those called wrong" },
          order: { field: "order", type: "quantitative" },
        },
      },
      {
        data: { values: at },
        mark: { type: "point", filled: true, size: 80, color: INK, opacity: 1 },
        encoding: { x: { field: "x", type: "quantitative" }, y: { field: "y", type: "quantitative" } },
      },
    ],
  };
}

function probabilityPlot({ test, selective }: Evaluation, images: readonly ScoredImage[]): TopLevelSpec | undefined {
  if (images.length === 0) return undefined;
  const bins = 20;
  const values = (["Cancer", "Non-Cancer"] as const).flatMap((label) => {
    const counts = new Array<number>(bins).fill(0);
    for (const image of images) {
      if (image.label !== label) continue;
      const bin = Math.min(bins - 1, Math.floor(image.probability * bins));
      counts[bin] = (counts[bin] as number) + 1;
    }
    return counts.map((count, bin) => ({ label, from: bin / bins, to: (bin + 1) / bins, count }));
  });
  return {
    title: {
      text: "Probabilities",
      subtitle: `Line: threshold ${test.threshold.toFixed(3)}${selective ? "; grey: uncertain, referred" : ""}`,
    },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      {
        data: { values },
        mark: { type: "bar", opacity: 0.65 },
        encoding: {
          x: {
            field: "from",
            type: "quantitative",
            title: "Probability of Cancer",
            scale: UNIT_SCALE,
            bin: { binned: true },
          },
          x2: { field: "to" },
          y: { field: "count", type: "quantitative", title: "Images", stack: null },
          color: {
            field: "label",
            type: "nominal",
            title: null,
            scale: { domain: ["Cancer", "Non-Cancer"], range: [CANCER, NON_CANCER] },
          },
        },
      },
      {
        data: { values: [{ x: test.threshold }] },
        mark: { type: "rule", color: INK, strokeDash: [4, 3] },
        encoding: { x: { field: "x", type: "quantitative" } },
      },
      {
        data: { values: selective ? [{ from: selective.low, to: selective.high }] : [] },
        mark: { type: "rect", color: INK, opacity: 0.08 },
        encoding: { x: { field: "from", type: "quantitative" }, x2: { field: "to" } },
      },
    ],
  };
}
