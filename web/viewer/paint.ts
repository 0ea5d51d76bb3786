import type { SaliencyMap } from "../../runtime/serve/schemas";
import { placeOf, type Size, type View } from "./view";

/** What is shown, from the bottom up. */
export interface Picture {
  readonly page: HTMLCanvasElement;
  /** The map's picture, of the page's shape; undefined where it is not drawn. */
  readonly heat: HTMLCanvasElement | undefined;
  /** 0 to 1 */
  readonly opacity: number;
  readonly peak: SaliencyMap["peak"] | undefined;
}

/** An image as something that can be drawn at any size. */
export function canvasOf(image: ImageData): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/** Radius of the ring around the strongest place, CSS pixels. */
const RING = 14;

/** @param size of the canvas, CSS pixels */
export function paint(canvas: HTMLCanvasElement, size: Size, { page, heat, opacity, peak }: Picture, view: View): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const density = devicePixelRatio || 1;
  canvas.width = Math.round(size.width * density);
  canvas.height = Math.round(size.height * density);
  context.scale(density, density);
  context.fillStyle = "#000";
  context.fillRect(0, 0, size.width, size.height);
  const { left, top, scale } = placeOf(page, size, view);
  const [width, height] = [page.width * scale, page.height * scale];
  // Pixels are seen as they are once they are large.
  context.imageSmoothingEnabled = scale < 3;
  context.drawImage(page, left, top, width, height);
  if (heat) {
    context.imageSmoothingEnabled = true;
    context.globalAlpha = opacity;
    context.drawImage(heat, left, top, width, height);
    context.globalAlpha = 1;
  }
  if (peak) mark(context, left + (peak.x + 0.5) * scale, top + (peak.y + 0.5) * scale);
}

/** A ring with four ticks: it leaves free what it points at, and is seen on black and white. */
function mark(context: CanvasRenderingContext2D, x: number, y: number): void {
  const path = new Path2D();
  path.arc(x, y, RING, 0, 2 * Math.PI);
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ] as const) {
    path.moveTo(x + dx * RING, y + dy * RING);
    path.lineTo(x + dx * (RING + 7), y + dy * (RING + 7));
  }
  for (const [colour, width] of [
    ["#000", 4],
    ["#7fe3ff", 2],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke(path);
  }
}
