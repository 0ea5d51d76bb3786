import { renderMetrics, renderSummary } from "../../../runtime/cli/summary-table";
import type { Summary } from "../../../runtime/platform/summary";

const metric = { value: 0.9, low: 0.8, high: 0.95 };
const SUMMARY: Summary = {
  seed: 0,
  backend: "wasm",
  steps: [{ name: "train", seconds: 2, items: 10, skipped: 0, rejected: 1, itemsPerSecond: 5 }],
  dataset: {
    images: 9,
    curated: 8,
    quarantined: 1,
    groups: 4,
    split: { train: 4, validation: 2, test: 2 },
  },
  model: { id: "cnn-1", recipe: "fg128-1", parameters: 7, synthetic: false },
  verdict: { fit: false, sentence: "Not fit for use: it was measured on 2 groups only.", reasons: ["few-groups"] },
  test: {
    n: 2,
    threshold: 0.4,
    accuracy: metric,
    precision: { value: null, reason: "no call" },
    recall: metric,
    specificity: metric,
    f1: metric,
    auc: metric,
    ece: metric,
  },
  promotion: { current: true, reason: "cnn-1 is the first model." },
};

describe("the summary on a terminal", () => {
  it("gives every metric with its interval, or why there is none", () => {
    const text = renderSummary(SUMMARY, "/there");
    expect(text).toMatch(/AUC +0\.900 +0\.800 to 0\.950/);
    expect(text).toMatch(/\nprecision +none\n/);
    // Below the table: in it, the sentence would make every line as long as itself.
    expect(text).toMatch(/\nECE .*\nprecision: none. no call\n/);
    expect(text).toMatch(/\n-{20,70}\n/);
    expect(text).toContain("threshold 0.400");
    expect(text).toContain("/there/reports/evaluation/cnn-1/report.html");
    expect(text).not.toContain("SYNTHETIC");
  });

  it("gives the verdict before any number of the model", () => {
    const text = renderSummary(SUMMARY, "/there");
    const at = text.indexOf("Not fit for use: it was measured on 2 groups only.");
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan(text.indexOf("cnn-1"));
    expect(at).toBeLessThan(text.indexOf("AUC"));
  });

  it("counts the tumours that the guard refuses as missed first, and gives the figure without below", () => {
    const tumours = { scans: 78, refused: 2, found: { value: 74 / 78, low: 0.9, high: 0.98 } };
    const text = renderMetrics("78 images", { ...(SUMMARY.test as NonNullable<Summary["test"]>), tumours });
    expect(text).toMatch(
      /\nrecall \(sensitivity\) +0\.949 +0\.900 to 0\.980\n +refused tumours, missed in it +2 of 78 *\n +recall, guard left aside .*\nspecificity/,
    );
    expect(renderSummary(SUMMARY, "/there")).not.toContain("guard");
  });

  it("says that a model was refused, and that phantoms are phantoms", () => {
    const text = renderSummary(
      {
        ...SUMMARY,
        model: { id: "cnn-1", recipe: "fg128-1", parameters: 7, synthetic: true },
        promotion: { current: false, reason: "the champion stays." },
      },
      "/there",
    );
    expect(text).toContain("not promoted, another model is served: the champion stays.");
    expect(text).toContain("SYNTHETIC");
    expect(renderSummary(SUMMARY, "/there")).not.toContain("not promoted");
  });
});
