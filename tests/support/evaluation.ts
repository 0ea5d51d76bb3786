import type { Verdict } from "../../runtime/model";
import type { ObjectStore } from "../../runtime/platform/stores";

const metric = (value: number) => ({ value, low: Math.max(0, value - 0.1), high: Math.min(1, value + 0.1) });

/** An evaluation as training stores it, of a model that needs no test images for it. */
export function evaluationOf(model: string, auc: number, verdict: Verdict, dataset = "d".repeat(64)) {
  const measured = {
    n: 40,
    groups: 30,
    cancer: 20,
    nonCancer: 20,
    threshold: 0.5,
    accuracy: metric(0.8),
    precision: metric(0.8),
    recall: metric(0.8),
    specificity: metric(0.8),
    f1: metric(0.8),
    auc: metric(auc),
    ece: { value: null, reason: "The test says so." },
  };
  return {
    version: 10,
    verdict,
    model,
    dataset,
    intervals: "95 %",
    test: measured,
    validation: null,
    collections: [{ name: "a", ...measured }],
    baselines: [{ name: "k-NN", description: "k nearest neighbours", auc: metric(0.6) }],
    confusion: { truePositive: 16, falsePositive: 4, trueNegative: 16, falseNegative: 4 },
    roc: [{ falsePositiveRate: 0, truePositiveRate: 0, threshold: null }],
    precisionRecall: [{ recall: 1, precision: 0.5, threshold: 0 }],
    reliability: [{ from: 0, to: 1, count: 40, predicted: 0.5, observed: null }],
    riskCoverage: [{ coverage: 1, risk: 0.2 }],
  };
}

export async function storeEvaluation(
  reports: ObjectStore,
  ...parameters: Parameters<typeof evaluationOf>
): Promise<void> {
  const [model] = parameters;
  await reports.write(`evaluation/${model}/evaluation.json`, JSON.stringify(evaluationOf(...parameters)));
  await reports.write(`evaluation/${model}/model-card.md`, `# ${model}\n`);
}
