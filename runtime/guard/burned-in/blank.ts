import type { GreyImage } from "../../imaging";
import type { Box } from "./regions";
import type { FoundText } from "./text-finder";

/** Share of a picture beyond which too little of the head would be left. */
const MOST_BLANKED = 0.25;
/** Each paints over what the one before left; one is the rule. */
const MOST_ROUNDS = 4;

export interface Blanked {
  /** The picture itself where it holds no text. */
  readonly image: GreyImage;
  /** What was painted over, pixels; empty where nothing was. */
  readonly boxes: readonly Box[];
  /** Whether a line was among it. Without one it may be nothing but a head: much of one looks like single letters. */
  readonly hasLine: boolean;
}

/**
 * Paints over text until none is found any more. Of a line the network often sees a part, and of two lines one: a line takes with
 * it all that lies between it and the nearer edge, over the whole width (of one that stands, the whole height) of the picture.
 * Single words and letters are painted over as they are found, in a picture that holds a line.
 *
 * @param find where a picture holds text
 * @param saysSo whether the picture's file says that it holds text: then single words and letters count without a line
 * @returns undefined where any is still found after four rounds, or a quarter of the picture would be painted over, as where text runs
 * across the head
 */
export async function blankText(
  image: GreyImage,
  find: (image: GreyImage) => Promise<readonly FoundText[]>,
  saysSo: boolean,
): Promise<Blanked | undefined> {
  let blanked: Blanked = { image, boxes: [], hasLine: false };
  for (let round = 0; round <= MOST_ROUNDS; round++) {
    const found = await find(blanked.image);
    const counts = saysSo || round > 0 ? found.length > 0 : found.some(({ isLine }) => isLine);
    if (!counts) return blanked;
    const boxes = largest([...blanked.boxes, ...found.map(({ box, isLine }) => (isLine ? stripOf(box, image) : box))]);
    if (coverOf(image, boxes) > MOST_BLANKED) return undefined;
    const hasLine = blanked.hasLine || found.some(({ isLine }) => isLine);
    blanked = { image: paintedOver(image, boxes), boxes, hasLine };
  }
  return undefined;
}

/** Without those that lie in another. */
function largest(boxes: readonly Box[]): Box[] {
  const holds = (a: Box, b: Box) =>
    a.left <= b.left && a.top <= b.top && a.left + a.width >= b.left + b.width && a.top + a.height >= b.top + b.height;
  const isIn = (box: Box, at: number) => (other: Box, by: number) =>
    by !== at && holds(other, box) && (by < at || !holds(box, other));
  return boxes.filter((box, at) => !boxes.some(isIn(box, at)));
}

/** From a line to the edge of the picture that is nearer, of those along which it runs. */
function stripOf({ left, top, width, height }: Box, picture: Pick<GreyImage, "width" | "height">): Box {
  if (width >= height) {
    const isAbove = top + height / 2 < picture.height / 2;
    return isAbove
      ? { left: 0, top: 0, width: picture.width, height: top + height }
      : { left: 0, top, width: picture.width, height: picture.height - top };
  }
  const isLeft = left + width / 2 < picture.width / 2;
  return isLeft
    ? { left: 0, top: 0, width: left + width, height: picture.height }
    : { left, top: 0, width: picture.width - left, height: picture.height };
}

/** A copy with boxes painted in the picture's darkest value. @param boxes within the picture, pixels */
export function paintedOver(image: GreyImage, boxes: readonly Box[]): GreyImage {
  if (boxes.length === 0) return image;
  const pixels = image.pixels.slice();
  let darkest = image.pixels[0] as number;
  for (const value of image.pixels) if (value < darkest) darkest = value;
  fill(pixels, image.width, boxes, darkest);
  return { ...image, pixels } as GreyImage;
}

function coverOf({ width, height }: GreyImage, boxes: readonly Box[]): number {
  const covered = new Uint8Array(width * height);
  fill(covered, width, boxes, 1);
  return covered.reduce((sum, value) => sum + value, 0) / covered.length;
}

function fill(pixels: Uint8Array | Uint16Array, across: number, boxes: readonly Box[], value: number): void {
  for (const { left, top, width, height } of boxes)
    for (let y = top; y < top + height; y++) pixels.fill(value, y * across + left, y * across + left + width);
}
