import { symmetricEigen } from "../platform/linear-algebra";

/** What is said of a scan's features, in this order. */
export const FEATURE_STATISTICS = [
  "features-1",
  "features-2",
  "features-3",
  "features-distance",
  "features-rest",
] as const;
export type FeatureStatistic = (typeof FEATURE_STATISTICS)[number];

const NAMED = 3;
/** Components within which the distance is measured. */
const COMPONENTS = 16;

/** Where the features of the training scans lie: their mean and principal components. */
export class FeatureSpread {
  private constructor(
    private readonly mean: Float64Array,
    private readonly components: readonly Float64Array[],
    private readonly variances: readonly number[],
  ) {}

  /** @param rows features of training scans, one or more, all of one length */
  static of(rows: readonly ArrayLike<number>[]): FeatureSpread {
    const width = rows[0]?.length ?? 0;
    const mean = new Float64Array(width);
    for (const row of rows)
      for (let i = 0; i < width; i++) mean[i] = (mean[i] as number) + (row[i] as number) / rows.length;
    const products = new Float64Array(width * width);
    for (const row of rows)
      for (let i = 0; i < width; i++) {
        const left = (row[i] as number) - (mean[i] as number);
        for (let j = i; j < width; j++) {
          const at = i * width + j;
          products[at] = (products[at] as number) + (left * ((row[j] as number) - (mean[j] as number))) / rows.length;
        }
      }
    for (let i = 0; i < width; i++)
      for (let j = 0; j < i; j++) products[i * width + j] = products[j * width + i] as number;
    const { values, vectors } = symmetricEigen(products, width);
    const kept = Math.min(COMPONENTS, width);
    // A direction in which training scans hardly differ must not make every scan far.
    const least = 1e-6 * Math.max(1e-12, values[0] ?? 0);
    return new FeatureSpread(
      mean,
      vectors.slice(0, kept),
      Array.from(values.slice(0, kept), (v) => Math.max(least, v)),
    );
  }

  /**
   * The first principal scores in standard deviations, how far the scan lies from the training scans within the components
   * (log of the mean squared score), and outside of them (log of the squared rest; Hotelling's T2 and Q of process control).
   */
  statistics(features: ArrayLike<number>): Readonly<Record<FeatureStatistic, number>>;
  /** Nothing where it is not known what the model sees in a scan. */
  statistics(features: ArrayLike<number> | undefined): Readonly<Partial<Record<FeatureStatistic, number>>>;
  statistics(features: ArrayLike<number> | undefined): Readonly<Partial<Record<FeatureStatistic, number>>> {
    if (!features) return {};
    const centred = Float64Array.from(this.mean, (m, i) => (features[i] as number) - m);
    let rest = centred.reduce((sum, v) => sum + v * v, 0);
    let distance = 0;
    const scores = this.components.map((component, k) => {
      const score = component.reduce((sum, v, i) => sum + v * (centred[i] as number), 0);
      rest -= score * score;
      distance += score ** 2 / (this.variances[k] as number);
      return score / Math.sqrt(this.variances[k] as number);
    });
    const [first = 0, second = 0, third = 0] = scores.slice(0, NAMED);
    return {
      "features-1": first,
      "features-2": second,
      "features-3": third,
      "features-distance": Math.log(distance / this.components.length + 1e-12),
      "features-rest": Math.log(Math.max(0, rest) + 1e-12),
    };
  }
}
