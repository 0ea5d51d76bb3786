/** 95 % on both sides. */
const Z = 1.959964;

export interface Rate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Events a unit of time with the 95 % interval of a Poisson count (Wilson and Hilferty's approximation of the exact one).
 *
 * @param time above 0
 */
export function rateOf(events: number, time: number): Rate {
  const bound = (count: number, z: number) => count * (1 - 1 / (9 * count) + z / (3 * Math.sqrt(count))) ** 3;
  return {
    value: events / time,
    low: events === 0 ? 0 : Math.max(0, bound(events, -Z)) / time,
    high: bound(events + 1, Z) / time,
  };
}

/** The smallest of the values that a share of them does not exceed; null where that is no number. */
export function quantile(values: readonly (number | null)[], share: number): number | null {
  const sorted = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return value === undefined || value === Number.POSITIVE_INFINITY ? null : value;
}
