import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { modelFilesInStore, readMetadata } from "../../../runtime/model";
import { silentProgress } from "../../../runtime/platform/progress";
import type { StepContext } from "../../../runtime/platform/step";
import { publishedModels } from "../../../runtime/registry";
import { useBackend } from "../../../runtime/tensorflow";
import { trainStep } from "../../../runtime/train";
import { drawBatch, UNLABELLED } from "../../../runtime/train/batch";
import { type Checkpoints, checkpointsIn } from "../../../runtime/train/checkpoints";
import { describeTrainingData, loadTrainingSet } from "../../../runtime/train/data";
import { distance } from "../../../runtime/train/distillation";
import { MADE_BY_TEACHING, modelId, type TeacherSource, teacherId } from "../../../runtime/train/identity";
import { COMPACT } from "../../../runtime/train/layout";
import { learnerOf } from "../../../runtime/train/learner";
import { UNKNOWN_LESION } from "../../../runtime/train/lesions";
import { PARAMETER_COUNT } from "../../../runtime/train/optimizer";
import { TeacherNetwork, teacherBackbone } from "../../../runtime/train/teacher/network";
import { chooseTeacher } from "../../../runtime/train/teacher/prepare";
import { storeTeacher } from "../../../runtime/train/teacher/store";
import { type PupilSpec, type TrainingSet, trainNetwork } from "../../../runtime/train/trainer";
import { CONFIGURATION, discs, interruptAfter, sameBits, weightsOf } from "../../support/discs";
import { residualBackbone, writeResidual } from "../../support/tiny-teacher";
import { prepareSlices } from "./slices";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "teacher-"));
  await useBackend("wasm");
});
afterAll(() => rmSync(root, { recursive: true }));

const backbone = teacherBackbone(residualBackbone());
const network = new TeacherNetwork(backbone);
/** As it is before it has learnt. */
const untaught = Float32Array.from(network.first(3).flatMap((values) => Array.from(values)));
const pupil: PupilSpec = { kind: "pupil", teacher: backbone, network: untaught };

describe("the distance of a pupil from its teacher", () => {
  const random = (shape: [number, number], seed: number) => tf.randomNormal<tf.Rank.R2>(shape, 0, 1, "float32", seed);
  const said = (seed: number) => ({
    logits: tf.reshape(random([6, 1], seed), [6]) as tf.Tensor1D,
    lesions: tf.reshape(random([6, 64], seed + 1), [6, 8, 8]) as tf.Tensor3D,
    features: random([6, 4], seed + 2),
  });
  const identity = () => tf.eye(4) as tf.Tensor2D;
  const at = (one: ReturnType<typeof said>, other: ReturnType<typeof said>) =>
    distance(one, other, identity()).arraySync();

  it("is smallest where both say the same, and each part of what is said counts", () => {
    const teacher = said(1);
    const least = at(teacher, teacher);
    const other = said(20);
    for (const part of ["logits", "lesions", "features"] as const)
      expect(at({ ...teacher, [part]: other[part] }, teacher)).toBeGreaterThan(least + 0.01);
  });

  it("does not look at how long features are, nor at what all images have in common", () => {
    const teacher = said(1);
    const moved = { ...teacher, features: tf.add(tf.mul(teacher.features, 3), [1, -2, 5, 0]) as tf.Tensor2D };
    expect(at(moved, teacher)).toBeCloseTo(at(teacher, teacher), 4);
  });
});

describe("a pupil", () => {
  const quiet = () => new AbortController().signal;
  const SHORT = { ...CONFIGURATION, epochs: 2, batch: 4 };
  const train = (checkpoints: Checkpoints, set: TrainingSet, signal = quiet()) =>
    trainNetwork(set, SHORT, "wasm", { checkpoints, progress: silentProgress, signal }, pupil);
  const layout = learnerOf(pupil).layout;
  /** Two of the labelled images, and what is left of them when nobody says what they show. */
  const withUnlabelled = (): TrainingSet => {
    const { images, ...set } = discs();
    const labels = Uint8Array.from(images.labels);
    const maskOf = Int32Array.from(images.maskOf);
    for (const row of [10, 11]) {
      labels[row] = UNLABELLED;
      maskOf[row] = UNKNOWN_LESION;
    }
    const donors = images.donors.filter((row) => row < 10);
    return {
      ...set,
      images: { ...images, labels, maskOf, donors },
      train: set.train.slice(0, 10),
      unlabelled: Int32Array.of(10, 11),
    };
  };

  it("serves the compact network's parameters alone, and resumes to the last bit", async () => {
    const first = await train(checkpointsIn(root, "first", layout), withUnlabelled());
    expect(weightsOf(first).reduce((sum, { length }) => sum + length, 0)).toBe(COMPACT.size);
    const watched = checkpointsIn(root, "watched", layout);
    const { checkpoints, signal } = interruptAfter(1, watched);
    await expect(train(checkpoints, withUnlabelled(), signal)).rejects.toThrow(/interrupted in epoch 2/);
    const resumed = await train(watched, withUnlabelled());
    expect(resumed.resumedFrom).toBe(1);
    expect(sameBits(weightsOf(resumed), weightsOf(first))).toBe(true);
  }, 300_000);

  it("is shown unlabelled images in every epoch, no more of them than labelled ones", async () => {
    const steps: number[] = [];
    const progress = { ...silentProgress, start: (all: number) => void steps.push(all) };
    const set = withUnlabelled();
    for (const unlabelled of [[], [10, 11], Array.from({ length: 40 }, () => 10)]) {
      const asked = { ...set, unlabelled: Int32Array.from(unlabelled) };
      const tools = { checkpoints: checkpointsIn(root, "none", layout), progress, signal: AbortSignal.abort() };
      await expect(trainNetwork(asked, SHORT, "wasm", tools, pupil)).rejects.toThrow(/interrupted/);
    }
    // Of ten labelled images alone, with two others, and with ten of forty; batches of four.
    expect(steps).toEqual([2, 3, 5].map((each) => each * SHORT.epochs));
  });

  it("has a projection in its state and not in its network", () => {
    expect(layout.parameterCount).toBe(PARAMETER_COUNT + 128 * backbone.length);
    expect(layout.statisticCount).toBe(COMPACT.statisticCount);
  });

  it("is not told a label that nobody gave", () => {
    const { images } = withUnlabelled();
    const batch = drawBatch({ ...images, classWeights: [0.5, 2] }, Int32Array.of(0, 1, 10, 11), 3);
    expect([...batch.importance.slice(2)]).toEqual([0, 0]);
    expect([...batch.lesionImportance.slice(2)]).toEqual([0, 0]);
    expect(batch.importance[1]).toBe(2);
    expect(batch.labels.every((label) => label === 0 || label === 1)).toBe(true);
  });
});

describe("training with a teacher on a workspace", () => {
  let prepared: StepContext;
  let folder: string;
  beforeAll(async () => {
    folder = writeResidual(join(root, "backbone"));
    prepared = await prepareSlices(root, "taught", [
      { name: "Cancer/a.png", patient: 1, split: "train" },
      { name: "Non-Cancer/b.png", patient: 2, split: "train" },
      { name: "Cancer/c.png", patient: 3, split: "validation" },
      { name: "Non-Cancer/d.png", patient: 4, split: "validation" },
      { name: "Unlabelled/e.png", patient: 5, split: "train" },
      { name: "Unlabelled/f.png", patient: 6, split: "test" },
      { name: "Cancer/g.png", patient: 7, split: "test" },
    ]);
  });
  afterAll(() => prepared.workspace.close());

  const teacher = () => ({ backbone: folder, epochs: 3 });
  const models = () => prepared.workspace.buckets.models;

  async function storedTeacher() {
    const { counts, digest } = await describeTrainingData(prepared.workspace);
    const asked = { rows: counts.train, seed: 0, dataset: digest, synthetic: false };
    const chosen = await chooseTeacher(models(), teacher(), { ...asked, backend: "tfjs-node" });
    const { id, sha256, licence, source } = { ...chosen.backbone.manifest, ...chosen.backbone };
    const record = {
      ...{ id: chosen.id, recipe: "recipe", dataset: digest, synthetic: false, parameters: 1, backend: "tfjs-node" },
      backbone: { id, sha256, licence, ...(source === undefined ? {} : { source }) },
      ...{ configuration: {}, madeBy: MADE_BY_TEACHING, curve: [], validation: { images: 2, auc: 0.75 } },
    };
    return storeTeacher(models(), record, untaught);
  }

  it("says in a sentence that the teacher takes native TensorFlow, before anything is computed", async () => {
    await expect(trainStep(prepared, { backend: "wasm", epochs: 1, teacher: teacher() })).rejects.toThrow(
      /not trained yet, and that takes native TensorFlow.*npm run setup:tensorflow/s,
    );
  });

  it("says which operator keeps a backbone from teaching", async () => {
    const other = { backbone: writeResidual(join(root, "unknown"), { operator: "Sigmoid" }) };
    await expect(trainStep(prepared, { backend: "wasm", epochs: 1, teacher: other })).rejects.toThrow(
      /cannot teach: it computes stem\.active by Sigmoid/,
    );
  });

  it("learns of the training split's unlabelled scans, of no others, and only with a teacher", async () => {
    const { workspace } = prepared;
    expect((await describeTrainingData(workspace)).unlabelled.count).toBe(1);
    expect((await loadTrainingSet(workspace)).unlabelled).toHaveLength(0);
    const set = await loadTrainingSet(workspace, undefined, true);
    expect(set.unlabelled).toHaveLength(1);
    expect(set.images.labels[set.unlabelled?.[0] as number]).toBe(UNLABELLED);
    expect([...set.train, ...set.validation]).not.toContain(set.unlabelled?.[0]);
  });

  it("takes a teacher that was trained elsewhere, and publishes a model that says whose pupil it is", async () => {
    const { record } = await storedTeacher();
    const { metadata, notes } = await trainStep(prepared, { backend: "wasm", epochs: 1, teacher: teacher() });
    const { beside, ...its } = metadata.teacher ?? {};
    expect(beside).toMatchObject({ images: 2, groups: 2, difference: null });
    expect(its).toEqual({
      id: record.id,
      backbone: record.backbone.id,
      ...{ sha256: record.backbone.sha256, licence: "MIT", source: "drawn by chance" },
    });
    expect(notes).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `a pupil of ${record.id}: .* 2 groups\\) its AUC is [\\d.]+, the teacher's [\\d.]+; so few groups cannot tell.*--serve-teacher .* in place of ${metadata.parameters.toLocaleString("en-US")}, [\\d.]+ times the processor time`,
        ),
      ),
    );
    const files = modelFilesInStore(models(), metadata.id);
    expect((await readMetadata(files)).teacher).toEqual(metadata.teacher);
    expect(metadata.madeBy).toHaveProperty("distillation");
    // What teaches answers nobody: it is no model among the models.
    const published: string[] = [];
    for await (const { id } of publishedModels(models())) published.push(id);
    expect(published).toEqual([metadata.id]);

    const alone = await trainStep(prepared, { backend: "wasm", epochs: 1 });
    expect(alone.metadata.id).not.toBe(metadata.id);
    expect(alone.metadata.teacher).toBeUndefined();
    const again = await trainStep(prepared, { backend: "wasm", epochs: 1, teacher: teacher() });
    expect(again).toMatchObject({ items: 0, metadata: { id: metadata.id } });
    expect(again.notes).toContainEqual(expect.stringContaining(`a pupil of ${record.id}: on validation`));
  }, 300_000);

  it("refuses a teacher whose weights are not those that were saved", async () => {
    const { record } = await storedTeacher();
    writeFileSync(join(prepared.workspace.directory, "models/teachers", record.id, "weights.bin"), "other");
    await expect(trainStep(prepared, { backend: "wasm", epochs: 2, teacher: teacher() })).rejects.toThrow(
      /weights\.bin is not the file that was saved\. Remove that folder/,
    );
  });
});

describe("a teacher's id", () => {
  const { input, features } = residualBackbone().manifest;
  const source: TeacherSource = {
    ...{ dataset: "0".repeat(64), synthetic: false, configuration: CONFIGURATION, backend: "tfjs-node" },
    backbone: { sha256: "1".repeat(64), input, features },
  };

  it("is another where anything that decides its weights is, and its pupil's with it", () => {
    const id = teacherId(source);
    expect(id).toMatch(/^teacher-[0-9a-f]{12}$/);
    const others = [
      teacherId({ ...source, dataset: "2".repeat(64) }),
      teacherId({ ...source, synthetic: true }),
      teacherId({ ...source, backend: "tfjs-node-gpu" }),
      ...Object.entries(CONFIGURATION).map(([name, value]) =>
        teacherId({ ...source, configuration: { ...CONFIGURATION, [name]: value + 1 } }),
      ),
      teacherId({ ...source, backbone: { ...source.backbone, sha256: "3".repeat(64) } }),
      teacherId({ ...source, backbone: { ...source.backbone, input: { ...input, mean: [0] } } }),
      teacherId({ ...source, backbone: { ...source.backbone, features: { ...features, tensor: "last" } } }),
      ...Object.keys(MADE_BY_TEACHING).map((name) => teacherId(source, { ...MADE_BY_TEACHING, [name]: "another" })),
    ];
    expect(new Set([id, ...others]).size).toBe(1 + others.length);

    const { backbone: _, ...model } = source;
    const [none, one, unlabelled] = [
      modelId(model),
      modelId({ ...model, teacher: { id, unlabelled: "a" } }),
      modelId({ ...model, teacher: { id, unlabelled: "b" } }),
    ];
    const second = modelId({ ...model, teacher: { id: others[0] as string, unlabelled: "a" } });
    expect(new Set([none, one, unlabelled, second]).size).toBe(4);
  });
});
