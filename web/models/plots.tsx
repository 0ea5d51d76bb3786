import type uPlot from "uplot";
import type { EvaluationAnswer, TrainingCurve } from "../../runtime/serve/schemas";
import { Chart, type Marks } from "../ui/chart";
import { percentMark, three } from "../ui/numbers";

type Row = readonly (number | null)[];

/** Columns as uPlot has them, in the order of the first. */
function columns(rows: readonly Row[]): uPlot.AlignedData {
  const sorted = [...rows].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  const width = rows[0]?.length ?? 0;
  return Array.from({ length: width }, (_, i) => sorted.map((row) => row[i] ?? null)) as uPlot.AlignedData;
}

const UNIT = { min: 0, max: 1 } as const;

/** How many tumours are found against how many false alarms, at every threshold. */
export function RocPlot({ evaluation, threshold }: { evaluation: EvaluationAnswer; threshold: number }) {
  const { roc, test } = evaluation;
  const here = roc.reduce<(typeof roc)[number] | undefined>((best, point) => {
    if (point.threshold === null || point.threshold < threshold) return best;
    return best?.threshold == null || point.threshold < best.threshold ? point : best;
  }, undefined);
  const marks: Marks = here
    ? [{ x: here.falsePositiveRate, y: here.truePositiveRate, label: `Cancer from ${percentMark(threshold)}` }]
    : [];
  // Points of one false positive rate stand above each other: they are kept in the order of the curve.
  const ordered = [...roc].sort(
    (a, b) => a.falsePositiveRate - b.falsePositiveRate || a.truePositiveRate - b.truePositiveRate,
  );
  return (
    <Chart
      title="ROC curve"
      text={
        test.auc.value === null
          ? `No area under the curve: ${test.auc.reason}`
          : `Area under the curve ${three(test.auc.value)}; a coin has 0.500.`
      }
      data={[ordered.map((point) => point.falsePositiveRate), ordered.map((point) => point.truePositiveRate)]}
      series={["sensitivity"]}
      x={{ label: "1 - specificity", ...UNIT }}
      y={{ label: "sensitivity", ...UNIT }}
      diagonal
      marks={marks}
    />
  );
}

/** How often a probability comes true. */
export function CalibrationPlot({ evaluation }: { evaluation: EvaluationAnswer }) {
  const { reliability, test } = evaluation;
  const bins = reliability.flatMap(({ predicted, observed, count }) =>
    predicted === null || observed === null ? [] : [[predicted, observed, count] as const],
  );
  return (
    <Chart
      title="Calibration"
      text={`Of scans that get a probability, the share that is Cancer${test.ece.value === null ? "" : `; calibration error ${three(test.ece.value)}`}. On the line it comes true.`}
      data={columns(bins.map(([predicted, observed]) => [predicted, observed]))}
      series={["share that is Cancer"]}
      x={{ label: "probability", ...UNIT }}
      y={{ label: "share that is Cancer", ...UNIT }}
      diagonal
      points
    />
  );
}

/** How many test images got which probability. */
export function HistogramPlot({ evaluation }: { evaluation: EvaluationAnswer }) {
  const { reliability, test } = evaluation;
  const rows = reliability.map(
    ({ from, to, count, observed }): Row => [(from + to) / 2, count, observed === null ? 0 : count * observed],
  );
  return (
    <Chart
      title="Probabilities of the test images"
      text={`${test.n} images, by the probability that they got; the orange part is labelled Cancer.`}
      data={columns(rows)}
      series={["images", "of them Cancer"]}
      x={{ label: "probability", ...UNIT }}
      y={{ label: "images", min: 0 }}
      bars
    />
  );
}

export function TrainingPlot({ training }: { training: TrainingCurve }) {
  const { epochs, chosen } = training;
  const last = epochs.at(-1);
  return (
    <div class="plots">
      <Chart
        title="Loss"
        text={`${epochs.length} epochs; the model has the weights of epoch ${chosen}.`}
        data={columns(epochs.map(({ epoch, loss, validation }): Row => [epoch, loss, validation?.loss ?? null]))}
        series={["training", "validation"]}
        x={{ label: "epoch", whole: true }}
        y={{ label: "loss", min: 0 }}
      />
      {last?.validation ? (
        <Chart
          title="AUC on validation"
          text={`${three(epochs.find(({ epoch }) => epoch === chosen)?.validation?.auc ?? last.validation.auc)} at the chosen epoch.`}
          data={columns(epochs.map(({ epoch, validation }): Row => [epoch, validation?.auc ?? null]))}
          series={["AUC"]}
          x={{ label: "epoch", whole: true }}
          y={{ label: "AUC", max: 1 }}
        />
      ) : null}
    </div>
  );
}
