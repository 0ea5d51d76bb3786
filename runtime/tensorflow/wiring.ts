import type { LayersModel, SymbolicTensor } from "@tensorflow/tfjs-layers";

/** The part of a layer's wiring that TensorFlow.js does not declare in its types. */
interface Wired {
  readonly inboundNodes: readonly {
    readonly inputTensors: readonly SymbolicTensor[];
    readonly outputTensors: readonly SymbolicTensor[];
  }[];
}

function wiring(network: LayersModel, layerName: string) {
  const [node, second] = (network.getLayer(layerName) as unknown as Wired).inboundNodes;
  if (!node) throw new Error(`Layer "${layerName}" is not connected to the network.`);
  if (second) throw new Error(`Layer "${layerName}" is used more than once, which is not followed.`);
  return node;
}

/** The one output of a layer. */
export const outputOf = (network: LayersModel, layerName: string): number =>
  (wiring(network, layerName).outputTensors[0] as SymbolicTensor).id;

/** What goes into a layer, in order. */
export const inputsOf = (network: LayersModel, layerName: string): readonly number[] =>
  wiring(network, layerName).inputTensors.map((tensor) => tensor.id);
