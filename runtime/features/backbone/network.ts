import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Backbone, BackboneManifest } from "../../backbone";
import { RECIPE } from "../../imaging";

const PIXELS = RECIPE.side ** 2;

/** onnxruntime with one backbone. It blocks its thread: it belongs in a worker. */
export class BackboneNetwork {
  private readonly input: Float32Array;

  private constructor(
    private readonly session: InferenceSession,
    private readonly manifest: BackboneManifest,
    private readonly batch: number,
  ) {
    const { size, channels } = manifest.input;
    this.input = new Float32Array(batch * size * size * depthOf(channels));
  }

  /** @throws if onnxruntime cannot open the network */
  static async open({ onnx, manifest, batch }: Omit<Backbone, "id">): Promise<BackboneNetwork> {
    // As the model's own engine does it. It takes no memory that threads share.
    const session = await InferenceSession.create(Uint8Array.from(onnx), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
    });
    return new BackboneNetwork(session, manifest, batch);
  }

  /**
   * @param planes n x 16,384 bytes: one channel of the recipe's output for each picture
   * @returns n x length, picture after picture
   * @throws {Error} if the network gives other shapes than its manifest says, or no numbers
   */
  async extract(planes: Uint8Array): Promise<Float32Array> {
    const count = planes.length / PIXELS;
    const { length } = this.manifest.features;
    const features = new Float32Array(count * length);
    for (let start = 0; start < count; start += this.batch) {
      const present = Math.min(this.batch, count - start);
      const rows = await this.run(planes.subarray(start * PIXELS, (start + present) * PIXELS));
      features.set(rows.subarray(0, present * length), start * length);
    }
    return features;
  }

  /** One run; a batch that is not full is filled with what was there before. */
  private async run(planes: Uint8Array): Promise<Float32Array> {
    const { input, features } = this.manifest;
    const depth = depthOf(input.channels);
    const values = this.input.length / this.batch;
    for (let i = 0; i * PIXELS < planes.length; i++)
      show(planes.subarray(i * PIXELS, (i + 1) * PIXELS), input, this.input.subarray(i * values, (i + 1) * values));
    const sides = input.layout === "NCHW" ? [depth, input.size, input.size] : [input.size, input.size, depth];
    const given = await this.session.run({ [input.name]: new Tensor("float32", this.input, [this.batch, ...sides]) });
    const found = given[features.tensor] as Tensor;
    return pooled(found, this.manifest, this.batch);
  }
}

const depthOf = (channels: BackboneManifest["input"]["channels"]) => (channels === "grey" ? 1 : 3);

/** A picture as the network wants it: bilinear to its size (half-pixel centres), scaled, in its layout. */
function show(plane: Uint8Array, input: BackboneManifest["input"], into: Float32Array): void {
  const { size, layout, scale, mean, std, channels } = input;
  const depth = depthOf(channels);
  const taps = tapsOf(size);
  // The picture is grey: the order of equal channels shows in mean and deviation alone, which are in the network's order.
  const moments = Array.from({ length: depth }, (_, c) => [mean[c] ?? mean[0], std[c] ?? std[0]] as [number, number]);
  for (let y = 0; y < size; y++) {
    const [top, bottom, down] = taps[y] as Tap;
    for (let x = 0; x < size; x++) {
      const [left, right, along] = taps[x] as Tap;
      const upper = mix(plane[top * RECIPE.side + left], plane[top * RECIPE.side + right], along);
      const lower = mix(plane[bottom * RECIPE.side + left], plane[bottom * RECIPE.side + right], along);
      const value = mix(upper, lower, down) / scale;
      for (const [c, [average, deviation]] of moments.entries()) {
        const at = layout === "NCHW" ? (c * size + y) * size + x : (y * size + x) * depth + c;
        into[at] = (value - average) / deviation;
      }
    }
  }
}

const mix = (a = 0, b = 0, share = 0) => a + (b - a) * share;

/** The two pixels that a pixel lies between, and how far it is from the first. */
type Tap = readonly [first: number, second: number, share: number];

function tapsOf(size: number): readonly Tap[] {
  return Array.from({ length: size }, (_, i) => {
    const at = Math.min(RECIPE.side - 1, Math.max(0, ((i + 0.5) * RECIPE.side) / size - 0.5));
    const first = Math.floor(at);
    return [first, Math.min(RECIPE.side - 1, first + 1), at - first] as const;
  });
}

/** Of a map the mean over its places. */
function pooled({ dims, data, type }: Tensor, { input, features }: BackboneManifest, batch: number): Float32Array {
  const { tensor, length } = features;
  const wrong = () => {
    const due = `${batch} x ${length}, with places or without`;
    return new Error(`its tensor ${tensor} is ${type} ${dims.join(" x ")}, and ${due}, as 32-bit floats, is due.`);
  };
  if (type !== "float32" || dims[0] !== batch) throw wrong();
  const isNchw = input.layout === "NCHW";
  const inner = dims.slice(1);
  const channels = isNchw ? inner[0] : inner.at(-1);
  if (channels !== length) throw wrong();
  const places = inner.reduce((product, side) => product * side, 1) / length;
  const values = data as Float32Array;
  const means = new Float32Array(batch * length);
  for (let picture = 0; picture < batch; picture++) {
    for (let c = 0; c < length; c++) {
      let sum = 0;
      for (let place = 0; place < places; place++) {
        const within = isNchw ? c * places + place : place * length + c;
        sum += values[picture * length * places + within] as number;
      }
      means[picture * length + c] = sum / places;
    }
  }
  if (!means.every(Number.isFinite)) throw new Error(`its tensor ${tensor} holds what is no number.`);
  return means;
}
