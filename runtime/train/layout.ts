import { PARAMETERS, type Parameter, STATISTICS, sizeOf } from "./architecture";

/** Running statistics of a network that is trained. */
export interface Statistic {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: number;
}

/** How a network lies in one flat vector: its trainable parameters, then its running statistics. */
export class Layout {
  readonly parameterCount: number;
  readonly statisticCount: number;
  /** A whole network, floats. */
  readonly size: number;
  /** Of an optimiser's whole state, floats: network, averaged network, two moments, step. */
  readonly stateSize: number;

  constructor(
    readonly parameters: readonly Parameter[],
    readonly statistics: readonly Statistic[],
  ) {
    const count = (parts: readonly { readonly shape: readonly number[] }[]) =>
      parts.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    this.parameterCount = count(parameters);
    this.statisticCount = count(statistics);
    this.size = this.parameterCount + this.statisticCount;
    this.stateSize = 2 * this.size + 2 * this.parameterCount + 1;
  }

  /** Copies of a flat network's weights and statistics, in the order of the lists. */
  split(network: Float32Array): { weights: Float32Array[]; statistics: Float32Array[] } {
    let offset = 0;
    const take = ({ shape }: { readonly shape: readonly number[] }) => {
      const values = network.slice(offset, offset + sizeOf(shape));
      offset += values.length;
      return values;
    };
    return { weights: this.parameters.map(take), statistics: this.statistics.map(take) };
  }

  /** A value a parameter, in the order of the flat vector. */
  spread(value: (parameter: Parameter) => number): Float32Array {
    const spread = new Float32Array(this.parameterCount);
    let offset = 0;
    for (const parameter of this.parameters) {
      const size = sizeOf(parameter.shape);
      spread.fill(value(parameter), offset, offset + size);
      offset += size;
    }
    return spread;
  }
}

/** Of the compact network. */
export const COMPACT = new Layout(PARAMETERS, STATISTICS);
