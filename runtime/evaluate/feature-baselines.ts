import { aucInterval } from "./bootstrap";
import type { ClassicalResult } from "./classical";
import { logisticRegression, nearestNeighbours, type Predictor, type Rows, standardizer } from "./linear";
import { ascending, auc } from "./metrics";
import { type Pause, unheard } from "./pause";

/** Weights of the penalty and numbers of neighbours that validation chooses among; the first where it cannot. */
const PENALTIES = [1e-2, 1e-3, 1e-1, 1] as const;
const NEIGHBOURS = [5, 1, 15, 45] as const;
/** Images whose neighbours are looked for between two pauses. */
const AT_ONCE = 64;

/** Images of one split, of which a feature set has a row each, in this order. */
export interface SplitLabels {
  /** 1 Cancer, 0 Non-Cancer. */
  readonly labels: readonly number[];
  readonly groups: readonly string[];
}

/** What was computed of every image of the three splits before, and is what classical models see. */
export interface FeatureSet {
  /** Of the fit or the network. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly rows: Readonly<Record<"learn" | "validation" | "test", Rows>>;
}

/**
 * Logistic regression and nearest neighbours on features: standardised and fitted on training images, chosen on validation
 * images, measured on test images.
 *
 * @param pause awaited between its parts
 */
export async function featureBaselines(
  { name, description, rows }: FeatureSet,
  splits: Readonly<Record<"learn" | "validation" | "test", SplitLabels>>,
  seed: number,
  pause: Pause = unheard,
): Promise<ClassicalResult[]> {
  const learnt = splits.learn.labels;
  const named = (model: string, chosen: string) => ({
    name: `${name} + ${model}`,
    description: `${description} ${chosen}`,
  });
  if (!hasBoth(learnt)) {
    const reason = "There are too few training images of a class.";
    return ["logistic regression", "nearest neighbours"].map((model) => ({
      ...named(model, ""),
      auc: { value: null, reason },
    }));
  }
  const standard = standardizer(rows.learn);
  const seen = rows.learn.map(standard);
  const [validation, test] = [rows.validation.map(standard), rows.test.map(standard)];
  const canChoose = hasBoth(splits.validation.labels);
  const chosenOn = canChoose ? "chosen on validation images" : "validation images of both classes are missing";

  const penalties = canChoose ? PENALTIES : PENALTIES.slice(0, 1);
  const models: { readonly penalty: number; readonly predict: Predictor }[] = [];
  for (const penalty of penalties)
    models.push({ penalty, predict: await logisticRegression(seen, learnt, { penalty, pause }) });
  const regression = best(models, ({ predict }) => -logLoss(validation.map(predict), splits.validation.labels));

  const counts = canChoose ? NEIGHBOURS : NEIGHBOURS.slice(0, 1);
  const near = nearestNeighbours(seen, learnt, counts);
  const shares = await inParts(validation, near, pause);
  const candidates = counts.map((count, at) => ({ count, at }));
  const neighbours = best(candidates, ({ at }) => {
    const found = Float64Array.from(shares, (row) => row[at] as number);
    return canChoose ? aucOf(found, splits.validation) : 0;
  });

  const measured = (probabilities: Float64Array) =>
    aucInterval(
      { labels: Uint8Array.from(splits.test.labels), probabilities, groups: [...splits.test.groups] },
      { seed },
    );
  const sharesOfTest = await inParts(test, near, pause);
  return [
    {
      ...named("logistic regression", `Penalty ${regression.penalty}, ${chosenOn}.`),
      auc: measured(Float64Array.from(test, regression.predict)),
    },
    {
      ...named("nearest neighbours", `Share of Cancer among ${neighbours.count}, ${chosenOn}.`),
      auc: measured(Float64Array.from(sharesOfTest, (row) => row[neighbours.at] as number)),
    },
  ];
}

async function inParts<T>(rows: Rows, each: (row: Float64Array) => T, pause: Pause): Promise<T[]> {
  const found: T[] = [];
  for (let at = 0; at < rows.length; at += AT_ONCE) {
    await pause();
    found.push(...rows.slice(at, at + AT_ONCE).map(each));
  }
  return found;
}

const hasBoth = (labels: readonly number[]) => labels.includes(0) && labels.includes(1);

function aucOf(probabilities: Float64Array, { labels, groups }: SplitLabels): number {
  const scores = { labels: Uint8Array.from(labels), probabilities, groups: [...groups] };
  return auc(scores, ascending(probabilities)).value ?? 0;
}

/** Mean negative log-likelihood: unlike an AUC it also tells how sure a model is too often. */
function logLoss(probabilities: readonly number[], labels: readonly number[]): number {
  const losses = probabilities.map((p, i) => -Math.log(Math.max(1e-12, labels[i] === 1 ? p : 1 - p)));
  return losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, losses.length);
}

/** The first of those with the highest score. */
function best<T>(candidates: readonly T[], score: (one: T) => number): T {
  const scored = candidates.map((one) => ({ one, score: score(one) }));
  return scored.reduce((first, next) => (next.score > first.score ? next : first)).one;
}
