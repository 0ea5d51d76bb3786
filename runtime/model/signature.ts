/** What `model.onnx` is given and gives; see runtime/tensorflow/export.ts. */
export const SIGNATURE = {
  /** [views, 1, 128, 128], 0 to 1. */
  input: "scan",
  /** [views, 1] log odds of Cancer, [views, 1, rows, columns] signed map, [views, channels] features. */
  outputs: ["logit", "map", "features"],
} as const;
