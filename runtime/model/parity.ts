import { z } from "zod";

/**
 * How far the answers of `model.onnx` may lie from those of the network that was trained. Single precision gives a few
 * millionths; what is over these is another network.
 */
export const TOLERANCE = {
  /** Of log odds. */
  logits: 1e-3,
  /** Of maps, as a share of the strongest value of any map. */
  maps: 1e-3,
} as const;

/** Largest differences between TensorFlow.js and onnxruntime over some images, every view of each. */
export const paritySchema = z.object({
  /** The images that were compared: the validation split, or the training split where there is none. */
  split: z.enum(["train", "validation", "test"]),
  images: z.number().int().positive(),
  /** Of the log odds of any view. */
  logits: z.number().nonnegative(),
  /** Of any place of a map, and the strongest value of any map. */
  maps: z.number().nonnegative(),
  strongest: z.number().nonnegative(),
  /** TensorFlow.js backend that it was compared with. */
  backend: z.string(),
});
export type Parity = z.infer<typeof paritySchema>;

/** The same of scans that may be of no split. */
export type MeasuredParity = Omit<Parity, "split"> & { readonly split?: Parity["split"] };

/** What is wrong with a parity, as a sentence; undefined where nothing is. */
export function parityProblem({ images, logits, maps, strongest }: MeasuredParity): string | undefined {
  const problems = [
    ...(logits <= TOLERANCE.logits ? [] : [`log odds differ by up to ${logits} (at most ${TOLERANCE.logits})`]),
    ...(maps <= TOLERANCE.maps * strongest
      ? []
      : [`maps differ by up to ${maps} of ${strongest} (at most ${TOLERANCE.maps} of that)`]),
  ];
  if (problems.length === 0) return undefined;
  return `On ${images} images onnxruntime and TensorFlow.js do not give the same answers: ${problems.join(", ")}.`;
}

/** In one line, for a person. */
export const describeParity = ({ split, images, logits, maps, strongest }: MeasuredParity): string =>
  `largest difference between onnxruntime and TensorFlow.js on ${images} images${split === undefined ? "" : ` (${split})`}: log odds ${logits.toExponential(1)}, map ${maps.toExponential(1)} of ${strongest.toPrecision(2)}`;

/** How the network was written as ONNX, and how near its answers are. */
export const engineSchema = z.object({
  /** Names the way in which it was exported. */
  export: z.string(),
  parity: paritySchema,
});
export type EngineRecord = z.infer<typeof engineSchema>;

/** `engine.json`: what a model gets whose metadata an earlier program wrote, and which are never changed. */
export const convertedSchema = engineSchema.extend({
  /** SHA-256 of `model.onnx`, and of the files that it was made from. */
  files: z.record(z.string(), z.string()),
});
export type Converted = z.infer<typeof convertedSchema>;
