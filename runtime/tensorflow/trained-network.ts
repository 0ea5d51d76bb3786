import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { ModelMetadata, ViewedAnswer } from "../model";
import { EXPORT, exportNetwork } from "./export";
import { judge } from "./judge";
import { type SerializedNetwork, serializeNetwork } from "./network";

/** What a network says of an image by TensorFlow.js: what `model.onnx` is measured against. */
export type Judged = Omit<ViewedAnswer, "features">;

/** A network after its training, on the current TensorFlow.js backend: all that has to be known of it to publish it. */
export interface TrainedNetwork {
  /** Trainable parameters. */
  readonly parameters: number;
  /** Names the way in which {@link onnx} writes it. */
  readonly export: string;
  /** As it answers, see `SIGNATURE`. The same network gives the same bytes. @throws {UnexportableNetworkError} */
  onnx(): Buffer;
  /** As it was trained. The same network gives the same bytes. */
  serialize(): Promise<SerializedNetwork>;
  /** @param pixels recipe output: 128 x 128 x 3 uint8, HWC */
  judge(pixels: Uint8Array): Promise<Judged>;
  dispose(): void;
}

/**
 * A network of TensorFlow.js layers.
 *
 * @param exported how the `model.onnx` that it is measured against was written, see {@link EXPORT}
 */
export function layersNetwork(
  network: LayersModel,
  metadata: Pick<ModelMetadata, "views" | "gradCamLayer">,
  exported: string = EXPORT.id,
): TrainedNetwork {
  return {
    parameters: network.countParams(),
    export: EXPORT.id,
    onnx: () => exportNetwork(network, metadata.gradCamLayer),
    serialize: () => serializeNetwork(network),
    judge: (pixels) => judge(network, metadata, pixels, exported === EXPORT.id ? undefined : true),
    dispose: () => void network.dispose(),
  };
}
