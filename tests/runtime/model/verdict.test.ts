import { NOT_EVALUATED, verdictOf } from "../../../runtime/model";
import type { Metric } from "../../../runtime/platform/metric";

const GUARD = { descriptor: "d", threshold: 1, scans: 400, falseAlarms: 0.01 };
const SOUND = {
  synthetic: false,
  guard: GUARD,
  counts: { train: 1973, validation: 439, test: 434 },
  configuration: { epochs: 60, batch: 32 },
};
const AUC: Metric = { value: 0.987, low: 0.976, high: 0.996 };

const verdict = (
  measured: Partial<{ auc: Metric; groups: number }> = {},
  metadata: Partial<Parameters<typeof verdictOf>[1]> = {},
) => verdictOf({ auc: AUC, groups: 141, ...measured }, { ...SOUND, ...metadata });

describe("the verdict on a model", () => {
  it("is fit where nothing speaks against it, and says by what", () => {
    expect(verdict()).toEqual({
      fit: true,
      sentence: expect.stringMatching(/^Fit for research: AUC 0\.987, 95 % interval 0\.976 to 0\.996 on 141 .* groups/),
      reasons: [],
    });
  });

  it("asks for fewer epochs of a network that had learnt before: ten are its default", () => {
    const fineTuned = { id: "teacher-1", backbone: "b", sha256: "0", licence: "Apache-2.0" };
    const learnt = (epochs: number) => ({ fineTuned, configuration: { epochs, batch: 32 } });
    expect(verdict({}, learnt(10))).toMatchObject({ fit: true, reasons: [] });
    expect(verdict({}, learnt(3))).toMatchObject({ fit: false, reasons: ["few-epochs"] });
  });

  it.each<[string, ReturnType<typeof verdict>, RegExp]>([
    [
      "no-better-than-chance",
      verdict({ auc: { value: 0.385, low: 0.2, high: 0.61 } }),
      /better than chance \(AUC 0\.385/,
    ],
    ["no-better-than-chance", verdict({ auc: { value: 0.6, low: 0.5, high: 0.7 } }), /better than chance/],
    // Surely worse than chance: its interval does not hold 0.5 either.
    ["no-better-than-chance", verdict({ auc: { value: 0.2, low: 0.1, high: 0.3 } }), /better than chance/],
    [
      "no-better-than-chance",
      verdict({ auc: { value: null, reason: "There is no Cancer image to measure on." } }),
      /no AUC: there is no Cancer image to measure on\)\.$/,
    ],
    ["few-groups", verdict({ groups: 19 }), /on 19 independent groups only/],
    ["few-groups", verdict({ groups: 1 }), /on 1 independent group only/],
    ["no-guard", verdict({}, { guard: undefined }), /no input guard/],
    ["few-epochs", verdict({}, { configuration: { epochs: 2, batch: 32 } }), /for 2 epochs \(122 steps\) only/],
    ["few-epochs", verdict({}, { configuration: { epochs: 19, batch: 32 } }), /19 epochs/],
    // Asked for 60, stopped after one.
    ["few-epochs", verdict({}, { epochs: 1 }), /for 1 epoch \(61 steps\) only/],
    // Many epochs of very few images.
    ["few-epochs", verdict({}, { counts: { train: 40, validation: 8, test: 8 } }), /\(60 steps\) only/],
    ["few-epochs", verdict({}, { configuration: { epochs: 1 } }), /for 1 epoch only/],
    ["phantoms", verdict({}, { synthetic: true }), /synthetic images \(drawn phantoms\).*nothing of patients/],
  ])("is unfit for the one reason %s", (code, given, sentence) => {
    expect(given).toEqual({ fit: false, sentence: expect.stringMatching(sentence), reasons: [code] });
    expect(given.sentence).toMatch(/^Not fit for use: /);
  });

  it("takes ten epochs of a hundred thousand images, and sixty of a small set, for enough", () => {
    const many = { counts: { train: 100_000, validation: 9, test: 9 }, configuration: { epochs: 10, batch: 32 } };
    expect(verdict({}, many).fit).toBe(true);
    const few = { counts: { train: 100, validation: 9, test: 9 }, configuration: { epochs: 60, batch: 32 } };
    expect(verdict({}, few).fit).toBe(true);
    expect(verdict({ groups: 20 }).fit).toBe(true);
  });

  it("names every reason at once", () => {
    const { reasons, sentence } = verdict(
      { auc: { value: 0.5, low: 0, high: 1 }, groups: 3 },
      { synthetic: true, guard: undefined, epochs: 1 },
    );
    expect(reasons).toEqual(["phantoms", "no-better-than-chance", "few-groups", "no-guard", "few-epochs"]);
    expect(sentence.match(/; /g)).toHaveLength(5);
  });

  it("is not fit where nothing is known", () => {
    expect(NOT_EVALUATED).toMatchObject({ fit: false, reasons: ["not-evaluated"] });
  });
});
