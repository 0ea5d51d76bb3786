import { deflateSync } from "node:zlib";
import { crc32 } from "@node-rs/crc32";
import type { GreyImage } from "../../../runtime/imaging";

/** Deterministic numbers from 0 to 1. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * A textured head on black: skull ring, ventricles, folds and a few blobs whose places follow from the seed.
 * Grey, 8-bit.
 */
export function drawHead(seed: number, width = 224, height = 256): GreyImage & { depth: 8; pixels: Uint8Array } {
  const random = randomNumbers(seed * 7919 + 17);
  const [cx, cy] = [width * (0.48 + 0.04 * random()), height * (0.48 + 0.04 * random())];
  const [rx, ry] = [width * (0.32 + 0.08 * random()), height * (0.36 + 0.07 * random())];
  const waves = Array.from(
    { length: 7 },
    () => [random() * 22, random() * 22, random() * 6.3, 8 + 14 * random()] as const,
  );
  const blobs = Array.from({ length: 6 }, () => {
    const angle = random() * 6.3;
    const far = 0.75 * Math.sqrt(random());
    return [far * Math.cos(angle), far * Math.sin(angle), 0.05 + 0.15 * random(), 120 * (random() - 0.4)] as const;
  });
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [(x + 0.5 - cx) / rx, (y + 0.5 - cy) / ry];
      const radius = Math.hypot(u, v);
      if (radius > 1) continue;
      let value = radius > 0.92 ? 210 : radius > 0.86 ? 25 : 95;
      if (radius <= 0.86) {
        for (const [a, b, c, strength] of waves) value += strength * Math.sin(a * u + b * v + c);
        for (const [a, b, size, strength] of blobs)
          value += strength * Math.exp(-((u - a) ** 2 + (v - b) ** 2) / size ** 2);
      }
      pixels[y * width + x] = Math.max(12, Math.min(240, Math.round(value)));
    }
  }
  return { width, height, depth: 8, pixels };
}

export function mapPixels(image: GreyImage, change: (value: number) => number): GreyImage {
  return {
    width: image.width,
    height: image.height,
    depth: 8,
    pixels: Uint8Array.from(image.pixels, (value) => Math.max(0, Math.min(255, Math.round(change(value))))),
  };
}

/** The picture moved within its frame, black where nothing was; what leaves the frame is cut. */
export function shift(image: GreyImage, right: number, down: number): GreyImage {
  const { width, height } = image;
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromX, fromY] = [x - right, y - down];
      if (fromX < 0 || fromY < 0 || fromX >= width || fromY >= height) continue;
      pixels[y * width + x] = image.pixels[fromY * width + fromX] as number;
    }
  }
  return { width, height, depth: 8, pixels };
}

export function mirror(image: GreyImage, axis: "horizontal" | "vertical"): GreyImage {
  const { width, height } = image;
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = axis === "horizontal" ? y * width + width - 1 - x : (height - 1 - y) * width + x;
      pixels[y * width + x] = image.pixels[from] as number;
    }
  }
  return { width, height, depth: 8, pixels };
}

/** A larger black frame around the picture. */
export function pad(image: GreyImage, left: number, top: number, right: number, bottom: number): GreyImage {
  const width = image.width + left + right;
  const height = image.height + top + bottom;
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < image.height; y++) {
    const row = Array.from(image.pixels.subarray(y * image.width, (y + 1) * image.width));
    pixels.set(row, (y + top) * width + left);
  }
  return { width, height, depth: 8, pixels };
}

export function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}

/** A PNG from filtered rows. Colour: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha. */
export function pngFile(
  { width, height }: { width: number; height: number },
  depth: number,
  colour: number,
  rows: Uint8Array,
  ...before: readonly Buffer[]
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, 0], 8);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const data = chunk("IDAT", deflateSync(rows));
  return Buffer.concat([signature, chunk("IHDR", header), ...before, data, chunk("IEND", Buffer.alloc(0))]);
}

export interface BmpPicture {
  readonly width: number;
  readonly height: number;
  readonly bits: 1 | 4 | 8 | 16 | 24 | 32;
  /** One number a pixel, row by row from the top: palette index, or 0xRRGGBB, or 5-5-5 bits. */
  readonly values: ArrayLike<number>;
  /** 0xRRGGBB each. */
  readonly palette?: readonly number[];
  readonly topDown?: boolean;
  /** Bit fields of red, green, blue and alpha, in a header of version 4. */
  readonly masks?: readonly [number, number, number, number];
  /** Where the pixels are said to begin; by default where they do. */
  readonly offset?: number;
  /** Run-length coded pixels in place of `values`, with their compression. */
  readonly runs?: { readonly compression: 1 | 2; readonly bytes: readonly number[] };
}

/** Writes a Windows bitmap with a 40-byte header, or one of 108 bytes for bit fields. */
export function writeBmp(picture: BmpPicture): Buffer {
  const { width, height, bits, values, palette = [], topDown = false, runs, masks } = picture;
  const stride = 4 * Math.ceil((width * bits) / 32);
  const headerSize = masks ? 108 : 40;
  const offset = 14 + headerSize + 4 * palette.length;
  const body = runs ? Buffer.from(runs.bytes) : Buffer.alloc(stride * height);
  for (let y = 0; y < height && !runs; y++) {
    const row = (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++) {
      const value = values[y * width + x] as number;
      if (bits >= 24) body.writeUIntLE(value, row + (x * bits) / 8, bits / 8);
      else if (bits === 16) body.writeUInt16LE(value, row + 2 * x);
      else {
        const at = row + ((x * bits) >> 3);
        body[at] = (body[at] as number) | (value << (8 - bits - ((x * bits) & 7)));
      }
    }
  }
  const header = Buffer.alloc(offset);
  header.write("BM", "latin1");
  header.writeUInt32LE(offset + body.length, 2);
  header.writeUInt32LE(picture.offset ?? offset, 10);
  header.writeUInt32LE(headerSize, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(topDown ? -height : height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(masks ? 3 : (runs?.compression ?? 0), 30);
  header.writeUInt32LE(palette.length, 46);
  masks?.forEach((mask, i) => {
    header.writeUInt32LE(mask, 54 + 4 * i);
  });
  palette.forEach((colour, i) => {
    header.writeUIntLE(colour, 14 + headerSize + 4 * i, 3);
  });
  return Buffer.concat([header, body]);
}
