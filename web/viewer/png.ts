/** A page's grey values as the server keeps them, row by row. */
export interface Page {
  readonly width: number;
  readonly height: number;
  /** Bits a pixel: the values lie below 2^depth. */
  readonly depth: 8 | 16;
  readonly pixels: Uint8Array | Uint16Array;
}

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0;

/**
 * Decodes a grey PNG of 8 or 16 bits without loss: a browser's own decoder gives 8 bits of 16. PNG, third edition
 * (https://www.w3.org/TR/png-3/): one image, not interlaced, which is what the server writes.
 *
 * @throws {Error} if it is anything else
 */
export async function decodeGreyPng(bytes: ArrayBuffer): Promise<Page> {
  const view = new DataView(bytes);
  if (SIGNATURE.some((byte, i) => i >= bytes.byteLength || view.getUint8(i) !== byte)) throw unreadable();
  let header: { width: number; height: number; depth: number; colour: number; interlaced: number } | undefined;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 8; at + 12 <= bytes.byteLength; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...new Uint8Array(bytes, at + 4, 4));
    if (at + 12 + length > bytes.byteLength) throw unreadable();
    if (type === "IHDR")
      header = {
        width: view.getUint32(at + 8),
        height: view.getUint32(at + 12),
        depth: view.getUint8(at + 16),
        colour: view.getUint8(at + 17),
        interlaced: view.getUint8(at + 20),
      };
    if (type === "IDAT") parts.push(new Uint8Array(bytes, at + 8, length));
    if (type === "IEND") break;
    at += 12 + length;
  }
  if (!header || header.colour !== GREY || header.interlaced !== 0) throw unreadable();
  const { width, height, depth } = header;
  if (depth !== 8 && depth !== 16) throw unreadable();
  const inflated = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(inflated).arrayBuffer());
  const step = depth / 8;
  if (rows.length !== height * (1 + width * step)) throw unreadable();
  unfilter(rows, height, width * step, step);
  return { width, height, depth, pixels: valuesOf(rows, width, height, depth) };
}

const unreadable = () => new Error("The pixels that the server sent cannot be read. Open the scan again.");

/** Undoes the filter of each row in place; a row is its filter's number and then its bytes. */
function unfilter(rows: Uint8Array, height: number, length: number, step: number): void {
  for (let y = 0; y < height; y++) {
    const start = y * (length + 1) + 1;
    const filter = rows[start - 1] as number;
    for (let i = 0; i < length; i++) {
      const left = i >= step ? (rows[start + i - step] as number) : 0;
      const above = y > 0 ? (rows[start + i - length - 1] as number) : 0;
      const corner = y > 0 && i >= step ? (rows[start + i - length - 1 - step] as number) : 0;
      // Bytes wrap around by themselves.
      (rows[start + i] as number) += predicted(filter, left, above, corner);
    }
  }
}

function predicted(filter: number, left: number, above: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  if (filter !== 4) return 0;
  const estimate = left + above - corner;
  const [toLeft, toAbove, toCorner] = [left, above, corner].map((value) => Math.abs(estimate - value)) as [
    number,
    number,
    number,
  ];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

function valuesOf(rows: Uint8Array, width: number, height: number, depth: 8 | 16): Uint8Array | Uint16Array {
  const pixels = depth === 8 ? new Uint8Array(width * height) : new Uint16Array(width * height);
  const step = depth / 8;
  for (let y = 0, o = 0; y < height; y++) {
    let i = y * (width * step + 1) + 1;
    for (let x = 0; x < width; x++, o++, i += step)
      pixels[o] = depth === 8 ? (rows[i] as number) : ((rows[i] as number) << 8) | (rows[i + 1] as number);
  }
  return pixels;
}
