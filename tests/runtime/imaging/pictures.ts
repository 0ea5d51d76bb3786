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

export interface BmpPicture {
  readonly width: number;
  readonly height: number;
  readonly bits: 1 | 4 | 8 | 16 | 24 | 32;
  /** One number a pixel, row by row from the top: palette index, or 0xRRGGBB, or 5-5-5 bits. */
  readonly values: ArrayLike<number>;
  /** 0xRRGGBB each. */
  readonly palette?: readonly number[];
  readonly topDown?: boolean;
  /** Run-length coded pixels in place of `values`, with their compression. */
  readonly runs?: { readonly compression: 1 | 2; readonly bytes: readonly number[] };
}

/** Writes a Windows bitmap with a 40-byte header. */
export function writeBmp({ width, height, bits, values, palette = [], topDown = false, runs }: BmpPicture): Buffer {
  const stride = 4 * Math.ceil((width * bits) / 32);
  const offset = 54 + 4 * palette.length;
  const body = runs ? Buffer.from(runs.bytes) : Buffer.alloc(stride * height);
  for (let y = 0; y < height && !runs; y++) {
    const row = (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++) {
      const value = values[y * width + x] as number;
      if (bits >= 24) body.writeUIntLE(value, row + (x * bits) / 8, 3);
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
  header.writeUInt32LE(offset, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(topDown ? -height : height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(runs?.compression ?? 0, 30);
  header.writeUInt32LE(palette.length, 46);
  palette.forEach((colour, i) => {
    header.writeUIntLE(colour, 54 + 4 * i, 3);
  });
  return Buffer.concat([header, body]);
}
