import { RECIPE } from "../imaging";
import type { Metric } from "../platform/metric";
import { mixSeed, shuffle, uniform } from "../platform/random";
import { aucInterval } from "./bootstrap";
import { logisticRegression, type Predictor, type Rows, randomizedPca } from "./linear";
import { type Pause, unheard } from "./pause";

/** What the file itself says, before a pixel is looked at. */
export interface Header {
  readonly width: number;
  readonly height: number;
  /** Size of the file. */
  readonly bytes: number;
  /** What the bytes are: jpeg, png, ...; null if unknown. */
  readonly format: string | null;
}

/** An image as classical models and probes see it. */
export interface PlainImage {
  /** 1 Cancer, 0 Non-Cancer. */
  readonly label: number;
  readonly group: string;
  /** One channel of the recipe's result, 128 x 128. */
  readonly grey: Uint8Array;
  /** Undefined where the file's facts are not known. */
  readonly header: Header | undefined;
  /** What the network that is measured saw in it, as numbers. */
  readonly features?: ArrayLike<number> | undefined;
}

/** Most images that a classical model is fitted to: enough for what these models can learn, in seconds. */
export const MOST_ROWS = 4000;
const COMPONENTS = 48;
const FOLDS = 5;
/** Pixels of the frame that the border probe sees. */
export const BORDER = 6;
const GREY_BINS = 32;

/** A classical model's result on the images that a network is measured on. */
export interface ClassicalResult {
  readonly name: string;
  readonly description: string;
  readonly auc: Metric;
}

interface Recipe {
  readonly name: string;
  readonly description: string;
  /** Undefined where an image lacks what the model sees. */
  readonly features: (image: PlainImage) => Float64Array | undefined;
  /** Fits to rows and labels. */
  readonly fit: (rows: Rows, labels: readonly number[], seed: number, pause: Pause) => Promise<Predictor>;
}

const throughPca: Recipe["fit"] = async (rows, labels, seed, pause) => {
  const project = await randomizedPca(rows, COMPONENTS, seed);
  const predict = await logisticRegression(rows.map(project), labels, { pause });
  return (row) => predict(project(row));
};

/** What must not predict the label. Each sees one thing that has nothing to do with a tumour. */
export const PROBES: readonly Recipe[] = [
  {
    name: "header",
    description: "Width, height, size and format of the file.",
    features: ({ header }) => header && headerFeatures(header),
    fit: (rows, labels, _seed, pause) => logisticRegression(rows, labels, { pause }),
  },
  {
    name: "border",
    description: `The outer ${BORDER} pixels of what the model sees.`,
    features: ({ grey }) => borderPixels(grey),
    fit: throughPca,
  },
  {
    name: "histogram",
    description: `${GREY_BINS} grey levels of what the model sees, without their places.`,
    features: ({ grey }) => greyHistogram(grey),
    fit: (rows, labels, _seed, pause) => logisticRegression(rows, labels, { pause }),
  },
  {
    name: "border + histogram",
    description: "Both of the above.",
    features: ({ grey }) => Float64Array.from([...borderPixels(grey), ...greyHistogram(grey)]),
    fit: async (rows, labels, seed, pause) => {
      // The histogram would drown among thousands of border pixels.
      const bins = (row: Float64Array) => row.subarray(row.length - GREY_BINS);
      const border = (row: Float64Array) => row.subarray(0, row.length - GREY_BINS);
      const project = await randomizedPca(rows.map(border), COMPONENTS, seed);
      const join = (row: Float64Array) => Float64Array.from([...project(border(row)), ...bins(row)]);
      const predict = await logisticRegression(rows.map(join), labels, { pause });
      return (row) => predict(join(row));
    },
  },
];

/**
 * Scores of classical models for every image of a set.
 *
 * @param learn images that the models are fitted to; without any, the set itself, cross-validated by group
 * @returns by model; undefined where an image lacks what the model sees, or a class is missing
 */
export async function classicalScores(
  recipe: Recipe,
  set: readonly PlainImage[],
  learn: readonly PlainImage[] | undefined,
  seed: number,
  pause: Pause = unheard,
): Promise<Float64Array | undefined> {
  const rows = set.map(recipe.features);
  if (rows.some((row) => row === undefined)) return undefined;
  const known = rows as Float64Array[];
  if (learn) {
    const predict = await fitTo(recipe, draw(learn, seed), seed, pause);
    return predict && Float64Array.from(known, predict);
  }
  const folds = foldsByGroup(set, seed);
  const scores = new Float64Array(set.length);
  for (let fold = 0; fold < FOLDS; fold++) {
    const predict = await fitTo(
      recipe,
      draw(
        set.filter((_, i) => folds[i] !== fold),
        seed,
      ),
      seed,
      pause,
    );
    if (!predict) return undefined;
    known.forEach((row, i) => {
      if (folds[i] === fold) scores[i] = predict(row);
    });
  }
  return scores;
}

/** AUC of a classical model on a set, or why there is none. */
export function classicalResult(
  recipe: Recipe,
  scores: Float64Array | undefined,
  set: readonly PlainImage[],
  seed: number,
): ClassicalResult {
  const { name, description } = recipe;
  if (!scores) {
    const reason = "There are too few images of a class, or the files' facts are not known.";
    return { name, description, auc: { value: null, reason } };
  }
  const labels = Uint8Array.from(set, ({ label }) => label);
  return {
    name,
    description,
    auc: aucInterval({ labels, probabilities: scores, groups: set.map(({ group }) => group) }, { seed }),
  };
}

async function fitTo(
  recipe: Recipe,
  images: readonly PlainImage[],
  seed: number,
  pause: Pause,
): Promise<Predictor | undefined> {
  const seen = images.flatMap((image) => {
    const row = recipe.features(image);
    return row ? [{ row, label: image.label }] : [];
  });
  const labels = seen.map(({ label }) => label);
  if (!labels.includes(0) || !labels.includes(1)) return undefined;
  return recipe.fit(
    seen.map(({ row }) => row),
    labels,
    seed,
    pause,
  );
}

function draw(images: readonly PlainImage[], seed: number): readonly PlainImage[] {
  if (images.length <= MOST_ROWS) return images;
  const order = shuffle(Uint32Array.from(images.keys()), uniform(mixSeed(seed, 11)));
  return Array.from(order.subarray(0, MOST_ROWS), (i) => images[i] as PlainImage);
}

/** Whole groups in a drawn order, dealt out in turn. */
function foldsByGroup(set: readonly PlainImage[], seed: number): number[] {
  const names = [...new Set(set.map(({ group }) => group))].sort();
  const order = shuffle(Uint32Array.from(names.keys()), uniform(mixSeed(seed, 12)));
  const foldOf = new Map(Array.from(order, (group, turn) => [names[group] as string, turn % FOLDS]));
  return set.map(({ group }) => foldOf.get(group) as number);
}

/** The border in squares of 2 x 2 pixels, row by row. */
function borderPixels(grey: Uint8Array): Float64Array {
  const values: number[] = [];
  for (let y = 0; y < RECIPE.side; y += 2) {
    for (let x = 0; x < RECIPE.side; x += 2) {
      const depth = Math.min(x, y, RECIPE.side - 2 - x, RECIPE.side - 2 - y);
      if (depth >= BORDER) continue;
      let sum = 0;
      for (const at of [0, 1, RECIPE.side, RECIPE.side + 1]) sum += grey[y * RECIPE.side + x + at] as number;
      values.push(sum / (4 * 255));
    }
  }
  return Float64Array.from(values);
}

function greyHistogram(grey: Uint8Array): Float64Array {
  const counts = new Float64Array(GREY_BINS);
  for (const level of grey) counts[(level * GREY_BINS) >> 8] = (counts[(level * GREY_BINS) >> 8] as number) + 1;
  return counts.map((count) => count / grey.length);
}

function headerFeatures({ width, height, bytes, format }: Header): Float64Array {
  const kinds = ["jpeg", "png", "tiff", "bmp", "webp", "dicom", "nifti"];
  return Float64Array.from([
    Math.log(width),
    Math.log(height),
    Math.log(width / height),
    Math.log(bytes),
    Math.log(bytes / (width * height)),
    width === height ? 1 : 0,
    ...kinds.map((kind) => (format === kind ? 1 : 0)),
  ]);
}
