/** TensorFlow.js backends in the order in which they are tried. */
export const BACKENDS = ["tfjs-node-gpu", "tfjs-node", "wasm"] as const;
export type Backend = (typeof BACKENDS)[number];
