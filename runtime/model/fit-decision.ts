import { identityOf } from "../platform/identity";
import { CALIBRATION } from "./calibration";
import { CALIBRATION_BINS } from "./calibration-error";
import { type CalibrationCheck, chooseCalibration } from "./choose-calibration";
import { calibrate, SUREST } from "./decision";
import type { ModelMetadata } from "./metadata";
import { fitOperatingPoints, SPECIFICITIES } from "./operating-points";
import { BAND, chooseBand } from "./selective";
import { COST_OF_A_MISS, costThreshold } from "./threshold";

const RULES = {
  /** Grows when what is fitted changes without a parameter changing. */
  version: 1,
  surest: SUREST,
  calibration: { ...CALIBRATION, bins: CALIBRATION_BINS },
  costOfAMiss: COST_OF_A_MISS,
  band: BAND,
  specificities: SPECIFICITIES,
} as const;

/** What turns answers into decisions; part of a model's id. */
export const DECISION = { id: identityOf("c", RULES), ...RULES } as const;

/**
 * What turns a network's answers into decisions, all from the validation split: temperature and offset, then the
 * threshold, the uncertain band and the thresholds for a given specificity, in the probability that is answered. Where
 * calibration is not applied that is the network's own, the better calibrated of the two on groups that were held out, so
 * the threshold follows by the same rule.
 *
 * @param probabilities of the validation images, as the network gives them
 * @param labels 1 Cancer, 0 Non-Cancer
 * @param groups what belongs together: patients, near-duplicates
 */
export function fitDecision(
  probabilities: Float32Array,
  labels: Uint8Array,
  groups: readonly string[],
): Pick<ModelMetadata, "threshold" | "temperature" | "offset" | "prevalence" | "uncertain" | "operatingPoints"> & {
  readonly calibration: CalibrationCheck;
} {
  const { calibration, check } = chooseCalibration(probabilities, labels, groups);
  // Float32, as the loaded model will answer.
  const calibrated = probabilities.map((probability) => calibrate(probability, calibration));
  const threshold = costThreshold(labels);
  const uncertain = chooseBand(calibrated, labels, threshold);
  const points = fitOperatingPoints(calibrated, labels);
  const prevalence = labels.filter((label) => label === 1).length / labels.length;
  return {
    threshold,
    ...calibration,
    calibration: check,
    ...(prevalence > 0 && prevalence < 1 ? { prevalence } : {}),
    ...(uncertain ? { uncertain } : {}),
    ...(points.length > 0 ? { operatingPoints: points } : {}),
  };
}
