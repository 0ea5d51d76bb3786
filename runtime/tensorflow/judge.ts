import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { type ModelMetadata, type ViewedAnswer, viewsOf } from "../model";
import { imagesToTensor } from "./network";
import { showAs, unshow } from "./views";
import { inputsOf, outputOf } from "./wiring";

/**
 * What the trained network itself says of an image, by TensorFlow.js: what `model.onnx` is measured against. The map is
 * Grad-CAM (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391) for the class Cancer as it is defined: the activations
 * of `gradCamLayer`, weighted by the spatial mean of the gradient of the logit with respect to them. Where a model answers
 * for several views of an image, it is the mean of their maps, each brought back over the image.
 *
 * Of a network that looks at maxima over places, averages over places are held constant. An average has the same gradient
 * everywhere, so that its part of a map shows where activations are strong in any image, at the border of the picture where
 * zeros are padded, whatever was found; a maximum's shows where its channel found something.
 *
 * The gradient is of the logit, not of the probability, whose gradient vanishes where the model is sure. Only what lies
 * behind the layer is differentiated, so no gradient of a convolution is needed, which the WebAssembly backend lacks. Where
 * several places are a maximum, each has its share of the gradient, as in TensorFlow and PyTorch; TensorFlow.js would give
 * all of it to each.
 *
 * @param pixels recipe output: 128 x 128 x 3 uint8, HWC
 * @param followsMeans whether the map shows what goes through averages, too
 */
export async function judge(
  network: LayersModel,
  { views: shown, gradCamLayer }: Pick<ModelMetadata, "views" | "gradCamLayer">,
  pixels: Uint8Array,
  followsMeans = !network.layers.some((layer) => layer.getClassName() === "GlobalMaxPooling2D"),
): Promise<Omit<ViewedAnswer, "features">> {
  const views = viewsOf(shown);
  const [logits, cam] = tf.tidy(() => {
    let logitsOfViews: tf.Tensor | undefined;
    const graph = new EagerGraph(network, followsMeans);
    const image = imagesToTensor([pixels]);
    const x = tf.concat(views.map((view) => showAs(view, image))) as tf.Tensor4D;
    const activations = graph.forward(x, gradCamLayer);
    if (activations.rank !== 4) {
      throw new Error(
        `Layer "${gradCamLayer}" gives a tensor of shape [${activations.shape}]; Grad-CAM needs [n, rows, columns, channels].`,
      );
    }
    const { value, grad } = tf.valueAndGrad((values: tf.Tensor) => {
      logitsOfViews = tf.keep(graph.logit(values, gradCamLayer));
      return tf.sum(logitsOfViews);
    })(activations);
    value.dispose();
    const weighted = tf.sum(tf.mul(activations, tf.mean(grad, [1, 2], true)), 3, true) as tf.Tensor4D;
    const maps = views.map((view, i) => unshow(view, tf.slice(weighted, [i, 0, 0, 0], [1, -1, -1, -1])));
    return [
      logitsOfViews as unknown as tf.Tensor,
      tf.squeeze(tf.div(tf.addN(maps), views.length), [0, 3]) as tf.Tensor2D,
    ] as const;
  });
  const [rows, columns] = cam.shape;
  const values = Float32Array.from(await cam.data());
  const answers = Float32Array.from(await logits.data());
  tf.dispose([logits, cam]);
  return { logits: answers, map: { rows, columns, values } };
}

/** Runs a layers model layer by layer on concrete tensors, from any layer on. */
class EagerGraph {
  constructor(
    private readonly network: LayersModel,
    private readonly followsMeans: boolean,
  ) {}

  /** Activations of one layer. */
  forward(input: tf.Tensor, layerName: string): tf.Tensor {
    const values = new Map<number, tf.Tensor>([[this.network.inputs[0]?.id as number, input]]);
    this.run(values, layerName);
    return values.get(outputOf(this.network, layerName)) as tf.Tensor;
  }

  /** The logit of Cancer, [n, 1], from the activations of one layer. */
  logit(activations: tf.Tensor, layerName: string): tf.Tensor {
    const values = new Map<number, tf.Tensor>([[outputOf(this.network, layerName), activations]]);
    const last = this.network.layers.at(-1) as LayersModel["layers"][number];
    this.run(values, undefined, last.name);
    const inputs = inputsOf(this.network, last.name).map((id) => values.get(id));
    const [input] = inputs;
    if (inputs.length !== 1 || !input) throw this.notAChain(layerName);
    const activation = (last.getConfig() as { activation?: unknown }).activation;
    if (last.getClassName() === "Dense" && activation === "sigmoid") {
      const [kernel, bias] = last.getWeights() as [tf.Tensor2D, tf.Tensor1D | undefined];
      const product = tf.matMul(input as tf.Tensor2D, kernel);
      return bias ? tf.add(product, bias) : product;
    }
    if (last.getClassName() === "Activation" && activation === "sigmoid") return input;
    const output = tf.clipByValue(last.apply(input) as tf.Tensor, 1e-6, 1 - 1e-6);
    return tf.sub(tf.log(output), tf.log(tf.sub(1, output)));
  }

  /** Applies every layer whose inputs are known, until `until` has its value; leaves out `except`. */
  private run(values: Map<number, tf.Tensor>, until?: string, except?: string): void {
    for (const layer of this.network.layers) {
      if (layer.name === except) continue;
      const output = outputOf(this.network, layer.name);
      if (!values.has(output)) {
        const inputs = inputsOf(this.network, layer.name).map((id) => values.get(id));
        if (inputs.length === 0 || inputs.some((value) => value === undefined)) continue;
        const concrete = inputs as tf.Tensor[];
        values.set(output, this.apply(layer, concrete));
      }
      if (layer.name === until) return;
    }
  }

  private apply(layer: LayersModel["layers"][number], inputs: tf.Tensor[]): tf.Tensor {
    const isMean = layer.getClassName() === "GlobalAveragePooling2D";
    return isMean && !this.followsMeans ? heldMean(inputs[0] as tf.Tensor4D) : applyLayer(layer, inputs);
  }

  private notAChain(layerName: string): Error {
    return new Error(
      `The network goes around layer "${layerName}", so Grad-CAM cannot follow it from there. Name a layer that everything passes through.`,
    );
  }
}

function applyLayer(layer: LayersModel["layers"][number], inputs: tf.Tensor[]): tf.Tensor {
  const [input] = inputs as [tf.Tensor];
  if (layer.getClassName() === "GlobalMaxPooling2D") return sharedMaximum(input as tf.Tensor4D);
  if (layer.getClassName() !== "MaxPooling2D") return layer.apply(inputs.length === 1 ? input : inputs) as tf.Tensor;
  // The WebAssembly kernel MaxPoolGrad gives no gradient to windows whose maximum is not positive, which after a ReLU
  // is every window where nothing was found. Above zero it agrees with the other backends.
  const shift = 1 - (tf.min(input).dataSync()[0] as number);
  return tf.sub(layer.apply(tf.add(input, shift)) as tf.Tensor, shift);
}

/** Maximum over the places of [n, rows, columns, channels]; equal ones share its gradient. */
export const sharedMaximum = tf.customGrad(
  (values: tf.Tensor | tf.GradSaveFunc, save?: tf.Tensor | tf.GradSaveFunc) => {
    const x = values as tf.Tensor4D;
    const most = tf.max(x, [1, 2], true);
    (save as tf.GradSaveFunc)([x, most]);
    return {
      value: tf.squeeze(most, [1, 2]),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [seen, highest] = saved as [tf.Tensor, tf.Tensor];
        const at = tf.cast(tf.equal(seen, highest), "float32");
        const [n, channels] = dy.shape as [number, number];
        return tf.mul(tf.div(at, tf.sum(at, [1, 2], true)), tf.reshape(dy, [n, 1, 1, channels]));
      },
    };
  },
);

/** Mean over the places of [n, rows, columns, channels], without a gradient. */
const heldMean = tf.customGrad((values: tf.Tensor | tf.GradSaveFunc) => {
  const { shape } = values as tf.Tensor4D;
  return { value: tf.mean(values as tf.Tensor4D, [1, 2]), gradFunc: () => tf.zeros(shape) };
});
