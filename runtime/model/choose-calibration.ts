import { foldsOfGroups } from "../platform/folds";
import { CALIBRATION, type FittedCalibration, fitCalibration, NOT_CALIBRATED } from "./calibration";
import { ece } from "./calibration-error";
import { calibrate } from "./decision";
import type { ModelMetadata } from "./metadata";

/** Whether calibration was applied, and what spoke for it. */
export type CalibrationCheck = NonNullable<ModelMetadata["calibration"]>;

/**
 * Fits a calibration to all validation images, and applies it only where it was seen to help images that it was not fitted
 * to: in turn a fold of the groups is calibrated by what the others gave, and the calibration error (ECE) of all of them
 * is compared with that of the network's own answers. With few groups a fit of two numbers can make answers worse.
 *
 * Near-duplicates and slices of a patient share a group, so no image speaks for its own neighbour. Two groups are enough
 * to compare; with one, or with one class, nothing can be held out, and the network's own answers stay.
 *
 * @param probabilities of Cancer, as the network gives them, length n
 * @param labels 1 Cancer, 0 Non-Cancer, length n
 * @param groups what belongs together, length n
 */
export function chooseCalibration(
  probabilities: Float32Array,
  labels: Uint8Array,
  groups: readonly string[],
): { readonly calibration: FittedCalibration; readonly check: CalibrationCheck } {
  if (groups.length !== labels.length) {
    throw new RangeError(`There are ${groups.length} groups and ${labels.length} labels; there must be as many.`);
  }
  const count = new Set(groups).size;
  if (count < 2 || !labels.includes(0) || !labels.includes(1)) {
    return { calibration: NOT_CALIBRATED, check: { applied: false, groups: count, folds: 0, ece: null } };
  }
  const answers = Float64Array.from(probabilities);
  const heldOut = calibrateHeldOut(answers, labels, groups);
  const without = errorOf(answers, labels);
  const crossValidated = errorOf(heldOut, labels);
  const applied = crossValidated < without;
  return {
    calibration: applied ? fitCalibration(probabilities, labels) : NOT_CALIBRATED,
    check: {
      applied,
      groups: count,
      folds: Math.min(CALIBRATION.folds, count),
      ece: { without, crossValidated },
    },
  };
}

/** Each answer as calibrated by the groups of the other folds. */
function calibrateHeldOut(answers: Float64Array, labels: Uint8Array, groups: readonly string[]): Float64Array {
  const foldOf = foldsOfGroups(groups, CALIBRATION.folds);
  const calibrated = new Float64Array(answers.length);
  for (const fold of new Set(foldOf)) {
    const learn = (_: unknown, i: number) => foldOf[i] !== fold;
    const fitted = fitCalibration(answers.filter(learn), labels.filter(learn));
    foldOf.forEach((of, i) => {
      if (of === fold) calibrated[i] = calibrate(answers[i] as number, fitted);
    });
  }
  return calibrated;
}

/** There is an image, so there is an error. */
const errorOf = (probabilities: Float64Array, labels: Uint8Array) => ece({ probabilities, labels }).value as number;

/** What became of calibration, as a sentence. */
export function describeCalibration({ applied, groups, folds, ece: error }: CalibrationCheck): string {
  if (!error) {
    return "The validation split has one class or one group alone, so nothing shows that a calibration would help: none is applied.";
  }
  const found = `over ${folds} folds of ${groups} validation groups the calibration error (ECE) is ${error.crossValidated.toFixed(3)} with it and ${error.without.toFixed(3)} without`;
  return applied ? `Calibration is applied: ${found}.` : `Calibration is not applied, for it does not help: ${found}.`;
}
