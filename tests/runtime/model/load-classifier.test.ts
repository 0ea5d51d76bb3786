import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { applyRecipe, RECIPE, RejectedImage } from "../../../runtime/imaging";
import { loadClassifier, type ModelMetadata, scoreScan, UnusableModelError } from "../../../runtime/model";
import { logit } from "../../../runtime/platform/numbers";
import { useBackend } from "../../../runtime/tensorflow";
import { BRIGHT_SPOT, headPixels, headPng, saveBrightSpot } from "../../support/bright-spot";
import { brightSpotNetwork, lopsidedNetwork, saveModel, saveNetwork } from "../../support/bright-spot-model";

let folder: string;

beforeAll(async () => {
  await useBackend("wasm");
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "registry-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function recipePixels(spot?: { x: number; y: number; radius: number }): Uint8Array {
  const pixels = headPixels(200, 200, spot);
  return applyRecipe({ width: 200, height: 200, depth: 8, pixels: new Uint8Array(pixels) }).pixels;
}

/** The image mirrored left-right, upside-down, or both. */
function flipped(pixels: Uint8Array, across: boolean, down: boolean): Uint8Array {
  const { side, channels } = RECIPE;
  return pixels.map((_, at) => {
    const [y, x, channel] = [Math.floor(at / (side * channels)), Math.floor(at / channels) % side, at % channels];
    const [row, column] = [down ? side - 1 - y : y, across ? side - 1 - x : x];
    return pixels[(row * side + column) * channels + channel] as number;
  });
}

const SPOT = { x: 120, y: 130, radius: 16 };

describe("a saved model", () => {
  test("comes back as it was, with the hashes of its files", async () => {
    await saveBrightSpot(folder);
    expect((await readdir(folder)).sort()).toEqual(["metadata.json", "model.json", "model.onnx", "weights.bin"]);
    const classifier = await loadClassifier(folder);
    expect(classifier.metadata).toMatchObject(BRIGHT_SPOT);
    for (const [name, hash] of Object.entries(classifier.metadata.files)) {
      expect(
        createHash("sha256")
          .update(await readFile(join(folder, name)))
          .digest("hex"),
      ).toBe(hash);
    }
    const [ill, well] = await classifier.predict([recipePixels(SPOT), recipePixels()]);
    expect(ill).toBeGreaterThan(0.9);
    expect(well).toBeLessThan(0.3);
    classifier.dispose();
  });

  test("is the same bytes when saved twice", async () => {
    const network = brightSpotNetwork();
    for (const name of ["a", "b"]) await saveModel(join(folder, name), network, BRIGHT_SPOT);
    network.dispose();
    for (const file of ["weights.bin", "model.json", "model.onnx"]) {
      expect(await readFile(join(folder, "a", file))).toEqual(await readFile(join(folder, "b", file)));
    }
  });

  test("answers each image alike beside any others, in order", async () => {
    await saveBrightSpot(folder);
    const classifier = await loadClassifier(folder);
    const images = Array.from({ length: 131 }, (_, i) =>
      recipePixels(i % 3 === 0 ? { ...SPOT, radius: 6 + (i % 11) } : undefined),
    );
    const together = await classifier.predict(images);
    expect(together).toHaveLength(131);
    for (const i of [0, 1, 63, 64, 130]) {
      const [alone] = await classifier.predict([images[i] as Uint8Array]);
      expect(together[i]).toBe(alone);
    }
    expect(await classifier.predict([])).toHaveLength(0);
    await classifier.dispose();
    await expect(classifier.predict([recipePixels()])).rejects.toThrow(/disposed/);
  });

  test("answers with the mean log odds of an image's mirror images, where it says so", async () => {
    await saveNetwork(join(folder, "plain"), lopsidedNetwork());
    await saveNetwork(join(folder, "mirrored"), lopsidedNetwork(), { views: "mirrored" });
    const [plain, mirrored] = [
      await loadClassifier(join(folder, "plain")),
      await loadClassifier(join(folder, "mirrored")),
    ];
    const image = recipePixels({ x: 93, y: 121, radius: 7 });
    const images = [image, flipped(image, true, false), flipped(image, false, true), flipped(image, true, true)];
    const logOdds = Array.from(await plain.predict(images), logit);
    expect(new Set(logOdds.map((value) => value.toFixed(3))).size).toBeGreaterThan(1);
    const mean = logOdds.reduce((sum, value) => sum + value, 0) / 4;
    for (const probability of await mirrored.predict(images)) expect(logit(probability)).toBeCloseTo(mean, 4);
    plain.dispose();
    mirrored.dispose();
  });

  test("an image of the wrong size is refused", async () => {
    await saveBrightSpot(folder);
    const classifier = await loadClassifier(folder);
    await expect(classifier.predict([new Uint8Array(10)])).rejects.toThrow(/Image 0 has 10 values/);
    classifier.dispose();
  });
});

describe("a model that cannot be used is refused", () => {
  const refusal = async (code: UnusableModelError["code"], message: RegExp) => {
    const error = await loadClassifier(folder).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UnusableModelError);
    expect((error as UnusableModelError).code).toBe(code);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(folder);
  };

  test("another recipe", async () => {
    await saveBrightSpot(folder, { recipe: "r0-0000000000" });
    await refusal("other-recipe", new RegExp(`r0-0000000000.*${RECIPE.id}`));
  });

  test.each(["weights.bin", "model.json", "model.onnx"])("%s was changed by one byte", async (name) => {
    await saveBrightSpot(folder);
    const bytes = await readFile(join(folder, name));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    await writeFile(join(folder, name), bytes);
    await refusal("damaged-file", new RegExp(`${name} is not the file that was saved`));
  });

  test("a file is missing", async () => {
    await refusal("missing-file", /metadata.json cannot be read/);
    await saveBrightSpot(folder);
    await rm(join(folder, "weights.bin"));
    await refusal("missing-file", /weights.bin cannot be read/);
  });

  test("the metadata make no sense", async () => {
    await saveBrightSpot(folder);
    await writeFile(join(folder, "metadata.json"), "{");
    await refusal("bad-metadata", /not JSON/);
    await writeFile(join(folder, "metadata.json"), JSON.stringify({ ...BRIGHT_SPOT, threshold: 2, files: {} }));
    await refusal("bad-metadata", /threshold/);
    await writeFile(join(folder, "metadata.json"), JSON.stringify({ ...BRIGHT_SPOT, files: {} }));
    await refusal("bad-metadata", /no SHA-256 of model.json/);
  });

  test("its answers were not those of the network that was trained, or nobody measured it", async () => {
    await saveBrightSpot(folder);
    const path = join(folder, "metadata.json");
    const metadata = JSON.parse(await readFile(path, "utf8")) as ModelMetadata;
    const { parity } = metadata.engine as NonNullable<ModelMetadata["engine"]>;
    for (const wrong of [{ logits: 0.01 }, { maps: 0.01 * parity.strongest }]) {
      const engine = { ...metadata.engine, parity: { ...parity, ...wrong } };
      await writeFile(path, JSON.stringify({ ...metadata, engine }));
      await refusal("no-parity", /do not give the same answers/);
    }
    await writeFile(path, JSON.stringify({ ...metadata, engine: { export: "o1-0" } }));
    await refusal("bad-metadata", /engine.parity/);
    await writeFile(path, JSON.stringify({ ...metadata, engine: undefined }));
    await refusal("not-converted", /npm run models -- convert bright-spot-0001 --out DIR/);
  });

  test("onnxruntime cannot read its network", async () => {
    await saveBrightSpot(folder);
    const path = join(folder, "metadata.json");
    const metadata = JSON.parse(await readFile(path, "utf8")) as ModelMetadata;
    const bytes = Buffer.from("no network");
    await writeFile(join(folder, "model.onnx"), bytes);
    const files = { ...metadata.files, "model.onnx": createHash("sha256").update(bytes).digest("hex") };
    await writeFile(path, JSON.stringify({ ...metadata, files }));
    await refusal("bad-network", /onnxruntime cannot open its network/);
  });
});

describe("scoring a file", () => {
  test("the decision is taken at the model's threshold, and equal pixels have one id", async () => {
    await saveBrightSpot(join(folder, "m"));
    const classifier = await loadClassifier(join(folder, "m"));
    const png = await headPng(200, 160, { x: 110, y: 90, radius: 16 });
    const scored = await scoreScan(png, classifier);
    expect(scored).toMatchObject({ label: "Cancer", page: 1, pages: 1, rejectedPages: [] });
    expect(scored.image).toMatchObject({ width: 200, height: 160 });
    const bmpLike = await sharp(png).tiff({ compression: "none" }).toBuffer();
    expect((await scoreScan(bmpLike, classifier)).id).toBe(scored.id);
    const well = await scoreScan(await headPng(200, 160), classifier);
    expect(well.label).toBe("Non-Cancer");
    expect(well.id).not.toBe(scored.id);

    await saveBrightSpot(join(folder, "strict"), { threshold: 1 });
    const strict = await loadClassifier(join(folder, "strict"));
    expect((await scoreScan(await headPng(200, 160), strict)).label).toBe("Non-Cancer");
    classifier.dispose();
    strict.dispose();
  });

  test("of several pages the most suspicious one speaks", async () => {
    await saveBrightSpot(folder);
    const classifier = await loadClassifier(folder);
    const side = 160;
    const pages = [undefined, { x: 90, y: 70, radius: 16 }, undefined].map((spot, i) =>
      headPixels(side, side, spot, i),
    );
    const tiff = await sharp(Buffer.concat(pages), {
      raw: { width: side, height: side * 3, channels: 1, pageHeight: side },
    })
      .tiff({ compression: "none" })
      .toBuffer();
    const scored = await scoreScan(tiff, classifier);
    expect(scored).toMatchObject({ page: 2, pages: 3, label: "Cancer" });

    // Between two pages others may have their turn, and the work may end.
    let pauses = 0;
    const pause = async () => {
      pauses++;
    };
    expect((await scoreScan(tiff, classifier, { pause })).id).toBe(scored.id);
    expect(pauses).toBe(2);
    const seen: number[] = [];
    const watched = {
      ...classifier,
      answer: (pages: Parameters<typeof classifier.answer>[0]) => {
        seen.push(pages.length);
        return classifier.answer(pages);
      },
    };
    const left = new Error("The client left.");
    await expect(scoreScan(tiff, watched, { pause: () => Promise.reject(left) })).rejects.toBe(left);
    expect(seen).toEqual([1]);
    classifier.dispose();
  });

  test("what is no scan is rejected with its code", async () => {
    await saveBrightSpot(folder);
    const classifier = await loadClassifier(folder);
    await expect(scoreScan(Buffer.from("hello"), classifier)).rejects.toMatchObject({ code: "unsupported-format" });
    await expect(scoreScan(Buffer.alloc(0), classifier)).rejects.toBeInstanceOf(RejectedImage);
    classifier.dispose();
  });
});
