import { DISCLAIMER, type Label } from "../intake";
import {
  CALIBRATION_BINS,
  type Calibration,
  type CalibrationCheck,
  decisionOf,
  ece,
  labelOf,
  type ModelMetadata,
  type UncertainBand,
  uncalibrate,
  type Verdict,
  verdictOf,
} from "../model";
import { type Estimate, type Metric, NO_LABELLED_IMAGE } from "../platform/metric";
import { describeRule, type StudyChoice, type StudyRule } from "../study";
import { shareInterval, withIntervals } from "./bootstrap";
import type { ClassicalResult, PlainImage } from "./classical";
import {
  type CalibrationBin,
  type Confusion,
  confusionAt,
  curves,
  type MetricName,
  type PrecisionRecallPoint,
  type RocPoint,
  reliability,
  type Scores,
} from "./metrics";
import { type NeighbourReport, neighbourReport } from "./neighbours";
import { type OperatingPoint, operatingPoints } from "./operating-points";
import { type RiskPoint, riskCoverage } from "./risk-coverage";
import { auditShortcuts, type ShortcutAudit } from "./shortcuts";
import { answeredStudies, ruleOf } from "./studies";

/** One labelled image with the model's answer. */
export interface ScoredImage {
  /** What a person finds it by: the path below the data folder, or the object's name. */
  readonly path: string;
  readonly label: Label;
  /** Images of one patient, and near-duplicates, share it. */
  readonly group: string;
  /** Where it was collected; results are also given for each. */
  readonly collection?: string | undefined;
  /** Of the tumour; results are also given for each. */
  readonly subtype?: string | undefined;
  /** axial, coronal or sagittal; results are also given for each. */
  readonly view?: string | undefined;
  /** The study that it is of, else the patient; undefined where neither is known. */
  readonly study?: string | undefined;
  /** Of Cancer, calibrated. */
  readonly probability: number;
  /** What probes see; without it there are none. */
  readonly plain?: Pick<PlainImage, "grey" | "header"> | undefined;
  /** What the model saw in it, as numbers; without it neighbours are not looked for. */
  readonly features?: ArrayLike<number> | undefined;
  /** What the model's input guard says; undefined where it has none, or the image was refused before. */
  readonly refused?: boolean | undefined;
}

/** Metrics of one set of images at the model's threshold. */
export type Measured = {
  /** Labelled images. */
  readonly n: number;
  readonly groups: number;
  readonly cancer: number;
  readonly nonCancer: number;
  readonly threshold: number;
} & Readonly<Record<MetricName, Metric>>;

/** Grows when `evaluation.json` holds or the report shows something else, or more is stored beside: an earlier one is then made again. */
export const EVALUATION_VERSION = 10;

/** `evaluation.json`. */
export interface Evaluation {
  readonly version: number;
  /** Whether the model is fit for use, by `test`. */
  readonly verdict: Verdict;
  readonly model: string;
  readonly recipe: string;
  readonly seed: number;
  /** SHA-256 over the images that were measured: path, label, group. */
  readonly dataset: string;
  readonly synthetic: boolean;
  readonly disclaimer: string;
  /** How the 95 % intervals were made. */
  readonly intervals: string;
  /** With `tumours` where the model has an input guard. */
  readonly test: Measured & { readonly tumours?: GuardedTumours };
  /** The split that the model was calibrated on, where it is known. */
  readonly validation: Measured | null;
  /** The test images again, collection by collection, where there is more than one. */
  readonly collections: readonly ({ readonly name: string } & Measured)[];
  /** The same by tumour subtype and by view, where the manifest names more than one. */
  readonly subtypes: readonly ({ readonly name: string } & Measured)[];
  readonly views: readonly ({ readonly name: string } & Measured)[];
  readonly calibration: CalibrationReport;
  readonly operatingPoints: readonly OperatingPoint[];
  /** What is decided and what is referred; null for a model without a band. */
  readonly selective: SelectiveReport | null;
  /** Share of wrong calls among the images farthest from the threshold, by how many are decided. */
  readonly riskCoverage: readonly RiskPoint[];
  /** The input guard on these scans; null for a model without one. */
  readonly guard: GuardReport | null;
  /** Classical models on the same images; empty where there were no images to train them on. */
  readonly baselines: readonly ClassicalResult[];
  /** Ids of the stored features that baselines were fitted to: principal components, other networks. */
  readonly features: readonly string[];
  /** What the most similar training images say; null where there were none to compare with. */
  readonly neighbours: NeighbourReport | null;
  readonly shortcuts: ShortcutAudit | null;
  /** How whole studies are answered, or why not. */
  readonly study: StudyReport;
  readonly confusion: Confusion;
  readonly roc: readonly RocPoint[];
  readonly precisionRecall: readonly PrecisionRecallPoint[];
  readonly reliability: readonly CalibrationBin[];
  /** Files that got no probability, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Files with a probability but no label to compare with. */
  readonly unlabelled: number;
}

/** How whole studies are answered by a model, and how well: all of it over studies, and not over images. */
export type StudyReport =
  | {
      readonly rule: StudyRule;
      readonly sentence: string;
      readonly choice: StudyChoice;
      /** Studies of the test split; a study is Cancer where any of its images is. */
      readonly test: Measured;
      readonly verdict: Verdict;
    }
  /** Why they are not: a sentence. */
  | { readonly reason: string; readonly choice: StudyChoice | null };

/** Calibration error before and after temperature and offset, over 15 equally wide bins of the probability of Cancer. */
export interface CalibrationReport {
  readonly temperature: number;
  readonly offset: number;
  /** What spoke for these two, or against a calibration; null for a model from before this was asked. */
  readonly check: CalibrationCheck | null;
  readonly bins: number;
  readonly before: { readonly test: Estimate; readonly validation: Estimate | null };
  readonly after: { readonly test: Estimate; readonly validation: Estimate | null };
}

export interface SelectiveReport {
  readonly low: number;
  readonly high: number;
  /** Share of the images whose decision is Uncertain. */
  readonly referred: Metric;
  /** Accuracy on the images that are decided. */
  readonly accuracyKept: Metric;
  /** Of the Cancer images, shares called Cancer, called Non-Cancer and referred. */
  readonly cancer: { readonly found: Metric; readonly missed: Metric; readonly referred: Metric };
}

export interface GuardReport {
  /** Readable scans that the guard judged. */
  readonly scans: number;
  /** Share of them that it refuses: its false alarms, as far as these are brain scans. */
  readonly refused: Metric;
  /** Of the Cancer scans. */
  readonly refusedCancer: Metric;
}

/** What becomes of tumours where the guard has a say, which the sensitivity does not know of. */
export interface GuardedTumours {
  /** Cancer scans that the guard judged. */
  readonly scans: number;
  /** How many of them it refuses. */
  readonly refused: number;
  /** Share of them that is not refused and called Cancer at the threshold: a refused one counts as missed. */
  readonly found: Metric;
}

/** Points of a curve that are kept in `evaluation.json` and drawn. */
const CURVE_POINTS = 1000;

export function toScores(images: readonly ScoredImage[]): Scores {
  return {
    labels: Uint8Array.from(images, (image) => (image.label === "Cancer" ? 1 : 0)),
    probabilities: Float64Array.from(images, (image) => image.probability),
    groups: images.map((image) => image.group),
  };
}

export function measure(images: readonly ScoredImage[], threshold: number, seed: number): Measured {
  const scores = toScores(images);
  const cancer = scores.labels.reduce((sum, label) => sum + label, 0);
  return {
    n: images.length,
    groups: new Set(scores.groups).size,
    cancer,
    nonCancer: images.length - cancer,
    threshold,
    ...withIntervals(scores, threshold, { seed }),
  };
}

/** The one computation behind every evaluation: of a workspace's test split and of a folder. */
export async function evaluateScored(input: {
  readonly metadata: ModelMetadata;
  readonly dataset: string;
  readonly test: readonly ScoredImage[];
  readonly validation?: readonly ScoredImage[] | undefined;
  /** Images that probes are fitted to. */
  readonly learn?: readonly PlainImage[] | undefined;
  /** @default none */
  readonly baselines?: readonly ClassicalResult[];
  /** Ids of the stored features that they see. @default none */
  readonly features?: readonly string[];
  readonly seed: number;
  readonly rejected?: Readonly<Record<string, number>>;
  readonly unlabelled?: number;
  /** Verdicts of the guard on labelled scans, those that it refused included. Default: those of `test`. */
  readonly guarded?: readonly GuardedScan[];
}): Promise<Evaluation> {
  const { metadata, test, seed, learn } = input;
  const { threshold } = metadata;
  const scores = toScores(test);
  const validation = input.validation && input.validation.length > 0 ? input.validation : undefined;
  const { roc, precisionRecall } = curves(scores);
  const by = (key: "collection" | "subtype" | "view") => measureBy(test, key, threshold, seed);
  const plain = plainImages(test);
  const measured = measure(test, threshold, seed);
  const guarded = metadata.guard && (input.guarded ?? guardedOf(test, threshold));
  return {
    version: EVALUATION_VERSION,
    verdict: verdictOf(measured, metadata),
    model: metadata.id,
    recipe: metadata.recipe,
    seed,
    dataset: input.dataset,
    synthetic: metadata.synthetic,
    disclaimer: DISCLAIMER,
    intervals:
      "95 %: percentiles of 2,000 bootstrap resamples of groups; exact binomial over groups where a share or an AUC is 0 or 1",
    test: { ...measured, ...(guarded ? { tumours: guardedTumours(guarded, seed) } : {}) },
    validation: validation ? measure(validation, threshold, seed) : null,
    collections: by("collection"),
    subtypes: by("subtype"),
    views: by("view"),
    calibration: calibrationReport(metadata, scores, validation && toScores(validation)),
    operatingPoints: operatingPoints(scores, metadata, seed),
    selective: metadata.uncertain ? selectiveReport(scores, metadata.uncertain, threshold, seed) : null,
    riskCoverage: thin(riskCoverage(scores, threshold)),
    guard: guarded ? guardReport(guarded, seed) : null,
    baselines: input.baselines ?? [],
    features: input.features ?? [],
    neighbours: neighbourReport(
      {
        test,
        validation: validation ?? [],
        learnt: (learn ?? []).map(({ label, ...image }) => ({
          ...image,
          label: label === 1 ? "Cancer" : "Non-Cancer",
        })),
      },
      seed,
    ),
    shortcuts: plain
      ? await auditShortcuts(
          scores,
          plain,
          learn,
          seed,
          test.map(({ collection }) => collection ?? undefined),
        )
      : null,
    study: input.validation ? studyReport(metadata, { test, validation: input.validation }, seed) : NO_VALIDATION,
    confusion: confusionAt(scores, threshold),
    roc: thin(roc),
    precisionRecall: thin(precisionRecall),
    reliability: reliability(scores),
    rejected: input.rejected ?? {},
    unlabelled: input.unlabelled ?? 0,
  };
}

const NO_VALIDATION: StudyReport = {
  reason: "A folder has no validation split, and a rule for studies is chosen on nothing else.",
  choice: null,
};

/** Chooses the rule on validation studies and measures it on those of the test split. */
function studyReport(
  metadata: ModelMetadata,
  { test, validation }: Readonly<Record<"test" | "validation", readonly ScoredImage[]>>,
  seed: number,
): StudyReport {
  const chosen = ruleOf(validation);
  if ("reason" in chosen) return chosen;
  const { rule, choice } = chosen;
  const measured = measure(answeredStudies(rule, test), rule.threshold, seed);
  return { rule, sentence: describeRule(rule), choice, test: measured, verdict: verdictOf(measured, metadata) };
}

/** Rows by what the manifest says, where it says more than one thing. */
function measureBy(
  images: readonly ScoredImage[],
  key: "collection" | "subtype" | "view",
  threshold: number,
  seed: number,
): ({ readonly name: string } & Measured)[] {
  const names = [...new Set(images.map((image) => image[key]).filter((name) => name !== undefined))].sort();
  if (names.length < 2) return [];
  return names.map((name) => ({
    name,
    ...measure(
      images.filter((image) => image[key] === name),
      threshold,
      seed,
    ),
  }));
}

/** The images as probes see them; undefined where there are none or one of them lacks its pixels. */
function plainImages(images: readonly ScoredImage[]): PlainImage[] | undefined {
  const plain = images.flatMap((image) =>
    image.plain ? [{ ...image.plain, label: image.label === "Cancer" ? 1 : 0, group: image.group }] : [],
  );
  return plain.length > 0 && plain.length === images.length ? plain : undefined;
}

function calibrationReport(
  fitted: Calibration & Pick<ModelMetadata, "calibration">,
  test: Scores,
  validation: Scores | undefined,
): CalibrationReport {
  const uncalibrated = (scores: Scores) =>
    ece({ ...scores, probabilities: scores.probabilities.map((p) => uncalibrate(p, fitted)) });
  return {
    temperature: fitted.temperature ?? 1,
    offset: fitted.offset ?? 0,
    check: fitted.calibration ?? null,
    bins: CALIBRATION_BINS,
    before: { test: uncalibrated(test), validation: validation ? uncalibrated(validation) : null },
    after: { test: ece(test), validation: validation ? ece(validation) : null },
  };
}

function selectiveReport(
  scores: Scores,
  band: Pick<UncertainBand, "low" | "high">,
  threshold: number,
  seed: number,
): SelectiveReport {
  const { labels, probabilities, groups } = scores;
  const decisions = Array.from(probabilities, (p) => decisionOf(p, { threshold, uncertain: { ...UNKNOWN, ...band } }));
  const share = (of: (i: number) => boolean, holds: (i: number) => boolean, reason: string) => {
    const images = decisions.map((_, i) => i).filter(of);
    return shareInterval(
      images.map(holds),
      images.map((i) => groups[i] as string),
      { seed, reason },
    );
  };
  const ill = (i: number) => labels[i] === 1;
  const noImage = NO_LABELLED_IMAGE;
  const noCancer = "There is no Cancer image to measure on.";
  return {
    low: band.low,
    high: band.high,
    referred: share(
      () => true,
      (i) => decisions[i] === "Uncertain",
      noImage,
    ),
    accuracyKept: share(
      (i) => decisions[i] !== "Uncertain",
      (i) => decisions[i] === (ill(i) ? "Cancer" : "Non-Cancer"),
      "Every image is referred.",
    ),
    cancer: {
      found: share(ill, (i) => decisions[i] === "Cancer", noCancer),
      missed: share(ill, (i) => decisions[i] === "Non-Cancer", noCancer),
      referred: share(ill, (i) => decisions[i] === "Uncertain", noCancer),
    },
  };
}

/** Stands in where only the ends of a band matter. */
const UNKNOWN = { validation: { images: 0, referred: 0, kept: 0, all: 0 } };

/** One scan that a guard judged. */
export interface GuardedScan {
  readonly cancer: boolean;
  readonly group: string;
  readonly refused: boolean;
  /** Whether the model, where it was asked, calls it Cancer. */
  readonly called: boolean;
}

const guardedOf = (images: readonly ScoredImage[], threshold: number): GuardedScan[] =>
  images.flatMap(({ refused, ...image }) => (refused === undefined ? [] : [guardedScan(image, refused, threshold)]));

/** What a guard's verdict on a labelled image with an answer means. */
export function guardedScan(
  { label, group, probability }: Pick<ScoredImage, "label" | "group" | "probability">,
  refused: boolean,
  threshold: number,
): GuardedScan {
  return { cancer: label === "Cancer", group, refused, called: labelOf(probability, threshold) === "Cancer" };
}

function guardReport(scans: readonly GuardedScan[], seed: number): GuardReport {
  const reason = "The guard judged no labelled scan.";
  return {
    scans: scans.length,
    refused: shareOf(scans, isRefused, { seed, reason }),
    refusedCancer: shareOf(scans.filter(isCancer), isRefused, { seed, reason: NO_TUMOUR }),
  };
}

function guardedTumours(scans: readonly GuardedScan[], seed: number): GuardedTumours {
  const tumours = scans.filter(isCancer);
  return {
    scans: tumours.length,
    refused: tumours.filter(isRefused).length,
    found: shareOf(tumours, ({ called, refused }) => called && !refused, { seed, reason: NO_TUMOUR }),
  };
}

const NO_TUMOUR = "The guard judged no Cancer scan.";
const isRefused = ({ refused }: GuardedScan) => refused;
const isCancer = ({ cancer }: GuardedScan) => cancer;

function shareOf(
  scans: readonly GuardedScan[],
  holds: (scan: GuardedScan) => boolean,
  options: { readonly seed: number; readonly reason: string },
): Metric {
  return shareInterval(
    scans.map(holds),
    scans.map(({ group }) => group),
    options,
  );
}

/** Evenly spaced points, with the first and the last. */
function thin<T>(points: readonly T[]): readonly T[] {
  if (points.length <= CURVE_POINTS) return points;
  return Array.from(
    { length: CURVE_POINTS },
    (_, i) => points[Math.round((i * (points.length - 1)) / (CURVE_POINTS - 1))] as T,
  );
}
