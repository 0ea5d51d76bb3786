import { oneChannel, replicate } from "../imaging";
import type { Label } from "../intake";
import type { Answer, Classifier } from "../model";
import { type ReadableStore, type ReplaceableStore, readJson } from "../platform/stores";
import type { TrainingCurve } from "../platform/training-curve";
import type { ClassicalResult, Header, PlainImage } from "./classical";
import { EVALUATION_VERSION, type Evaluation, evaluateScored, type ScoredImage } from "./evaluation";
import { type FeatureSet, featureBaselines } from "./feature-baselines";
import { lesionOf } from "./lesions";
import { datasetHash, storeDestination, type WriteInput, writeOutputs } from "./outputs";
import { type Pause, pausing } from "./pause";
import { evaluationPrefix, writeScans } from "./scored-scan";
import type { FeatureKeys, StoredFeatures } from "./stored-features";

/** One image of a processed shard. */
export interface EvaluationRow {
  /** Object name below landing; page n of a multi-page file is name#page=n. */
  readonly source: string;
  readonly label: Label;
  readonly group: string;
  /** Of the decoded pixels, where that is known. */
  readonly sha256?: string | undefined;
  /** Recipe output: 128 x 128 x 3 uint8, HWC. */
  readonly pixels: Uint8Array;
  /** Share of lesion in each of the 128 x 128 pixels, 0 to 255; null or absent where no mask is known. */
  readonly mask?: Uint8Array | null;
  /** Where the image was collected, if that is known. */
  readonly collection?: string | null | undefined;
  readonly subtype?: string | null | undefined;
  readonly view?: string | null | undefined;
  readonly sequence?: string | null | undefined;
  readonly scanner?: string | null | undefined;
  /** Names the study, else the patient. */
  readonly study?: string | null | undefined;
  /** Facts of the file, where they are known. */
  readonly header?: Header | undefined;
}

/** What classical models learn from, and see in images of which features are stored. */
export interface Learning {
  /** Images of the training split, and beside each what its features are stored under. */
  readonly images: readonly (PlainImage & FeatureKeys)[];
  readonly keys: Readonly<Record<"test" | "validation", readonly FeatureKeys[]>>;
  readonly stored: StoredFeatures;
}

/** The stored evaluation of a model, or undefined. */
export async function readEvaluation(reports: ReadableStore, model: string): Promise<Evaluation | undefined> {
  const name = `${evaluationPrefix(model)}evaluation.json`;
  if (!(await reports.stat(name))) return undefined;
  return (await readJson(reports, name)) as Evaluation;
}

/** What the change plan's rule compares of an evaluation. */
export const contender = ({ model, dataset, test, verdict }: Evaluation) => ({
  model,
  testSet: dataset,
  auc: test.auc.value,
  verdict,
});

/** What the summary of a workspace says of an evaluation. */
export function summaryOf({ verdict, test }: Evaluation) {
  const { n, threshold, accuracy, precision, recall, specificity, f1, auc, ece, tumours } = test;
  const metrics = { n, threshold, accuracy, precision, recall, specificity, f1, auc, ece };
  return { verdict, test: { ...metrics, ...(tumours ? { tumours } : {}) } };
}

/** Names the images that a model is evaluated on; their pixels are not needed for it. */
export function setsHash(sets: {
  readonly test: readonly Omit<EvaluationRow, "pixels" | "mask">[];
  readonly validation?: readonly Omit<EvaluationRow, "pixels" | "mask">[];
}): string {
  return datasetHash([sets.test.map(describe), (sets.validation ?? []).map(describe)]);
}

/** The stored evaluation of a model, if it is one of these images by this seed, with baselines on these features. */
export async function earlierEvaluation(
  reports: ReadableStore,
  model: string,
  dataset: string,
  seed: number,
  features: readonly string[] = [],
): Promise<Evaluation | undefined> {
  const earlier = await readEvaluation(reports, model);
  const isSame =
    earlier?.version === EVALUATION_VERSION &&
    earlier.dataset === dataset &&
    earlier.seed === seed &&
    earlier.features.join() === features.join();
  return isSame ? earlier : undefined;
}

/**
 * Evaluates a model on the untouched test split and writes `evaluation.json`, `predictions.csv`, `report.html` and
 * `plots/` below `evaluation/<model id>/` of the reports bucket. An evaluation of the same images by the same seed that
 * is there already is returned as it is.
 *
 * Every image counts, whatever the input guard says of it: that is reported beside.
 *
 * @param options.validation the split that calibrated the model, reported beside
 * @param options.learn the training split: baselines and probes are fitted to it, baselines on stored features and on the
 *   model's own
 */
export async function evaluateTestSplit(options: {
  readonly classifier: Classifier;
  readonly test: readonly EvaluationRow[];
  readonly validation?: readonly EvaluationRow[];
  readonly learn?: Learning;
  readonly reports: ReadableStore & ReplaceableStore;
  readonly seed: number;
  readonly notes?: readonly string[];
  /** Where the images come from, and what else the report says of its making. */
  readonly provenance: WriteInput["provenance"];
  /** How the model's training went, where that is known. */
  readonly training?: TrainingCurve | undefined;
  /** Stops it between two parts; nothing is stored then that is not whole. */
  readonly signal?: AbortSignal | undefined;
}): Promise<{ readonly evaluation: Evaluation; readonly skipped: boolean }> {
  const { classifier, reports, seed, learn, signal } = options;
  const { metadata } = classifier;
  const dataset = setsHash(options);
  const features = learn?.stored.ids ?? [];
  const earlier = await earlierEvaluation(reports, metadata.id, dataset, seed, features);
  if (earlier) return { evaluation: earlier, skipped: true };

  const pause = pausing(signal);
  const test = await scoreRows(classifier, options.test, pause);
  const validation = await scoreRows(classifier, options.validation ?? [], pause);
  const images = learn && (await withFeatures(classifier, learn, pause));
  const baselines = images
    ? await baselinesOf(metadata.id, { ...learn, images }, { test, validation }, seed, pause)
    : [];
  await pause();
  const scored = { metadata, dataset, test, validation, learn: images, seed, pause };
  const evaluation = await evaluateScored({ ...scored, baselines, features });
  await pause();
  await writeScans(reports, metadata.id, test);
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
      ...(learn
        ? [
            "Baselines see features that were computed before, are standardised and fitted on training images, and choose penalty and neighbours on validation images. The model's own features come from a network that learnt from the same training images and their labels; it has seen no test image.",
            ...learn.stored.notes,
          ]
        : []),
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
  sequence,
  scanner,
  study,
}: Omit<EvaluationRow, "pixels" | "mask">): Omit<ScoredImage, "probability"> {
  return {
    path: source,
    label,
    group,
    ...(collection ? { collection } : {}),
    ...(subtype ? { subtype } : {}),
    ...(view ? { view } : {}),
    ...(sequence ? { sequence } : {}),
    ...(scanner ? { scanner } : {}),
    ...(study ? { study } : {}),
  };
}

/** With what the model saw in it, as numbers. */
type Featured<T> = T & { readonly features: ArrayLike<number> };

/** Images that are answered between two looks whether to stop. */
const AT_ONCE = 256;

async function scoreRows(
  classifier: Classifier,
  rows: readonly EvaluationRow[],
  pause: Pause,
): Promise<Featured<ScoredImage>[]> {
  const scored: Featured<ScoredImage>[] = [];
  for (let at = 0; at < rows.length; at += AT_ONCE) {
    const some = rows.slice(at, at + AT_ONCE);
    const answers = await answersTo(
      classifier,
      some.map((row) => row.pixels),
      pause,
    );
    for (const [i, row] of some.entries()) {
      const { probability, features, map } = answers[i] as Answer;
      const refused = classifier.guard?.judge(row.pixels).refused;
      const lesion =
        row.label === "Cancer" && row.mask ? lesionOf({ pixels: row.pixels, mask: row.mask }, map) : undefined;
      const seen = { probability, features, plain: plainImage(row), refused, lesion };
      scored.push({ ...describe(row), sha256: row.sha256, ...seen });
    }
  }
  return scored;
}

async function answersTo(classifier: Classifier, pictures: readonly Uint8Array[], pause: Pause): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let at = 0; at < pictures.length; at += AT_ONCE) {
    await pause();
    answers.push(...(await classifier.answer(pictures.slice(at, at + AT_ONCE))));
  }
  return answers;
}

/** The training images with the model's own features: those that are stored, and for the others its answers. */
async function withFeatures(
  classifier: Classifier,
  { images, stored }: Learning,
  pause: Pause,
): Promise<Featured<Learning["images"][number]>[]> {
  const seen = await stored.of(classifier.metadata.id);
  const unseen = images.filter(({ sha256 }) => !seen.has(sha256));
  const pictures = unseen.map(({ grey }) => replicate(grey));
  const answers = await answersTo(classifier, pictures, pause);
  const found = new Map(unseen.map(({ sha256 }, i) => [sha256, (answers[i] as Answer).features]));
  return images.map((image) => ({ ...image, features: seen.get(image.sha256) ?? found.get(image.sha256) ?? [] }));
}

/** Rows for the model's own features, and for every set that is stored. */
async function baselinesOf(
  model: string,
  { images, keys, stored }: Learning & { readonly images: readonly Featured<unknown>[] },
  { test, validation }: Readonly<Record<"test" | "validation", readonly Featured<ScoredImage>[]>>,
  seed: number,
  pause: Pause,
): Promise<ClassicalResult[]> {
  const rows = (of: readonly Featured<unknown>[]) => of.map(({ features }) => Float64Array.from(features));
  const own: FeatureSet = {
    ...{ id: model, name: "Own features" },
    description: `${test[0]?.features.length ?? 0} features of this model, which learnt from the same training images.`,
    rows: { learn: rows(images), validation: rows(validation), test: rows(test) },
  };
  const labels = (of: readonly ScoredImage[]) => ({
    labels: of.map(({ label }) => (label === "Cancer" ? 1 : 0)),
    groups: of.map(({ group }) => group),
  });
  const learn = { labels: images.map(({ label }) => label), groups: images.map(({ group }) => group) };
  const splits = { learn, validation: labels(validation), test: labels(test) };
  const sets = [own, ...(await stored.sets({ learn: images, ...keys }))];
  const results: ClassicalResult[] = [];
  for (const set of sets) {
    await pause();
    results.push(...(await featureBaselines(set, splits, seed, pause)));
  }
  return results;
}

function plainImage({ label, group, pixels, header }: EvaluationRow): PlainImage {
  return { label: label === "Cancer" ? 1 : 0, group, grey: oneChannel(pixels), header };
}
