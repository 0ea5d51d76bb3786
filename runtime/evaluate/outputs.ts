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
import type { ObjectStore } from "../platform/stores";
import type { Evaluation, ScoredImage } from "./evaluation";
import { renderModelCard } from "./model-card";
import { drawPlots, svgToPng } from "./plots";
import { type ReportPicture, renderReport } from "./report";

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

export function storeDestination(store: ObjectStore, prefix: string): Destination {
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

const PICTURES = 12;

export interface WriteInput {
  readonly destination: Destination;
  readonly classifier: Classifier;
  readonly evaluation: Evaluation;
  readonly test: readonly ScoredImage[];
  readonly lines: readonly PredictionLine[];
  readonly subject: string;
  readonly notes: readonly string[];
  readonly seed: number;
  /** The recipe's 128 x 128 x 3 pixels of an image, by its path; undefined if it cannot be read any more. */
  readonly pixelsOf: (path: string) => Promise<Uint8Array | undefined>;
}

/** Writes predictions, plots, report, model card and, when all else is there, `evaluation.json`. */
export async function writeOutputs(input: WriteInput): Promise<void> {
  const { destination, classifier, evaluation, test } = input;
  await destination.write("predictions.csv", predictionsCsv(input.lines, classifier), "text/csv; charset=utf-8");
  const plots = await drawPlots(evaluation, test);
  for (const [name, svg] of plots) {
    await destination.write(`plots/${name}.svg`, svg, "image/svg+xml");
    await destination.write(`plots/${name}.png`, await svgToPng(svg), "image/png");
  }
  const report = renderReport({
    evaluation,
    metadata: classifier.metadata,
    subject: input.subject,
    plots,
    misses: await pictures(worst(test, "Cancer", evaluation.test.threshold), input, thumbnail),
    falseAlarms: await pictures(worst(test, "Non-Cancer", evaluation.test.threshold), input, thumbnail),
    explanations: await pictures(sample(test, input.seed), input, (pixels) => explained(pixels, classifier)),
    notes: input.notes,
  });
  await destination.write("report.html", report, "text/html; charset=utf-8");
  const card = renderModelCard(classifier.metadata, evaluation, input.subject);
  await destination.write("model-card.md", card, "text/markdown; charset=utf-8");
  await destination.write("evaluation.json", `${JSON.stringify(evaluation, null, 2)}\n`, "application/json");
}

async function pictures(
  images: readonly ScoredImage[],
  { pixelsOf }: WriteInput,
  draw: (pixels: Uint8Array) => Promise<Buffer>,
): Promise<ReportPicture[]> {
  const drawn: ReportPicture[] = [];
  for (const { path, label, probability } of images) {
    const pixels = await pixelsOf(path);
    if (pixels) drawn.push({ path, label, probability, png: await draw(pixels) });
  }
  return drawn;
}

/** Images of one label that are called the other, the farthest from the threshold first. */
function worst(images: readonly ScoredImage[], label: ScoredImage["label"], threshold: number): ScoredImage[] {
  return images
    .filter((image) => image.label === label && labelOf(image.probability, threshold) !== label)
    .sort((a, b) => Math.abs(b.probability - threshold) - Math.abs(a.probability - threshold))
    .slice(0, PICTURES);
}

/** Half Cancer, half Non-Cancer, drawn by the seed. */
function sample(images: readonly ScoredImage[], seed: number): ScoredImage[] {
  const random = uniform(seed);
  return (["Cancer", "Non-Cancer"] as const).flatMap((label) => {
    const left = images.filter((image) => image.label === label);
    return Array.from({ length: Math.min(PICTURES / 2, left.length) }, () => {
      const [drawn] = left.splice(Math.floor(random() * left.length), 1);
      return drawn as ScoredImage;
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
