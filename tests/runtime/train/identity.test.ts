import { silentProgress } from "../../../runtime/platform/progress";
import { useBackend } from "../../../runtime/tensorflow";
import { initialWeights } from "../../../runtime/train/architecture";
import { drawBatch } from "../../../runtime/train/batch";
import type { Checkpoints } from "../../../runtime/train/checkpoints";
import { learningRateAt, trainingConfiguration } from "../../../runtime/train/configuration";
import {
  MADE_BY,
  type ModelSource,
  modelId,
  PUPIL,
  SERVING,
  TEACHING,
  TRAINING,
} from "../../../runtime/train/identity";
import { learnerOf } from "../../../runtime/train/learner";
import { NETWORK_SIZE, Optimizer } from "../../../runtime/train/optimizer";
import { plantLesion } from "../../../runtime/train/planting";
import { exchangeSize, Replica } from "../../../runtime/train/replica";
import { TEACHER_EXPORT } from "../../../runtime/train/teacher/export";
import { TeacherNetwork, teacherBackbone } from "../../../runtime/train/teacher/network";
import { servedTeacher } from "../../../runtime/train/teacher/served";
import { trainNetwork } from "../../../runtime/train/trainer";
import { CONFIGURATION, discs, SIDE, weightsOf } from "../../support/discs";
import { digestOf, expectPinned } from "../../support/pinned";
import { residualBackbone } from "../../support/tiny-teacher";

const SOURCE: ModelSource = {
  dataset: "0".repeat(64),
  synthetic: false,
  configuration: trainingConfiguration(100, { seed: 1 }),
  backend: "wasm",
};
const NO_CHECKPOINTS: Checkpoints = { load: async () => undefined, save: async () => {}, clear: async () => {} };

/** What each part of a training computes for one small input. */
async function computed(): Promise<Record<string, string>> {
  const { images } = discs();
  const area = SIDE * SIDE;
  const row = (at: number) => images.pixels.subarray(at * area, (at + 1) * area);
  const donors = (chance: number) => ({
    count: images.donors.length,
    chance,
    at(number: number) {
      const donor = images.donors[number] as number;
      const mask = images.maskOf[donor] as number;
      return { pixels: row(donor), mask: images.masks.subarray(mask * area, (mask + 1) * area) };
    },
  });
  const plant = (chance: number) =>
    Array.from({ length: 3 }, (_, seed) => plantLesion(row(2 * seed), SIDE, donors(chance), seed));
  const planted = (chance: number) =>
    digestOf(...plant(chance).flatMap((lesion) => (lesion ? [lesion.pixels, lesion.mask] : [Uint8Array.of(0)])));
  const batch = drawBatch({ ...images, classWeights: [0.8, 1.3] }, Int32Array.of(0, 1, 2, 3), 5);
  // One of the healthy heads among them is shown with a lesion.
  expect(batch.labels.filter((label) => label === 1)).toHaveLength(3);
  const optimizer = new Optimizer(new Float32Array(NETWORK_SIZE), initialWeights(2), 0.02);
  for (let step = 0; step < 3; step++) {
    optimizer.apply(
      Float32Array.from({ length: NETWORK_SIZE }, (_, i) => ((i * 7 + step * 5) % 11) / 11 - 0.4),
      0.01,
    );
  }
  const trained = await trainNetwork(discs(), { ...CONFIGURATION, epochs: 1 }, "wasm", {
    checkpoints: NO_CHECKPOINTS,
    progress: silentProgress,
    signal: new AbortController().signal,
  });
  return {
    id: TRAINING.id,
    schedule: digestOf(Float32Array.from({ length: 41 }, (_, i) => learningRateAt(i / 40, 4e-3))),
    initialWeights: digestOf(...initialWeights(7)),
    drawnLesions: planted(0),
    transplantedLesions: planted(1),
    batch: digestOf(batch.pixels, batch.labels, batch.importance, batch.lesions, batch.lesionImportance),
    optimizer: digestOf(optimizer.state()),
    weights: digestOf(...weightsOf(trained)),
    validation: digestOf(trained.validation),
  };
}

/** What a teacher begins with and says, and what its pupil makes of that, for one small batch. */
function taught(): Record<string, string> {
  const { images } = discs();
  const described = { ...images, classWeights: [0.8, 1.3] as const };
  const teacher = teacherBackbone(residualBackbone());
  const first = new TeacherNetwork(teacher).first(7);
  const spec = { kind: "pupil", teacher, network: Float32Array.from(first.flatMap((part) => [...part])) } as const;
  const { layout, first: firstOf } = learnerOf(spec);
  const network = new Float32Array(layout.size);
  new Optimizer(network, firstOf(7), 0.02, layout);
  const exchange = new Float32Array(exchangeSize(layout));
  new Replica(described, spec).gradients(network, drawBatch(described, Int32Array.of(1, 2), 5), exchange);
  const answers = new Replica(described, { kind: "teacher", backbone: teacher });
  return {
    teaching: TEACHING.id,
    pupil: PUPIL.id,
    first: digestOf(...first),
    answers: digestOf(answers.predict(spec.network, Int32Array.of(0, 1), "plain")),
    gradients: digestOf(exchange),
  };
}

describe("a model's id", () => {
  it("stands for what a teacher says and what a pupil makes of it", async () => {
    await useBackend("wasm");
    expectPinned(
      taught(),
      {
        teaching: "f1-2517fcbe0e",
        pupil: "d1-449c7baca3",
        first: "44cdc05f91ddbb2a",
        answers: "a6fda231350f4347",
        gradients: "eb71d8a3f08afe8f",
      },
      "A teacher or its pupil computes something else, so a model of the same id would be another. Where a parameter of " +
        "runtime/train/teacher/network.ts or distillation.ts says so the id has changed by itself; else raise its version. " +
        "Then pin what comes out.",
    );
  }, 120_000);

  it("stands for how a teacher itself is served", async () => {
    await useBackend("wasm");
    const pinned = [12, 150].map((features) => {
      const made = teacherBackbone(residualBackbone({ features }));
      const first = new TeacherNetwork(made).first(7);
      const served = servedTeacher(made, Float32Array.from(first.flatMap((part) => [...part])));
      const written = digestOf(new Uint8Array(served.onnx()));
      served.dispose();
      return [`of ${features} features`, written];
    });
    expectPinned(
      { serving: SERVING.id, export: TEACHER_EXPORT, ...Object.fromEntries(pinned) },
      {
        serving: "s1-7ddfb1eda2",
        export: "w1-5408c2c6c9",
        "of 12 features": "019472f759e802a9",
        "of 150 features": "b516f8f414938538",
      },
      "A teacher is written otherwise, so a model of the same id would be another. Where a parameter of " +
        "runtime/train/teacher/export.ts says so the id has changed by itself; else raise its version. Then pin what comes out.",
    );
  });

  it("stands for what training computes", async () => {
    await useBackend("wasm");
    expectPinned(
      await computed(),
      {
        id: "t1-65d1c582c3",
        schedule: "70bb792c934b4c93",
        initialWeights: "ff1c62784cff3e30",
        drawnLesions: "0e45bd50ab0793ac",
        transplantedLesions: "92c450d579ed1e70",
        batch: "f8aff64019671d73",
        optimizer: "d1b2ead685d6fad7",
        weights: "4326a5ce9fa38773",
        validation: "7ad640e3ca28b08b",
      },
      "Training computes something else, so a model of the same id would be another. Where a parameter of " +
        "runtime/train/identity.ts says so the id has changed by itself; else raise its version. Then pin what comes out.",
    );
  }, 300_000);

  it("is another where anything that decides a weight, a decision or the guard is", () => {
    const id = modelId(SOURCE);
    expect(id).toMatch(/^cnn-[0-9a-f]{12}$/);
    expect(modelId({ ...SOURCE })).toBe(id);
    const others = [
      modelId({ ...SOURCE, dataset: "1".repeat(64) }),
      modelId({ ...SOURCE, synthetic: true }),
      modelId({ ...SOURCE, backend: "tfjs-node" }),
      ...Object.entries(SOURCE.configuration).map(([name, value]) =>
        modelId({ ...SOURCE, configuration: { ...SOURCE.configuration, [name]: value + 1 } }),
      ),
      ...Object.keys(MADE_BY).map((name) => modelId(SOURCE, { ...MADE_BY, [name]: "another" })),
    ];
    expect(new Set([id, ...others]).size).toBe(1 + others.length);
  });
});
