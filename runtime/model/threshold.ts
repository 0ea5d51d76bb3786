/** How many false alarms a missed tumour is taken to cost, were tumours as frequent as healthy heads. */
export const COST_OF_A_MISS = 3;

/**
 * The probability from which an image is called Cancer: where both mistakes are expected to cost the same
 * (Elkan 2001, The foundations of cost-sensitive learning). A miss costs {@link COST_OF_A_MISS} false alarms, each class
 * counted as a whole, so that a rare one weighs as much as a frequent one. With as many images of both that is 0.25.
 *
 * It follows from the calibration and hangs on no single image, as the best threshold of a few hundred images does.
 *
 * @param labels 1 Cancer, 0 Non-Cancer, of the validation images
 * @returns a threshold in (0, 1); 0.5 where a class is missing, so that its share is not known
 */
export function costThreshold(labels: ArrayLike<number>): number {
  const n = labels.length;
  const positives = Array.from(labels).filter((label) => label === 1).length;
  const negatives = n - positives;
  if (positives === 0 || negatives === 0) return 0.5;
  return positives / (positives + COST_OF_A_MISS * negatives);
}
