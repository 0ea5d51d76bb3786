import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { convert } from "../../../runtime/cli/convert-model";
import { compareModels, inventory, listModels, promote as promoteById, rollBack } from "../../../runtime/cli/models";
import { renderListed } from "../../../runtime/cli/summary-table";
import { verifyModel } from "../../../runtime/cli/verify-model";
import { loadClassifier, type ModelMetadata, parityProblem } from "../../../runtime/model";
import { ConfigurationError } from "../../../runtime/platform/config";
import type { StepContext } from "../../../runtime/platform/step";
import { openStore } from "../../../runtime/platform/stores";
import { ObjectStoreWarehouse } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { renderInventory } from "../../../runtime/promotion";
import { currentModel } from "../../../runtime/registry";
import { useBackend } from "../../../runtime/tensorflow";
import { BRIGHT_SPOT, saveBrightSpot } from "../../support/bright-spot";
import { lopsidedNetwork, saveNetwork } from "../../support/bright-spot-model";
import { storeEvaluation } from "../../support/evaluation";
import { startGcsServer } from "../../support/gcs-server";
import { promote, storeModel } from "../../support/served-model";
import { drawn } from "../promotion/drawn";
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
  it("says of each model whether it is fit, and its AUC with the interval, or that nothing was measured", async () => {
    const listed = {
      id: "cnn-1",
      current: true,
      parameters: 7,
      counts: null,
      synthetic: false,
      answers: true,
      comparisons: [{ champion: "cnn-0", number: 2, most: 50, level: 0.0152, p: 0.3, better: false }],
    } as const;
    const verdict = "Not fit for use: few groups.";
    const auc = { value: 0.91, low: 0.8, high: 0.97 };
    expect(renderListed({ ...listed, engine: "near", verdict, auc })).toBe(
      "cnn-1 (current)\n  Not fit for use: few groups.\n  AUC on the test split: 0.910, 95 % interval 0.800 to 0.970\n  comparison 2 of 50, with cnn-0: not shown to be better, p 0.3, at most 0.015\n  near\n",
    );
    expect(renderListed({ ...listed, engine: "near", verdict: null, auc: null, comparisons: [] })).toBe(
      "cnn-1 (current)\n  No evaluation of it is stored.\n  near\n",
    );
  });

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
    // The scans of a folder are of no split.
    expect(command("--model", other, "--data", join(root, "workspace-data")).stdout).toMatch(/on 5 images: log odds/);
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

describe("models -- compare, promote, rollback", () => {
  const UNFIT = { fit: false, sentence: "Not fit for use.", reasons: ["few-groups"] as const };
  const [FIRST, BETTER, WORSE, OTHER_SET] = [
    "cnn-first0000000",
    "cnn-better000000",
    "cnn-worse0000000",
    "cnn-otherset0000",
  ];
  const models = (options: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, ["dist/runtime/cli/main.js", "models", ...options], {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, MODELS_BUCKET: undefined, REPORTS_BUCKET: undefined, ...env },
    });
  /** The same beside others, and beside servers of this process. */
  const running = (options: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    new Promise<{ code: number; said: string }>((resolve) =>
      execFile(
        process.execPath,
        ["dist/runtime/cli/main.js", "models", ...options],
        { cwd: ROOT, env: { ...process.env, ...env } },
        (error, said) => resolve({ code: Number(error?.code ?? 0), said }),
      ),
    );
  const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
  const AUCS: readonly (readonly [string, number, string?])[] = [
    [FIRST, 0.8],
    [BETTER, 0.9],
    [WORSE, 0.7],
    [OTHER_SET, 0.99, "e".repeat(64)],
  ];

  /** Puts the models of {@link AUCS} with their evaluations into buckets. */
  async function fill(buckets: Pick<Workspace["buckets"], "models" | "reports">) {
    for (const [id, auc, ...set] of AUCS) {
      await storeModel({ buckets } as Workspace, id);
      await storeEvaluation(buckets.reports, id, auc, UNFIT, ...set);
    }
  }

  let place: string;
  let workspace: Workspace;
  beforeEach(async () => {
    place = mkdtempSync(join(root, "shelf-"));
    workspace = await openWorkspace(place);
    await fill(workspace.buckets);
  });
  afterEach(() => workspace.close());
  const current = async () => (await currentModel(workspace.buckets.models))?.model;

  it("move the pointer by the change plan's rule, and say why or why not", async () => {
    const run = (...options: string[]) => models([...options, "--out", place]);
    expect(run("rollback")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "No model has been promoted yet, so there is none to go back from.\n",
    });
    expect(run("promote", FIRST)).toMatchObject({
      status: 0,
      stdout: `${FIRST} is the first model.\n${FIRST} is current; there was none before it.\n`,
    });
    expect(run("rollback")).toMatchObject({
      status: 1,
      stderr: `${FIRST} is the first model: there is none before it.\n`,
    });
    expect(run("promote", WORSE)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/the champion stays\.\n$/),
    });
    expect(run("promote", OTHER_SET)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/different test sets/),
    });
    expect(await current()).toBe(FIRST);
    expect(run("compare", FIRST, BETTER)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(
        new RegExp(
          `^${FIRST} \\(current\\): Not fit[^]*AUC +0.8000 +0.9000 +0.1000\\n[^]*${BETTER} may take over from`,
        ),
      ),
    });
    const compared = json(run("compare", FIRST, OTHER_SET, "--json").stdout);
    expect(compared).toMatchObject({ comparable: false, rule: { promotes: false } });
    const promoted = run("promote", BETTER, "--json");
    expect(promoted.status).toBe(0);
    expect(json(promoted.stdout)).toMatchObject({ current: BETTER, previous: FIRST });
    expect(run("promote", BETTER).status).toBe(0);
    expect(json(run("rollback", "--json").stdout)).toMatchObject({ current: FIRST, previous: BETTER });
    expect(await current()).toBe(FIRST);
    const again = run("promote", WORSE, "--json");
    expect([again.status, json(again.stdout)]).toMatchObject([1, { code: "not-promoted", reason: expect.any(String) }]);
    expect(json(run("list", "--json").stdout)).toHaveLength(AUCS.length);
  }, 300_000);

  it("refuse by the clause's name what the change plan does not let through, and list and tell what was compared", async () => {
    const FIT = { fit: true, sentence: "Fit for research.", reasons: [] };
    const [its, equal, better] = drawn([0.85, 0.85, 0.95], 1);
    const { reports } = workspace.buckets;
    for (const [id, scans] of [
      [FIRST, its],
      [WORSE, equal],
      [BETTER, better],
    ] as const) {
      await storeEvaluation(reports, id, 0.9, FIT);
      await reports.write(`evaluation/${id}/scans.json`, JSON.stringify(scans));
    }
    await promote(workspace, FIRST, { verdict: FIT });
    const refused = models(["promote", WORSE, "--out", place, "--json"]);
    expect([refused.status, json(refused.stdout)]).toMatchObject([
      1,
      { code: "not-promoted", clause: "comparison.superiority", reason: expect.stringContaining("1 of 50") },
    ]);
    expect(await promoteById(place, BETTER)).toMatchObject({ current: BETTER });
    const listed = await listModels(place);
    expect(listed.find(({ id }) => id === WORSE)?.comparisons).toMatchObject([
      { champion: FIRST, number: 1, better: false },
    ]);
    expect(listed.find(({ id }) => id === BETTER)?.comparisons).toMatchObject([
      { champion: FIRST, number: 2, better: true },
    ]);
    const entry = await inventory(place);
    expect(entry).toMatchObject({ model: { id: BETTER }, comparisons: [{}, {}] });
    expect(entry.history.map(({ model }) => model)).toEqual([FIRST, BETTER]);
    const text = renderInventory(entry);
    expect(text).toContain(`| ${FIRST} | ${BETTER} | 2 |`);
    expect(entry.earlier).toMatchObject([
      { id: FIRST, acceptance: { auc: { value: 0.9 } }, reigns: [{ next: { model: BETTER } }] },
    ]);
    expect(text).toMatch(
      new RegExp(`## Models that answered before\\n\\n- ${FIRST}, from .* until .*${BETTER} took its place`),
    );
    await reports.write(`evaluation/${BETTER}/model-card.md`, `# Model ${BETTER}\n`);
    const card = models(["card", BETTER, "--out", place]);
    expect(card.stdout).toMatch(
      new RegExp(`^# Model ${BETTER}\\n\\n## History\\n\\n- Current since .*, after ${FIRST}: .*shown to be better`),
    );
    expect(card.stdout).toMatch(
      new RegExp(`\\| ${FIRST} \\| ${BETTER} \\| 2 \\| 1000, 300 \\| 0\\.9\\d+, 0\\.8\\d+ \\|.*\\| yes \\|`),
    );
    // The model before it: until when, and what took its place.
    await reports.write(`evaluation/${FIRST}/model-card.md`, `# Model ${FIRST}\n`);
    expect(models(["card", FIRST, "--out", place]).stdout).toMatch(
      new RegExp(`Until .*, when ${BETTER} took its place`),
    );
    await reports.delete(`evaluation/${WORSE}/model-card.md`);
    expect(models(["card", WORSE, "--out", place])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("has no card"),
    });
    expect(text).toContain("## History");
  }, 300_000);

  it("take no damaged model and none that is not there, and do not name a workspace that is none", async () => {
    await promote(workspace, FIRST);
    await promote(workspace, BETTER);
    const run = (...options: string[]) => models([...options, "--out", place]);
    for (const id of [FIRST, WORSE]) {
      const file = join(place, "models", id, "model.onnx");
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      writeFileSync(file, bytes);
    }
    writeFileSync(join(place, "models", OTHER_SET, "metadata.json"), "{");
    const damaged = { status: 1, stderr: expect.stringMatching(/model.onnx is not the file that was saved/) };
    expect(run("promote", WORSE)).toMatchObject(damaged);
    expect(run("rollback")).toMatchObject(damaged);
    expect(await current()).toBe(BETTER);
    // One that cannot even be read stops no list of the others.
    const listed = JSON.parse(run("list", "--json").stdout) as { id: string; answers: boolean; engine: string }[];
    expect(listed.map(({ id, answers }) => [id, answers])).toEqual([
      [BETTER, true],
      [FIRST, false],
      [OTHER_SET, false],
      [WORSE, false],
    ]);
    expect(listed.find(({ id }) => id === OTHER_SET)?.engine).toMatch(/metadata.json is not JSON/);

    const unknown = run("compare", "cnn-nothing00000", "../reports");
    expect(unknown).toMatchObject({ status: 2, stderr: expect.stringContaining("There is no model ../reports") });
    expect(unknown.stderr).toContain(
      `There is no model cnn-nothing00000 in ${workspace.buckets.models.uri}. There are`,
    );
    expect(models(["promote", FIRST, "--out", join(place, "nowhere")])).toMatchObject({ status: 2 });
    expect(models(["promote"])).toMatchObject({ status: 2 });
    expect(models(["rollback"], { MODELS_BUCKET: "gs://a-bucket" })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--reports (or REPORTS_BUCKET) is missing"),
    });
    expect(models(["rollback", "--models", "a-bucket"])).toMatchObject({ status: 2 });
    expect(models(["rollback", "--out", place, "--models", "gs://a-bucket"])).toMatchObject({ status: 2 });
  }, 300_000);

  it("of which two come at once leave one model current, and each says what it did", async () => {
    await promote(workspace, FIRST);
    await storeEvaluation(workspace.buckets.reports, WORSE, 0.9, UNFIT);
    const done = await Promise.all(
      [BETTER, WORSE].map(async (id) => ({ id, ...(await running(["promote", id, "--out", place, "--json"])) })),
    );
    const now = await currentModel(workspace.buckets.models);
    const moved = done.filter(({ code }) => code === 0);
    expect(moved.map(({ id }) => id)).toContain(now?.model);
    for (const { code, said } of done) expect(json(said)).toHaveProperty(code === 0 ? "current" : "code");
    // Where both moved it, one came after the other, and knows of it.
    expect(now?.previous).toBe(moved.length === 2 ? moved.find(({ id }) => id !== now?.model)?.id : FIRST);
  }, 300_000);

  it("work on the buckets of a hospital by the variables of its processes", async () => {
    const gcs = await startGcsServer();
    const env = { GCS_API_ENDPOINT: gcs.endpoint, MODELS_BUCKET: "gs://h-models", REPORTS_BUCKET: "gs://h-reports" };
    const endpoint = process.env.GCS_API_ENDPOINT;
    process.env.GCS_API_ENDPOINT = gcs.endpoint;
    try {
      for (const name of ["h-models", "h-reports"]) await gcs.createBucket(name);
      const [stored, reports] = [await openStore(env.MODELS_BUCKET), await openStore(env.REPORTS_BUCKET)];
      await fill({ models: stored, reports });
      const buckets = { models: env.MODELS_BUCKET, reports: env.REPORTS_BUCKET };
      expect(await promoteById(buckets, FIRST)).toMatchObject({ current: FIRST, previous: null });
      await expect(promoteById(buckets, WORSE)).rejects.toThrow(/the champion stays/);
      await expect(promoteById(buckets, "cnn-nothing00000")).rejects.toThrow(/There is no model .* in gs:\/\/h-models/);
      expect((await compareModels(buckets, FIRST, WORSE)).rule).toMatchObject({ promotes: false });
      const listed = await listModels(buckets);
      expect(listed.map(({ answers }) => answers)).toEqual([true, true, true, true]);
      expect(Object.fromEntries(listed.map(({ id, auc }) => [id, auc?.value]))).toEqual(
        Object.fromEntries(AUCS.map(([id, auc]) => [id, auc])),
      );
      expect(listed.every(({ verdict }) => typeof verdict === "string")).toBe(true);
      const run = (...options: string[]) => running(options, env);
      expect(await run("promote", BETTER)).toMatchObject({ code: 0 });
      expect(await currentModel(stored)).toMatchObject({ model: BETTER, previous: FIRST });
      // What is done is written down, where somebody says where.
      const tables = join(root, "hospital", "warehouse");
      expect(await rollBack({ ...buckets, warehouse: tables })).toMatchObject({ current: FIRST, previous: BETTER });
      const acts = (await new ObjectStoreWarehouse(await openStore(tables)).rows("audit")).map(({ row }) => row);
      expect(acts.map(({ result }) => result).sort()).toEqual(["asked", FIRST].sort());
      for (const act of acts)
        expect(act).toMatchObject({
          ...{ action: "rollback", who: "local", role: "admin", subject: BETTER },
          salt: expect.stringMatching(/^[0-9a-f]{32}$/),
        });
      // A workspace that is named is meant.
      expect(await run("promote", WORSE, "--out", place)).toMatchObject({ code: 0 });
      expect(await current()).toBe(WORSE);
      expect((await currentModel(stored))?.model).toBe(FIRST);
    } finally {
      if (endpoint === undefined) delete process.env.GCS_API_ENDPOINT;
      else process.env.GCS_API_ENDPOINT = endpoint;
      await gcs.stop();
    }
  }, 300_000);
});
