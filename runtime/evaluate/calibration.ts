import { logit } from "../registry";

const COLDEST = 0.1;
const HOTTEST = 10;
/** Steps of the golden-section search: the interval shrinks to less than a millionth. */
const STEPS = 40;
/** Keeps the log odds of an answer of exactly 0 or 1 finite: the resolution of float32 below 1. */
const SUREST = 6e-8;

/**
 * The temperature by which log odds must be divided so that validation labels become likeliest (Guo et al. 2017). Test
 * images must never be passed in.
 *
 * The targets are those of Platt (1999), (n + 1) / (n + 2) and 1 / (n + 2) with n images of the class, so that a
 * validation split without an error does not ask for infinite certainty.
 *
 * @param probabilities of Cancer, as the network gives them, length n
 * @param labels 1 Cancer, 0 Non-Cancer, length n
 * @returns 0.1 to 10; 1 where a class is missing
 */
export function fitTemperature(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  const n = probabilities.length;
  if (labels.length !== n) {
    throw new RangeError(`There are ${n} probabilities and ${labels.length} labels; there must be as many.`);
  }
  const positives = Array.from(labels).filter((label) => label === 1).length;
  const negatives = n - positives;
  if (positives === 0 || negatives === 0) return 1;
  const targets = [1 / (negatives + 2), (positives + 1) / (positives + 2)] as const;
  const logits = Float64Array.from(probabilities, (p) => logit(Math.min(1 - SUREST, Math.max(SUREST, p))));

  const loss = (logTemperature: number) => {
    const temperature = Math.exp(logTemperature);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const z = (logits[i] as number) / temperature;
      sum += Math.max(z, 0) - z * targets[labels[i] === 1 ? 1 : 0] + Math.log1p(Math.exp(-Math.abs(z)));
    }
    return sum;
  };
  return Math.exp(goldenSection(loss, Math.log(COLDEST), Math.log(HOTTEST)));
}

/** Where a function with one minimum has it (Kiefer 1953). */
function goldenSection(f: (x: number) => number, from: number, to: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  let [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [atA, atB] = [f(a), f(b)];
  for (let step = 0; step < STEPS; step++) {
    if (atA < atB) {
      [high, b, atB] = [b, a, atA];
      a = high - ratio * (high - low);
      atA = f(a);
    } else {
      [low, a, atA] = [a, b, atB];
      b = low + ratio * (high - low);
      atB = f(b);
    }
  }
  return (low + high) / 2;
}
