import { RankedBag } from "./ranked";

/**
 * Smoothed conformal p-values, online (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2nd ed. 2022,
 * chapters 2 and 8): each value is ranked among the reference, itself and *all that came before it*. Where reference
 * and stream are exchangeable, the p-values are independent and uniform on [0, 1], exactly: for any distribution, any
 * size of the reference and any number of ties.
 *
 * Ranks among a fixed reference would not do: its own chance deviation, 1 / sqrt(n), is a drift that a long stream finds.
 */
export class ConformalStream {
  private readonly bag: RankedBag;

  /**
   * @param reference values that nothing of the statistic was fitted to
   * @param random uniform in [0, 1): breaks ties; of its own, so that it knows nothing of the values
   */
  constructor(
    reference: Iterable<number>,
    private readonly random: () => number,
  ) {
    this.bag = new RankedBag(reference);
  }

  /** The p-value of the next value: near 0 where it is low, near 1 where it is high. Then the value is one of the bag. */
  next(value: number): number {
    const { less, notGreater } = this.bag.rank(value);
    const ties = notGreater - less + 1;
    const p = (less + this.random() * ties) / (this.bag.size + 1);
    this.bag.add(value);
    return p;
  }
}
