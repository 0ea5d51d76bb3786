import type { TrainingCurve } from "../platform/training-curve";
import { type Chart, COLOUR, count, drawPlot, metricText, type Plot, percentage } from "../report";
import type { Evaluation, ScoredImage } from "./evaluation";

/** Names of the plots, which are those of their files, in the order of the report. */
export const PLOTS = [
  "roc",
  "precision-recall",
  "reliability",
  "confusion",
  "probabilities",
  "risk-coverage",
  "training-loss",
  "training-auc",
] as const;
export type PlotName = (typeof PLOTS)[number];

/** Every plot that the data allow. */
export async function drawPlots(
  evaluation: Evaluation,
  test: readonly ScoredImage[],
  training: TrainingCurve | undefined,
): Promise<ReadonlyMap<PlotName, Plot>> {
  const charts: Readonly<Record<PlotName, Omit<Chart, "name"> | undefined>> = {
    roc: rocChart(evaluation),
    "precision-recall": precisionRecallChart(evaluation),
    reliability: reliabilityChart(evaluation),
    confusion: confusionChart(evaluation),
    probabilities: probabilityChart(evaluation, test),
    "risk-coverage": riskChart(evaluation),
    "training-loss": training && lossChart(training),
    "training-auc": training && validationChart(training),
  };
  const plots = new Map<PlotName, Plot>();
  for (const name of PLOTS) {
    const chart = charts[name];
    if (chart) plots.set(name, await drawPlot({ name, ...chart }));
  }
  return plots;
}

type Layer = Chart["layers"][number];
type Pair = readonly [x: number, y: number];

const UNIT = { domain: [0, 1], nice: false };
/** An axis with its title; `unit`: from 0 to 1. */
const axis = (field: string, title: string, unit = true) => ({
  field,
  type: "quantitative" as const,
  title,
  ...(unit ? { scale: UNIT } : {}),
});
const bare = (field: string) => ({ field, type: "quantitative" as const });
const pairs = (points: readonly Pair[]) => ({ values: points.map(([x, y], order) => ({ x, y, order })) });

/** A line through points in their order. */
const line = (points: readonly Pair[], x: string, y: string, unitY = true): Layer => ({
  data: pairs(points),
  mark: { type: "line", color: COLOUR.first, strokeWidth: 2 },
  encoding: { x: axis("x", x), y: axis("y", y, unitY), order: bare("order") },
});

/** What the line is to be compared with. */
const guide = (points: readonly Pair[]): Layer => ({
  data: pairs(points),
  mark: { type: "line", color: COLOUR.guide, strokeDash: [4, 4] },
  encoding: { x: bare("x"), y: bare("y") },
});

const dots = (points: readonly Pair[]): Layer => ({
  data: pairs(points),
  mark: { type: "point", filled: true, size: 90, color: COLOUR.ink, opacity: 1 },
  encoding: { x: bare("x"), y: bare("y") },
});

const DIAGONAL: readonly Pair[] = [
  [0, 0],
  [1, 1],
];

function rocChart({ roc, test }: Evaluation): Omit<Chart, "name"> | undefined {
  if (roc.length === 0) return undefined;
  const { recall, specificity } = test;
  const at: Pair[] = recall.value === null || specificity.value === null ? [] : [[1 - specificity.value, recall.value]];
  const points = roc.map((point): Pair => [point.falsePositiveRate, point.truePositiveRate]);
  return {
    title: "ROC curve",
    text: `AUC ${metricText(test.auc)}; a coin has 0.500 (dashed). The dot is the model's threshold, ${test.threshold.toFixed(3)}.`,
    layers: [guide(DIAGONAL), line(points, "1 − specificity", "Sensitivity"), dots(at)],
    numbers: { head: ["1 − specificity", "Sensitivity"], rows: points },
  };
}

function precisionRecallChart({ precisionRecall, test }: Evaluation): Omit<Chart, "name"> | undefined {
  if (precisionRecall.length === 0) return undefined;
  const { recall, precision } = test;
  const prevalence = test.cancer / test.n;
  const at: Pair[] = recall.value === null || precision.value === null ? [] : [[recall.value, precision.value]];
  const points = precisionRecall.map((point): Pair => [point.recall, point.precision]);
  const chance: readonly Pair[] = [
    [0, prevalence],
    [1, prevalence],
  ];
  return {
    title: "Precision and recall",
    text: `${percentage(prevalence)} of these images are Cancer: calling at random gives a precision of ${prevalence.toFixed(2)} (dashed). The dot is the model's threshold.`,
    layers: [guide(chance), line(points, "Recall (sensitivity)", "Precision"), dots(at)],
    numbers: { head: ["Recall", "Precision"], rows: points },
  };
}

function reliabilityChart({ reliability, test }: Evaluation): Omit<Chart, "name"> | undefined {
  const filled = reliability.flatMap(({ predicted, observed, count: images }) =>
    predicted === null || observed === null || images === 0 ? [] : [{ x: predicted, y: observed, images }],
  );
  if (filled.length === 0) return undefined;
  return {
    title: "Reliability",
    text: `Of images that get a probability, the share that is Cancer; on the dashed line it comes true. Calibration error (ECE) ${metricText(test.ece)}. Larger dots stand for more images.`,
    layers: [
      guide(DIAGONAL),
      {
        data: { values: filled },
        mark: { type: "line", color: COLOUR.first, strokeWidth: 1, opacity: 0.5 },
        encoding: { x: bare("x"), y: bare("y") },
      },
      {
        data: { values: filled },
        mark: { type: "point", filled: true, color: COLOUR.first, opacity: 0.9 },
        encoding: {
          x: axis("x", "Mean probability of Cancer"),
          y: axis("y", "Share that is Cancer"),
          size: { field: "images", type: "quantitative", scale: { range: [20, 320] }, legend: null },
        },
      },
    ],
    numbers: {
      head: ["Mean probability", "Share that is Cancer", "Images"],
      rows: filled.map(({ x, y, images }) => [x, y, images]),
    },
  };
}

function confusionChart({ confusion, test }: Evaluation): Omit<Chart, "name"> | undefined {
  if (test.n === 0) return undefined;
  const cell = (truth: string, called: string, images: number, of: number) => ({
    truth,
    called,
    images,
    text: String(images),
    detail: of > 0 ? percentage(images / of) : "",
    share: of > 0 ? images / of : 0,
  });
  const values = [
    cell("Cancer", "Cancer", confusion.truePositive, test.cancer),
    cell("Cancer", "Non-Cancer", confusion.falseNegative, test.cancer),
    cell("Non-Cancer", "Cancer", confusion.falsePositive, test.nonCancer),
    cell("Non-Cancer", "Non-Cancer", confusion.trueNegative, test.nonCancer),
  ];
  const x = { field: "called", type: "nominal" as const, title: "Model says", axis: { labelAngle: 0 } };
  const y = { field: "truth", type: "nominal" as const, title: "Truth" };
  const data = { values };
  return {
    title: "Confusion matrix",
    text: `At the threshold ${test.threshold.toFixed(3)}: numbers of images, and what share of their row they are.`,
    layers: [
      {
        data,
        mark: { type: "rect", color: COLOUR.first },
        encoding: {
          x,
          y,
          // Faint enough for figures in the colour of text.
          opacity: {
            field: "share",
            type: "quantitative",
            scale: { domain: [0, 1], range: [0.05, 0.42] },
            legend: null,
          },
        },
      },
      {
        data,
        mark: { type: "text", fontSize: 24, fontWeight: "bold", dy: -8, color: COLOUR.ink },
        encoding: { x, y, text: { field: "text" } },
      },
      {
        data,
        mark: { type: "text", fontSize: 13, dy: 16, color: COLOUR.ink },
        encoding: { x, y, text: { field: "detail" } },
      },
    ],
    numbers: {
      head: ["Truth", "Model says", "Images"],
      rows: values.map(({ truth, called, images }) => [truth, called, images]),
    },
  };
}

function riskChart({ riskCoverage, selective }: Evaluation): Omit<Chart, "name"> | undefined {
  if (riskCoverage.length === 0) return undefined;
  const coverage = selective && selective.referred.value !== null ? 1 - selective.referred.value : null;
  const risk = selective?.accuracyKept.value == null ? null : 1 - selective.accuracyKept.value;
  const at: Pair[] = coverage === null || risk === null ? [] : [[coverage, risk]];
  const points = riskCoverage.map((point): Pair => [point.coverage, point.risk]);
  return {
    title: "Risk and coverage",
    text: `How often it is wrong if it decides only the images farthest from its threshold.${at.length > 0 ? " The dot is its uncertain band." : ""}`,
    layers: [line(points, "Share of images decided", "Share of those called wrong", false), dots(at)],
    numbers: { head: ["Decided", "Called wrong"], rows: points },
  };
}

const BINS = 20;

function probabilityChart(
  { test, selective }: Evaluation,
  images: readonly ScoredImage[],
): Omit<Chart, "name"> | undefined {
  if (images.length === 0) return undefined;
  const bins = Array.from({ length: BINS }, () => ({ Cancer: 0, "Non-Cancer": 0 }));
  for (const { label, probability } of images) {
    const bin = bins[Math.min(BINS - 1, Math.floor(probability * BINS))];
    if (bin) bin[label]++;
  }
  const values = bins.flatMap((counts, bin) =>
    (["Cancer", "Non-Cancer"] as const).map((label) => ({
      label,
      from: bin / BINS,
      to: (bin + 1) / BINS,
      count: counts[label],
    })),
  );
  return {
    title: "Probabilities",
    text: `How many images got which probability, by what they are labelled. Line: threshold ${test.threshold.toFixed(3)}${selective ? "; grey: uncertain, referred to a person" : ""}.`,
    layers: [
      {
        data: { values: selective ? [{ from: selective.low, to: selective.high }] : [] },
        mark: { type: "rect", color: COLOUR.ink, opacity: 0.12 },
        encoding: { x: bare("from"), x2: { field: "to" } },
      },
      {
        data: { values },
        mark: { type: "bar", opacity: 0.7 },
        encoding: {
          x: { ...axis("from", "Probability of Cancer"), bin: { binned: true } },
          x2: { field: "to" },
          y: { field: "count", type: "quantitative", title: "Images", stack: null, axis: { tickMinStep: 1 } },
          color: {
            field: "label",
            type: "nominal",
            title: null,
            scale: { domain: ["Cancer", "Non-Cancer"], range: [COLOUR.cancer, COLOUR.clear] },
          },
        },
      },
      {
        data: { values: [{ x: test.threshold }] },
        mark: { type: "rule", color: COLOUR.ink, strokeDash: [4, 3], strokeWidth: 1.5 },
        encoding: { x: bare("x") },
      },
    ],
    numbers: {
      head: ["Probability", "Cancer", "Non-Cancer"],
      rows: bins.flatMap((bin, i) => {
        const filled = bin.Cancer + bin["Non-Cancer"] > 0;
        const range = `${(i / BINS).toFixed(2)} to ${((i + 1) / BINS).toFixed(2)}`;
        return filled ? [[range, bin.Cancer, bin["Non-Cancer"]]] : [];
      }),
    },
  };
}

function lossChart({ chosen, epochs }: TrainingCurve): Omit<Chart, "name"> | undefined {
  if (epochs.length === 0) return undefined;
  const rows = epochs.flatMap(({ epoch, loss, validation }) => [
    { epoch, value: loss, set: "training" },
    ...(validation ? [{ epoch, value: validation.loss, set: "validation" }] : []),
  ]);
  const validated = epochs.some(({ validation }) => validation !== null);
  return {
    title: "Training: loss",
    text: `${count(epochs.length, "epoch")}; the model has the weights of epoch ${chosen} (dashed line). ${validated ? "Training counts more than validation does (class weights, altered images, lesion maps): compare courses, not levels" : "Nothing was held out to validate on"}.`,
    layers: [chosenEpoch(chosen), epochLine(rows, "Loss")],
    numbers: {
      head: ["Epoch", "Training", ...(validated ? ["Validation"] : [])],
      rows: epochs.map(({ epoch, loss, validation }) => [
        epoch,
        loss,
        ...(validated ? [validation ? validation.loss : "–"] : []),
      ]),
    },
  };
}

function validationChart({ chosen, epochs }: TrainingCurve): Omit<Chart, "name"> | undefined {
  const rows = epochs.flatMap(({ epoch, validation }) =>
    validation ? [{ epoch, value: validation.auc, set: "validation" }] : [],
  );
  if (rows.length === 0) return undefined;
  const own = rows.find(({ epoch }) => epoch === chosen);
  return {
    title: "Training: AUC on validation",
    text: `${own ? `${own.value.toFixed(3)} at epoch ${chosen}, whose weights the model has (dashed line)` : `The model has the weights of epoch ${chosen} (dashed line)`}; a coin has 0.500.`,
    layers: [chosenEpoch(chosen), epochLine(rows, "AUC")],
    numbers: { head: ["Epoch", "AUC"], rows: rows.map(({ epoch, value }) => [epoch, value]) },
  };
}

const chosenEpoch = (epoch: number): Layer => ({
  data: { values: [{ epoch }] },
  mark: { type: "rule", color: COLOUR.guide, strokeDash: [4, 4] },
  encoding: { x: bare("epoch") },
});

/** Points are drawn where there are few: of one epoch there is no line. */
const FEW = 30;
/** Names on the axis of epochs. */
const TICKS = 7;
const SETS = { domain: ["training", "validation"] };

function epochLine(
  values: readonly { readonly epoch: number; readonly value: number; readonly set: string }[],
  title: string,
): Layer {
  const epochs = values.map(({ epoch }) => epoch);
  const [first = 0, last = 0] = [epochs[0], epochs.at(-1)];
  const step = Math.max(1, Math.ceil((last - first) / TICKS));
  const ticks = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
  const several = values.some(({ set }) => set !== values[0]?.set);
  const legend = several ? { symbolType: "stroke", symbolSize: 300 } : null;
  return {
    data: { values: [...values] },
    mark: { type: "line", strokeWidth: 2, point: last - first < FEW },
    encoding: {
      x: {
        ...axis("epoch", "Epoch", false),
        scale: { zero: false, nice: false },
        axis: { format: "d", values: ticks },
      },
      y: { ...axis("value", title, false), scale: { zero: false } },
      color: {
        field: "set",
        type: "nominal",
        title: null,
        scale: { ...SETS, range: [COLOUR.first, COLOUR.second] },
        legend,
      },
      strokeDash: {
        field: "set",
        type: "nominal",
        title: null,
        scale: {
          ...SETS,
          range: [
            [1, 0],
            [6, 4],
          ],
        },
        legend,
      },
    },
  };
}
