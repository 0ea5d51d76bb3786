import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onnx } from "onnx-proto";
import type { BackboneManifest } from "../../runtime/backbone";
import { RECIPE } from "../../runtime/imaging";
import { mixSeed, normal, uniform } from "../../runtime/platform/random";

export const TINY = { side: 32, kernel: 5, channels: 6 } as const;
const TAPS = TINY.kernel ** 2 * 3;

/** Weights [channels, 3, 5, 5] of the one convolution. */
export const tinyWeights = Float32Array.from({ length: TINY.channels * TAPS }, normal(uniform(mixSeed(9, 9))));

interface Tiny {
  /** Of the input. @default NCHW */
  readonly layout?: "NCHW" | "NHWC";
  /** First side of the input. @default any */
  readonly pictures?: number;
  readonly weights?: Float32Array;
}

/**
 * A network like those of ImageNet, small: convolution, ReLU (the tensor `map`), mean over places, and two classes, which
 * are its only output.
 */
export function tinyNetwork({ layout = "NCHW", pictures, weights = tinyWeights }: Tiny = {}): Buffer {
  const { side, kernel, channels } = TINY;
  const { FLOAT } = onnx.TensorProto.DataType;
  const { INT, INTS } = onnx.AttributeProto.AttributeType;
  const floats = (name: string, dims: number[], values: Float32Array) => ({
    ...{ name, dims, dataType: FLOAT },
    rawData: Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  });
  const node = (opType: string, input: string[], output: string, attribute: onnx.IAttributeProto[] = []) => ({
    ...{ opType, input, output: [output], attribute },
  });
  const value = (name: string, sides: number[]) => ({
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: {
          dim: [
            pictures === undefined ? { dimParam: "n" } : { dimValue: pictures },
            ...sides.map((dimValue) => ({ dimValue })),
          ],
        },
      },
    },
  });
  const turned = node("Transpose", ["pixels"], "turned", [{ name: "perm", type: INTS, ints: [0, 3, 1, 2] }]);
  const isNchw = layout === "NCHW";
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "tiny",
      node: [
        ...(isNchw ? [] : [turned]),
        node("Conv", [isNchw ? "pixels" : "turned", "weights"], "convolved", [
          { name: "kernel_shape", type: INTS, ints: [kernel, kernel] },
        ]),
        node("Relu", ["convolved"], "map"),
        node("GlobalAveragePool", ["map"], "mean"),
        node("Flatten", ["mean"], "flat", [{ name: "axis", type: INT, i: 1 }]),
        node("MatMul", ["flat", "classes"], "logits"),
      ],
      initializer: [
        floats("weights", [channels, 3, kernel, kernel], weights),
        floats("classes", [channels, 2], new Float32Array(2 * channels).fill(0.5)),
      ],
      input: [value("pixels", isNchw ? [3, side, side] : [side, side, 3])],
      output: [value("logits", [2])],
    },
  });
  return Buffer.from(onnx.ModelProto.encode(model).finish());
}

export function tinyManifest(network: Buffer, layout: "NCHW" | "NHWC" = "NCHW"): BackboneManifest {
  return {
    name: "tiny",
    network: "tiny.onnx",
    sha256: createHash("sha256").update(network).digest("hex"),
    licence: "MIT",
    input: {
      ...{ name: "pixels", layout, size: TINY.side, channels: "RGB" },
      ...{ scale: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    },
    // A map of [n, channels, y, x] whatever the input's layout: of the other layout the pooled tensor is taken.
    features: { tensor: layout === "NCHW" ? "map" : "flat", length: TINY.channels },
  };
}

/** Writes a backbone into a folder. @returns the folder */
export function writeBackbone(folder: string, network: Buffer, manifest: unknown): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tiny.onnx"), network);
  writeFileSync(join(folder, "backbone.json"), typeof manifest === "string" ? manifest : JSON.stringify(manifest));
  return folder;
}

/** What the tiny network sees in a picture, computed without ONNX: 128 to 32 pixels, a pixel is the mean of the middle 2 x 2. */
export function tinyFeatures(plane: Uint8Array): Float64Array {
  const { side, kernel, channels } = TINY;
  const factor = RECIPE.side / side;
  const [mean, std] = [tinyManifest(Buffer.alloc(0)).input.mean, tinyManifest(Buffer.alloc(0)).input.std];
  const small = Float64Array.from({ length: side * side }, (_, at) => {
    const [y, x] = [Math.floor(at / side) * factor + factor / 2, (at % side) * factor + factor / 2];
    const of = (row: number, column: number) => plane[row * RECIPE.side + column] as number;
    return (of(y - 1, x - 1) + of(y - 1, x) + of(y, x - 1) + of(y, x)) / 4 / 255;
  });
  const places = side - kernel + 1;
  return Float64Array.from({ length: channels }, (_, channel) => {
    let total = 0;
    for (let y = 0; y < places; y++) {
      for (let x = 0; x < places; x++) {
        let sum = 0;
        for (let c = 0; c < 3; c++)
          for (let i = 0; i < kernel; i++)
            for (let j = 0; j < kernel; j++) {
              const pixel = ((small[(y + i) * side + x + j] as number) - (mean[c] as number)) / (std[c] as number);
              sum += pixel * (tinyWeights[((channel * 3 + c) * kernel + i) * kernel + j] as number);
            }
        total += Math.max(0, sum);
      }
    }
    return total / places ** 2;
  });
}
