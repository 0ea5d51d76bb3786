import { oneChannel } from "../imaging";
import type { Label } from "../intake";
import type { Classifier } from "../model";
import type { ObjectStore, ReadableStore } from "../platform/stores";
import type { TrainingCurve } from "../platform/training-curve";
import type { Header, PlainImage } from "./classical";
import { EVALUATION_VERSION, type Evaluation, evaluateScored, type ScoredImage } from "./evaluation";
import { datasetHash, storeDestination, type WriteInput, writeOutputs } from "./outputs";

/** One image of a processed shard. */
export interface EvaluationRow {
  /** Object name below landing; page n of a multi-page file is name#page=n. */
  readonly source: string;
  readonly label: Label;
  readonly group: string;
  /** Recipe output: 128 x 128 x 3 uint8, HWC. */
  readonly pixels: Uint8Array;
  /** Share of lesion in each of the 128 x 128 pixels, 0 to 255; null or absent where no mask is known. */
  readonly mask?: Uint8Array | null;
  /** Where the image was collected, if that is known. */
  readonly collection?: string | null | undefined;
  readonly subtype?: string | null | undefined;
  readonly view?: string | null | undefined;
  /** Facts of the file, where they are known. */
  readonly header?: Header | undefined;
}

/** Where the evaluation of a model lies in the reports bucket. */
export const evaluationPrefix = (model: string): string => `evaluation/${model}/`;

/** The stored evaluation of a model, or undefined. */
export async function readEvaluation(reports: ReadableStore, model: string): Promise<Evaluation | undefined> {
  const name = `${evaluationPrefix(model)}evaluation.json`;
  if (!(await reports.stat(name))) return undefined;
  return JSON.parse((await reports.read(name)).toString("utf8")) as Evaluation;
}

/** What the registry's rule compares of an evaluation. */
export const contender = ({ model, dataset, test, verdict }: Evaluation) => ({
  model,
  testSet: dataset,
  auc: test.auc.value,
  verdict,
});

/** Names the images that a model is evaluated on; their pixels are not needed for it. */
export function setsHash(sets: {
  readonly test: readonly Omit<EvaluationRow, "pixels" | "mask">[];
  readonly validation?: readonly Omit<EvaluationRow, "pixels" | "mask">[];
}): string {
  return datasetHash([sets.test.map(describe), (sets.validation ?? []).map(describe)]);
}

/** The stored evaluation of a model, if it is one of these images by this seed. */
export async function earlierEvaluation(
  reports: ObjectStore,
  model: string,
  dataset: string,
  seed: number,
): Promise<Evaluation | undefined> {
  const earlier = await readEvaluation(reports, model);
  return earlier?.version === EVALUATION_VERSION && earlier.dataset === dataset && earlier.seed === seed
    ? earlier
    : undefined;
}

/**
 * Evaluates a model on the untouched test split and writes `evaluation.json`, `predictions.csv`, `report.html` and
 * `plots/` below `evaluation/<model id>/` of the reports bucket. An evaluation of the same images by the same seed that
 * is there already is returned as it is.
 *
 * Every image counts, whatever the input guard says of it: that is reported beside.
 *
 * @param options.validation the split that calibrated the model, reported beside
 * @param options.learn the training split: baselines and probes are fitted to it
 */
export async function evaluateTestSplit(options: {
  readonly classifier: Classifier;
  readonly test: readonly EvaluationRow[];
  readonly validation?: readonly EvaluationRow[];
  readonly learn?: readonly PlainImage[];
  readonly reports: ObjectStore;
  readonly seed: number;
  readonly notes?: readonly string[];
  /** Where the images come from, and what else the report says of its making. */
  readonly provenance: WriteInput["provenance"];
  /** How the model's training went, where that is known. */
  readonly training?: TrainingCurve | undefined;
}): Promise<{ readonly evaluation: Evaluation; readonly skipped: boolean }> {
  const { classifier, reports, seed } = options;
  const { metadata } = classifier;
  const dataset = setsHash(options);
  const earlier = await earlierEvaluation(reports, metadata.id, dataset, seed);
  if (earlier) return { evaluation: earlier, skipped: true };

  const test = await scoreRows(classifier, options.test);
  const validation = await scoreRows(classifier, options.validation ?? []);
  const evaluation = evaluateScored({ metadata, dataset, test, validation, learn: options.learn, seed });
  const rows = new Map(options.test.map((row) => [row.source, row]));
  await writeOutputs({
    destination: storeDestination(reports, evaluationPrefix(metadata.id)),
    classifier,
    evaluation,
    test,
    lines: test.map(({ path, label, probability }) => ({ path, label, probability, reason: "" })),
    subject: "the untouched test split",
    notes: [
      "No group crosses train, validation and test: slices of one patient (where patients are known) and near-duplicates stay together. Scores of random splits, which leak both, are not comparable with these and are usually higher.",
      "Calibration and threshold come from validation images alone, before any test image was looked at.",
      ...(options.notes ?? []),
    ],
    seed,
    provenance: options.provenance,
    training: options.training,
    pictureOf: async (path) => {
      const row = rows.get(path);
      return row && { pixels: row.pixels, mask: row.mask ?? null };
    },
  });
  return { evaluation, skipped: false };
}

function describe({
  source,
  label,
  group,
  collection,
  subtype,
  view,
}: Omit<EvaluationRow, "pixels" | "mask">): Omit<ScoredImage, "probability"> {
  return {
    path: source,
    label,
    group,
    ...(collection ? { collection } : {}),
    ...(subtype ? { subtype } : {}),
    ...(view ? { view } : {}),
  };
}

async function scoreRows(classifier: Classifier, rows: readonly EvaluationRow[]): Promise<ScoredImage[]> {
  const probabilities = await classifier.predict(rows.map((row) => row.pixels));
  return rows.map((row, i) => ({
    ...describe(row),
    probability: probabilities[i] as number,
    plain: plainImage(row),
    refused: classifier.guard?.judge(row.pixels).refused,
  }));
}

function plainImage({ label, group, pixels, header }: EvaluationRow): PlainImage {
  return { label: label === "Cancer" ? 1 : 0, group, grey: oneChannel(pixels), header };
}
