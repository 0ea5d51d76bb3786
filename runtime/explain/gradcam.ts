import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel, SymbolicTensor } from "@tensorflow/tfjs-layers";
import { type Geometry, RECIPE } from "../imaging";
import { type Classifier, imagesToTensor, showAs, unshow, viewsOf } from "../model";

/** Where a model looked when it spoke for Cancer. */
export interface Explanation {
  /**
   * 128 x 128, row by row, in the recipe's square; 0 to 1, where 1 is the strongest evidence *in this image*. All 0
   * where no place speaks for Cancer.
   */
  readonly map: Float32Array;
  /** The signed map before rectifying, on the grid of the layer. */
  readonly coarse: { readonly rows: number; readonly columns: number; readonly values: Float32Array };
  /**
   * The strongest place inside the image (never in the padding), in pixels of the recipe's square, centre of the first
   * pixel at 0.5. Where no place speaks for Cancer, the one that speaks least against it.
   */
  readonly peak: { readonly x: number; readonly y: number };
}

/**
 * Grad-CAM (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391) for the class Cancer: the activations of
 * `metadata.gradCamLayer`, weighted by the spatial mean of the gradient of the logit with respect to them.
 *
 * Where a model answers for several views of an image, this is the mean of their maps, each brought back over the image.
 *
 * The gradient is of the logit, not of the probability, whose gradient vanishes where the model is sure. Only what lies
 * behind the layer is differentiated, so no gradient of a convolution is needed, which the WebAssembly backend lacks.
 *
 * @param pixels recipe output: 128 x 128 x 3 uint8, HWC
 * @param geometry where the image lies in the square; without it, all of the square counts as image
 */
export async function gradCam(classifier: Classifier, pixels: Uint8Array, geometry?: Geometry): Promise<Explanation> {
  const { network, metadata } = classifier;
  const cam = tf.tidy(() => {
    const graph = new EagerGraph(network);
    const x = imagesToTensor([pixels]);
    const views = viewsOf(metadata.views);
    const maps = views.map((view) => unshow(view, mapOf(graph, showAs(view, x), metadata.gradCamLayer)));
    return tf.squeeze(tf.div(tf.addN(maps), views.length), [0, 3]) as tf.Tensor2D;
  });
  const [rows, columns] = cam.shape;
  const values = (await cam.data()) as Float32Array;
  cam.dispose();
  const coarse = { rows, columns, values: Float32Array.from(values) };

  const side = RECIPE.side;
  const signed = upsample(coarse, side);
  const padLeft = geometry?.padLeft ?? 0;
  const padTop = geometry?.padTop ?? 0;
  let highest = Number.NEGATIVE_INFINITY;
  let peak = { x: side / 2, y: side / 2 };
  for (let y = Math.ceil(padTop); y < side - padTop; y++) {
    for (let x = Math.ceil(padLeft); x < side - padLeft; x++) {
      const value = signed[y * side + x] as number;
      if (value > highest) {
        highest = value;
        peak = { x: x + 0.5, y: y + 0.5 };
      }
    }
  }
  const strongest = signed.reduce((most, value) => Math.max(most, value), 0);
  const map = signed.map((value) => (strongest > 0 ? Math.max(0, value) / strongest : 0));
  return { map, coarse, peak };
}

/** Activations weighted by the mean of the logit's gradient: [1, rows, columns, 1]. */
function mapOf(graph: EagerGraph, x: tf.Tensor4D, layer: string): tf.Tensor4D {
  const activations = graph.forward(x, layer);
  if (activations.rank !== 4) {
    throw new Error(
      `Layer "${layer}" gives a tensor of shape [${activations.shape}]; Grad-CAM needs [1, rows, columns, channels].`,
    );
  }
  const gradient = tf.grad((values) => tf.sum(graph.logit(values, layer)))(activations);
  return tf.sum(tf.mul(activations, tf.mean(gradient, [1, 2], true)), 3, true) as tf.Tensor4D;
}

/** Bilinear, with cell centres at half positions, so that a cell's maximum stays over the cell. */
function upsample(
  { rows, columns, values }: { rows: number; columns: number; values: Float32Array },
  side: number,
): Float32Array {
  const result = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    const v = Math.min(rows - 1, Math.max(0, ((y + 0.5) * rows) / side - 0.5));
    const top = Math.floor(v);
    const bottom = Math.min(rows - 1, top + 1);
    for (let x = 0; x < side; x++) {
      const u = Math.min(columns - 1, Math.max(0, ((x + 0.5) * columns) / side - 0.5));
      const left = Math.floor(u);
      const right = Math.min(columns - 1, left + 1);
      const at = (row: number, column: number) => values[row * columns + column] as number;
      const above = at(top, left) + (at(top, right) - at(top, left)) * (u - left);
      const below = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * (u - left);
      result[y * side + x] = above + (below - above) * (v - top);
    }
  }
  return result;
}

/** Runs a layers model layer by layer on concrete tensors, from any layer on. */
class EagerGraph {
  constructor(private readonly network: LayersModel) {}

  /** Activations of one layer. */
  forward(input: tf.Tensor, layerName: string): tf.Tensor {
    const values = new Map<number, tf.Tensor>([[(this.network.inputs[0] as SymbolicTensor).id, input]]);
    this.run(values, layerName);
    return values.get(outputId(this.network, layerName)) as tf.Tensor;
  }

  /** The logit of Cancer, [n, 1], from the activations of one layer. */
  logit(activations: tf.Tensor, layerName: string): tf.Tensor {
    const values = new Map<number, tf.Tensor>([[outputId(this.network, layerName), activations]]);
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
      const output = outputId(this.network, layer.name);
      if (!values.has(output)) {
        const inputs = inputsOf(this.network, layer.name).map((id) => values.get(id));
        if (inputs.length === 0 || inputs.some((value) => value === undefined)) continue;
        const concrete = inputs as tf.Tensor[];
        values.set(output, applyLayer(layer, concrete));
      }
      if (layer.name === until) return;
    }
  }

  private notAChain(layerName: string): Error {
    return new Error(
      `The network goes around layer "${layerName}", so Grad-CAM cannot follow it from there. Name a layer that everything passes through.`,
    );
  }
}

function applyLayer(layer: LayersModel["layers"][number], inputs: tf.Tensor[]): tf.Tensor {
  const [input] = inputs as [tf.Tensor];
  if (layer.getClassName() !== "MaxPooling2D") return layer.apply(inputs.length === 1 ? input : inputs) as tf.Tensor;
  // The WebAssembly kernel MaxPoolGrad gives no gradient to windows whose maximum is not positive, which after a ReLU
  // is every window where nothing was found. Above zero it agrees with the other backends.
  const shift = 1 - (tf.min(input).dataSync()[0] as number);
  return tf.sub(layer.apply(tf.add(input, shift)) as tf.Tensor, shift);
}

/** The part of a layer's wiring that TensorFlow.js does not declare in its types. */
interface Wired {
  readonly inboundNodes: readonly {
    readonly inputTensors: readonly SymbolicTensor[];
    readonly outputTensors: readonly SymbolicTensor[];
  }[];
}

function wiring(network: LayersModel, layerName: string) {
  const node = (network.getLayer(layerName) as unknown as Wired).inboundNodes[0];
  if (!node) throw new Error(`Layer "${layerName}" is not connected to the network.`);
  return node;
}

const outputId = (network: LayersModel, layerName: string) =>
  (wiring(network, layerName).outputTensors[0] as SymbolicTensor).id;
const inputsOf = (network: LayersModel, layerName: string) =>
  wiring(network, layerName).inputTensors.map((tensor) => tensor.id);
