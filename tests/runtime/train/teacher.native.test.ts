import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { loadBackbone } from "../../../runtime/backbone";
import { silentProgress } from "../../../runtime/platform/progress";
import { useBackend } from "../../../runtime/tensorflow";
import { drawBatch } from "../../../runtime/train/batch";
import { checkpointsIn } from "../../../runtime/train/checkpoints";
import { batchNorm } from "../../../runtime/train/gradients/batch-norm";
import { learnerOf } from "../../../runtime/train/learner";
import { exchangeSize, Replica } from "../../../runtime/train/replica";
import { TeacherNetwork, teacherBackbone } from "../../../runtime/train/teacher/network";
import { learn } from "../../../runtime/train/trainer";
import { featureDifference } from "../../support/backbone-parity";
import { CONFIGURATION, discs, interruptAfter, sameBits } from "../../support/discs";
import { residualBackbone, writeResidual } from "../../support/tiny-teacher";
import { prepareSlices } from "./slices";

const MAIN = resolve(__dirname, "../../../dist/runtime/cli/main.js");
const EFFICIENTNET = resolve(__dirname, "../../../.parts/backbones/efficientnet-lite0");
const whereBrought = existsSync(join(EFFICIENTNET, "backbone.json")) ? it : it.skip;

const backbone = teacherBackbone(residualBackbone());
const spec = { kind: "teacher", backbone } as const;
const { layout } = learnerOf(spec);

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "native-teacher-"));
  await useBackend("tfjs-node");
});
const started: ChildProcess[] = [];
afterAll(async () => {
  // Where a test ran out of time, what it started still writes.
  const living = started.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  for (const child of living) child.kill("SIGKILL");
  await Promise.all(living.map((child) => once(child, "close")));
  rmSync(root, { recursive: true });
});

describe("a backbone on native TensorFlow", () => {
  it("gives onnxruntime's features", async () => {
    expect(await featureDifference(residualBackbone())).toBeLessThan(1e-5);
  });

  whereBrought("gives those of EfficientNet-Lite0 to 1e-4", async () => {
    expect(await featureDifference(await loadBackbone(EFFICIENTNET))).toBeLessThan(1e-4);
  });
});

describe("the gradients of a teacher", () => {
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

  it("are those of TensorFlow.js' reference backend, for the whole network", async () => {
    const { images, train } = discs();
    const described = { ...images, classWeights: [1, 1] as const };
    const batch = drawBatch(described, train.subarray(0, 4), 1);
    const network = Float32Array.from(new TeacherNetwork(backbone).first(2).flatMap((values) => Array.from(values)));
    const on = async (backend: string) => {
      await tf.setBackend(backend);
      const exchange = new Float32Array(exchangeSize(layout));
      new Replica(described, spec).gradients(network, batch, exchange);
      return exchange;
    };
    const reference = await on("cpu");
    const native = await on("tensorflow");
    expect(norm(native.map((value, i) => value - (reference[i] as number)))).toBeLessThan(1e-3 * norm(reference));
    // Every parameter but the projection's own bias has a part in the answer.
    let offset = 0;
    for (const { name, shape } of layout.parameters) {
      const size = shape.reduce((product, side) => product * side, 1);
      expect({ name, moves: norm(native.subarray(offset, offset + size)) > 0 }).toEqual({ name, moves: true });
      offset += size;
    }
  }, 300_000);

  it.each(["none", "relu6"] as const)(
    "of a normalisation with activation %s are those of the closed form",
    async (activation) => {
      const on = async (backend: string) => {
        await tf.setBackend(backend);
        const x = tf.mul(tf.randomNormal([3, 4, 5, 2], 0, 1, "float32", 1), 4) as tf.Tensor4D;
        const parameters = [tf.tensor1d([3, 4]), tf.tensor1d([1, 2])] as const;
        const weight = tf.randomNormal([3, 4, 5, 2], 0, 1, "float32", 5);
        const options = { epsilon: 1e-3, activation };
        const loss = (...inputs: tf.Tensor[]) => {
          const [given, gamma, beta] = inputs as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
          return tf.sum(tf.mul(batchNorm(given, gamma, beta, options).y, weight)) as tf.Scalar;
        };
        return tf
          .grads(loss)([x, ...parameters])
          .map((gradient) => gradient.dataSync() as Float32Array);
      };
      const reference = await on("cpu");
      const native = await on("tensorflow");
      for (const [i, gradient] of native.entries())
        expect(norm(gradient.map((value, k) => value - ((reference[i] as Float32Array)[k] as number)))).toBeLessThan(
          1e-4 * norm(reference[i] as Float32Array),
        );
    },
  );
});

describe("a teacher's training", () => {
  const train = (name: string, signal = new AbortController().signal, watched = checkpointsIn(root, name, layout)) =>
    learn(discs(), CONFIGURATION, "tfjs-node", { checkpoints: watched, progress: silentProgress, signal }, spec);

  it("learns, gives the same weights twice, and after an interruption the same to the last bit", async () => {
    const first = await train("first");
    expect(first.curve.at(-1)?.loss).toBeLessThan(first.curve[0]?.loss as number);
    const second = await train("second");
    expect(sameBits([second.network], [first.network])).toBe(true);
    const { checkpoints, signal } = interruptAfter(2, checkpointsIn(root, "third", layout));
    await expect(train("third", signal, checkpoints)).rejects.toThrow(/interrupted in epoch 3/);
    const resumed = await train("third");
    expect(resumed.resumedFrom).toBe(2);
    expect(sameBits([resumed.network], [first.network])).toBe(true);
  });

  const slices = ["train", "train", "train", "validation", "test"].flatMap((split, i) => [
    { name: `Cancer/a${i}.png`, patient: 2 * i, split },
    { name: `Non-Cancer/b${i}.png`, patient: 2 * i + 1, split },
  ]);
  const run = (out: string, epochs: number, ...more: readonly string[]) => {
    const teacher = ["--teacher", join(root, "backbone"), "--teacher-epochs", String(epochs)];
    const flags = [...teacher, "--epochs", "1", "--backend", "tfjs-node", ...more];
    const child = spawn(process.execPath, [MAIN, "train", "--out", out, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    started.push(child);
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => said.push(String(data)));
    return { child, said, ended: once(child, "close") as Promise<[number | null, string | null]> };
  };
  beforeAll(() => void writeResidual(join(root, "backbone")));

  it("ends in a model that is the teacher itself where that is asked for, and in its pupil where not", async () => {
    const out = join(root, "served");
    await (await prepareSlices(root, "served", slices)).workspace.close();
    const itself = run(out, 3, "--serve-teacher");
    expect([(await itself.ended)[0], itself.said.join("")]).toEqual([
      0,
      expect.stringMatching(
        /largest difference between onnxruntime and TensorFlow\.js.*it is teacher-\w{12} itself, /s,
      ),
    ]);
    const [model = ""] = readdirSync(join(out, "models")).filter((name) => name.startsWith("tuned-"));
    expect(JSON.parse(readFileSync(join(out, "models/current.json"), "utf8")).model).toBe(model);
    const metadata = JSON.parse(readFileSync(join(out, "models", model, "metadata.json"), "utf8"));
    expect(metadata).toMatchObject({ backend: "tfjs-node", epochs: 3, engine: { parity: { backend: "tfjs-node" } } });
    expect(metadata.engine.parity.logits).toBeLessThan(1e-4);
    const pupil = run(out, 3);
    expect([(await pupil.ended)[0], pupil.said.join("")]).toEqual([
      0,
      expect.stringMatching(/a pupil of teacher-\w{12}: on validation .*--serve-teacher .* serves the teacher itself/),
    ]);
    // The teacher was trained once.
    expect(pupil.said.join("")).not.toContain("comes first");
    expect(readdirSync(join(out, "models/teachers"))).toHaveLength(1);
  }, 900_000);

  it("is gone on with by the command after a SIGKILL, to the same teacher and pupil", async () => {
    const outputs = ["whole", "killed"].map((name) => join(root, name)) as [string, string];
    for (const name of ["whole", "killed"]) await (await prepareSlices(root, name, slices)).workspace.close();

    const whole = run(outputs[0], 40);
    expect([(await whole.ended)[0], whole.said.join("")]).toEqual([0, expect.stringContaining("a pupil of teacher-")]);

    const killed = run(outputs[1], 40);
    const checkpoints = join(outputs[1], ".checkpoints");
    const begun = () =>
      existsSync(checkpoints) && readdirSync(checkpoints).some((name) => /^teacher-\w+\.checkpoint$/.test(name));
    while (!begun() && killed.child.exitCode === null) await wait(5);
    killed.child.kill("SIGKILL");
    expect((await killed.ended)[1]).toBe("SIGKILL");
    expect(existsSync(join(outputs[1], "models/teachers"))).toBe(false);

    const resumed = run(outputs[1], 40);
    expect([(await resumed.ended)[0], resumed.said.join("")]).toEqual([
      0,
      expect.stringContaining("a pupil of teacher-"),
    ]);
    const filesOf = (out: string) => {
      const below = (folder: string) => readdirSync(join(out, "models", folder)).sort();
      const [teacher = "", ...others] = below("teachers");
      const [model = ""] = below("").filter((name) => name.startsWith("cnn-"));
      const paths = [`teachers/${teacher}/weights.bin`, `${model}/weights.bin`, `${model}/model.onnx`];
      return {
        teacher,
        others,
        model,
        files: paths.map((path) => readFileSync(join(out, "models", path)).toString("base64")),
      };
    };
    expect(filesOf(outputs[1])).toEqual(filesOf(outputs[0]));
    expect(readdirSync(checkpoints)).toEqual([]);
  }, 900_000);
});
