export { type Activation, type FusedGraph, fold, fuse, type Step } from "./fuse";
export {
  type BackboneGraph,
  type GraphWeights,
  type Operation,
  type Padding,
  readGraph,
  type Sides,
  sidesOf,
} from "./graph";
export { type Backbone, backboneUri, loadBackbone, unusable } from "./load";
export { type BackboneManifest, backboneId, parseManifest } from "./manifest";
export { UnusableNetwork } from "./onnx";
