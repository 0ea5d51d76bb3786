import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { RECIPE } from "../../runtime/imaging";
import { normal, uniform } from "../../runtime/platform/random";

/** As in runtime/train/architecture.ts, and what older or other models have beside it. */
export interface OddStage {
  readonly channels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly shortcut?: true;
  readonly pool?: "convolution" | "activation";
  /** Between the features and themselves: a convolution with a bias and its own activation, without normalisation. */
  readonly plain?: true;
  readonly padding?: "valid";
}

/** A network of the product's building blocks with weights drawn at random, statistics of the normalisation included. */
export function randomNetwork(
  stages: readonly OddStage[],
  seed: number,
  { lesions = true }: { readonly lesions?: boolean } = {},
): tfl.LayersModel {
  const input = tfl.input({ shape: [RECIPE.side, RECIPE.side, RECIPE.channels] });
  const pool = (values: tfl.SymbolicTensor) =>
    tfl.layers.maxPooling2d({ poolSize: 2, strides: 2, padding: "same" }).apply(values) as tfl.SymbolicTensor;
  let features = input;
  let before = input;
  stages.forEach(({ channels, kernel, stride, shortcut, pool: pooled, plain, padding = "same" }, index) => {
    const name = index === stages.length - 1 ? "features" : `stage${index}`;
    const settings = { filters: channels, kernelSize: kernel, strides: stride, padding: padding as "same" | "valid" };
    let values: tfl.SymbolicTensor;
    if (plain) {
      values = tfl.layers.conv2d({ ...settings, activation: "relu", name }).apply(features) as tfl.SymbolicTensor;
    } else {
      values = tfl.layers.conv2d({ ...settings, useBias: false }).apply(features) as tfl.SymbolicTensor;
      if (pooled === "convolution") values = pool(values);
      values = tfl.layers.batchNormalization({ epsilon: 1e-3 }).apply(values) as tfl.SymbolicTensor;
      if (shortcut) values = tfl.layers.add().apply([values, before]) as tfl.SymbolicTensor;
      values = tfl.layers.reLU({ name }).apply(values) as tfl.SymbolicTensor;
    }
    if (pooled === "activation") values = pool(values);
    before = features;
    features = values;
  });
  const evidence = [
    tfl.layers.globalAveragePooling2d({}).apply(features) as tfl.SymbolicTensor,
    tfl.layers.globalMaxPooling2d({}).apply(features) as tfl.SymbolicTensor,
  ];
  if (lesions) {
    const map = tfl.layers.dense({ units: 1, name: "lesions" }).apply(features);
    evidence.push(tfl.layers.globalMaxPooling2d({}).apply(map) as tfl.SymbolicTensor);
  }
  const joined = tfl.layers.concatenate().apply(evidence);
  // One with a lesion map ends as the product's does, one without in a layer that is a sigmoid alone.
  const unit = tfl.layers.dense({ units: 1, activation: lesions ? "sigmoid" : "linear" }).apply(joined);
  const output = lesions ? unit : tfl.layers.activation({ activation: "sigmoid" }).apply(unit);
  const network = tfl.model({ inputs: input, outputs: output as tfl.SymbolicTensor });
  drawWeights(network, seed);
  return network;
}

function drawWeights(network: tfl.LayersModel, seed: number): void {
  const gaussian = normal(uniform(seed));
  tf.tidy(() => {
    for (const layer of network.layers) {
      const weights = layer.getWeights();
      const fans = weights[0]?.shape.slice(0, -1).reduce((product, side) => product * side, 1) ?? 1;
      const isNormalization = layer.getClassName() === "BatchNormalization";
      layer.setWeights(
        weights.map((weight, i) => {
          // Of a normalisation: scale, some below zero; shift; mean; variance.
          const draw = () => {
            if (!isNormalization) return gaussian() * Math.sqrt(2 / fans);
            return i === 3 ? 0.5 + Math.abs(gaussian()) : i === 0 ? 0.7 + gaussian() : 0.3 * gaussian();
          };
          return tf.tensor(Float32Array.from({ length: weight.size }, draw), weight.shape);
        }),
      );
    }
  });
}
