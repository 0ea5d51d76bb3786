import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import { RECIPE } from "../imaging";
import {
  METADATA_FILE,
  type ModelFiles,
  type ModelMetadata,
  readVerified,
  TOPOLOGY_FILE,
  UnusableModelError,
  WEIGHTS_FILE,
} from "../model";

/** A trained network as files: what {@link readNetwork} reads. */
export interface SerializedNetwork {
  readonly topology: Buffer;
  readonly weights: Buffer;
}

/** The same network gives the same bytes. */
export async function serializeNetwork(network: LayersModel): Promise<SerializedNetwork> {
  let captured: SerializedNetwork | undefined;
  await network.save(
    tf.io.withSaveHandler(async (artifacts) => {
      const weights = Buffer.from(tf.io.concatenateArrayBuffers([artifacts.weightData ?? []].flat()));
      const topology = {
        format: "layers-model",
        modelTopology: artifacts.modelTopology,
        weightsManifest: [{ paths: [WEIGHTS_FILE], weights: artifacts.weightSpecs ?? [] }],
      };
      captured = { topology: Buffer.from(JSON.stringify(topology)), weights };
      return {
        modelArtifactsInfo: {
          // The type demands a date; it is not stored.
          dateSaved: new Date(0),
          modelTopologyType: "JSON",
        },
      };
    }),
  );
  if (!captured) throw new Error("TensorFlow.js saved nothing of the network.");
  return captured;
}

/**
 * The network that was trained, verified, on the current TensorFlow.js backend. The caller disposes it.
 *
 * @throws {UnusableModelError}
 */
export async function readNetwork(files: ModelFiles, metadata: ModelMetadata): Promise<LayersModel> {
  const [topology, weights] = await Promise.all(
    [TOPOLOGY_FILE, WEIGHTS_FILE].map((name) => readVerified(files, name, metadata.files[name])),
  );
  let network: LayersModel;
  try {
    const stored = JSON.parse(Buffer.from(topology as Uint8Array).toString("utf8")) as tf.io.ModelJSON;
    network = await loadLayersModel(
      tf.io.fromMemory({
        modelTopology: stored.modelTopology,
        weightSpecs: stored.weightsManifest.flatMap((group) => group.weights),
        weightData: new Uint8Array(weights as Uint8Array).buffer,
      }),
    );
  } catch (cause) {
    throw new UnusableModelError(
      files.location,
      "bad-network",
      `TensorFlow.js cannot read its network (${cause instanceof Error ? cause.message : String(cause)}).`,
      { cause },
    );
  }
  const problem = shapeProblem(network, metadata);
  if (!problem) return network;
  network.dispose();
  throw new UnusableModelError(files.location, "bad-network", problem);
}

/** What keeps a network from being a model of this program, as a sentence. */
function shapeProblem(network: LayersModel, metadata: Pick<ModelMetadata, "gradCamLayer">): string | undefined {
  const input = JSON.stringify(network.inputs.map((tensor) => tensor.shape));
  const output = JSON.stringify(network.outputs.map((tensor) => tensor.shape));
  if (input !== JSON.stringify([[null, RECIPE.side, RECIPE.side, RECIPE.channels]])) {
    return `its input has shape ${input}; ${RECIPE.side} x ${RECIPE.side} x ${RECIPE.channels} is needed.`;
  }
  if (output !== "[[null,1]]") return `its output has shape ${output}; one probability an image is needed.`;
  if (!network.layers.some((layer) => layer.name === metadata.gradCamLayer)) {
    return `it has no layer "${metadata.gradCamLayer}", which ${METADATA_FILE} names for Grad-CAM.`;
  }
  return undefined;
}

/** uint8 HWC images as one float32 tensor [n, 128, 128, 3] in [0, 1]. The caller disposes it. */
export function imagesToTensor(images: readonly Uint8Array[]): tf.Tensor4D {
  const size = RECIPE.side * RECIPE.side * RECIPE.channels;
  const values = new Float32Array(images.length * size);
  images.forEach((image, index) => {
    if (image.length !== size) {
      throw new RangeError(`Image ${index} has ${image.length} values; the recipe gives ${size}.`);
    }
    const offset = index * size;
    for (let i = 0; i < size; i++) values[offset + i] = (image[i] as number) / 255;
  });
  return tf.tensor4d(values, [images.length, RECIPE.side, RECIPE.side, RECIPE.channels]);
}
