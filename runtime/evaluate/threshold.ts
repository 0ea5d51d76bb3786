/**
 * The probability from which an image is called Cancer: the one with the best balanced accuracy (equivalently, the
 * largest Youden index: recall + specificity - 1) on the validation split. Test images must never be passed in.
 *
 * Every threshold between two neighbouring probabilities calls the images alike, so the choice is a run of equally good
 * thresholds; the middle of the widest such run is taken, which leaves the most room on both sides.
 *
 * @param probabilities of Cancer, length n, in [0, 1]
 * @param labels 1 Cancer, 0 Non-Cancer, length n
 * @returns a threshold in [0, 1]; 0.5 where a class is missing
 */
export function chooseThreshold(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  const n = probabilities.length;
  if (labels.length !== n) {
    throw new RangeError(`There are ${n} probabilities and ${labels.length} labels; there must be as many.`);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => (probabilities[a] as number) - (probabilities[b] as number),
  );
  const positives = order.filter((i) => labels[i] === 1).length;
  const negatives = n - positives;
  if (positives === 0 || negatives === 0) return 0.5;

  let best = -1;
  let bestFrom = 0;
  let bestTo = 1;
  let runFrom = 0;
  let runScore = -1;
  let rejectedNegatives = 0;
  let missedPositives = 0;
  const close = (from: number, to: number, score: number) => {
    const better = score > best + 1e-12;
    const wider = Math.abs(score - best) <= 1e-12 && to - from > bestTo - bestFrom;
    if (!better && !wider) return;
    best = score;
    bestFrom = from;
    bestTo = to;
  };
  let previous = 0;
  for (let i = 0; i <= n; ) {
    const next = i < n ? (probabilities[order[i] as number] as number) : 1;
    const score = (rejectedNegatives / negatives + (positives - missedPositives) / positives) / 2;
    if (Math.abs(score - runScore) > 1e-12) {
      runFrom = previous;
      runScore = score;
    }
    close(runFrom, next, score);
    if (i === n) break;
    for (; i < n && probabilities[order[i] as number] === next; i++) {
      if (labels[order[i] as number] === 1) missedPositives++;
      else rejectedNegatives++;
    }
    previous = next;
  }
  return (bestFrom + bestTo) / 2;
}
