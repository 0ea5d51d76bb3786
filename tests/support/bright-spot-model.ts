import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import type { FittedGuard } from "../../runtime/guard";
import { applyRecipe, RECIPE } from "../../runtime/imaging";
import { layersNetwork, type ModelDescription, modelFileContents, useBackend } from "../../runtime/tensorflow";
import { BRIGHT_SPOT } from "./bright-spot";
import { headPixels } from "./head";

// Who has no use for a network takes these from there, and is spared TensorFlow.js.
export { BRIGHT_SPOT, headPixels, headPng, saveBrightSpot } from "./bright-spot";

/**
 * A real network with weights set by hand: it calls Cancer what has a spot of at least 8 x 8 nearly white pixels.
 * Its second channel sees all of the head and has no say.
 */
export function brightSpotNetwork(): tfl.LayersModel {
  const input = tfl.input({ shape: [RECIPE.side, RECIPE.side, RECIPE.channels] });
  const convolution = tfl.layers.conv2d({
    name: "evidence",
    filters: 2,
    kernelSize: 8,
    strides: 8,
    activation: "relu",
  });
  const evidence = convolution.apply(input) as tfl.SymbolicTensor;
  const average = tfl.layers.globalAveragePooling2d({}).apply(evidence) as tfl.SymbolicTensor;
  const strongest = tfl.layers.globalMaxPooling2d({}).apply(evidence) as tfl.SymbolicTensor;
  const pooled = tfl.layers.concatenate().apply([average, strongest]) as tfl.SymbolicTensor;
  const dense = tfl.layers.dense({ units: 1, activation: "sigmoid" });
  const network = tfl.model({ inputs: input, outputs: dense.apply(pooled) as tfl.SymbolicTensor });
  tf.tidy(() => {
    convolution.setWeights([tf.fill([8, 8, 3, 2], 1 / 192), tf.tensor1d([-0.7, 0])]);
    dense.setWeights([tf.tensor2d([100, 0, 20, 0], [4, 1]), tf.tensor1d([-2])]);
  });
  return network;
}

/** The same with evidence that counts more in the lower right of each patch: mirror images get other answers. */
export function lopsidedNetwork(): tfl.LayersModel {
  const network = brightSpotNetwork();
  tf.tidy(() => {
    const [kernel, bias] = network.getLayer("evidence").getWeights() as [tf.Tensor, tf.Tensor];
    const ramp = tf.linspace(0.8, 1.2, 8);
    const slope = tf.mul(tf.reshape(ramp, [8, 1, 1, 1]), tf.reshape(ramp, [1, 8, 1, 1]));
    network.getLayer("evidence").setWeights([tf.mul(kernel, slope), bias]);
  });
  return network;
}

/** The bright-spot model's files, made now. */
export async function makeBrightSpot(): Promise<ReadonlyMap<string, Buffer>> {
  await useBackend("wasm");
  const network = brightSpotNetwork();
  const files = await modelContents(network, BRIGHT_SPOT);
  network.dispose();
  return files;
}

/** A model's files, its parity measured on one drawn head with a spot. */
export function modelContents(
  network: tfl.LayersModel,
  description: ModelDescription,
  guard?: FittedGuard,
): Promise<ReadonlyMap<string, Buffer>> {
  const pixels = new Uint8Array(headPixels(160, 160, { x: 90, y: 70, radius: 16 }));
  const head = applyRecipe({ width: 160, height: 160, depth: 8, pixels });
  return modelFileContents(
    layersNetwork(network, description),
    description,
    { split: "validation", images: [head] },
    guard,
  );
}

/** Writes a model into a directory. */
export async function saveModel(directory: string, ...model: Parameters<typeof modelContents>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of await modelContents(...model)) await writeFile(join(directory, name), content);
}

/** Saves a network, which it disposes, as a model like the bright-spot one. */
export async function saveNetwork(
  directory: string,
  network: tfl.LayersModel,
  overrides: Partial<typeof BRIGHT_SPOT> = {},
): Promise<void> {
  await saveModel(directory, network, { ...BRIGHT_SPOT, ...overrides });
  network.dispose();
}
