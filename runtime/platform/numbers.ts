export const clamp = (low: number, high: number, value: number): number => Math.min(high, Math.max(low, value));

/** Log odds; infinite at 0 and 1. */
export const logit = (probability: number): number => Math.log(probability) - Math.log1p(-probability);

export const sigmoid = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds));
