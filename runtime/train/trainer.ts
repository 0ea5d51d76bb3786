import type { LayersModel } from "@tensorflow/tfjs-layers";
import { auc } from "../evaluate";
import { SUREST, type Views } from "../model";
import type { Progress } from "../platform/progress";
import { mixSeed, shuffle, uniform } from "../platform/random";
import type { Backend } from "../tensorflow/backend-names";
import { inferenceNetwork, VIEWS } from "./architecture";
import { AUGMENTATION } from "./augment";
import type { TrainingImages } from "./batch";
import type { Checkpoints } from "./checkpoints";
import { learningRateAt, type TrainingConfiguration } from "./configuration";
import { DISTILLATION } from "./distillation";
import { type LearnerSpec, learnerOf, withoutProjection } from "./learner";
import { NO_LESION } from "./lesions";
import { Optimizer, splitNetwork } from "./optimizer";
import { createReplicaPool, type ReplicaPool } from "./replica-pool";

export interface TrainingSet {
  readonly images: Omit<TrainingImages, "classWeights">;
  /** Rows of `images` to learn from. */
  readonly train: Int32Array;
  /** Rows of `images` without a label, of which a teacher says what they show. @default none */
  readonly unlabelled?: Int32Array;
  /** Rows of `images` that calibrate the answers. Never learnt from. */
  readonly validation: Int32Array;
  /** What each row of `images` belongs to: a patient, near-duplicates. */
  readonly groups: readonly string[];
}

/** What the validation images are shown as after every epoch, to compare epochs by. */
export const CHECKED_AS: Views = "plain";

/** One line of the learning curve. */
export interface EpochRecord {
  readonly epoch: number;
  /** Mean binary cross-entropy of the epoch's augmented training batches. */
  readonly loss: number;
  /** Images learnt from a second in this epoch. */
  readonly imagesPerSecond: number;
  /** Of the averaged weights on the validation images as they are, before calibration; null where a class is missing. */
  readonly validation: { readonly loss: number; readonly auc: number } | null;
}

/** A network after its training. */
export interface Learnt {
  /** Averaged weights and statistics, flat. */
  readonly network: Float32Array;
  /** Probability of Cancer of each validation row. */
  readonly validation: Float32Array;
  readonly curve: readonly EpochRecord[];
  /** Epochs that an earlier, interrupted run had done. */
  readonly resumedFrom: number;
  /** The epoch whose averaged weights the network has: the last one, unless training stopped early. */
  readonly epoch: number;
}

export interface TrainingResult extends Omit<Learnt, "network"> {
  readonly network: LayersModel;
}

export interface TrainingTools {
  readonly checkpoints: Checkpoints;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What becomes a model: the compact network, with a teacher or without. */
export type PupilSpec = Exclude<LearnerSpec, { kind: "teacher" }>;

/** Trains the compact CNN, with a teacher or without, as {@link learn} does. */
export async function trainNetwork(
  set: TrainingSet,
  configuration: TrainingConfiguration,
  backend: Backend,
  tools: TrainingTools,
  learner: PupilSpec = { kind: "compact" },
): Promise<TrainingResult> {
  const { network, ...learnt } = await learn(set, configuration, backend, tools, learner);
  const { weights, statistics } = splitNetwork(withoutProjection(learnerOf(learner).layout, network));
  return { ...learnt, network: inferenceNetwork(weights, statistics) };
}

/**
 * Trains a network: shuffled batches, augmentation, AdamW on a one-cycle schedule, averaged weights. After every
 * epoch the whole state is saved, and a run that is started again with the same configuration goes on from there to
 * the same weights, to the last bit.
 *
 * With `patience`, training stops once the validation AUC has not risen for so many epochs, and the network is that of
 * the best epoch. Without it the schedule is run to its end: its last epochs, with the lowest learning rate, are the ones
 * that help most.
 *
 * @throws {TrainingInterrupted} when the signal is aborted; the last checkpoint stays
 */
export async function learn(
  set: TrainingSet,
  configuration: TrainingConfiguration,
  backend: Backend,
  { checkpoints, progress, signal }: TrainingTools,
  spec: LearnerSpec,
): Promise<Learnt> {
  const { first, layout } = learnerOf(spec);
  const pool = await createReplicaPool({ ...set.images, classWeights: balance(set) }, backend, spec);
  try {
    const optimizer = new Optimizer(pool.network, first(configuration.seed), configuration.weightDecay, layout);
    const resumed = await checkpoints.load();
    if (resumed) optimizer.restore(resumed.state);
    const curve: EpochRecord[] = [...(resumed?.curve ?? [])];
    const resumedFrom = curve.length;

    const steps = stepsOf(epochRows(set), configuration);
    progress.start(configuration.epochs * steps, resumedFrom * steps);
    let best = resumed?.best;
    for (let epoch = resumedFrom; epoch < configuration.epochs && !isOver(curve, configuration); epoch++) {
      const trained = await trainEpoch(set, configuration, epoch, pool, optimizer, { signal, progress });
      const record = { ...trained, validation: await validate(set, pool, optimizer.average) };
      curve.push(record);
      if (configuration.patience > 0 && record.validation && bestEpoch(curve) === epoch + 1)
        best = Float32Array.from(optimizer.average);
      await checkpoints.save({ curve, state: optimizer.state(), ...(best ? { best } : {}) });
      progress.advance(1, describe(record, configuration));
    }
    progress.finish();

    const chosen = best ?? optimizer.average;
    const validation = await pool.predict(chosen, set.validation, VIEWS);
    const epoch = best ? bestEpoch(curve) : curve.length;
    return { network: Float32Array.from(chosen), validation, curve, resumedFrom, epoch };
  } finally {
    await pool.close();
  }
}

/** Probability of Cancer of each validation row by a network that has learnt, in all views. @param network flat */
export async function answersOf(
  spec: LearnerSpec,
  network: Float32Array,
  { images, validation }: TrainingSet,
  backend: Backend,
): Promise<Float32Array> {
  const pool = await createReplicaPool({ ...images, classWeights: [1, 1] }, backend, spec);
  try {
    return await pool.predict(network, validation, VIEWS);
  } finally {
    await pool.close();
  }
}

export class TrainingInterrupted extends Error {
  constructor(epoch: number) {
    super(`Training was interrupted in epoch ${epoch + 1}. Start it again: it goes on from the last finished epoch.`);
    this.name = "TrainingInterrupted";
  }
}

/** The epoch, from 1, with the highest validation AUC; of equals the first. */
function bestEpoch(curve: readonly EpochRecord[]): number {
  const aucs = curve.map(({ validation }) => validation?.auc ?? Number.NEGATIVE_INFINITY);
  return aucs.indexOf(Math.max(...aucs)) + 1;
}

function isOver(curve: readonly EpochRecord[], { patience }: TrainingConfiguration): boolean {
  // Without a validation AUC there is nothing to wait for.
  return patience > 0 && curve.at(-1)?.validation != null && curve.length - bestEpoch(curve) >= patience;
}

async function validate(
  set: TrainingSet,
  pool: ReplicaPool,
  network: Float32Array,
): Promise<EpochRecord["validation"]> {
  const labels = Uint8Array.from(set.validation, (row) => set.images.labels[row] as number);
  if (!labels.includes(0) || !labels.includes(1)) return null;
  const probabilities = Float64Array.from(await pool.predict(network, set.validation, CHECKED_AS));
  const area = auc({ labels, probabilities, groups: Array.from(labels, String) });
  const loss = probabilities.reduce((sum, p, i) => sum - Math.log(Math.max(SUREST, labels[i] === 1 ? p : 1 - p)), 0);
  return { loss: loss / labels.length, auc: area.value as number };
}

function describe(
  { epoch, loss, imagesPerSecond, validation }: EpochRecord,
  { epochs }: TrainingConfiguration,
): string {
  const checked = validation ? `, validation AUC ${validation.auc.toFixed(3)}` : "";
  return `steps; after epoch ${epoch} of ${epochs}: loss ${loss.toFixed(3)}${checked}, ${imagesPerSecond.toFixed(0)} images/s`;
}

/** Of an epoch. The last, smaller batch waits for another epoch: its statistics would be noisier than the rest. */
const stepsOf = (rows: number, { batch }: TrainingConfiguration) => Math.max(1, Math.floor(rows / batch));

/** How many unlabelled images an epoch has: no more than labelled ones, for it is these that say what a tumour is. */
const unlabelledOf = ({ train, unlabelled }: TrainingSet) =>
  Math.min(unlabelled?.length ?? 0, Math.floor(DISTILLATION.unlabelled * train.length));
const epochRows = (set: TrainingSet) => set.train.length + unlabelledOf(set);

/** The rows of an epoch, in order: all labelled ones, and of the unlabelled ones others in each epoch. */
function orderOf(set: TrainingSet, seed: number, epoch: number): Int32Array {
  const random = uniform(mixSeed(seed, epoch));
  const count = unlabelledOf(set);
  if (count === 0) return shuffle(Int32Array.from(set.train), random);
  const drawn = shuffle(Int32Array.from(set.unlabelled ?? []), random).subarray(0, count);
  return shuffle(Int32Array.from([...set.train, ...drawn]), random);
}

async function trainEpoch(
  set: TrainingSet,
  configuration: TrainingConfiguration,
  epoch: number,
  pool: ReplicaPool,
  optimizer: Optimizer,
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: Progress },
): Promise<Omit<EpochRecord, "validation">> {
  const { batch, epochs, seed, learningRate } = configuration;
  const started = performance.now();
  const order = orderOf(set, seed, epoch);
  const steps = stepsOf(order.length, configuration);
  const request = (step: number) => ({
    rows: order.slice(step * batch, (step + 1) * batch),
    seed: mixSeed(seed, epoch, 1),
  });
  let loss = 0;
  for (let step = 0; step < steps; step++) {
    if (signal.aborted) throw new TrainingInterrupted(epoch);
    const gradients = await pool.gradients(request(step), step + 1 < steps ? request(step + 1) : undefined);
    const batchLoss = gradients.at(-1) as number;
    if (!Number.isFinite(batchLoss)) {
      throw new Error(`Training diverged in epoch ${epoch + 1}: the loss is ${batchLoss}. Use a lower learning rate.`);
    }
    loss += batchLoss;
    optimizer.apply(gradients, learningRateAt((epoch * steps + step) / (epochs * steps), learningRate));
    // The last step is done when its epoch is validated and saved.
    if (step + 1 < steps) progress.advance(1, epoch === 0 ? "steps" : undefined);
  }
  const seconds = (performance.now() - started) / 1000;
  return { epoch: epoch + 1, loss: loss / steps, imagesPerSecond: (steps * batch) / seconds };
}

/**
 * Weights that give both classes half of the loss, whatever their share of the rows, counting the heads that are shown
 * with a planted lesion as Cancer.
 */
function balance({ images, train }: TrainingSet): [number, number] {
  const labelled = train.reduce((sum, row) => sum + (images.labels[row] as number), 0);
  const healthy = train.reduce((sum, row) => sum + (images.maskOf[row] === NO_LESION ? 1 : 0), 0);
  const cancer = labelled + healthy * AUGMENTATION.lesionChance;
  return [train.length / (2 * (train.length - cancer)), train.length / (2 * cancer)];
}
