import { clamp, sigmoid } from "../platform/numbers";
import { type Calibration, calibrate, LARGEST_LOG_ODDS } from "./decision";
import type { ViewedAnswer } from "./engine";

/** A model's answer about one image. */
export interface Answer {
  /** Of Cancer, calibrated, 0 to 1, in single precision. */
  readonly probability: number;
  /** Signed Grad-CAM for Cancer on the grid of the model's layer, row by row: the mean over the model's views. */
  readonly map: { readonly rows: number; readonly columns: number; readonly values: Float32Array };
  /** Mean of the layer's channels over places and views: 128 for the product's network. */
  readonly features: Float32Array;
}

/** Log odds, averaged over the views; then calibrated. */
export function answerOf({ logits, map, features }: ViewedAnswer, calibration: Calibration): Answer {
  const mean = logits.reduce((sum, z) => sum + clamp(-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, z), 0) / logits.length;
  return { probability: Math.fround(calibrate(sigmoid(mean), calibration)), map, features };
}
