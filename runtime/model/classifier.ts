import type { InputGuard } from "../guard";
import type { ImageLimits } from "../imaging";
import type { Answer } from "./answer";
import type { ModelMetadata } from "./metadata";
import type { EncodedScan, ScoredScan } from "./score";

/** A loaded, verified model. It answers in worker threads: nothing of it blocks the event loop. */
export interface Classifier {
  readonly metadata: ModelMetadata;
  /** `model.onnx`. */
  readonly onnx: Uint8Array;
  /** Tells what is no brain scan; undefined where the model has none. */
  readonly guard: InputGuard | undefined;
  /**
   * Calibrated probability of Cancer of each image, 0 to 1.
   * @param images recipe output: 128 x 128 x 3 uint8 each, HWC
   */
  predict(images: readonly Uint8Array[]): Promise<Float32Array>;
  /**
   * The same with map and features, in the order of the images.
   * @param signal once it is aborted, the call rejects at once and what has not begun never does
   * @throws {UnusableModelError} if the network gives no number
   */
  answer(images: readonly Uint8Array[], signal?: AbortSignal): Promise<readonly Answer[]>;
  /**
   * Decodes a file and answers for its most suspicious page, all in one worker; see `scoreScan`.
   * @throws {RejectedImage} if no page can be used
   * @throws {UnusableModelError} if the network gives no number
   */
  score(bytes: Uint8Array, options?: ScoreFileOptions): Promise<ScoredScan>;
  /** The same with the page as PNG in place of its pixels, which would be copied from thread to thread. */
  encode(bytes: Uint8Array, options?: ScoreFileOptions): Promise<EncodedScan>;
  /** Ends the threads. What is under way is rejected. */
  dispose(): Promise<void>;
}

export interface ScoreFileOptions {
  readonly limits?: Partial<ImageLimits>;
  /** Once it is aborted, the call rejects at once; a file whose turn has come is left after the page that is worked on. */
  readonly signal?: AbortSignal;
}
