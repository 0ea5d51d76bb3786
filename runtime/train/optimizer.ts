import { PARAMETERS, STATISTICS, sizeOf } from "./architecture";

export const PARAMETER_COUNT = PARAMETERS.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
export const STATISTIC_COUNT = STATISTICS.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
/** Weights and running statistics: a whole network, flat. */
export const NETWORK_SIZE = PARAMETER_COUNT + STATISTIC_COUNT;
/** Floats of {@link Optimizer.state}: network, averaged network, two moments, step. */
export const STATE_SIZE = 2 * NETWORK_SIZE + 2 * PARAMETER_COUNT + 1;

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
  readonly average = new Float32Array(NETWORK_SIZE);
  private readonly first = new Float32Array(PARAMETER_COUNT);
  private readonly second = new Float32Array(PARAMETER_COUNT);
  private readonly decays = decayMask();
  private step = 0;

  /** @param network {@link NETWORK_SIZE} floats; pass a shared one and the replicas see every step. */
  constructor(
    network: Float32Array,
    initial: readonly Float32Array[],
    private readonly weightDecay: number,
  ) {
    this.network = network;
    let offset = 0;
    for (const values of initial) {
      network.set(values, offset);
      offset += values.length;
    }
    for (const { shape, initial: value } of STATISTICS) {
      network.fill(value, offset, offset + sizeOf(shape));
      offset += sizeOf(shape);
    }
  }

  /** @param gradients {@link PARAMETER_COUNT} gradients, then the batch's {@link STATISTIC_COUNT} statistics */
  apply(gradients: Float32Array, learningRate: number): void {
    const { network, average, first, second, decays } = this;
    const { beta1, beta2, epsilon, statisticMomentum, averageMomentum, averageRise } = OPTIMIZER;
    this.step++;
    const correction1 = 1 - beta1 ** this.step;
    const correction2 = 1 - beta2 ** this.step;
    const decay = learningRate * this.weightDecay;
    for (let i = 0; i < PARAMETER_COUNT; i++) {
      const gradient = gradients[i] as number;
      const m = beta1 * (first[i] as number) + (1 - beta1) * gradient;
      const v = beta2 * (second[i] as number) + (1 - beta2) * gradient * gradient;
      first[i] = m;
      second[i] = v;
      const weight = network[i] as number;
      const update = (learningRate * m) / correction1 / (Math.sqrt(v / correction2) + epsilon);
      network[i] = weight - update - (decays[i] ? decay * weight : 0);
    }
    for (let i = PARAMETER_COUNT; i < NETWORK_SIZE; i++) {
      network[i] = statisticMomentum * (network[i] as number) + (1 - statisticMomentum) * (gradients[i] as number);
    }
    // Early on, an average of few steps: the initial weights must not linger.
    const momentum = Math.min(averageMomentum, (this.step - 1) / (this.step + averageRise));
    for (let i = 0; i < NETWORK_SIZE; i++) {
      average[i] = momentum * (average[i] as number) + (1 - momentum) * (network[i] as number);
    }
  }

  state(): Float32Array {
    const state = new Float32Array(STATE_SIZE);
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

function decayMask(): Uint8Array {
  const mask = new Uint8Array(PARAMETER_COUNT);
  let offset = 0;
  for (const { shape, decays } of PARAMETERS) {
    const size = sizeOf(shape);
    if (decays) mask.fill(1, offset, offset + size);
    offset += size;
  }
  return mask;
}

/** Splits a flat network into its weights and statistics, in the order of the architecture's lists. */
export function splitNetwork(network: Float32Array): { weights: Float32Array[]; statistics: Float32Array[] } {
  let offset = 0;
  const take = ({ shape }: { readonly shape: readonly number[] }) => {
    const values = network.slice(offset, offset + sizeOf(shape));
    offset += values.length;
    return values;
  };
  return { weights: PARAMETERS.map(take), statistics: STATISTICS.map(take) };
}
