import { createHash } from "node:crypto";
import sharp from "sharp";
import {
  applyRecipe,
  applyRecipeGrey,
  decodeScan,
  type GreyImage,
  hashDistance,
  hashOfRecipe,
  NEAR_DUPLICATE_DISTANCE,
  PERCEPTUAL_HASH,
  perceptualHash,
  RECIPE,
  toOriginal,
} from "../../../runtime/imaging";
import { drawHead, mapPixels, mirror, pad, shift } from "./pictures";

const SIDE = 128;

function grey(image: GreyImage): number[] {
  const { pixels } = applyRecipe(image);
  return Array.from({ length: SIDE * SIDE }, (_, i) => pixels[3 * i] as number);
}

function meanDifference(a: number[], b: number[]): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] as number)), 0) / a.length;
}

const source = (image: GreyImage) =>
  sharp(Buffer.from(image.pixels), { raw: { width: image.width, height: image.height, channels: 1 } }).toColourspace(
    "b-w",
  );

async function reread(bytes: Buffer): Promise<GreyImage> {
  for await (const page of decodeScan(bytes)) if ("image" in page) return page.image;
  throw new Error("no page");
}

describe("the recipe", () => {
  test("gives the pinned bytes under the pinned id", () => {
    // Whoever changes the arithmetic must raise RECIPE.version: models and shards carry the id.
    expect(RECIPE.id).toBe("r1-28e901bc1c");
    const { pixels } = applyRecipe(drawHead(1));
    expect(pixels).toHaveLength(SIDE * SIDE * 3);
    expect(createHash("sha256").update(pixels).digest("hex")).toBe(
      "47994f46ea16823e9847994be48302b1173daaf7e52e9efbd2b50028501ae724",
    );
  });

  test("replicates one channel and uses the full range", () => {
    const { pixels } = applyRecipe(drawHead(2));
    const first = Array.from({ length: SIDE * SIDE }, (_, i) => pixels[3 * i] as number);
    expect(Array.from(pixels)).toEqual(first.flatMap((value) => [value, value, value]));
    expect([Math.min(...pixels), Math.max(...pixels)]).toEqual([0, 255]);
  });

  test("does not depend on where in the frame the head lies, nor on marks beside it", () => {
    const head = drawHead(3, 150, 170);
    const wanted = grey(head);
    const moved = pad(head, 31, 5, 12, 60);
    expect(meanDifference(grey(moved), wanted)).toBeLessThan(3);
    const marked = pad(head, 20, 40, 30, 20);
    for (let y = 4; y < 14; y++) for (let x = 4; x < 60; x++) if (x % 6 < 2) marked.pixels[y * marked.width + x] = 255;
    expect(meanDifference(grey(marked), wanted)).toBeLessThan(3);
  });

  test("does not depend on brightness, contrast or depth", () => {
    const head = drawHead(4);
    const wanted = grey(head);
    expect(meanDifference(grey(mapPixels(head, (v) => 0.6 * v + 20)), wanted)).toBeLessThan(2);
    // 12 bits in a 16-bit file: dark to the eye, the same to the recipe.
    const pixels = Uint16Array.from(head.pixels, (value) => value * 16);
    expect(grey({ width: head.width, height: head.height, depth: 16, pixels })).toEqual(wanted);
  });

  test("commutes with mirroring, exactly", () => {
    for (const seed of [5, 6, 7]) {
      const head = drawHead(seed, 201, 256);
      const result = grey(head);
      const at = (x: number, y: number) => result[y * SIDE + x] as number;
      const every = (value: (x: number, y: number) => number) =>
        result.map((_, i) => value(i % SIDE, Math.floor(i / SIDE)));
      expect(grey(mirror(head, "horizontal"))).toEqual(every((x, y) => at(SIDE - 1 - x, y)));
      expect(grey(mirror(head, "vertical"))).toEqual(every((x, y) => at(x, SIDE - 1 - y)));
    }
  });

  test("keeps the aspect ratio and centres on black", () => {
    const width = 200;
    const pixels = Uint8Array.from({ length: width * 200 }, (_, i) =>
      i % width >= 60 && i % width < 140 ? 100 + (i % 90) : 0,
    );
    const { geometry, pixels: out } = applyRecipe({ width, height: 200, depth: 8, pixels });
    expect(geometry.padTop).toBe(0);
    expect(geometry.padLeft).toBeGreaterThan(30);
    expect(out[3 * (64 * SIDE + geometry.padLeft - 1)]).toBe(0);
    expect(out[3 * (64 * SIDE + SIDE / 2)]).toBeGreaterThan(30);
  });

  test("falls back to the full frame where there is no foreground to find", () => {
    const pixels = new Uint8Array(64 * 96);
    for (let i = 0; i < pixels.length; i += 97) pixels[i] = 200;
    const { geometry } = applyRecipe({ width: 64, height: 96, depth: 8, pixels });
    expect(geometry).toMatchObject({ left: 0, top: 0, width: 64, height: 96 });
    expect(applyRecipe({ width: 40, height: 40, depth: 8, pixels: new Uint8Array(1600) }).pixels).toHaveLength(
      SIDE * SIDE * 3,
    );
    const line = {
      width: 3000,
      height: 32,
      depth: 8 as const,
      pixels: new Uint8Array(96_000).fill(90, 40_000, 60_000),
    };
    expect(applyRecipe(line).pixels).toHaveLength(SIDE * SIDE * 3);
  });

  test("maps its pixels back to the original", () => {
    for (const scale of [1, 3]) {
      const [width, height] = [150 * scale, 190 * scale];
      const pixels = new Uint8Array(width * height);
      for (let y = 30 * scale; y < 170 * scale; y++) pixels.fill(90, y * width + 20 * scale, y * width + 120 * scale);
      const [spotX, spotY] = [90 * scale, 50 * scale];
      for (let y = -6 * scale; y < 6 * scale; y++) {
        for (let x = -6 * scale; x < 6 * scale; x++) pixels[(spotY + y) * width + spotX + x] = 250;
      }
      const result = applyRecipe({ width, height, depth: 8, pixels });
      let brightest = 0;
      for (let i = 0; i < SIDE * SIDE; i++) {
        if ((result.pixels[3 * i] as number) > (result.pixels[3 * brightest] as number)) brightest = i;
      }
      const { x, y } = toOriginal(result.geometry, (brightest % SIDE) + 0.5, Math.floor(brightest / SIDE) + 0.5);
      expect(Math.abs(x - spotX)).toBeLessThan(8 * scale);
      expect(Math.abs(y - spotY)).toBeLessThan(8 * scale);
      expect(toOriginal(result.geometry, 0, 0)).toEqual({ x: result.geometry.left, y: result.geometry.top });
      const { left, top, width: w, height: h } = result.geometry;
      expect(toOriginal(result.geometry, SIDE, SIDE)).toEqual({ x: left + w, y: top + h });
    }
  });
});

describe("the perceptual hash", () => {
  const heads = Array.from({ length: 16 }, (_, i) => drawHead(100 + i));
  const hashes = heads.map(perceptualHash);
  const changes: Record<string, (head: GreyImage) => GreyImage | Promise<GreyImage>> = {
    "JPEG of quality 50": async (head) => reread(await source(head).jpeg({ quality: 50 }).toBuffer()),
    "half the size": async (head) => reread(await source(head).resize(112, 128, { fit: "fill" }).png().toBuffer()),
    "twice the size": async (head) => reread(await source(head).resize(448, 512, { fit: "fill" }).png().toBuffer()),
    "shifted 2 px": (head) => shift(head, 2, -2),
    brighter: (head) => mapPixels(head, (value) => value + 20),
    "less contrast": (head) => mapPixels(head, (value) => 0.7 * value + 10),
    "mirrored left to right": (head) => mirror(head, "horizontal"),
    "mirrored top to bottom": (head) => mirror(head, "vertical"),
    "all at once": async (head) => {
      const changed = mapPixels(mirror(shift(head, -2, 2), "horizontal"), (value) => 1.1 * value + 5);
      return reread(await source(changed).resize(300, 343, { fit: "fill" }).jpeg({ quality: 60 }).toBuffer());
    },
  };

  test.each(Object.keys(changes))("finds a picture again: %s", async (name) => {
    for (const [i, head] of heads.entries()) {
      const changed = perceptualHash(await (changes[name] as (typeof changes)[string])(head));
      expect(hashDistance(changed, hashes[i] as string)).toBeLessThanOrEqual(NEAR_DUPLICATE_DISTANCE);
    }
  });

  test("tells other pictures apart", () => {
    for (const [i, a] of hashes.entries()) {
      expect(a).toMatch(/^[0-9a-f]{64}$/);
      for (const b of hashes.slice(i + 1)) expect(hashDistance(a, b)).toBeGreaterThan(NEAR_DUPLICATE_DISTANCE);
    }
  });

  test("gives the pinned hash under the pinned id", () => {
    // Whoever changes what it makes must raise its version: hashes by two ids are never compared. A new recipe does so by itself.
    expect(PERCEPTUAL_HASH).toMatchObject({ id: "h1-2e97db0d85", recipe: RECIPE.id });
    expect(perceptualHash(drawHead(1))).toBe("ffce1833339bf6c695e035e2bd086b168d4196e27686f5be38f900df48584a5e");
    expect(hashOfRecipe(applyRecipeGrey(drawHead(1)).grey)).toBe(perceptualHash(drawHead(1)));
  });

  test("its distance is symmetric, 0 to itself, and refuses what is no hash", () => {
    const [a, b] = hashes as [string, string];
    expect(hashDistance(a, a)).toBe(0);
    expect(hashDistance(a, b)).toBe(hashDistance(b, a));
    expect(() => hashDistance(a, "xyz")).toThrow("64 hex digits");
  });
});
