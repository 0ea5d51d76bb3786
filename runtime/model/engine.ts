import { InferenceSession, Tensor } from "onnxruntime-node";
import { RECIPE } from "../imaging";
import { SIGNATURE } from "./signature";
import { showViews, unshowView, type View, type Views, viewsOf } from "./views";

/** What the network says of one image. */
export interface ViewedAnswer {
  /** Log odds of Cancer of each view, before calibration. */
  readonly logits: Float32Array;
  /** Mean over the views of their signed Grad-CAM, each brought back over the image. */
  readonly map: { readonly rows: number; readonly columns: number; readonly values: Float32Array };
  /** Mean over the views. */
  readonly features: Float32Array;
}

/** onnxruntime with one network. It blocks its thread: it belongs in a worker. */
export class Engine {
  private readonly shown: Float32Array;

  private constructor(
    private readonly session: InferenceSession,
    private readonly views: readonly View[],
  ) {
    this.shown = new Float32Array(views.length * RECIPE.side * RECIPE.side);
  }

  /** @throws if onnxruntime cannot read the network, or it has another signature */
  static async open(onnx: Uint8Array, views: Views | undefined): Promise<Engine> {
    // One thread: a second doubles the processor time of an answer, and there is a session on every core.
    // It takes no memory that threads share.
    const session = await InferenceSession.create(Uint8Array.from(onnx), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
    });
    const names = (wanted: readonly string[]) => [...wanted].sort().join(", ");
    const { inputNames, outputNames } = session;
    if (names(inputNames) !== SIGNATURE.input || names(outputNames) !== names(SIGNATURE.outputs)) {
      throw new Error(
        `it takes ${names(inputNames)} and gives ${names(outputNames)}, where ${SIGNATURE.input} and ${names(SIGNATURE.outputs)} are due`,
      );
    }
    return new Engine(session, viewsOf(views));
  }

  /** @param grey one channel of the recipe's output, 128 x 128 */
  async answer(grey: Uint8Array): Promise<ViewedAnswer> {
    const { views } = this;
    const plane = new Float32Array(grey.length);
    for (let i = 0; i < grey.length; i++) plane[i] = (grey[i] as number) / 255;
    showViews(views, plane, RECIPE.side, this.shown);
    const input = new Tensor("float32", this.shown, [views.length, 1, RECIPE.side, RECIPE.side]);
    const given = await this.session.run({ [SIGNATURE.input]: input });
    const [logits, maps, features] = SIGNATURE.outputs.map((name) => given[name] as Tensor) as [Tensor, Tensor, Tensor];
    const [, , rows = 0, columns = 0] = maps.dims;
    return {
      logits: Float32Array.from(logits.data as Float32Array),
      map: { rows, columns, values: this.meanMap(maps.data as Float32Array, rows) },
      features: meanOf(split(features.data as Float32Array, views.length)),
    };
  }

  close(): Promise<void> {
    return this.session.release();
  }

  private meanMap(values: Float32Array, side: number): Float32Array {
    const { views } = this;
    return meanOf(split(values, views.length).map((map, i) => unshowView(views[i] as View, map, side)));
  }
}

function split(values: Float32Array, parts: number): Float32Array[] {
  const size = values.length / parts;
  return Array.from({ length: parts }, (_, i) => values.subarray(i * size, (i + 1) * size));
}

function meanOf(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts as [Float32Array];
  return first.map((_, i) => parts.reduce((sum, part) => sum + (part[i] as number), 0) / parts.length);
}
