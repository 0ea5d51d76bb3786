import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentProgress } from "../../../runtime/platform/progress";
import type { StepContext } from "../../../runtime/platform/step";
import { useBackend } from "../../../runtime/tensorflow";
import { trainStep } from "../../../runtime/train";
import { checkpointsIn } from "../../../runtime/train/checkpoints";
import { trainingConfiguration } from "../../../runtime/train/configuration";
import { describeTrainingData } from "../../../runtime/train/data";
import { MADE_BY, modelId } from "../../../runtime/train/identity";
import { STATE_SIZE } from "../../../runtime/train/optimizer";
import { prepareSlices } from "./slices";

let root: string;
let prepared: StepContext;

beforeAll(async () => {
  process.env.LOG_LEVEL = "fatal";
  await useBackend("wasm");
  root = mkdtempSync(join(tmpdir(), "train-step-"));
  prepared = await prepareSlices(root, "workspace", [
    { name: "Cancer/a.png", patient: 1, split: "train" },
    { name: "Non-Cancer/b.png", patient: 2, split: "train" },
    { name: "Cancer/c.png", patient: 3, split: "validation" },
    { name: "Non-Cancer/d.png", patient: 4, split: "validation" },
    { name: "Cancer/e.png", patient: 5, split: "test" },
  ]);
});
afterAll(async () => {
  await prepared.workspace.close();
  rmSync(root, { recursive: true });
});

const EPOCHS = 2;

async function idOn(backend: "wasm" | "tfjs-node" | "tfjs-node-gpu"): Promise<string> {
  const { counts, digest } = await describeTrainingData(prepared.workspace);
  const configuration = trainingConfiguration(counts.train, { seed: 0, epochs: EPOCHS });
  return modelId({ dataset: digest, synthetic: false, configuration, backend });
}

describe("training on a workspace", () => {
  it("says that an unfinished run on another backend is not used, before it starts, and names how to go on with it", async () => {
    const folder = join(prepared.workspace.directory, ".checkpoints");
    const foreign = checkpointsIn(folder, await idOn("tfjs-node"));
    const record = { epoch: 1, loss: 1, imagesPerSecond: 1, validation: null };
    await foreign.save({ curve: [record], state: new Float32Array(STATE_SIZE) });
    const said: string[] = [];
    const progress = { ...silentProgress, say: (sentence: string) => void said.push(sentence) };
    const interrupted = trainStep(
      { ...prepared, progress, signal: AbortSignal.abort() },
      { backend: "wasm", epochs: EPOCHS },
    );
    await expect(interrupted).rejects.toThrow(/interrupted in epoch 1/);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /unfinished run on tfjs-node \(1 of 2 epochs\) is not used.*choose the backend tfjs-node\.$/,
    );
    expect(await foreign.load()).toBeDefined();
    await foreign.clear();
  });

  it("publishes a model under the id of all that decides it, counts its steps, and says what became of calibration", async () => {
    const started: number[][] = [];
    let done = 0;
    const said: string[] = [];
    const progress = {
      ...silentProgress,
      start: (...counts: number[]) => void started.push(counts),
      advance: (count = 1) => {
        done += count;
      },
      say: (sentence: string) => void said.push(sentence),
    };
    const { metadata, notes } = await trainStep({ ...prepared, progress }, { backend: "wasm", epochs: EPOCHS });
    expect(said).toEqual([]);
    // The steps, then the validation images on which both engines are compared.
    expect(started).toEqual([[EPOCHS, 0], [2]]);
    expect(done).toBe(EPOCHS + 2);
    expect(metadata.engine?.parity).toMatchObject({ split: "validation", images: 2, backend: "wasm" });
    expect(notes).toContainEqual(expect.stringMatching(/between onnxruntime and TensorFlow.js on 2 images/));
    expect(metadata.id).toBe(await idOn("wasm"));
    expect(metadata.madeBy).toEqual(MADE_BY);
    // One image of each class: held out, neither says what the other is worth.
    expect(metadata).toMatchObject({ temperature: 1, offset: 0, calibration: { applied: false, groups: 2, folds: 2 } });
    expect(notes).toContainEqual(expect.stringMatching(/^Calibration is not applied.* 2 validation groups/));

    const again = await trainStep(prepared, { backend: "wasm", epochs: EPOCHS });
    expect(again).toMatchObject({ items: 0, skipped: 2, metadata: { id: metadata.id } });
  });
});
