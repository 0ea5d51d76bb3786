import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { convert, listModels } from "../../../runtime/cli/models";
import { verifyModel } from "../../../runtime/cli/verify-model";
import { loadClassifier, type ModelMetadata, parityProblem } from "../../../runtime/model";
import { ConfigurationError } from "../../../runtime/platform/config";
import type { StepContext } from "../../../runtime/platform/step";
import { useBackend } from "../../../runtime/tensorflow";
import { BRIGHT_SPOT, lopsidedNetwork, saveBrightSpot, saveNetwork } from "../../support/bright-spot-model";
import { prepareSlices } from "../train/slices";

const ROOT = resolve(__dirname, "../../..");
const OLD = "cnn-0123456789ab";
let root: string;
let out: string;
let prepared: StepContext;
let old: string;

beforeAll(async () => {
  process.env.LOG_LEVEL = "fatal";
  await useBackend("wasm");
  root = mkdtempSync(join(tmpdir(), "models-"));
  out = join(root, "workspace");
  prepared = await prepareSlices(root, "workspace", [
    { name: "Cancer/a.png", patient: 1, split: "train" },
    { name: "Non-Cancer/b.png", patient: 2, split: "train" },
    { name: "Cancer/c.png", patient: 3, split: "validation" },
    { name: "Non-Cancer/d.png", patient: 4, split: "validation" },
    { name: "Cancer/e.png", patient: 5, split: "test" },
  ]);
  await prepared.workspace.close();
  old = join(out, "models", OLD);
  await saveNetwork(old, lopsidedNetwork(), { id: OLD, views: "mirrored" });
  makeOld(old);
});
afterAll(() => rmSync(root, { recursive: true }));

const metadataOf = (folder: string) => JSON.parse(readFileSync(join(folder, "metadata.json"), "utf8")) as ModelMetadata;

/** As an earlier program left it: without an engine. */
function makeOld(folder: string): void {
  const { engine: _engine, files, ...metadata } = metadataOf(folder);
  const { "model.onnx": _onnx, ...others } = files;
  rmSync(join(folder, "model.onnx"));
  writeFileSync(join(folder, "metadata.json"), JSON.stringify({ ...metadata, files: others }));
}

const filesOf = (folder: string) =>
  new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]));

describe("a model of an earlier program", () => {
  it("answers nobody, is converted with its parity over the stored shards, and is itself not changed", async () => {
    await expect(loadClassifier(old)).rejects.toMatchObject({
      code: "not-converted",
      message: expect.stringContaining(`npm run models -- convert ${OLD} --out DIR`),
    });
    expect(await listModels(out)).toMatchObject([
      { id: OLD, current: false, answers: false, engine: expect.stringContaining(`convert ${OLD}`) },
    ]);

    const before = filesOf(old);
    expect(await convert(out, OLD, "wasm")).toMatch(
      /has model.onnx and engine.json now: .* on 2 images \(validation\)/,
    );
    const after = filesOf(old);
    expect([...after.keys()].filter((name) => !before.has(name)).sort()).toEqual(["engine.json", "model.onnx"]);
    for (const [name, content] of before) expect(after.get(name)).toBe(content);

    // Trained by this program it would be the same file.
    const fresh = join(root, "fresh");
    await saveNetwork(fresh, lopsidedNetwork(), { views: "mirrored" });
    expect(after.get("model.onnx")).toBe(readFileSync(join(fresh, "model.onnx")).toString("base64"));

    expect(await listModels(out)).toMatchObject([{ id: OLD, answers: true }]);
    await (await loadClassifier(old, { threads: 1 })).dispose();
    expect(await convert(out, OLD, "wasm")).toMatch(/needs no conversion/);
    expect(filesOf(old)).toEqual(after);
  });

  it("goes on where it was stopped, and replaces nothing that is there", async () => {
    rmSync(join(old, "engine.json"));
    const first = readFileSync(join(old, "model.onnx"));
    await convert(out, OLD, "wasm");
    expect(readFileSync(join(old, "model.onnx"))).toEqual(first);

    const other = join(out, "models", "cnn-other0000000");
    cpSync(old, other, { recursive: true });
    rmSync(join(other, "engine.json"));
    writeFileSync(join(other, "model.onnx"), "something else");
    await expect(convert(out, "cnn-other0000000", "wasm")).rejects.toThrow(/exists already with another model.onnx/);
    expect(readFileSync(join(other, "model.onnx"), "utf8")).toBe("something else");
    rmSync(other, { recursive: true });
  });

  it.each(["model.onnx", "engine.json", "weights.bin", "model.json"])(
    "is refused once %s was changed or is of another model",
    async (name) => {
      const copy = join(root, `damaged-${name}`);
      cpSync(old, copy, { recursive: true });
      if (name === "engine.json") {
        const made = JSON.parse(readFileSync(join(copy, name), "utf8"));
        made.files["weights.bin"] = "0".repeat(64);
        writeFileSync(join(copy, name), JSON.stringify(made));
      } else {
        const bytes = readFileSync(join(copy, name));
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
        writeFileSync(join(copy, name), bytes);
      }
      await expect(loadClassifier(copy)).rejects.toMatchObject({ code: "damaged-file" });
    },
  );

  it("that is not there is no model, and one of another recipe is not converted", async () => {
    await expect(convert(out, "cnn-nowhere", "wasm")).rejects.toThrow(ConfigurationError);
    await expect(convert(out, "cnn-nowhere", "wasm")).rejects.toThrow(new RegExp(`There are ${OLD}`));
    const id = "cnn-recipe000000";
    const foreign = join(out, "models", id);
    await saveBrightSpot(foreign, { id, recipe: "r0-0000000000" });
    makeOld(foreign);
    await expect(convert(out, id, "wasm")).rejects.toMatchObject({ code: "other-recipe" });
    expect(readdirSync(foreign)).not.toContain("model.onnx");
    rmSync(foreign, { recursive: true });
  });
});

describe("models -- list", () => {
  it.each(["model.onnx", "weights.bin", "model.json"])(
    "does not call a model good whose %s was changed or is missing, as serving does not",
    async (name) => {
      const id = "cnn-damaged00000";
      const folder = join(out, "models", id);
      await saveBrightSpot(folder, { id });
      const file = join(folder, name);
      const said = async () => (await listModels(out)).find((model) => model.id === id);
      expect(await said()).toMatchObject({ answers: true });
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      writeFileSync(file, bytes);
      const changed = expect.stringContaining(`${name} is not the file that was saved`);
      expect(await said()).toMatchObject({ answers: false, engine: changed });
      rmSync(file);
      expect(await said()).toMatchObject({ answers: false, engine: expect.stringContaining(`${name} cannot be read`) });
      await expect(loadClassifier(folder)).rejects.toMatchObject({ code: "missing-file" });
      rmSync(folder, { recursive: true });
    },
  );
});

describe("npm run verify:model", () => {
  const verify = (model: string, scans: Parameters<typeof verifyModel>[0]["scans"]) => {
    const named: string[] = [];
    const signal = new AbortController().signal;
    return verifyModel({ model, scans, backend: "wasm", signal, onEach: (scan) => void named.push(scan) }).then(
      (parity) => ({ parity, named }),
    );
  };

  it("has both engines answer for every test scan, or for every page of a folder", async () => {
    const { parity, named } = await verify(old, { workspace: out });
    expect(named).toEqual(["Cancer/e.png"]);
    expect(parity.logits).toBeLessThan(1e-4);
    expect(parityProblem(parity)).toBeUndefined();
    const folder = await verify(old, { data: join(root, "workspace-data") });
    expect(folder.named.sort()).toEqual([
      "Cancer/a.png",
      "Cancer/c.png",
      "Cancer/e.png",
      "Non-Cancer/b.png",
      "Non-Cancer/d.png",
    ]);
  });

  it("ends with 1 where the file that answers is another network than the one that was trained", async () => {
    const swapped = join(root, "swapped");
    await saveBrightSpot(swapped);
    const other = join(root, "other");
    await saveNetwork(other, lopsidedNetwork());
    cpSync(join(other, "model.onnx"), join(swapped, "model.onnx"));
    const metadata = metadataOf(swapped);
    const files = { ...metadata.files, "model.onnx": metadataOf(other).files["model.onnx"] };
    writeFileSync(join(swapped, "metadata.json"), JSON.stringify({ ...metadata, files }));
    const command = (...parameters: string[]) =>
      spawnSync(process.execPath, ["dist/runtime/cli/main.js", "verify-model", "--backend", "wasm", ...parameters], {
        cwd: ROOT,
        encoding: "utf8",
      });
    const wrong = command("--model", swapped, "--out", out);
    expect(wrong.stdout).toMatch(
      /Cancer\/e.png: log odds .*\nOn 1 images onnxruntime and TensorFlow.js do not give the same answers/,
    );
    expect(wrong.status).toBe(1);
    expect(command("--model", other, "--out", out, "--json")).toMatchObject({ status: 0 });
    const usage = command("--model", join(root, "nowhere"));
    expect(usage.status).toBe(2);
    expect(usage.stderr).toMatch(/--model .*nowhere is not there[\s\S]*--out WORKSPACE or --data DIR/);
  });
});

describe("npm run models", () => {
  it("lists for a machine, and says what is wrong with a command", () => {
    const command = (...parameters: string[]) =>
      spawnSync(process.execPath, ["dist/runtime/cli/main.js", "models", ...parameters], {
        cwd: ROOT,
        encoding: "utf8",
      });
    const listed = command("list", "--out", out, "--json");
    expect(JSON.parse(listed.stdout)).toMatchObject([{ id: OLD, parameters: BRIGHT_SPOT.parameters }]);
    expect(command("list", "--out", out).stdout).toMatch(new RegExp(`^${OLD} \\(SYNTHETIC`));
    expect(command("convert").status).toBe(2);
    expect(command("convert", "cnn-nowhere", "--out", out).status).toBe(2);
    expect(command("list", "--out", join(root, "nowhere")).status).toBe(2);
  });
});
