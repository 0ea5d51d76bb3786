import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { InputGuard } from "../guard";
import type { ModelMetadata } from "./metadata";

/** A loaded, verified model. */
export interface Classifier {
  readonly metadata: ModelMetadata;
  /** Input [n, 128, 128, 3] float32 in [0, 1]; output [n, 1], the probability of Cancer before calibration. */
  readonly network: LayersModel;
  /** Tells what is no brain scan; undefined where the model has none. */
  readonly guard: InputGuard | undefined;
  /**
   * Calibrated probability of Cancer of each image, 0 to 1.
   * @param images recipe output: 128 x 128 x 3 uint8 each, HWC.
   */
  predict(images: readonly Uint8Array[]): Promise<Float32Array>;
  dispose(): void;
}
