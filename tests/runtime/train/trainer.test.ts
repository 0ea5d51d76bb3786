import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { silentProgress } from "../../../runtime/platform/progress";
import { mixSeed } from "../../../runtime/platform/random";
import { judge, useBackend } from "../../../runtime/tensorflow";
import {
  GRAD_CAM_LAYER,
  inferenceNetwork,
  initialWeights,
  MAP_SIDE,
  PARAMETERS,
  trainingForward,
} from "../../../runtime/train/architecture";
import { AUGMENTATION, augment } from "../../../runtime/train/augment";
import { drawBatch, type TrainingImages } from "../../../runtime/train/batch";
import { type Checkpoints, checkpointsIn } from "../../../runtime/train/checkpoints";
import { learningRateAt, trainingConfiguration } from "../../../runtime/train/configuration";
import { batchNormRelu } from "../../../runtime/train/gradients/batch-norm";
import { installConvolutionGradients } from "../../../runtime/train/gradients/convolution";
import { UNKNOWN_LESION } from "../../../runtime/train/lesions";
import { NETWORK_SIZE, Optimizer, PARAMETER_COUNT, STATE_SIZE, splitNetwork } from "../../../runtime/train/optimizer";
import { EXCHANGE_SIZE, Replica } from "../../../runtime/train/replica";
import { trainNetwork } from "../../../runtime/train/trainer";
import { CONFIGURATION, discs, interruptAfter, SIDE, sameBits, weightsOf } from "../../support/discs";

async function train(checkpoints: Checkpoints, signal = new AbortController().signal) {
  return trainNetwork(discs(), CONFIGURATION, "wasm", { checkpoints, progress: silentProgress, signal });
}

describe("the trainer", () => {
  let directory: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "trainer-"));
    await useBackend("wasm");
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it("gives the same weights twice, and after an interruption the same to the last bit", async () => {
    const first = await train(checkpointsIn(directory, "first"));
    const second = await train(checkpointsIn(directory, "second"));
    expect(sameBits(weightsOf(second), weightsOf(first))).toBe(true);

    const watched = checkpointsIn(directory, "third");
    const interrupting = interruptAfter(2, watched);
    await expect(train(interrupting.checkpoints, interrupting.signal)).rejects.toThrow(/interrupted in epoch 3/);
    const resumed = await train(watched);
    expect(resumed.resumedFrom).toBe(2);
    expect(sameBits(weightsOf(resumed), weightsOf(first))).toBe(true);
    const quality = ({ curve }: typeof first) => curve.map(({ loss, validation }) => ({ loss, validation }));
    expect(quality(resumed)).toEqual(quality(first));
    expect(first.epoch).toBe(3);
    for (const { validation } of first.curve) {
      expect(validation?.auc).toBeGreaterThanOrEqual(0);
      expect(validation?.loss).toBeGreaterThan(0);
    }
    await watched.clear();
    expect(readdirSync(directory).filter((name) => name.startsWith("third"))).toEqual([]);
  });

  it("ignores a checkpoint of another network", async () => {
    const checkpoints = checkpointsIn(directory, "foreign");
    await checkpoints.save({ curve: [], state: new Float32Array(STATE_SIZE - 1) });
    expect(await checkpoints.load()).toBeUndefined();
  });

  it("stops early where it is told to, takes the best epoch's weights, and resumes to the same", async () => {
    const configuration = { ...CONFIGURATION, epochs: 12, patience: 2 };
    const tools = (checkpoints: Checkpoints, signal = new AbortController().signal) =>
      [discs(), configuration, "wasm", { checkpoints, progress: silentProgress, signal }] as const;
    const first = await trainNetwork(...tools(checkpointsIn(directory, "patient")));
    const aucs = first.curve.map(({ validation }) => validation?.auc as number);
    expect(first.epoch).toBe(aucs.indexOf(Math.max(...aucs)) + 1);
    expect(first.curve.length).toBe(Math.min(12, first.epoch + 2));

    const watched = checkpointsIn(directory, "impatient");
    const { checkpoints, signal } = interruptAfter(first.epoch, watched);
    await expect(trainNetwork(...tools(checkpoints, signal))).rejects.toThrow(/interrupted/);
    const resumed = await trainNetwork(...tools(watched));
    expect(resumed.epoch).toBe(first.epoch);
    expect(sameBits(weightsOf(resumed), weightsOf(first))).toBe(true);
  });

  it("runs to the end where no validation image could stop it", async () => {
    const set = { ...discs(), validation: new Int32Array() };
    const { curve, epoch } = await trainNetwork(set, { ...CONFIGURATION, patience: 1 }, "wasm", {
      checkpoints: checkpointsIn(directory, "blind"),
      progress: silentProgress,
      signal: new AbortController().signal,
    });
    expect(curve.map(({ validation }) => validation)).toEqual([null, null, null]);
    expect(epoch).toBe(3);
  });

  it("learns from what it is shown", async () => {
    const set = discs();
    const configuration = { ...CONFIGURATION, epochs: 12 };
    const { curve } = await trainNetwork(set, configuration, "wasm", {
      checkpoints: checkpointsIn(directory, "learning"),
      progress: silentProgress,
      signal: new AbortController().signal,
    });
    const losses = curve.map(({ loss }) => loss);
    expect(Math.min(...losses.slice(-5))).toBeLessThan(0.5 * (losses[0] as number));
  });
});

describe("the optimiser", () => {
  it("moves like TensorFlow.js' Adam where there is no weight decay", async () => {
    await useBackend("wasm");
    const initial = initialWeights(1);
    const optimizer = new Optimizer(new Float32Array(NETWORK_SIZE), initial, 0);
    const reference = tf.variable(tf.tensor1d(Float32Array.from(optimizer.network.subarray(0, PARAMETER_COUNT))));
    const adam = tf.train.adam(0.01, 0.9, 0.99);
    for (let step = 0; step < 4; step++) {
      const gradients = Float32Array.from({ length: NETWORK_SIZE }, (_, i) => Math.sin(i + step));
      adam.applyGradients([{ name: reference.name, tensor: tf.tensor1d(gradients.subarray(0, PARAMETER_COUNT)) }]);
      optimizer.apply(gradients, 0.01);
    }
    const expected = reference.dataSync() as Float32Array;
    const largest = expected.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (optimizer.network[i] as number))),
      0,
    );
    expect(largest).toBeLessThan(1e-5);
  });

  it("restores its whole state", () => {
    const initial = initialWeights(2);
    const gradients = Float32Array.from({ length: NETWORK_SIZE }, (_, i) => Math.cos(i));
    const one = new Optimizer(new Float32Array(NETWORK_SIZE), initial, 0.01);
    one.apply(gradients, 0.01);
    const other = new Optimizer(new Float32Array(NETWORK_SIZE), initialWeights(9), 0.01);
    other.restore(one.state());
    one.apply(gradients, 0.02);
    other.apply(gradients, 0.02);
    expect(sameBits([other.state()], [one.state()])).toBe(true);
  });
});

const largest = (one: ArrayLike<number>, other: ArrayLike<number>) =>
  Array.from(one).reduce((most, value, i) => Math.max(most, Math.abs(value - (other[i] as number))), 0);

describe("the network", () => {
  it("computes the same in training and in inference when the statistics are those of the batch", async () => {
    await useBackend("wasm");
    const weights = initialWeights(4);
    const x = tf.randomUniform([4, SIDE, SIDE, 3], 0, 1, "float32", 5) as tf.Tensor4D;
    const tensors = weights.map((values, i) =>
      tf.tensor(values, [...(PARAMETERS[i] as (typeof PARAMETERS)[number]).shape]),
    );
    const { logits, statistics } = trainingForward(tensors, x);
    const network = inferenceNetwork(
      weights,
      statistics.map((tensor) => tensor.dataSync() as Float32Array),
    );
    const probabilities = (network.predict(x) as tf.Tensor).dataSync();
    const expected = tf.sigmoid(logits).dataSync();
    probabilities.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 4);
    });
    expect(splitNetwork(new Float32Array(NETWORK_SIZE)).weights.map((values) => values.length)).toEqual(
      weights.map((values) => values.length),
    );
  });

  it.each([
    ["the maxima and the peak, which know a place", undefined],
    ["all three kinds of evidence, as maps of earlier programs", true],
  ])("is followed by Grad-CAM through %s", async (_, followsMeans) => {
    await useBackend("wasm");
    installConvolutionGradients();
    const weights = initialWeights(6);
    const { statistics } = splitNetwork(new Optimizer(new Float32Array(NETWORK_SIZE), weights, 0).network);
    const network = inferenceNetwork(weights, statistics);
    const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (Math.floor(i / 3) * 37) % 251);
    const { map: coarse } = await judge(network, { gradCamLayer: GRAD_CAM_LAYER }, pixels, followsMeans);

    // Each channel counts by the mean of its gradient: every place of the average, one place of each maximum.
    const features = layers.model({
      inputs: network.inputs,
      outputs: network.getLayer(GRAD_CAM_LAYER).output as layers.SymbolicTensor,
    });
    const x = tf.div(tf.tensor4d(Float32Array.from(pixels), [1, SIDE, SIDE, 3]), 255);
    const activations = (features.predict(x) as tf.Tensor).dataSync();
    const [lesion, , kernel] = weights.slice(-4) as [Float32Array, Float32Array, Float32Array];
    const channels = lesion.length;
    const peak = kernel.at(-1) as number;
    const importance = Array.from(lesion, (through, channel) => {
      const average = followsMeans ? (kernel[channel] as number) : 0;
      return average + (kernel[channels + channel] as number) + peak * through;
    });
    const cells = MAP_SIDE * MAP_SIDE;
    const expected = Array.from({ length: cells }, (_, cell) =>
      importance.reduce((sum, weight, k) => sum + (weight * (activations[cell * channels + k] as number)) / cells, 0),
    );
    expect(largest(coarse.values, expected)).toBeLessThan(1e-3 * Math.max(...expected.map(Math.abs)));
  });

  it.each([false, true])(
    "differentiates batch normalisation, shortcut (%s) and ReLU as finite differences do",
    async (joined) => {
      await useBackend("wasm");
      const shape: [number, number, number, number] = [2, 3, 3, 2];
      const values = Float32Array.from({ length: 36 }, (_, i) => Math.sin(3 * i) + 0.3 * i);
      const weights = tf.tensor(
        Float32Array.from({ length: 36 }, (_, i) => Math.cos(i)),
        shape,
      );
      const objective = (...inputs: tf.Tensor[]) => {
        const [x, gamma, beta, shortcut] = inputs as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, tf.Tensor4D | undefined];
        return tf.sum(tf.mul(weights, batchNormRelu(x, gamma, beta, shortcut).y));
      };
      const shortcut = tf.tensor(
        values.map((value) => Math.sin(5 * value)),
        shape,
      );
      const inputs = [
        tf.tensor(values, shape),
        tf.tensor1d([1.2, -0.7]),
        tf.tensor1d([0.1, 0.2]),
        ...(joined ? [shortcut] : []),
      ];
      const gradients = tf.grads(objective)(inputs);
      inputs.forEach((input, which) => {
        const analytic = (gradients[which] as tf.Tensor).dataSync();
        const base = input.dataSync();
        for (let i = 0; i < base.length; i += 5) {
          const at = (delta: number) => {
            const moved = Float32Array.from(base);
            moved[i] = (moved[i] as number) + delta;
            const changed = inputs.map((tensor, k) => (k === which ? tf.tensor(moved, input.shape) : tensor));
            return objective(...changed).dataSync()[0] as number;
          };
          expect(analytic[i]).toBeCloseTo((at(0.01) - at(-0.01)) / 0.02, 1);
        }
      });
    },
  );
});

describe("augmentation", () => {
  const pixels = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i * 7) % 256);
  const vary = (seed: number) => {
    const target = new Float32Array(SIDE * SIDE * 3);
    augment(pixels, target, SIDE, seed);
    return target;
  };

  it("depends on the seed alone, stays in [0, 1] and keeps the channels equal", () => {
    expect(vary(1)).toEqual(vary(1));
    expect(vary(1)).not.toEqual(vary(2));
    const target = vary(mixSeed(3, 4));
    for (let i = 0; i < target.length; i += 3) {
      expect(target[i]).toBeGreaterThanOrEqual(0);
      expect(target[i]).toBeLessThanOrEqual(1);
      if (target[i] !== target[i + 1] || target[i] !== target[i + 2]) throw new Error(`channels differ at ${i}`);
    }
  });

  it("leaves an image alone when its limits are zero, but for mirroring", () => {
    const none = {
      mirrorChance: 0.5,
      turnChance: 0.5,
      rotation: 0,
      scale: 0,
      stretch: 0,
      shift: 0,
      gamma: 0,
      gain: 0,
      bias: 0,
      noiseChance: 0,
      noise: 0,
      lesionChance: 0,
      transplantChance: 0,
    };
    const target = new Float32Array(SIDE * SIDE * 3);
    augment(pixels, target, SIDE, 1, none);
    const plain = Array.from(pixels, (value) => value / 255);
    const at = (x: number, y: number) => plain[y * SIDE + x] as number;
    const views = [false, true].flatMap((mirror) =>
      [false, true].map((turn) =>
        plain.map((_, i) => {
          const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
          return at(mirror ? SIDE - 1 - x : x, turn ? SIDE - 1 - y : y);
        }),
      ),
    );
    const grey = Array.from({ length: plain.length }, (_, i) => target[3 * i] as number);
    const distance = (other: number[]) => Math.max(...grey.map((value, i) => Math.abs(value - (other[i] as number))));
    expect(Math.min(...views.map(distance))).toBeLessThan(1e-6);
  });
});

describe("a lesion mask", () => {
  it("moves with its image", () => {
    const disc = Uint8Array.from({ length: SIDE * SIDE }, (_, i) =>
      ((i % SIDE) - 40) ** 2 + (Math.floor(i / SIDE) - 75) ** 2 < 18 ** 2 ? 255 : 0,
    );
    for (const seed of [1, 2, 3, 4, 5]) {
      const image = new Float32Array(SIDE * SIDE * 3);
      const target = new Float32Array(MAP_SIDE * MAP_SIDE);
      const limits = { ...AUGMENTATION, noiseChance: 0 };
      augment(disc, image, SIDE, seed, limits, { mask: disc, target });
      const cell = SIDE / MAP_SIDE;
      const bright = new Float32Array(target.length);
      for (let i = 0; i < SIDE * SIDE; i++) {
        const at = Math.floor(Math.floor(i / SIDE) / cell) * MAP_SIDE + Math.floor((i % SIDE) / cell);
        if ((image[3 * i] as number) > 0.25) bright[at] = (bright[at] as number) + 2 / cell ** 2;
      }
      expect(Math.max(...target)).toBe(1);
      bright.forEach((share, i) => {
        expect(Math.abs(Math.min(1, share) - (target[i] as number))).toBeLessThan(0.2);
      });
      // The variation is the same without it.
      const alone = new Float32Array(SIDE * SIDE * 3);
      augment(disc, alone, SIDE, seed, limits);
      expect(Buffer.from(alone.buffer).equals(Buffer.from(image.buffer))).toBe(true);
    }
  });

  it("teaches the lesion map where it is known, and nothing where it is not", async () => {
    await useBackend("wasm");
    const { images } = discs();
    const network = new Float32Array(NETWORK_SIZE);
    new Optimizer(network, initialWeights(5), 0);
    const lossOf = (change: Partial<TrainingImages>, row: number) => {
      const exchange = new Float32Array(EXCHANGE_SIZE);
      const changed = { ...images, classWeights: [1, 1] as const, ...change };
      new Replica(changed).gradients(network, drawBatch(changed, Int32Array.of(row), 1), exchange);
      return exchange.at(-1) as number;
    };
    const unknown = lossOf({ maskOf: images.maskOf.map(() => UNKNOWN_LESION) }, 1);
    expect(lossOf({}, 1)).toBeGreaterThan(unknown);
    expect(lossOf({ maskOf: images.maskOf.map(() => UNKNOWN_LESION), masks: new Uint8Array(0) }, 1)).toBe(unknown);
    // Another mask is another loss.
    expect(lossOf({ masks: images.masks.map((share) => 255 - share) }, 1)).not.toBeCloseTo(lossOf({}, 1), 2);
  });
});

describe("the schedule", () => {
  it("rises for a fifth and falls to nothing", () => {
    expect(learningRateAt(0, 1)).toBeLessThan(0.01);
    expect(learningRateAt(0.2, 1)).toBeCloseTo(1, 3);
    expect(learningRateAt(0.6, 1)).toBeCloseTo(0.5, 3);
    expect(learningRateAt(1, 1)).toBeLessThan(0.001);
  });

  it("goes through a small set more often, unless told how often", () => {
    expect(trainingConfiguration(40, { seed: 0 }).epochs).toBeGreaterThan(
      trainingConfiguration(2000, { seed: 0 }).epochs,
    );
    expect(trainingConfiguration(40, { seed: 0, epochs: 2 }).epochs).toBe(2);
  });
});
