import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { explanationOf, renderOverlay } from "../explain";
import { type Geometry, oneChannel, RECIPE } from "../imaging";
import { type Classifier, decisionOf, labelOf } from "../model";
import { pathCell, toCsv } from "../platform/csv";
import { onDisk, writeWhole } from "../platform/disk";
import { uniform } from "../platform/random";
import { sourceCommit } from "../platform/source-commit";
import type { ReplaceableStore } from "../platform/stores";
import type { TrainingCurve } from "../platform/training-curve";
import { outlineOf, type Provenance, svgToPng } from "../report";
import type { Evaluation, ScoredImage } from "./evaluation";
import { renderModelCard } from "./model-card";
import { drawPlots } from "./plots";
import { type ReportErrors, type ReportPicture, type ReportScan, renderReport } from "./report";

/** Where results go. */
export interface Destination {
  write(name: string, content: Buffer | string, contentType: string): Promise<void>;
}

export function directoryDestination(directory: string): Destination {
  return {
    async write(name, content) {
      const path = join(directory, name);
      await onDisk(path, () => mkdir(dirname(path), { recursive: true }));
      await writeWhole(path, content);
    },
  };
}

export function storeDestination(store: ReplaceableStore, prefix: string): Destination {
  return {
    async write(name, content, contentType) {
      await store.write(`${prefix}${name}`, content, { contentType });
    },
  };
}

/** A row of `predictions.csv`. */
export interface PredictionLine {
  readonly path: string;
  readonly label: string;
  /** Null where the file was rejected. */
  readonly probability: number | null;
  /** Code of why the file was rejected; empty where it was not. */
  readonly reason: string;
}

export function predictionsCsv(lines: readonly PredictionLine[], classifier: Classifier): string {
  const { metadata } = classifier;
  return toCsv([
    ["path", "label", "probability", "decision", "model", "recipe", "reason"],
    ...lines.map(({ path, label, probability, reason }) => [
      pathCell(path),
      label,
      // Nine digits tell any two float32 values apart.
      probability === null ? "" : Number(probability.toPrecision(9)),
      probability === null ? "Rejected" : decisionOf(probability, metadata),
      metadata.id,
      metadata.recipe,
      reason,
    ]),
  ]);
}

/** Pictures of each kind in the report, and rows of each kind of error: a thousand errors say no more than the worst. */
const PICTURES = 12;
const ERROR_ROWS = 100;

/** What the report shows of an image. */
export interface Picture {
  /** The recipe's 128 x 128 x 3. */
  readonly pixels: Uint8Array;
  /** Share of lesion in each of the 128 x 128, 0 to 255; null where no mask is known. */
  readonly mask: Uint8Array | null;
}

export interface WriteInput {
  readonly destination: Destination;
  readonly classifier: Classifier;
  readonly evaluation: Evaluation;
  readonly test: readonly ScoredImage[];
  readonly lines: readonly PredictionLine[];
  readonly subject: string;
  readonly notes: readonly string[];
  readonly seed: number;
  /** Of which the date is that of now, and the commit that of this program, unless they are given. */
  readonly provenance: Pick<Provenance, "data"> & Partial<Provenance>;
  /** How the model's training went, where that is known. */
  readonly training: TrainingCurve | undefined;
  /** The image of a path; undefined if it cannot be read any more. */
  readonly pictureOf: (path: string) => Promise<Picture | undefined>;
}

/** Writes predictions, plots, report, model card and, when all else is there, `evaluation.json`. */
export async function writeOutputs(input: WriteInput): Promise<void> {
  const { destination, classifier, evaluation, test } = input;
  await destination.write("predictions.csv", predictionsCsv(input.lines, classifier), "text/csv; charset=utf-8");
  const plots = await drawPlots(evaluation, test, input.training);
  for (const [name, { file }] of plots) {
    await destination.write(`plots/${name}.svg`, file, "image/svg+xml");
    await destination.write(`plots/${name}.png`, await svgToPng(file), "image/png");
  }
  const scans = reportScans(input);
  const report = renderReport({
    evaluation,
    metadata: classifier.metadata,
    subject: input.subject,
    provenance: { at: new Date(), commit: await sourceCommit(), ...input.provenance },
    plots,
    misses: await errorsOf("Cancer", scans, input),
    falseAlarms: await errorsOf("Non-Cancer", scans, input),
    explanations: await pictures(sample(scans, input.seed), input, "map"),
    notes: input.notes,
  });
  await destination.write("report.html", report, "text/html; charset=utf-8");
  const card = renderModelCard(classifier.metadata, evaluation, input.subject);
  await destination.write("model-card.md", card, "text/markdown; charset=utf-8");
  await destination.write("evaluation.json", `${JSON.stringify(evaluation, null, 2)}\n`, "application/json");
}

/** The images with what was decided on them, and where they stand in `predictions.csv`. */
function reportScans({ test, lines, classifier }: WriteInput): ReportScan[] {
  // The first row is the head, and spreadsheets count from 1.
  const rows = new Map(lines.map(({ path }, i) => [path, i + 2]));
  return test.map(({ path, label, probability }) => {
    const decision = decisionOf(probability, classifier.metadata);
    return { path, label, probability, decision, row: rows.get(path) ?? 0 };
  });
}

async function pictures(
  scans: readonly ReportScan[],
  { pictureOf, classifier }: WriteInput,
  kind: ReportPicture["kind"],
): Promise<ReportPicture[]> {
  const drawn: ReportPicture[] = [];
  for (const scan of scans) {
    const picture = await pictureOf(scan.path);
    if (!picture) continue;
    const { pixels, mask } = picture;
    const png = kind === "map" ? await explained(pixels, classifier) : await thumbnail(pixels);
    // A pixel that is lesion by half lies within the outline.
    const lesion = mask
      ? outlineOf(
          mask.map((share) => (share >= 128 ? 1 : 0)),
          RECIPE.side,
          RECIPE.side,
        )
      : undefined;
    drawn.push({ ...scan, kind, png, lesion });
  }
  return drawn;
}

/** Images of one label that are called the other, the farthest from the threshold first. */
async function errorsOf(
  label: ScoredImage["label"],
  scans: readonly ReportScan[],
  input: WriteInput,
): Promise<ReportErrors> {
  const { threshold } = input.evaluation.test;
  const wrong = scans
    .filter((scan) => scan.label === label && labelOf(scan.probability, threshold) !== label)
    .sort((a, b) => Math.abs(b.probability - threshold) - Math.abs(a.probability - threshold));
  return {
    total: wrong.length,
    scans: wrong.slice(0, ERROR_ROWS),
    pictures: await pictures(wrong.slice(0, PICTURES), input, "scan"),
  };
}

/** Half Cancer, half Non-Cancer, drawn by the seed. */
function sample(images: readonly ReportScan[], seed: number): ReportScan[] {
  const random = uniform(seed);
  return (["Cancer", "Non-Cancer"] as const).flatMap((label) => {
    const left = images.filter((image) => image.label === label);
    return Array.from({ length: Math.min(PICTURES / 2, left.length) }, () => {
      const [drawn] = left.splice(Math.floor(random() * left.length), 1);
      return drawn as ReportScan;
    });
  });
}

const SQUARE: Geometry = {
  left: 0,
  top: 0,
  width: RECIPE.side,
  height: RECIPE.side,
  scale: 1,
  padLeft: 0,
  padTop: 0,
};

function thumbnail(pixels: Uint8Array): Promise<Buffer> {
  return sharp(oneChannel(pixels), { raw: { width: RECIPE.side, height: RECIPE.side, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toBuffer();
}

async function explained(pixels: Uint8Array, classifier: Classifier): Promise<Buffer> {
  const image = { width: RECIPE.side, height: RECIPE.side, depth: 8 as const, pixels: oneChannel(pixels) };
  const [answer] = await classifier.answer([pixels]);
  if (!answer) throw new Error(`Model ${classifier.metadata.id} gave no answer.`);
  return renderOverlay(image, SQUARE, explanationOf(answer.map));
}

/** Names a set of labelled images: whoever evaluates the same set again can tell. */
export function datasetHash(sets: readonly (readonly Omit<ScoredImage, "probability">[])[]): string {
  const hash = createHash("sha256");
  for (const images of sets) {
    const lines = images.map(({ path, label, group, collection }) => JSON.stringify([path, label, group, collection]));
    for (const line of lines.sort()) hash.update(line).update("\n");
    hash.update("\n");
  }
  return hash.digest("hex");
}
