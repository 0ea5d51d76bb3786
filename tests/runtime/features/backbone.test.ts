import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { backboneStep, checkedBackbone } from "../../../runtime/features";
import { ExtractionService } from "../../../runtime/features/backbone";
import { RECIPE } from "../../../runtime/imaging";
import type { Frame } from "../../../runtime/platform/framed";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import { DEEP_FEATURES } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { TINY, tinyFeatures, tinyManifest, tinyNetwork, writeBackbone } from "../../support/tiny-backbone";
import { type Drawn, fields, process as processImages } from "./processed";

const MAIN = resolve(__dirname, "../../../dist/runtime/cli/main.js");
const scratch = mkdtempSync(join(tmpdir(), "backbone-"));
const opened: Workspace[] = [];
afterAll(async () => {
  for (const workspace of opened) await workspace.close();
  rmSync(scratch, { recursive: true, force: true });
});

async function workspaceOf(images: readonly Drawn[]): Promise<Workspace> {
  const workspace = await openWorkspace(await mkdtemp(join(scratch, "workspace-")));
  opened.push(workspace);
  await processImages(workspace, images);
  return workspace;
}

const network = tinyNetwork();
const manifest = tinyManifest(network);
const backbone = `tiny-${manifest.sha256.slice(0, 12)}`;
const folder = writeBackbone(join(scratch, "tiny backbone"), network, manifest);

const step = (workspace: Workspace, uri = folder, signal = new AbortController().signal) =>
  backboneStep(
    {
      workspace,
      seed: 0,
      log: createLogger("test", { destination: { write() {} } }),
      progress: silentProgress,
      signal,
    },
    uri,
  );

const featuresIn = async (workspace: Workspace, name = backbone) =>
  new Map(
    (await workspace.warehouse.ask(DEEP_FEATURES, { recipe: RECIPE.id, backbone: name })).map((row) => [
      row.sha256,
      row.features,
    ]),
  );

/** The largest difference, as a part of the largest value. */
function difference(found: readonly number[] | undefined, expected: ArrayLike<number>): number {
  if (found?.length !== expected.length) return Number.POSITIVE_INFINITY;
  const largest = Math.max(...Array.from(expected, Math.abs));
  return Math.max(...found.map((value, i) => Math.abs(value - (expected[i] as number)))) / largest;
}

const images = [...fields("train", 20), ...fields("test", 3, 40)];

describe("what a network sees", () => {
  test.each([
    ["a tensor inside, of any number of pictures", tinyNetwork(), "NCHW"],
    ["channels last", tinyNetwork({ layout: "NHWC" }), "NHWC"],
    ["one picture at a time", tinyNetwork({ pictures: 1 }), "NCHW"],
    ["seven pictures at a time", tinyNetwork({ pictures: 7 }), "NCHW"],
  ] as const)("is what its layers compute: %s", async (name, content, layout) => {
    const workspace = await workspaceOf(images);
    const described = tinyManifest(content, layout);
    const place = writeBackbone(join(scratch, name), content, described);
    expect(await step(workspace, pathToFileURL(place).href)).toMatchObject({ items: 23, skipped: 0, rejected: 0 });
    const found = await featuresIn(workspace, `tiny-${described.sha256.slice(0, 12)}`);
    expect(found.size).toBe(23);
    for (const { row, pixels } of images)
      expect(difference(found.get(row.sha256), tinyFeatures(pixels))).toBeLessThan(1e-5);
  });

  test("is stored once: a second run adds nothing, and a new picture alone is new", async () => {
    const workspace = await workspaceOf(images);
    await step(workspace);
    const before = await workspace.warehouse.rows("features_deep");
    expect(await step(workspace, join(folder, "backbone.json"))).toMatchObject({ items: 0, skipped: 23 });
    expect(await workspace.warehouse.rows("features_deep")).toEqual(before);
    await processImages(workspace, [...images, ...fields("validation", 1, 90)]);
    expect(await step(workspace)).toMatchObject({ items: 1, skipped: 23 });
    const ids = (await workspace.warehouse.rows("features_deep")).map(({ row }) => row.id);
    expect([ids.length, new Set(ids).size]).toEqual([24, 24]);
  });

  test("is stored apart from what another network sees, though it has the same name", async () => {
    const workspace = await workspaceOf(images);
    await step(workspace);
    const other = tinyNetwork({ weights: new Float32Array(TINY.channels * TINY.kernel ** 2 * 3).fill(0.01) });
    const described = tinyManifest(other);
    await step(workspace, writeBackbone(join(scratch, "other"), other, described));
    expect((await featuresIn(workspace, `tiny-${described.sha256.slice(0, 12)}`)).size).toBe(23);
    const [first] = images as [Drawn];
    expect(difference((await featuresIn(workspace)).get(first.row.sha256), tinyFeatures(first.pixels))).toBeLessThan(
      1e-5,
    );
  });

  test("is the same through the service that Spark's tasks ask, whatever was done before", async () => {
    const many = fields("train", 150);
    const [local, spark] = [await workspaceOf(many), await workspaceOf(many)];
    await step(local);
    const uri = pathToFileURL(folder).href;
    const tables = { processed: spark.buckets.processed, warehouse: spark.warehouse };
    // Two processes, of which each does a part, and one of which does a part again.
    const services = [new ExtractionService(tables, uri), new ExtractionService(tables, uri)] as const;
    const ask = async (service: ExtractionService, type: string, payload: Uint8Array = Buffer.alloc(0)) => {
      const answer = await service.handle({ header: { type }, payload });
      const frames: Frame[] = [];
      if (answer && Symbol.asyncIterator in answer) for await (const one of answer) frames.push(one);
      else if (answer) frames.push(answer);
      return frames;
    };
    const parts = (await ask(services[0], "plan-extraction")).slice(0, -1);
    expect(parts.map(({ header }) => header.images)).toEqual([128, 22]);
    const [first, second] = parts as [Frame, Frame];
    await Promise.all([
      ask(services[0], "extract", first.payload),
      ask(services[1], "extract", second.payload).then(() => ask(services[1], "extract", first.payload)),
    ]);
    expect(await ask(services[0], "hello")).toEqual([]);
    for (const service of services) await service.close();
    const rows = (await spark.warehouse.rows("features_deep")).map(({ row }) => row);
    expect(rows.length).toBe(150);
    const expected = await featuresIn(local);
    for (const { sha256, features } of rows)
      expect(difference(features, expected.get(sha256) ?? [])).toBeLessThan(1e-6);
    expect(await step(spark)).toMatchObject({ items: 0, skipped: 150 });
  });

  test("is whole after the process was killed in the middle, with no row twice", async () => {
    const workspace = await workspaceOf(fields("train", 400));
    const args = [MAIN, "features", "--backbone", folder, "--out", workspace.directory];
    const batches = () => workspace.warehouse.batches("features_deep");
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    const ended = new Promise((settle) => child.once("exit", (_, signal) => settle(signal)));
    while ((await batches()).length === 0 && child.exitCode === null) await wait(5);
    child.kill("SIGKILL");
    await ended;
    const kept = (await workspace.warehouse.rows("features_deep")).length;
    expect(kept).toBeGreaterThan(0);
    const again = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ code: again.status, said: again.stderr }).toMatchObject({ code: 0 });
    expect(again.stderr).toContain(`${400 - kept} done, ${kept} done before`);
    const rows = (await workspace.warehouse.rows("features_deep")).map(({ row }) => row);
    expect([rows.length, new Set(rows.map(({ sha256 }) => sha256)).size]).toEqual([400, 400]);
  });
});

describe("a backbone that cannot be used is refused in a sentence", () => {
  const input = manifest.input;
  const changed = Buffer.from(network);
  changed[200] = (changed[200] as number) ^ 1;
  const infinite = tinyNetwork({ weights: new Float32Array(TINY.channels * TINY.kernel ** 2 * 3).fill(Infinity) });
  const text = Buffer.from("This is a text and no network at all.");
  const described = (content: Buffer, changes: object = {}) => ({ ...tinyManifest(content), ...changes });

  test.each([
    ["a changed byte", changed, manifest, /tiny\.onnx has the SHA-256 [0-9a-f]{64}, and backbone\.json names/],
    ["no JSON", network, "{", /backbone\.json is no JSON/],
    ["nothing in it", network, {}, /backbone\.json: name: .*\n.*backbone\.json: network: /],
    ["an unknown key", network, { ...manifest, inputs: 1 }, /inputs/],
    ["no picture's side", network, described(network, { input: { ...input, size: 100_000_000 } }), /input: size/],
    ["a deviation of nothing", network, described(network, { input: { ...input, std: [0, 1, 1] } }), /greater than 0/],
    [
      "a way out of its folder",
      network,
      described(network, { network: "../tiny.onnx" }),
      /a file name without a folder/,
    ],
    [
      "another size",
      network,
      described(network, { input: { ...input, size: 64 } }),
      /takes any x 3 x 32 x 32 as pixels/,
    ],
    ["another layout", network, described(network, { input: { ...input, layout: "NHWC" } }), /pictures x 32 x 32 x 3/],
    ["another input", network, described(network, { input: { ...input, name: "x" } }), /takes pixels, where x alone/],
    [
      "no such tensor",
      network,
      described(network, { features: { tensor: "pool", length: 6 } }),
      /has no tensor pool; its outputs are logits/,
    ],
    [
      "another length",
      network,
      described(network, { features: { tensor: "map", length: 7 } }),
      /its tensor map is float32 16 x 6 x 28 x 28/,
    ],
    ["no ONNX", text, described(text), /tiny\.onnx is no ONNX network/],
    ["an empty file", Buffer.alloc(0), described(Buffer.alloc(0)), /is no ONNX network/],
    ["half of the bytes", network.subarray(0, 400), described(network.subarray(0, 400)), /tiny\.onnx /],
    ["no numbers", infinite, described(infinite), /holds what is no number/],
  ])("%s", async (name, content, wrong, says) => {
    const place = writeBackbone(join(scratch, `wrong ${name}`), content, wrong);
    const error: Error = await checkedBackbone(place).then(
      () => new Error("It was taken."),
      (reason) => reason,
    );
    expect({ name: error.name, message: error.message }).toMatchObject({
      name: "ConfigurationError",
      message: expect.stringMatching(says),
    });
  });

  test("files that are far too large are not read", async () => {
    const place = writeBackbone(join(scratch, "large"), network, manifest);
    truncateSync(join(place, "tiny.onnx"), 2 ** 33);
    await expect(checkedBackbone(place)).rejects.toThrow(/tiny\.onnx has 8192 MiB; at most 512 MiB are read/);
    writeFileSync(join(place, "backbone.json"), Buffer.alloc(2 ** 20, " "));
    await expect(checkedBackbone(place)).rejects.toThrow(/backbone\.json has 1 MiB/);
  });

  test.each([
    ["gs://bucket", /names no folder/],
    ["https://example.org/x", /neither gs:/],
    ["file://host/x", /no file URL/],
    ["", /neither gs:/],
    [join(scratch, "nowhere"), /there is no backbone\.json/],
  ])("no place: %s", async (uri, says) => {
    await expect(checkedBackbone(uri)).rejects.toThrow(says);
  });

  test("by the command with exit code 2, and nothing is stored", async () => {
    const workspace = await workspaceOf(images.slice(0, 2));
    const place = writeBackbone(join(scratch, "by command"), changed, manifest);
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [MAIN, ...args, "--out", workspace.directory], { encoding: "utf8" });
    const { status, stderr } = run("features", "--backbone", place);
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^The backbone file:.*cannot be used:\n {2}- .*\n$/),
    });
    expect(run("features", "--backbone", folder, "--components", "3").status).toBe(2);
    expect(run("spark", "deep").status).toBe(2);
    expect(run("spark", "pca", "--backbone", folder).status).toBe(2);
    expect(await workspace.warehouse.batches("features_deep")).toEqual([]);
  });
});
