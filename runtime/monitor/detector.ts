/**
 * A bet on p-values: a density on [0, 1], so that its mean is 1 where they are uniform. All are exponential tilts,
 * whose product over a day depends on the day's count and sum alone.
 */
export interface Bet {
  /** What is summed: `u`, or how far u is from the middle, |2u - 1|. */
  readonly of: "place" | "spread";
  /** Above 0: bets on large values, below 0: on small ones. */
  readonly tilt: number;
}

/** A bet that u is above a point: `share` of the mass on the upper `tail`. Made for what is ranked by how wrong it is. */
export interface TailBet {
  readonly of: "tail";
  readonly tail: number;
  readonly share: number;
}

export type AnyBet = Bet | TailBet;

/** For what may move up, down, apart or together, a little or much. */
export const SHIFT_BETS: readonly Bet[] = [
  ...[-8, -3, -1.2, 1.2, 3, 8].map((tilt) => ({ of: "place", tilt }) as const),
  ...[-2, 2, 6].map((tilt) => ({ of: "spread", tilt }) as const),
];

/** Log of the bet's density at a p-value. */
export function logBet(bet: AnyBet, u: number): number {
  if (bet.of === "tail")
    return u > 1 - bet.tail ? Math.log(bet.share / bet.tail) : Math.log((1 - bet.share) / (1 - bet.tail));
  return bet.tilt * (bet.of === "place" ? u : spreadOf(u)) + unit(bet);
}

const spreadOf = (u: number) => Math.abs(2 * u - 1);
/** What makes a tilt a density. */
const unit = ({ tilt }: Bet) => Math.log(tilt / Math.expm1(tilt));

/** Log of what a bet makes of a day's p-values. */
function logDay(bet: AnyBet, { pvalues, place, spread }: DaySums): number {
  if (bet.of === "tail") return pvalues.reduce((sum, u) => sum + logBet(bet, u), 0);
  return bet.tilt * (bet.of === "place" ? place : spread) + pvalues.length * unit(bet);
}

interface DaySums {
  readonly pvalues: readonly number[];
  readonly place: number;
  readonly spread: number;
}

/**
 * A CUSUM e-detector (Shin, Ramdas and Rinaldo, E-detectors: a nonparametric framework for sequential change detection,
 * 2023, https://arxiv.org/abs/2203.03532), one step a day, as a weighted mean over any number of bets on any number of
 * statistics of the same scans, however they depend on each other.
 *
 * With E the product of a bet over a day, S becomes E max(1, S): what was lost is forgotten, as in Page's CUSUM. An alarm
 * rings where the mean M over all bets reaches `patience`, and all begin anew. While nothing changes the mean of E is 1
 * whatever came before, and S is at most R, which becomes E (1 + R) (Shiryaev and Roberts); R minus the number of days is
 * a martingale for each bet, and so is the mean over bets. So M + patience x (number of alarms) gains at most 1 a day in
 * expectation, and at any number of scans a day:
 *
 *     E[alarms within N days] <= N / patience.
 */
export class Detector {
  private readonly logs: Float64Array;

  private readonly weights: Float64Array;

  /** First day of the stretch that speaks most for a change, of each bet. */
  private readonly since: number[];

  /**
   * @param bets what is bet on: `statistic` counts from 0
   * @param patience days, 1 or more: an alarm within N days where nothing changes has probability N / patience at most
   */
  constructor(
    readonly bets: readonly { readonly statistic: number; readonly bet: AnyBet; readonly weight: number }[],
    readonly patience: number,
  ) {
    const total = bets.reduce((sum, { weight }) => sum + weight, 0);
    this.weights = Float64Array.from(bets, ({ weight }) => weight / total);
    this.logs = new Float64Array(bets.length);
    this.since = bets.map(() => 0);
  }

  /**
   * Takes a day in.
   *
   * @param pvalues of each statistic, those of the day's scans; any number, also none
   * @param day number of the day
   * @returns evidence before a reset: the mean M over `patience`, 1 and more where an alarm rings
   */
  day(pvalues: readonly (readonly number[])[], day: number): DetectorDay {
    const evidence = new Float64Array(this.bets.length);
    let sum = 0;
    const sums = pvalues.map((day) => ({
      pvalues: day,
      place: day.reduce((total, u) => total + u, 0),
      spread: day.reduce((total, u) => total + spreadOf(u), 0),
    }));
    this.bets.forEach(({ statistic, bet }, i) => {
      const today = sums[statistic];
      const log = today ? logDay(bet, today) : 0;
      const before = this.logs[i] as number;
      // The stretch begins anew where what came before it spoke against a change.
      if (before <= 0) this.since[i] = day;
      this.logs[i] = log + Math.max(0, before);
      evidence[i] = (this.weights[i] as number) * Math.exp(Math.min(700, this.logs[i] as number));
      sum += evidence[i] as number;
    });
    const level = sum / this.patience;
    const shares = new Map<number, { share: number; since: number; bet: AnyBet; most: number }>();
    this.bets.forEach(({ statistic, bet }, i) => {
      const part = sum > 0 ? (evidence[i] as number) / sum : 0;
      const known = shares.get(statistic);
      const share = (known?.share ?? 0) + part;
      if (!known || part > known.most)
        shares.set(statistic, { share, since: this.since[i] as number, bet, most: part });
      else known.share = share;
    });
    const alarm = level >= 1;
    const drivers = [...shares]
      .map(([statistic, { share, since, bet }]) => ({
        statistic,
        share,
        since,
        bet,
        strength: this.strength(statistic),
      }))
      .sort((a, b) => b.share - a.share);
    if (alarm) {
      this.logs.fill(0);
      this.since.fill(day + 1);
    }
    return { level, alarm, drivers };
  }

  /** Log of a statistic's own evidence, with its bets' weights among themselves. */
  private strength(statistic: number): number {
    let [sum, weight] = [0, 0];
    this.bets.forEach((one, i) => {
      if (one.statistic !== statistic) return;
      sum += (this.weights[i] as number) * Math.exp(Math.min(700, this.logs[i] as number));
      weight += this.weights[i] as number;
    });
    return Math.log(sum / weight);
  }
}

export interface Driver {
  readonly statistic: number;
  /** Of the evidence, 0 to 1. */
  readonly share: number;
  /** Day from which the stretch reaches that speaks for a change. */
  readonly since: number;
  /** The bet that won most. */
  readonly bet: AnyBet;
  /** Natural logarithm of what its own bets have won. */
  readonly strength: number;
}

export interface DetectorDay {
  /** Evidence over what is needed for an alarm. */
  readonly level: number;
  readonly alarm: boolean;
  /** Every statistic, that with the most evidence first. */
  readonly drivers: readonly Driver[];
}

/** Every statistic with every bet, each statistic weighing the same. */
export function betsOn(statistics: number, bets: readonly AnyBet[]): Detector["bets"] {
  return Array.from({ length: statistics }, (_, statistic) =>
    bets.map((bet) => ({ statistic, bet, weight: 1 / bets.length })),
  ).flat();
}
