import { sizeOf } from "./architecture";
import { COMPACT, type Layout } from "./layout";

export const PARAMETER_COUNT = COMPACT.parameterCount;
/** Weights and running statistics of the compact network, flat. */
export const NETWORK_SIZE = COMPACT.size;
/** Floats of {@link Optimizer.state} of the compact network. */
export const STATE_SIZE = COMPACT.stateSize;

/** Constants of {@link Optimizer}. */
export const OPTIMIZER = {
  /** Of the moving averages of gradients and of their squares. */
  beta1: 0.9,
  beta2: 0.99,
  /** Keeps a division by a vanishing mean square finite. */
  epsilon: 1e-7,
  /** Of the running statistics of normalisation. */
  statisticMomentum: 0.9,
  /** Of the averaged weights, and how slowly it is reached: step s has at most (s - 1) / (s + rise). */
  averageMomentum: 0.99,
  averageRise: 9,
} as const;

/**
 * AdamW (Kingma and Ba, 2015; Loshchilov and Hutter, 2019) with an exponential moving average of the weights (Polyak).
 *
 * TensorFlow.js' own Adam recomputes its bias correction when its weights are restored, so a resumed run drifts from an
 * uninterrupted one in the last bits. Here the whole state is one vector of float32, and a resumed run is bitwise equal.
 */
export class Optimizer {
  /** Weights, then running statistics: what the replicas compute with. */
  readonly network: Float32Array;
  /** Moving average of {@link network}: what becomes the model. */
  readonly average: Float32Array;
  private readonly first: Float32Array;
  private readonly second: Float32Array;
  private readonly decays: Float32Array;
  private readonly rates: Float32Array;
  private step = 0;

  /**
   * @param network as many floats as the layout has; pass a shared one and the replicas see every step
   * @param initial the weights, and perhaps the running statistics, which are else those of the layout
   */
  constructor(
    network: Float32Array,
    initial: readonly Float32Array[],
    private readonly weightDecay: number,
    private readonly layout: Layout = COMPACT,
  ) {
    this.network = network;
    this.average = new Float32Array(layout.size);
    this.first = new Float32Array(layout.parameterCount);
    this.second = new Float32Array(layout.parameterCount);
    this.decays = layout.spread(({ decays }) => (decays ? 1 : 0));
    this.rates = layout.spread(({ rate = 1 }) => rate);
    let offset = 0;
    for (const values of initial) {
      network.set(values, offset);
      offset += values.length;
    }
    if (offset === layout.size) return;
    for (const { shape, initial: value } of layout.statistics) {
      network.fill(value, offset, offset + sizeOf(shape));
      offset += sizeOf(shape);
    }
  }

  /** @param gradients of all parameters, then the batch's statistics */
  apply(gradients: Float32Array, learningRate: number): void {
    const { network, average, first, second, decays, rates } = this;
    const { parameterCount, size } = this.layout;
    const { beta1, beta2, epsilon, statisticMomentum, averageMomentum, averageRise } = OPTIMIZER;
    this.step++;
    const correction1 = 1 - beta1 ** this.step;
    const correction2 = 1 - beta2 ** this.step;
    for (let i = 0; i < parameterCount; i++) {
      const gradient = gradients[i] as number;
      const m = beta1 * (first[i] as number) + (1 - beta1) * gradient;
      const v = beta2 * (second[i] as number) + (1 - beta2) * gradient * gradient;
      first[i] = m;
      second[i] = v;
      const weight = network[i] as number;
      const rate = learningRate * (rates[i] as number);
      const update = (rate * m) / correction1 / (Math.sqrt(v / correction2) + epsilon);
      network[i] = weight - update - (decays[i] ? rate * this.weightDecay * weight : 0);
    }
    for (let i = parameterCount; i < size; i++) {
      network[i] = statisticMomentum * (network[i] as number) + (1 - statisticMomentum) * (gradients[i] as number);
    }
    // Early on, an average of few steps: the initial weights must not linger.
    const momentum = Math.min(averageMomentum, (this.step - 1) / (this.step + averageRise));
    for (let i = 0; i < size; i++) {
      average[i] = momentum * (average[i] as number) + (1 - momentum) * (network[i] as number);
    }
  }

  state(): Float32Array {
    const state = new Float32Array(this.layout.stateSize);
    let offset = 0;
    for (const part of [this.network, this.average, this.first, this.second]) {
      state.set(part, offset);
      offset += part.length;
    }
    state[offset] = this.step;
    return state;
  }

  restore(state: Float32Array): void {
    let offset = 0;
    for (const part of [this.network, this.average, this.first, this.second]) {
      part.set(state.subarray(offset, offset + part.length));
      offset += part.length;
    }
    this.step = state[offset] as number;
  }
}

/** Splits a flat compact network into its weights and statistics, in the order of the architecture's lists. */
export const splitNetwork = (network: Float32Array) => COMPACT.split(network);
