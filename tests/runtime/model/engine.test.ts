import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { applyRecipe, RECIPE } from "../../../runtime/imaging";
import { AnswerPool, loadClassifier, ONNX_FILE, scoreScan } from "../../../runtime/model";
import type { PoolSetup } from "../../../runtime/model/worker-protocol";
import { useBackend } from "../../../runtime/tensorflow";
import { headPixels, headPng } from "../../support/bright-spot";
import { lopsidedNetwork, saveNetwork } from "../../support/bright-spot-model";

const ROOT = resolve(__dirname, "../../..");
const SPOT = { x: 110, y: 80, radius: 14 };
let folder: string;
let onnx: Buffer;

beforeAll(async () => {
  await useBackend("wasm");
  folder = await mkdtemp(join(tmpdir(), "engine-"));
  await saveNetwork(folder, lopsidedNetwork(), { views: "mirrored-two-sizes", temperature: 1.5, offset: -0.2 });
  onnx = await readFile(join(folder, ONNX_FILE));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Drawn heads, told apart by their first pixel, which the recipe leaves black. */
function head(variant: number, first = 0): Uint8Array {
  const pixels = new Uint8Array(headPixels(200, 160, SPOT, variant));
  const made = applyRecipe({ width: 200, height: 160, depth: 8, pixels }).pixels;
  made[0] = first;
  return made;
}
const [DIES, WAITS, THROWS] = [1, 2, 3] as const;

/** A pool whose threads stop at some images, and the door behind which they wait. */
async function oddPool(threads: number) {
  const door = new Int32Array(new SharedArrayBuffer(8));
  const setup: PoolSetup & { readonly door: Int32Array } = { onnx, views: "plain", door };
  const worker = join(__dirname, "fixtures", "dying-worker.js");
  const pool = await AnswerPool.start(setup, { threads, worker });
  return {
    pool,
    /** Resolves once so many images wait behind the door. */
    async waiting(count: number) {
      while (Atomics.load(door, 1) < count) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    open() {
      Atomics.store(door, 0, 1);
      Atomics.notify(door, 0);
    },
  };
}

describe("the threads that answer", () => {
  it("one that dies takes its image with it and no other, and is replaced", async () => {
    const { pool } = await oddPool(2);
    const answers = await Promise.allSettled(
      [0, DIES, 0, THROWS, 0, DIES, 0].map((first, variant) => pool.answer(head(variant, first))),
    );
    expect(answers.map(({ status }) => status)).toEqual([
      ...["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
    ]);
    expect(answers[3]).toMatchObject({ reason: { message: "This image is too much." } });
    // As many as died, and more: there is always one that answers.
    for (let i = 0; i < 3; i++) {
      await expect(pool.answer(head(i, DIES))).rejects.toThrow();
      expect((await pool.answer(head(i))).logits).toHaveLength(1);
    }
    await pool.close();
  });

  it("who leaves is told at once; an image that has not begun never does, and its place is free", async () => {
    const { pool, waiting, open } = await oddPool(1);
    const [busy, queued] = [new AbortController(), new AbortController()];
    const first = pool.answer(head(1, WAITS), busy.signal);
    await waiting(1);
    // Would end the thread if it were begun.
    const second = pool.answer(head(2, DIES), queued.signal);
    const third = pool.answer(head(3));
    const left = new Error("The client left.");
    queued.abort(left);
    await expect(second).rejects.toBe(left);
    busy.abort(left);
    await expect(first).rejects.toBe(left);
    await expect(pool.answer(head(4), AbortSignal.abort(left))).rejects.toBe(left);
    open();
    expect((await third).logits).toHaveLength(1);
    // The same thread: it was not ended for those who left.
    await pool.close();
  });

  it("any number of images may wait for one signal, without a warning", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => void warnings.push(warning);
    process.on("warning", warn);
    const classifier = await loadClassifier(folder, { threads: 1 });
    const answers = await classifier.answer(
      Array.from({ length: 30 }, (_, i) => head(i)),
      new AbortController().signal,
    );
    expect(answers).toHaveLength(30);
    await classifier.dispose();
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });

  it("what is under way when the model is disposed is rejected, and nothing is answered afterwards", async () => {
    const classifier = await loadClassifier(folder, { threads: 1 });
    const answers = Promise.allSettled(Array.from({ length: 8 }, (_, i) => classifier.predict([head(i)])));
    await Promise.all([classifier.dispose(), classifier.dispose()]);
    expect((await answers).some(({ status }) => status === "rejected")).toBe(true);
    await expect(classifier.answer([head(1)])).rejects.toThrow(/has been disposed/);
    await expect(classifier.score(await headPng(200, 160, SPOT))).rejects.toThrow(/has been disposed/);
  });

  it("end with what they are at: one that was ended while onnxruntime computes would end the process", async () => {
    const picture = join(folder, "picture.png");
    await writeFile(picture, await headPng(200, 160, SPOT));
    const program = join(__dirname, "fixtures", "close-under-way.js");
    const ended = await promisify(execFile)(process.execPath, [program, folder, picture]);
    expect(ended.stdout).toBe("closed 25 times");
  });

  it("leave the event loop free while they answer", async () => {
    const classifier = await loadClassifier(folder, { threads: 1 });
    let turns = 0;
    let done = false;
    const answered = classifier.predict(Array.from({ length: 20 }, (_, i) => head(i))).then(() => {
      done = true;
    });
    while (!done) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await answered;
    // An engine on this thread would leave a few turns an image.
    expect(turns).toBeGreaterThan(20 * 20);
    await classifier.dispose();
  });
});

describe("a file that is scored in a thread", () => {
  it("gives what the same pages give one by one: 16 bits, many pages, a page that is none", async () => {
    const classifier = await loadClassifier(folder, { threads: 2 });
    const side = 160;
    const pages = [undefined, { x: 90, y: 70, radius: 12 }, { x: 60, y: 90, radius: 5 }];
    const grey = Buffer.concat(pages.map((spot, i) => headPixels(side, side, spot, i)));
    const deep = Uint16Array.from(grey, (value) => 257 * value);
    const raw = { width: side, height: side * pages.length, channels: 1, pageHeight: side } as const;
    const tiff = await sharp(deep, { raw }).toColourspace("grey16").tiff({ compression: "none" }).toBuffer();
    const scored = await classifier.score(tiff);
    const here = await scoreScan(tiff, classifier);
    expect(scored).toEqual(here);
    expect(scored.slices.map(({ page }) => page)).toEqual([1, 2, 3]);
    expect(scored.slices[scored.page - 1]).toMatchObject({ probability: scored.probability, sha256: scored.sha256 });
    const [answer] = await classifier.answer([scored.pixels]);
    expect(answer).toEqual({ probability: scored.probability, map: scored.map, features: scored.features });
    expect(scored.features).toHaveLength(2);
    expect(scored.map).toMatchObject({ rows: 16, columns: 16 });
    await classifier.dispose();
  });

  it("is refused with its code; the caller's bytes stay his", async () => {
    const classifier = await loadClassifier(folder, { threads: 1 });
    await expect(classifier.score(Buffer.from("hello"))).rejects.toMatchObject({
      name: "RejectedImage",
      code: "unsupported-format",
    });
    const png = await headPng(200, 160, SPOT);
    const surrounded = Buffer.concat([Buffer.from("before"), png, Buffer.from("after")]);
    const part = surrounded.subarray(6, 6 + png.length);
    const scored = await classifier.score(part);
    expect(surrounded.toString("latin1")).toMatch(/^before[\s\S]*after$/);
    expect(scored.probability).toBe((await classifier.score(png)).probability);
    await expect(classifier.score(png, { limits: { pixels: 1000 } })).rejects.toMatchObject({
      code: "too-many-pixels",
    });
    const left = new Error("The client left.");
    await expect(classifier.score(png, { signal: AbortSignal.abort(left) })).rejects.toBe(left);
    await classifier.dispose();
  });
});

describe("a process that answers", () => {
  /** Runs a program in a process of its own; what it prints last is JSON. */
  function run(program: string, ...parameters: string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", program, ...parameters], {
      cwd: ROOT,
      encoding: "utf8",
      timeout: 110_000,
    });
    return { status, stderr, printed: JSON.parse(stdout.trim().split("\n").at(-1) ?? "null") as unknown };
  }
  const LOADED = `Object.keys(require.cache).map((path) => path.split("node_modules/").pop()).filter((path) => /^(@tensorflow|onnx)/.test(path))`;

  it("ends by itself with its threads idle", () => {
    const { status, printed, stderr } = run(
      `const { loadClassifier } = require("./dist/runtime/model");
       loadClassifier(process.argv[1]).then(async (classifier) => {
         const [answer] = await classifier.predict([new Uint8Array(${RECIPE.side * RECIPE.side * RECIPE.channels})]);
         console.log(JSON.stringify(answer));
       });`,
      folder,
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(printed).toEqual(expect.any(Number));
  });

  it.each(["serve/server", "score/main", "evaluate", "explain"])(
    "runtime/%s loads neither TensorFlow.js nor onnxruntime on its main thread",
    (entry) => {
      const { status, printed } = run(
        `require("./dist/runtime/${entry}"); console.log(JSON.stringify(${LOADED})); process.exit(0);`,
      );
      expect(status).toBe(0);
      expect(printed).toEqual([]);
    },
  );
});
