import { decodeScan, encodePng, type GreyImage, RejectedImage } from "../imaging";
import { ChecksumMismatchError, ObjectNotFoundError } from "../platform/stores";
import type { IngestContext } from "./context";

/**
 * The curated form of a lesion mask: a grey PNG of the page's size, 255 where the mask has any value, else 0.
 *
 * @param name of the mask below landing
 * @param page the page that it belongs to
 * @returns a sentence where the mask cannot be used: the scan is curated without it
 */
export async function curateMask(
  { landing, limits }: IngestContext,
  name: string,
  page: { readonly width: number; readonly height: number },
): Promise<Buffer | string> {
  const object = await landing.stat(name);
  if (!object) return `there is no ${name}.`;
  if (object.size > limits.bytes) return `${name} is larger than a scan may be.`;
  let mask: GreyImage | undefined;
  try {
    for await (const decoded of decodeScan(await landing.read(name, { generation: object.generation }), limits)) {
      if ("rejected" in decoded) throw decoded.rejected;
      mask = decoded.image;
      break;
    }
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return `there is no ${name}.`;
    if (error instanceof RejectedImage || error instanceof ChecksumMismatchError) {
      return `${name} cannot be read. ${error.message}`;
    }
    throw error;
  }
  if (!mask) return `${name} holds no image.`;
  if (mask.width !== page.width || mask.height !== page.height) {
    return `${name} has ${mask.width} x ${mask.height} pixels and the scan ${page.width} x ${page.height}.`;
  }
  const { width, height } = page;
  return encodePng({ width, height, depth: 8, pixels: Uint8Array.from(mask.pixels, (value) => (value > 0 ? 255 : 0)) });
}
