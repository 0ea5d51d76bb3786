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
import { type Lesion, type LesionReport, lesionReport, type OutlinedImage } from "./lesions";
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
import { type Pause, unheard } from "./pause";
import { type Quota, type RiskPoint, referQuota, riskCoverage } from "./risk-coverage";
import { auditShortcuts, type ShortcutAudit } from "./shortcuts";
import { answeredStudies, ruleOf } from "./studies";

/** One labelled image with the model's answer. */
export interface ScoredImage {
  /** What a person finds it by: the path below the data folder, or the object's name. */
  readonly path: string;
  readonly label: Label;
  /** Images of one patient, and near-duplicates, share it. */
  readonly group: string;
  /** Of the decoded pixels, where that is known. */
  readonly sha256?: string | undefined;
  /** Where it was collected; results are also given for each. */
  readonly collection?: string | undefined;
  /** Of the tumour; results are also given for each. */
  readonly subtype?: string | undefined;
  /** axial, coronal or sagittal; results are also given for each. */
  readonly view?: string | undefined;
  /** How it was scanned, such as FLAIR, and by what; results are also given for each. */
  readonly sequence?: string | undefined;
  readonly scanner?: string | undefined;
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
  /** Its lesion, where somebody outlined it, and where the model points. */
  readonly lesion?: Lesion | undefined;
}

/** What images are told apart by beside their label, each with rows of its own. */
export const PARTS = ["collection", "subtype", "view", "sequence", "scanner"] as const;
type PartKey = (typeof PARTS)[number];
type PartNames = { readonly [K in PartKey]?: string | undefined };

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
export const EVALUATION_VERSION = 11;

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
  /** The sensitivity that stands first, everywhere: what the guard refuses counts as missed. */
  readonly headline: Headline;
  /** Metrics of what was answered, whatever the guard says. With `tumours` where the model has an input guard. */
  readonly test: Measured & { readonly tumours?: GuardedTumours };
  /** The split that the model was calibrated on, where it is known. */
  readonly validation: Measured | null;
  /** The test images again, collection by collection, where there is more than one. */
  readonly collections: readonly Part[];
  /** The same by tumour subtype, view, sequence and scanner, where manifest or header names more than one. */
  readonly subtypes: readonly Part[];
  readonly views: readonly Part[];
  readonly sequences: readonly Part[];
  readonly scanners: readonly Part[];
  /** By size of the lesion: what is found, and whether the maps point; null where no Cancer image has an outline. */
  readonly lesions: LesionReport | null;
  readonly calibration: CalibrationReport;
  readonly operatingPoints: readonly OperatingPoint[];
  /** What is decided and what is referred; null for a model without a band. */
  readonly selective: SelectiveReport | null;
  /** Share of wrong calls among the images farthest from the threshold, by how many are decided. */
  readonly riskCoverage: readonly RiskPoint[];
  /** What is decided where just a share of these images is referred. */
  readonly quota: Quota;
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
      /** Calibration error over the studies of the test split, before and after the rule's own temperature and offset. */
      readonly calibration: { readonly before: Estimate; readonly after: Estimate };
      /** Of the studies' answers, by the same rules as the model's. */
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

/** What stands first of an evaluation. */
export interface Headline {
  /** Share of the tumours that is called Cancer, where one that the guard refuses counts as missed. */
  readonly sensitivity: Metric;
  /** The same with the guard left aside, of tumours that have an answer: `test.recall`. */
  readonly withoutGuard: Metric;
  readonly tumours: number;
  /** Of them. */
  readonly refused: number;
}

/** The test images of one collection, subtype, view, sequence or scanner. */
export type Part = { readonly name: string } & Measured & {
    readonly headline: Headline;
    /** Null for a model without a guard. */
    readonly guard: GuardReport | null;
    /** Null for a model without a band. */
    readonly referral: Pick<SelectiveReport, "referred" | "accuracyKept"> | null;
    readonly quota: Quota;
  };

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
  /** Awaited between its parts. */
  readonly pause?: Pause;
}): Promise<Evaluation> {
  const { metadata, test, seed, learn, pause = unheard } = input;
  const { threshold } = metadata;
  const scores = toScores(test);
  const validation = input.validation && input.validation.length > 0 ? input.validation : undefined;
  const { roc, precisionRecall } = curves(scores);
  const plain = plainImages(test);
  const measured = measure(test, threshold, seed);
  const guarded = metadata.guard && (input.guarded ?? guardedOf(test, threshold));
  await pause();
  const by = (key: PartKey) => partsBy(key, { test, guarded, metadata, seed, pause });
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
    headline: headlineOf(measured, guarded, seed),
    test: { ...measured, ...(guarded ? { tumours: guardedTumours(guarded, seed) } : {}) },
    validation: validation ? measure(validation, threshold, seed) : null,
    collections: await by("collection"),
    subtypes: await by("subtype"),
    views: await by("view"),
    sequences: await by("sequence"),
    scanners: await by("scanner"),
    lesions: lesionReport(outlinedImages(test, guarded ?? [], threshold), seed),
    calibration: calibrationReport(metadata, scores, validation && toScores(validation)),
    operatingPoints: operatingPoints(scores, metadata, seed),
    selective: metadata.uncertain ? selectiveReport(scores, metadata.uncertain, threshold, seed) : null,
    riskCoverage: thin(riskCoverage(scores, threshold)),
    quota: referQuota(scores, threshold, seed),
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
          pause,
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
  const asIs = answeredStudies({ ...rule, temperature: 1, offset: 0 }, test);
  return {
    ...{ rule, sentence: describeRule(rule), choice, test: measured },
    calibration: { before: ece(toScores(asIs)), after: ece(toScores(answeredStudies(rule, test))) },
    verdict: verdictOf(measured, metadata),
  };
}

/** Rows by what manifest or header says, where it says more than one thing. */
async function partsBy(
  key: PartKey,
  {
    test,
    guarded = [],
    metadata,
    seed,
    pause,
  }: {
    readonly test: readonly ScoredImage[];
    readonly guarded: readonly GuardedScan[] | undefined;
    readonly metadata: ModelMetadata;
    readonly seed: number;
    readonly pause: Pause;
  },
): Promise<Part[]> {
  const { threshold, uncertain } = metadata;
  // Of a collection of which all is refused no image is measured, and it must not vanish.
  const names = [...new Set([...test, ...guarded].map((image) => image[key]).filter((name) => name !== undefined))];
  if (names.length < 2) return [];
  const parts: Part[] = [];
  for (const name of names.sort()) {
    await pause();
    const images = test.filter((image) => image[key] === name);
    const judged = metadata.guard && guarded.filter((scan) => scan[key] === name);
    const measured = measure(images, threshold, seed);
    const scores = toScores(images);
    const selective = uncertain && selectiveReport(scores, uncertain, threshold, seed);
    parts.push({
      name,
      ...measured,
      headline: headlineOf(measured, judged, seed),
      guard: judged ? guardReport(judged, seed) : null,
      referral: selective ? { referred: selective.referred, accuracyKept: selective.accuracyKept } : null,
      quota: referQuota(scores, threshold, seed),
    });
  }
  return parts;
}

/** @param guarded undefined where the model has no guard */
function headlineOf(measured: Measured, guarded: readonly GuardedScan[] | undefined, seed: number): Headline {
  if (!guarded)
    return { sensitivity: measured.recall, withoutGuard: measured.recall, tumours: measured.cancer, refused: 0 };
  const { found, scans, refused } = guardedTumours(guarded, seed);
  return { sensitivity: found, withoutGuard: measured.recall, tumours: scans, refused };
}

/** Cancer images with an outlined lesion, those that were refused without an answer included. */
function outlinedImages(
  test: readonly ScoredImage[],
  guarded: readonly GuardedScan[],
  threshold: number,
): OutlinedImage[] {
  const answered = test.flatMap(({ label, group, probability, lesion, refused = false }): OutlinedImage[] =>
    label === "Cancer" && lesion
      ? [{ group, lesion, refused, found: !refused && labelOf(probability, threshold) === "Cancer" }]
      : [],
  );
  const unanswered = guarded.flatMap(({ cancer, group, lesionArea, refused }): OutlinedImage[] =>
    cancer && refused && lesionArea !== undefined
      ? [{ group, lesion: { area: lesionArea }, refused, found: false }]
      : [],
  );
  return [...answered, ...unanswered];
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
export interface GuardedScan extends PartNames {
  readonly cancer: boolean;
  readonly group: string;
  readonly refused: boolean;
  /** Whether the model, where it was asked, calls it Cancer. */
  readonly called: boolean;
  /** Of a Cancer scan that got no answer, where its lesion is outlined: share of the recipe's square. */
  readonly lesionArea?: number | undefined;
}

const guardedOf = (images: readonly ScoredImage[], threshold: number): GuardedScan[] =>
  images.flatMap(({ refused, ...image }) => (refused === undefined ? [] : [guardedScan(image, refused, threshold)]));

/** What a guard's verdict on a labelled image with an answer means. */
export function guardedScan(
  { label, probability, ...image }: Pick<ScoredImage, "label" | "group" | "probability"> & PartNames,
  refused: boolean,
  threshold: number,
): GuardedScan {
  const called = labelOf(probability, threshold) === "Cancer";
  return { cancer: label === "Cancer", group: image.group, refused, called, ...partNames(image) };
}

/** What an image is told apart by. */
export const partNames = (image: PartNames): PartNames =>
  Object.fromEntries(PARTS.flatMap((key) => (image[key] === undefined ? [] : [[key, image[key]]])));

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
