import { fitCalibration } from "./calibration";
import { calibrate } from "./decision";
import type { ModelMetadata } from "./metadata";
import { fitOperatingPoints } from "./operating-points";
import { chooseBand } from "./selective";
import { costThreshold } from "./threshold";

/** Named in a model's id: another rule makes another model. */
export const DECISION_RULE =
  "temperature and offset, a miss costs 3 false alarms, band 0.2, guard 1, specificity points";

/**
 * What turns a network's answers into decisions, all from the validation split: temperature and offset, then the
 * threshold, the uncertain band and the thresholds for a given specificity, in calibrated probability.
 *
 * @param probabilities of the validation images, as the network gives them
 * @param labels 1 Cancer, 0 Non-Cancer
 */
export function fitDecision(
  probabilities: Float32Array,
  labels: Uint8Array,
): Pick<ModelMetadata, "threshold" | "temperature" | "offset" | "uncertain" | "operatingPoints"> {
  const calibration = fitCalibration(probabilities, labels);
  // Float32, as the loaded model will answer.
  const calibrated = probabilities.map((probability) => calibrate(probability, calibration));
  const threshold = costThreshold(labels);
  const uncertain = chooseBand(calibrated, labels, threshold);
  const points = fitOperatingPoints(calibrated, labels);
  return {
    threshold,
    ...calibration,
    ...(uncertain ? { uncertain } : {}),
    ...(points.length > 0 ? { operatingPoints: points } : {}),
  };
}
