import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { onnx } from "onnx-proto";
import type { Backbone } from "../../../runtime/backbone";
import { verifyModel } from "../../../runtime/cli/verify-model";
import { explainFolder } from "../../../runtime/explain";
import { applyRecipe, RECIPE } from "../../../runtime/imaging";
import {
  AnswerPool,
  describeTeacher,
  loadClassifier,
  type ModelMetadata,
  modelFilesInDirectory,
  sha256,
  viewsOf,
} from "../../../runtime/model";
import type { StepContext } from "../../../runtime/platform/step";
import { modelCard } from "../../../runtime/promotion";
import { scoreStep } from "../../../runtime/score";
import { imagesToTensor, measureParity, showAs, useBackend } from "../../../runtime/tensorflow";
import { type RunStep, readTrained, trainableTeacher, trainEvaluatePromote, trainStep } from "../../../runtime/train";
import { VIEWS } from "../../../runtime/train/architecture";
import { describeTrainingData } from "../../../runtime/train/data";
import { MADE_BY_SERVING, MADE_BY_TEACHING, servedId, type TeacherSource } from "../../../runtime/train/identity";
import { main } from "../../../runtime/train/main";
import { besidePupil } from "../../../runtime/train/teacher/beside";
import { projectionOf, SERVED, TEACHER_EXPORT } from "../../../runtime/train/teacher/export";
import { TeacherNetwork, teacherBackbone } from "../../../runtime/train/teacher/network";
import { chooseTeacher } from "../../../runtime/train/teacher/prepare";
import { servedTeacher } from "../../../runtime/train/teacher/served";
import { storeTeacher, type TeacherRecord } from "../../../runtime/train/teacher/store";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { CONFIGURATION } from "../../support/discs";
import { headPixels } from "../../support/head";
import { residualBackbone, type Written, writeResidual } from "../../support/tiny-teacher";
import { prepareSlices } from "./slices";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "served-teacher-"));
  await useBackend("wasm");
});
afterAll(() => rmSync(root, { recursive: true }));

const heads = [0, 3].map((variant) =>
  applyRecipe({
    width: 180,
    height: 150,
    depth: 8,
    pixels: new Uint8Array(headPixels(180, 150, { x: 70 + 9 * variant, y: 60, radius: 5 + variant }, variant)),
  }),
);
const IMAGES = [...heads, { pixels: new Uint8Array(RECIPE.side ** 2 * RECIPE.channels) }];

function untaught(backbone: Pick<Backbone, "onnx" | "manifest">, seed = 3) {
  const made = teacherBackbone(backbone);
  const network = Float32Array.from(new TeacherNetwork(made).first(seed).flatMap((values) => Array.from(values)));
  return { made, network, served: servedTeacher(made, network) };
}

const grey = (): Pick<Backbone, "onnx" | "manifest"> => {
  const { onnx: content, manifest } = residualBackbone();
  const model = onnx.ModelProto.decode(content);
  const filter = model.graph?.initializer?.find(({ name }) => name === "stem.weight") as onnx.ITensorProto;
  const values = new Float32Array(Uint8Array.from(filter.rawData as Uint8Array).buffer);
  filter.dims = [6, 1, 3, 3];
  filter.rawData = Buffer.from(values.slice(0, 54).buffer);
  const input = { ...manifest.input, channels: "grey" as const, mean: [0.4], std: [0.2] };
  return { onnx: onnx.ModelProto.encode(model).finish(), manifest: { ...manifest, input } };
};

const WRITTEN: Readonly<Record<string, Written>> = {
  "a network with everything": {},
  "a normalisation behind no convolution": { normalSum: true },
  "more features than are served": { features: 150 },
};

describe("a teacher as ONNX says what TensorFlow.js says of it", () => {
  it.each([
    ...Object.entries(WRITTEN).map(([name, written]) => [name, () => residualBackbone(written)] as const),
    ["one channel", grey] as const,
  ])("%s", async (_, backbone) => {
    const { served } = untaught(backbone());
    const parity = await measureParity({ network: served, onnx: served.onnx(), views: VIEWS }, IMAGES);
    served.dispose();
    expect(parity.images).toBe(IMAGES.length);
    expect(parity.strongest).toBeGreaterThan(0);
    expect(parity.logits).toBeLessThan(1e-4);
    expect(parity.maps / parity.strongest).toBeLessThan(1e-4);
  });

  it.each([12, 150])("of %i features", async (features) => {
    const { made, network, served } = untaught(residualBackbone({ features }));
    const { pixels } = heads[0] as (typeof heads)[number];
    const pool = await AnswerPool.start({ onnx: served.onnx(), views: VIEWS }, { threads: 1 });
    const { features: found } = await pool.answer(pixels);
    await pool.close();
    const answering = new TeacherNetwork(made).answering(network);
    const expected = tf.tidy(() => {
      const image = imagesToTensor([pixels]);
      const x = tf.concat(viewsOf(VIEWS).map((view) => showAs(view, image))) as tf.Tensor4D;
      const mean = tf.mean(answering.answer(x).features, 0, true) as tf.Tensor2D;
      const signs = projectionOf(features);
      return (signs ? tf.matMul(mean, tf.tensor2d(signs, [features, SERVED.features.most])) : mean).dataSync();
    }) as Float32Array;
    expect(found).toHaveLength(Math.min(features, SERVED.features.most));
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeGreaterThan(0);
    for (const [i, value] of found.entries())
      expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4 * largest);
    answering.dispose();
    served.dispose();
  });
});

describe("the files of a served teacher", () => {
  const directory = () => join(root, "stored");
  let metadata: ModelMetadata;
  beforeAll(async () => {
    const { served } = untaught(residualBackbone());
    const { topology, weights } = await served.serialize();
    served.dispose();
    mkdirSync(directory());
    const files = { "model.json": topology, "weights.bin": weights };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory(), name), content);
    const hashes = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, sha256(content)]));
    const fineTuned = { id: "teacher-x", backbone: "b", sha256: "s", licence: "MIT" };
    metadata = { ...BRIGHT_SPOT, id: "tuned-x", views: VIEWS, fineTuned, files: hashes } as unknown as ModelMetadata;
  });
  const read = (change: Partial<ModelMetadata["files"]> = {}) =>
    readTrained(
      modelFilesInDirectory(directory()),
      { ...metadata, files: { ...metadata.files, ...change } as ModelMetadata["files"] },
      { export: "w" },
    );

  it("hold all of its network, so that the file of its backbone is not needed again", async () => {
    const { served } = untaught(residualBackbone());
    const stored = await read();
    const { pixels } = IMAGES[0] as (typeof IMAGES)[number];
    const [one, other] = [await served.judge(pixels), await stored.judge(pixels)];
    expect(Buffer.from(other.logits.buffer).equals(Buffer.from(one.logits.buffer))).toBe(true);
    expect(stored.onnx().equals(served.onnx())).toBe(true);
    expect(stored.parameters).toBe(served.parameters);
    expect(untaught(residualBackbone(), 4).served.onnx().equals(served.onnx())).toBe(false);
  });

  it("are refused with a sentence where they are others, or of another program", async () => {
    await expect(read({ "weights.bin": "0".repeat(64) })).rejects.toThrow(
      /weights\.bin is not the file that was saved/,
    );
    const topology = JSON.parse(readFileSync(join(directory(), "model.json"), "utf8"));
    const changed = async (change: object) => {
      const content = Buffer.from(JSON.stringify({ ...topology, ...change }));
      writeFileSync(join(directory(), "model.json"), content);
      await read({ "model.json": sha256(content) });
    };
    await expect(changed({ side: 160 })).rejects.toThrow(/cannot read its fine-tuned network \(it is shown 160 pixels/);
    await expect(changed({ format: "layers-model" })).rejects.toThrow(/of the format "layers-model"/);
    await expect(changed({ length: 13 })).rejects.toThrow(/weights\.bin has \d+ numbers, and/);
    await expect(changed({ graph: undefined })).rejects.toThrow(/cannot read its fine-tuned network/);
  });
});

describe("a teacher that is chosen to be served", () => {
  let prepared: StepContext;
  let teacher: { backbone: string; epochs: number; serves: "teacher" };
  beforeAll(async () => {
    teacher = { backbone: writeResidual(join(root, "backbone")), epochs: 3, serves: "teacher" };
    prepared = await prepareSlices(
      root,
      "workspace",
      ["train", "train", "train", "validation", "validation", "test", "test"].flatMap((split, i) => [
        { name: `Cancer/a${i}.png`, patient: 2 * i, split, mask: "square" as const },
        { name: `Non-Cancer/b${i}.png`, patient: 2 * i + 1, split },
      ]),
    );
  });
  afterAll(() => prepared.workspace.close());
  const run: RunStep = (_, work) => work(prepared);

  /** As native TensorFlow would have left it. */
  async function storedTeacher(): Promise<TeacherRecord> {
    const { models } = prepared.workspace.buckets;
    const { counts, digest } = await describeTrainingData(prepared.workspace);
    const asked = { rows: counts.train, seed: 0, dataset: digest, synthetic: false, backend: "tfjs-node" } as const;
    const { id, made, backbone, source } = await chooseTeacher(models, teacher, asked);
    const { sha256: hash, licence } = backbone.manifest;
    const record = {
      ...{ id, recipe: RECIPE.id, dataset: digest, synthetic: false, parameters: 1, backend: "tfjs-node" },
      backbone: { id: backbone.id, sha256: hash, licence, source: "drawn by chance" },
      ...{ configuration: { ...source.configuration }, madeBy: MADE_BY_TEACHING, validation: null },
      curve: [1, 2, 3].map((epoch) => ({ epoch, loss: 1, imagesPerSecond: 1, validation: null })),
    };
    const first = new TeacherNetwork(made).first(3).flatMap((values) => Array.from(values));
    return (await storeTeacher(models, record, Float32Array.from(first))).record;
  }

  it("is refused with a sentence where no map can say where its answers come from, and may still teach", async () => {
    const dense = { ...teacher, backbone: writeResidual(join(root, "dense"), { dense: true }) };
    await expect(trainStep(prepared, { backend: "wasm", teacher: dense })).rejects.toThrow(
      /can teach and cannot be served itself: its features dense are no means over a map/,
    );
    await expect(trainableTeacher(dense, "tfjs-node")).rejects.toThrow(/cannot be served itself/);
    expect(await trainableTeacher({ ...dense, serves: "pupil" }, "tfjs-node")).toMatchObject({ serves: "pupil" });
  });

  it("takes native TensorFlow to be trained, and says so", async () => {
    await expect(trainStep(prepared, { backend: "wasm", teacher })).rejects.toThrow(/takes native TensorFlow/);
  });

  it("is published, evaluated, promoted, verified, explained and scored with as any model", async () => {
    const record = await storedTeacher();
    const { trained, evaluation, promotion } = await trainEvaluatePromote({ backend: "wasm", teacher }, run);
    const { metadata, notes } = trained;
    const { models, reports } = prepared.workspace.buckets;
    expect(metadata).toMatchObject({
      id: expect.stringMatching(/^tuned-[0-9a-f]{12}$/),
      fineTuned: { id: record.id, backbone: record.backbone.id, licence: "MIT", source: "drawn by chance" },
      ...{ views: VIEWS, backend: "tfjs-node", epochs: 3, madeBy: MADE_BY_SERVING },
      engine: { export: TEACHER_EXPORT, parity: { split: "validation", images: 4, backend: "wasm" } },
    });
    expect(metadata.teacher).toBeUndefined();
    expect(notes).toContainEqual(expect.stringContaining(`it is ${record.id} itself`));
    expect(evaluation).toMatchObject({ test: { n: 4 } });
    expect(promotion).toMatchObject({ promoted: true, current: true });
    expect(await modelCard(models, reports, metadata.id)).toMatch(
      new RegExp(`It is the teacher ${record.id} itself, and not the compact network: .*MIT, drawn by chance\\)`),
    );

    // Once more nothing is done.
    const again = await trainStep(prepared, { backend: "wasm", teacher });
    expect(again).toMatchObject({ items: 0, metadata: { id: metadata.id } });
    const directory = join(prepared.workspace.directory, "models", metadata.id);
    const verified = await verifyModel({
      ...{ model: directory, scans: { workspace: prepared.workspace.directory }, backend: "wasm" },
      ...{ signal: new AbortController().signal, onEach: () => {} },
    });
    expect(verified).toMatchObject({ split: "test", images: 4 });
    expect(verified.logits).toBeLessThan(1e-4);
    expect(verified.maps).toBeLessThan(1e-4 * verified.strongest);

    const classifier = await loadClassifier(directory);
    const scan = readFileSync(join(root, "workspace-data/Cancer/a6.png"));
    const scored = await classifier.score(scan);
    await classifier.dispose();
    expect(scored.probability).toBeGreaterThan(0);
    expect(scored.features).toHaveLength(12);

    const out = join(root, "explained");
    await explainFolder({ model: directory, data: join(root, "workspace-data"), out });
    expect(JSON.parse(readFileSync(join(out, "explain.json"), "utf8")).sanity.randomisedWeights).not.toBeNull();
    expect(await scoreStep(prepared)).toMatchObject({ items: 14 });
    const rows = (await prepared.workspace.warehouse.rows("features_deep")).map(({ row }) => row);
    expect(rows.filter(({ backbone }) => backbone === metadata.id)).toHaveLength(14);
  }, 600_000);

  it("is another model than its pupil and than another teacher", () => {
    const { input, features } = residualBackbone().manifest;
    const source: TeacherSource = {
      ...{ dataset: "0".repeat(64), synthetic: false, configuration: CONFIGURATION, backend: "tfjs-node" },
      backbone: { sha256: "1".repeat(64), input, features },
    };
    const ids = [
      servedId(source, "tfjs-node"),
      servedId(source, "wasm"),
      servedId({ ...source, dataset: "1".repeat(64) }, "tfjs-node"),
      servedId({ ...source, backbone: { ...source.backbone, sha256: "2".repeat(64) } }, "tfjs-node"),
      ...Object.keys(MADE_BY_SERVING).map((name) => servedId(source, "tfjs-node", { ...MADE_BY_SERVING, [name]: "x" })),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("a pupil beside its teacher", () => {
  const PAIRS = 30;
  const labels = Uint8Array.from({ length: 2 * PAIRS }, (_, i) => i % 2);
  const groups = Array.from(labels, (_, i) => `patient ${i}`);
  /** Right but for every `wrong`th pair, which is the wrong way round. */
  const answers = (wrong: number) =>
    Float32Array.from(
      labels,
      (label, i) => ((Math.floor(i / 2) % wrong === 0) === (label === 1) ? 0.2 : 0.8) + i / 1e4,
    );
  const told = (own: Float32Array, taught: Float32Array, of: readonly string[] = groups) =>
    describeTeacher({
      ...{ id: "teacher-x", backbone: "b", sha256: "s", licence: "MIT" },
      beside: besidePupil({ labels, groups: of, own, seed: 1 }, taught),
    });

  it("is told of as better, worse or neither by what is paired, groups resampled", () => {
    expect(told(answers(3), answers(15))).toMatch(/60 images in 60 groups.*the teacher alone is better by more than/);
    expect(told(answers(15), answers(3))).toMatch(
      /the pupil is better by more than chance allows \(teacher less pupil -0/,
    );
    expect(told(answers(14), answers(15))).toMatch(/neither is better by more than chance allows/);
    expect(told(answers(3), answers(3))).toMatch(
      /neither .*teacher less pupil 0\.0000, 95 % interval 0\.0000 to 0\.0000/,
    );
  });

  it("is not told by few groups, and not at all where a class is missing", () => {
    const few = groups.map((_, i) => `patient ${Math.floor(i / 6)}`);
    expect(told(answers(3), answers(15), few)).toMatch(/in 10 groups.*so few groups cannot tell which is better$/);
    const alone = { labels: labels.map(() => 1), groups, own: answers(3), seed: 1 };
    expect(besidePupil(alone, answers(15))).toBeUndefined();
  });
});

describe("the training job", () => {
  it("does not start where the teacher is to be served and none is named", async () => {
    const folder = (name: string) => `file://${join(root, "job", name)}`;
    const places = { PROCESSED_BUCKET: folder("p"), MODELS_BUCKET: folder("m"), REPORTS_BUCKET: folder("r") };
    await expect(main({ ...places, WAREHOUSE: folder("w"), BACKEND: "wasm", SERVES: "teacher" })).rejects.toThrow(
      /SERVES.*TEACHER names none/s,
    );
  });
});
