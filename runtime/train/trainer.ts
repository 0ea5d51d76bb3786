import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Progress } from "../platform/progress";
import { mixSeed, shuffle, uniform } from "../platform/random";
import type { Backend } from "../registry/backend-names";
import { inferenceNetwork, initialWeights } from "./architecture";
import { AUGMENTATION } from "./augment";
import type { TrainingImages } from "./batch";
import type { Checkpoint, Checkpoints } from "./checkpoints";
import { learningRateAt, type TrainingConfiguration } from "./configuration";
import { NO_LESION } from "./lesions";
import { Optimizer, splitNetwork } from "./optimizer";
import { createReplicaPool, type ReplicaPool } from "./replica-pool";

export interface TrainingSet {
  readonly images: Omit<TrainingImages, "classWeights">;
  /** Rows of `images` to learn from. */
  readonly train: Int32Array;
  /** Rows of `images` that choose the threshold. Never learnt from. */
  readonly validation: Int32Array;
}

/** One line of the learning curve. */
export interface EpochRecord {
  readonly epoch: number;
  /** Mean binary cross-entropy of the epoch's augmented training batches. */
  readonly loss: number;
  /** Images learnt from a second in this epoch. */
  readonly imagesPerSecond: number;
}

export interface TrainingResult {
  readonly network: LayersModel;
  /** Probability of Cancer of each validation row. */
  readonly validation: Float32Array;
  readonly curve: readonly EpochRecord[];
  /** Epochs that an earlier, interrupted run had done. */
  readonly resumedFrom: number;
}

/**
 * Trains the compact CNN: shuffled batches, augmentation, AdamW on a one-cycle schedule, averaged weights. After every
 * epoch the whole state is saved, and a run that is started again with the same configuration goes on from there to
 * the same weights, to the last bit.
 *
 * @throws {TrainingInterrupted} when the signal is aborted; the last checkpoint stays
 */
export async function trainNetwork(
  set: TrainingSet,
  configuration: TrainingConfiguration,
  backend: Backend,
  tools: { readonly checkpoints: Checkpoints; readonly progress: Progress; readonly signal: AbortSignal },
): Promise<TrainingResult> {
  const { checkpoints, progress, signal } = tools;
  const classWeights = balance(set);
  const pool = await createReplicaPool({ ...set.images, classWeights }, backend);
  try {
    const optimizer = new Optimizer(pool.network, initialWeights(configuration.seed), configuration.weightDecay);
    const resumed = await checkpoints.load();
    if (resumed) optimizer.restore(resumed.state);
    const curve: EpochRecord[] = [...(resumed?.curve ?? [])];
    const resumedFrom = curve.length;

    progress.start(configuration.epochs, resumedFrom);
    for (let epoch = resumedFrom; epoch < configuration.epochs; epoch++) {
      const record = await trainEpoch(set.train, configuration, epoch, pool, optimizer, signal);
      curve.push(record);
      const checkpoint: Checkpoint = { curve, state: optimizer.state() };
      await checkpoints.save(checkpoint);
      progress.advance(1, `loss ${record.loss.toFixed(3)}, ${record.imagesPerSecond.toFixed(0)} images/s`);
    }
    progress.finish();

    const validation = await pool.predict(optimizer.average, set.validation);
    const { weights, statistics } = splitNetwork(optimizer.average);
    return { network: inferenceNetwork(weights, statistics), validation, curve, resumedFrom };
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

async function trainEpoch(
  rows: Int32Array,
  configuration: TrainingConfiguration,
  epoch: number,
  pool: ReplicaPool,
  optimizer: Optimizer,
  signal: AbortSignal,
): Promise<EpochRecord> {
  const { batch, epochs, seed, learningRate } = configuration;
  const started = performance.now();
  const order = shuffle(Int32Array.from(rows), uniform(mixSeed(seed, epoch)));
  // The last, smaller batch waits for another epoch: its statistics would be noisier than the rest.
  const steps = Math.max(1, Math.floor(order.length / batch));
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
