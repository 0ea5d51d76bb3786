import { chooseBand, costThreshold, fitCalibration, fitOperatingPoints } from "../evaluate";
import { type FittedGuard, fitGuard, type GuardScan } from "../guard";
import { readShards } from "../preprocess";
import { calibrate, type ModelMetadata } from "../registry";
import type { TrainContext } from "./step";

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

/** Fits the input guard to the training and validation scans; test images are not looked at. */
export async function fitInputGuard({
  workspace,
  signal,
}: Pick<TrainContext, "workspace" | "signal">): Promise<FittedGuard | undefined> {
  const scans: GuardScan[] = [];
  for (const split of ["train", "validation"] as const) {
    for await (const { pixels, group, label } of readShards(workspace, { split, channels: 1 })) {
      if (label !== null) scans.push({ grey: pixels, group });
    }
  }
  return fitGuard(scans, { signal });
}
