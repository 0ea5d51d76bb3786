import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { INFERNO } from "../../../runtime/explain/colormap";
import { explanationOf } from "../../../runtime/explain/explanation";
import { peakInOriginal, renderOriginal, renderOverlay } from "../../../runtime/explain/overlay";
import { applyRecipe, type Geometry, type GreyImage, RECIPE } from "../../../runtime/imaging";
import { type Classifier, loadClassifier } from "../../../runtime/model";
import { useBackend } from "../../../runtime/tensorflow";
import { headPixels, saveBrightSpot } from "../../support/bright-spot";
import { lopsidedNetwork, saveNetwork } from "../../support/bright-spot-model";

let folder: string;
let classifier: Classifier;

beforeAll(async () => {
  await useBackend("wasm");
  folder = await mkdtemp(join(tmpdir(), "gradcam-"));
  await saveBrightSpot(join(folder, "m"));
  classifier = await loadClassifier(join(folder, "m"));
});

afterAll(async () => {
  await classifier.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** What a model explains of an image. */
async function gradCam(model: Classifier, pixels: Uint8Array, geometry?: Geometry) {
  const [answer] = await model.answer([pixels]);
  return explanationOf((answer as NonNullable<typeof answer>).map, geometry);
}

function head(width: number, height: number, spot?: { x: number; y: number; radius: number }): GreyImage {
  return { width, height, depth: 8, pixels: new Uint8Array(headPixels(width, height, spot)) };
}

describe("Grad-CAM", () => {
  test.each([
    [300, 200, { x: 190, y: 120, radius: 18 }],
    [200, 300, { x: 80, y: 90, radius: 18 }],
    [512, 512, { x: 180, y: 330, radius: 40 }],
  ])("points at the spot in a %i x %i page", async (width, height, spot) => {
    const image = head(width, height, spot);
    const { pixels, geometry } = applyRecipe(image);
    const explanation = await gradCam(classifier, pixels, geometry);
    const peak = peakInOriginal(explanation, geometry, image);
    expect(Math.hypot(peak.x - spot.x, peak.y - spot.y)).toBeLessThan(spot.radius);
    expect(Math.max(...explanation.map)).toBe(1);
    expect(Math.min(...explanation.map)).toBe(0);
    expect(explanation.map).toHaveLength(RECIPE.side ** 2);
    expect(explanation.coarse).toMatchObject({ rows: 16, columns: 16 });
  });

  test("is the weighted sum of activations: against a calculation by hand", async () => {
    const { pixels } = applyRecipe(head(200, 200, { x: 120, y: 120, radius: 16 }));
    const { coarse } = await gradCam(classifier, pixels);
    // Activation of the only channel that counts, from its definition.
    const activations = new Float32Array(256);
    for (let row = 0; row < 16; row++) {
      for (let column = 0; column < 16; column++) {
        let sum = 0;
        for (let y = 0; y < 8; y++) {
          for (let x = 0; x < 24; x++) sum += pixels[((row * 8 + y) * 128 + column * 8) * 3 + x] as number;
        }
        activations[row * 16 + column] = Math.max(0, sum / 255 / 192 - 0.7);
      }
    }
    // Logit = 100 mean(A) + 20 max(A) - 2. The mean, which says nothing of a place, is held constant, so the mean gradient is
    // 20 / 256, however many places are the maximum.
    activations.forEach((value, i) => {
      expect(coarse.values[i]).toBeCloseTo((value * 20) / 256, 3);
    });
  });

  test.each(["mirrored", "mirrored-two-sizes"] as const)(
    "of a model that answers for %s views is the mean of their maps, brought back",
    async (views) => {
      const { pixels } = applyRecipe(head(200, 200, { x: 93, y: 121, radius: 9 }));
      const { side } = RECIPE;
      const turned = pixels.map(
        (_, at) =>
          pixels[(side * (side - 1 - Math.floor(at / (3 * side))) + (Math.floor(at / 3) % side)) * 3] as number,
      );
      await saveNetwork(join(folder, "lopsided"), lopsidedNetwork());
      await saveNetwork(join(folder, views), lopsidedNetwork(), { views });
      const lopsided = await loadClassifier(join(folder, "lopsided"));
      const mirrored = await loadClassifier(join(folder, views));
      const { coarse } = await gradCam(mirrored, pixels);
      const { coarse: other } = await gradCam(mirrored, turned);
      const { rows, columns, values } = coarse;
      values.forEach((value, at) => {
        const row = rows - 1 - Math.floor(at / columns);
        expect(other.values[row * columns + (at % columns)]).toBeCloseTo(value, 4);
      });
      expect(Math.max(...values)).toBeGreaterThan(0);
      const { coarse: plain } = await gradCam(lopsided, pixels);
      expect(Math.max(...values.map((value, at) => Math.abs(value - (plain.values[at] as number))))).toBeGreaterThan(
        1e-3,
      );
      await Promise.all([lopsided.dispose(), mirrored.dispose()]);
    },
  );

  test("where nothing speaks for Cancer the map is empty and the peak lies inside the image", async () => {
    const image = head(400, 150);
    const { pixels, geometry } = applyRecipe(image);
    const explanation = await gradCam(classifier, pixels, geometry);
    expect(Math.max(...explanation.map)).toBe(0);
    expect(explanation.peak.y).toBeGreaterThan(geometry.padTop);
    expect(explanation.peak.y).toBeLessThan(RECIPE.side - geometry.padTop);
    const peak = peakInOriginal(explanation, geometry, image);
    expect(peak.x).toBeLessThan(400);
    expect(peak.y).toBeLessThan(150);
  });
});

describe("overlay", () => {
  const raw = async (png: Buffer) => {
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    return { data, ...info };
  };

  test("has the original's size, colours the spot and leaves the rest grey", async () => {
    const spot = { x: 190, y: 120, radius: 18 };
    const image = head(300, 200, spot);
    const { pixels, geometry } = applyRecipe(image);
    const overlay = await raw(await renderOverlay(image, geometry, await gradCam(classifier, pixels, geometry)));
    expect(overlay).toMatchObject({ width: 300, height: 200, channels: 3 });
    const at = (x: number, y: number) => [...overlay.data.subarray((y * 300 + x) * 3, (y * 300 + x) * 3 + 3)];
    const [red = 0, , blue = 0] = at(spot.x, spot.y);
    expect(red - blue).toBeGreaterThan(50);
    for (const [x, y] of [
      [100, 60],
      [2, 2],
    ] as const) {
      const grey = image.pixels[y * 300 + x] as number;
      expect(at(x, y)).toEqual([grey, grey, grey]);
    }
  });

  test("fades towards the edge of what the model was shown, and ends with the page where that does", async () => {
    const everywhere = { rows: 1, columns: 1, values: Float32Array.of(1) };
    const black = (width: number, height: number): GreyImage => ({
      width,
      height,
      depth: 8,
      pixels: new Uint8Array(width * height),
    });
    /** Red of a line of the overlay on black, which is what of the map covers it. */
    const lines = async (image: GreyImage, geometry: Geometry) => {
      const overlay = await renderOverlay(image, geometry, explanationOf(everywhere, geometry), { opacity: 1 });
      const { data, width, height } = await raw(overlay);
      const red = (x: number, y: number) => data[(y * width + x) * 3] as number;
      return {
        red,
        across: (y: number) => Array.from({ length: width }, (_, x) => red(x, y)),
        down: (x: number) => Array.from({ length: height }, (_, y) => red(x, y)),
      };
    };
    const steepest = (values: readonly number[]) =>
      Math.max(...values.slice(1).map((value, i) => Math.abs(value - (values[i] as number))));
    const geometry = { left: 60, top: 70, width: 160, height: 160, scale: 1.25, padLeft: 0, padTop: 0 };
    const inside = await lines(black(400, 300), geometry);
    const full = INFERNO[3 * 255];
    expect(inside.red(140, 150)).toBe(full);
    for (const y of [75, 90, 150, 225]) expect(steepest(inside.across(y))).toBeLessThan(25);
    for (const x of [65, 80, 140, 215]) expect(steepest(inside.down(x))).toBeLessThan(25);
    // Nothing outside, at the edge or in the round corners.
    for (const [x, y] of [
      [59, 150],
      [60, 70],
      [220, 150],
      [140, 230],
      [66, 76],
    ] as const)
      expect([x, y, inside.red(x, y)]).toEqual([x, y, 0]);
    const left = await lines(black(400, 300), { ...geometry, left: 0 });
    expect([left.red(0, 150), left.red(40, 150), left.red(159, 150)]).toEqual([full, full, 0]);
    const whole = { left: 0, top: 0, width: 400, height: 300, scale: 3.125, padLeft: 0, padTop: 16 };
    const all = await lines(black(400, 300), whole);
    expect([all.red(0, 0), all.red(399, 299), all.red(200, 0)]).toEqual([full, full, full]);
  });

  test("a 16-bit page is windowed to what a screen shows, a large one shrunk on request", async () => {
    const pixels = Uint16Array.from(headPixels(300, 200), (value) => 1000 + value * 3);
    const image: GreyImage = { width: 300, height: 200, depth: 16, pixels };
    const full = await raw(await renderOriginal(image));
    expect(full).toMatchObject({ width: 300, height: 200 });
    expect(full.data[0]).toBe(0);
    expect(full.data.reduce((most, value) => Math.max(most, value))).toBeGreaterThan(200);
    expect(await raw(await renderOriginal(image, { maxSide: 90 }))).toMatchObject({ width: 90, height: 60 });
  });

  test("the colour map grows brighter step by step", () => {
    const lightness = Array.from({ length: 256 }, (_, i) => {
      const [r = 0, g = 0, b = 0] = INFERNO.subarray(i * 3, i * 3 + 3);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    });
    for (let i = 16; i < 256; i += 16) expect(lightness[i]).toBeGreaterThan(lightness[i - 16] as number);
    expect(lightness[0]).toBeLessThan(5);
    expect(lightness[255]).toBeGreaterThan(220);
  });
});
