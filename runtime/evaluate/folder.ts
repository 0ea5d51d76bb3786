import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { assignGroups } from "../dataset";
import { type MaskFinder, maskFinder } from "../explain";
import { applyRecipe, applyRecipeToMask, decodeScan, type Geometry, oneChannel, perceptualHash } from "../imaging";
import {
  type FolderNames,
  headerOfFile,
  type Input,
  type InputFile,
  labelNotes,
  type ManifestEntry,
  openInput,
  patientsKnown,
  scannerOf,
} from "../intake";
import { type Classifier, loadClassifier, modelFilesInDirectory, readTrainingCurve, scoreFolder } from "../model";
import { type Progress, silentProgress } from "../platform/progress";
import {
  type Evaluation,
  evaluateScored,
  type GuardedScan,
  guardedScan,
  partNames,
  type ScoredImage,
} from "./evaluation";
import { lesionOf } from "./lesions";
import { datasetHash, directoryDestination, type Picture, type PredictionLine, writeOutputs } from "./outputs";
import { pausing } from "./pause";
import { PLOTS } from "./plots";

export interface EvaluateFolderOptions {
  /** Directory of the model. */
  readonly model: string;
  /** Directory with `Cancer/`, `Non-Cancer/` and `Unlabelled/`. */
  readonly data: string;
  /** What its folders stand for; default: label folders in any case. */
  readonly names?: FolderNames;
  /** Directory for the results. */
  readonly out: string;
  readonly seed: number;
  /** Written into the report. Default: now. */
  readonly at?: Date;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

export interface FolderEvaluation {
  readonly evaluation: Evaluation;
  /** Files that got a probability. */
  readonly scored: number;
  readonly rejected: number;
  /** Whether the model learnt from drawn phantoms alone. */
  readonly synthetic: boolean;
  /** Sentences for the person who asked. */
  readonly notes: readonly string[];
}

/**
 * Evaluates a model on a folder that it has never seen: writes `evaluation.json`, `predictions.csv` (one row a file),
 * `report.html` and `plots/`. A file that cannot be used is a row with its reason and stops nothing.
 *
 * @throws {ConfigurationError} if the folder or its manifest cannot be used
 * @throws {UnusableModelError} if the model cannot be used
 */
export async function evaluateFolder(options: EvaluateFolderOptions): Promise<FolderEvaluation> {
  const input = await openInput(options.data, options.names);
  const classifier = await loadClassifier(options.model);
  try {
    return await evaluateFiles(classifier, input, options);
  } finally {
    await classifier.dispose();
  }
}

interface Candidate extends Omit<ScoredImage, "group" | "label"> {
  readonly label: ScoredImage["label"] | undefined;
  readonly sha256: string;
  readonly phash: string;
  readonly belongs: Belonging;
}

/** What tells whose a scan is: as it stands in manifest or header, and nowhere but in memory. */
interface Belonging {
  readonly patient: string | null;
  readonly study: string | null;
  readonly series: string | null;
}

/** Manifest before header, as ingest has it. */
async function belongingOf(file: InputFile, entry: ManifestEntry | undefined) {
  const header = (await headerOfFile(file))?.header;
  const belongs: Belonging = {
    patient: entry?.patientId ?? header?.patientId ?? null,
    study: header?.studyUid ?? null,
    series: header?.seriesUid ?? null,
  };
  return { belongs, header };
}

const kinOf = ({ patient, study, series }: Belonging): string[] =>
  Object.entries({ patient, study, series }).flatMap(([of, value]) => (value === null ? [] : [`${of} ${value}`]));

async function evaluateFiles(
  classifier: Classifier,
  input: Input,
  { model, data, out, seed, at, signal, progress = silentProgress }: EvaluateFolderOptions,
): Promise<FolderEvaluation> {
  const { folder, manifest } = input;
  const notes = labelNotes(input);
  const lines: PredictionLine[] = [];
  const candidates: Candidate[] = [];
  const shown = new Map<string, ShownPage>();
  const rejected: Record<string, number> = {};
  const refused: (Pick<GuardedScan, "lesionArea"> & {
    readonly label: ScoredImage["label"];
    readonly path: string;
    readonly belongs: Belonging;
    readonly parts: ReturnType<typeof partNames>;
  })[] = [];
  const masks = maskFinder(input);
  let rejectedPages = 0;

  progress.start(folder.files.filter(({ input }) => input.kind === "scan" || input.kind === "stray").length);
  for await (const result of scoreFolder(classifier, folder.files, signal)) {
    const { name: path, object } = result.file;
    const entry = manifest.get(object);
    progress.advance();
    const { belongs, header } = await belongingOf(result.file, entry);
    const parts = {
      ...{ collection: entry?.source, subtype: entry?.subtype },
      ...{ sequence: header?.sequence, scanner: header && scannerOf(header) },
    };
    if ("rejected" in result) {
      const { code } = result.rejected;
      rejected[code] = (rejected[code] ?? 0) + 1;
      lines.push({ path, label: result.label ?? "", probability: null, reason: code });
      if (code === "not-a-brain-scan" && result.label) {
        const lesionArea = result.label === "Cancer" ? await lesionAreaOf(result.file, masks) : undefined;
        const view = entry?.view ?? header?.frameViews?.[0] ?? header?.view;
        refused.push({ label: result.label, path, belongs, lesionArea, parts: partNames({ ...parts, view }) });
      }
      continue;
    }
    const { scored, label } = result;
    rejectedPages += scored.rejectedPages.length;
    lines.push({ path, label: label ?? "", probability: scored.probability, reason: "" });
    shown.set(path, { file: result.file, page: scored.page });
    const { width, height } = scored.image;
    const outline = label === "Cancer" ? await masks(result.file, width, height) : undefined;
    candidates.push({
      path,
      label,
      probability: scored.probability,
      sha256: scored.sha256,
      phash: perceptualHash(scored.image),
      belongs,
      ...parts,
      lesion:
        outline &&
        lesionOf(
          { pixels: scored.pixels, mask: maskInSquare(outline, width, height, scored.geometry) },
          scored.map,
          scored.geometry,
        ),
      view: entry?.view ?? header?.frameViews?.[scored.page - 1] ?? header?.view,
      plain: {
        grey: oneChannel(scored.pixels),
        header: {
          width: scored.image.width,
          height: scored.image.height,
          bytes: result.file.size,
          format: scored.format,
        },
      },
    });
  }
  progress.finish();
  if (rejectedPages > 0)
    notes.push(`${rejectedPages} pages of multi-page files could not be used; their other pages were.`);

  const known = candidates.filter(({ belongs }) => belongs.patient !== null).length;
  if (candidates.length > 0) notes.push(patientsKnown(known, candidates.length));

  const labelled = candidates.filter((image): image is Candidate & { label: ScoredImage["label"] } => !!image.label);
  const { assignments } = assignGroups(
    labelled.map(({ path, sha256, phash, belongs }) => ({
      id: path,
      sha256,
      phash,
      compared: false,
      ...belongs,
      givenSplit: null,
      group: null,
      split: null,
    })),
  );
  const test: ScoredImage[] = labelled.map(({ sha256: _, phash: __, belongs: ___, ...image }) => ({
    ...image,
    group: assignments.get(image.path)?.group ?? image.path,
  }));
  // A refused scan stands with its patient's other ones, which have a group by now.
  const groupOf = new Map(
    labelled.flatMap(({ path, belongs }) =>
      kinOf(belongs).map((kin) => [kin, assignments.get(path)?.group ?? path] as const),
    ),
  );
  const guarded: GuardedScan[] = [
    ...refused.map(({ label, path, belongs, lesionArea, parts }) => {
      const kin = kinOf(belongs);
      const group = kin.map((one) => groupOf.get(one)).find((known) => known !== undefined) ?? kin[0] ?? path;
      return { cancer: label === "Cancer", group, refused: true, called: false, lesionArea, ...parts };
    }),
    ...test.map((image) => guardedScan(image, false, classifier.metadata.threshold)),
  ];
  const evaluation = await evaluateScored({
    metadata: classifier.metadata,
    dataset: datasetHash([test]),
    test,
    seed,
    rejected,
    unlabelled: candidates.length - labelled.length,
    guarded,
    pause: pausing(signal),
  });
  await removeEarlier(out);
  await writeOutputs({
    destination: directoryDestination(out),
    classifier,
    evaluation,
    test,
    lines,
    subject: "a folder of labelled images",
    notes: [
      "Calibration and threshold are the model's own: they come from its validation split, not from this folder.",
      "Images of this folder that were also used to train the model make these numbers worthless; nothing here can tell.",
      "Groups are slices of one patient (where manifest.csv names patients) and near-duplicates within this folder.",
      ...notes,
    ],
    seed,
    provenance: { data, ...(at ? { at } : {}) },
    training: await readTrainingCurve(modelFilesInDirectory(model)),
    pictureOf: (path) => pictureOf(shown.get(path), masks),
  });
  const rejectedFiles = Object.values(rejected).reduce((sum, count) => sum + count, 0);
  const { synthetic } = classifier.metadata;
  return { evaluation, scored: candidates.length, rejected: rejectedFiles, synthetic, notes };
}

/** Takes away what an earlier evaluation into this folder wrote and this one may not: not every folder gives every plot. */
async function removeEarlier(out: string): Promise<void> {
  const plots = PLOTS.flatMap((name) => [`plots/${name}.svg`, `plots/${name}.png`]);
  // The file that says that all others are there goes first.
  for (const name of ["evaluation.json", ...plots]) await rm(join(out, name), { force: true });
}

/** The page of a file that its probability is of. */
interface ShownPage {
  readonly file: InputFile;
  /** From 1. */
  readonly page: number;
}

async function pictureOf(shown: ShownPage | undefined, masks: MaskFinder): Promise<Picture | undefined> {
  if (!shown) return undefined;
  for await (const decoded of decodeScan(await readFile(shown.file.path))) {
    if (!("image" in decoded) || decoded.page !== shown.page) continue;
    const { image } = decoded;
    const { width, height } = image;
    const { pixels, geometry } = applyRecipe(image);
    const lesion = await masks(shown.file, width, height);
    return { pixels, mask: lesion ? maskInSquare(lesion, width, height, geometry) : null };
  }
  return undefined;
}

/** @param lesion 1 inside @returns share of lesion in each pixel of the recipe's square, 0 to 255 */
function maskInSquare(lesion: Uint8Array, width: number, height: number, geometry: Geometry): Uint8Array {
  const pixels = lesion.map((set) => 255 * set);
  return applyRecipeToMask({ width, height, depth: 8, pixels }, geometry);
}

/** Of a scan that got no answer: share of the recipe's square that its outlined lesion takes; undefined without outline. */
async function lesionAreaOf(file: InputFile, masks: MaskFinder): Promise<number | undefined> {
  const mask = (await pictureOf({ file, page: 1 }, masks))?.mask;
  const area = mask ? mask.reduce((sum, share) => sum + share, 0) / (255 * mask.length) : 0;
  return area > 0 ? area : undefined;
}
