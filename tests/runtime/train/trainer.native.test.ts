import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentProgress } from "../../../runtime/platform/progress";
import { useBackend } from "../../../runtime/tensorflow";
import { initialWeights } from "../../../runtime/train/architecture";
import { drawBatch } from "../../../runtime/train/batch";
import { BatchesAhead } from "../../../runtime/train/batches-ahead";
import { type Checkpoints, checkpointsIn } from "../../../runtime/train/checkpoints";
import { NETWORK_SIZE, Optimizer } from "../../../runtime/train/optimizer";
import { EXCHANGE_SIZE, Replica } from "../../../runtime/train/replica";
import { trainNetwork } from "../../../runtime/train/trainer";
import { CONFIGURATION, discs, interruptAfter, sameBits, weightsOf } from "../../support/discs";

async function train(checkpoints: Checkpoints, signal = new AbortController().signal) {
  return trainNetwork(discs(), CONFIGURATION, "tfjs-node", { checkpoints, progress: silentProgress, signal });
}

describe("the trainer on native TensorFlow", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "trainer-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it("gives the same weights twice, and after an interruption the same to the last bit", async () => {
    await useBackend("tfjs-node");
    const first = await train(checkpointsIn(directory, "first"));
    const second = await train(checkpointsIn(directory, "second"));
    expect(sameBits(weightsOf(second), weightsOf(first))).toBe(true);

    const watched = checkpointsIn(directory, "third");
    const interrupting = interruptAfter(2, watched);
    await expect(train(interrupting.checkpoints, interrupting.signal)).rejects.toThrow(/interrupted in epoch 3/);
    const resumed = await train(watched);
    expect(resumed.resumedFrom).toBe(2);
    expect(sameBits(weightsOf(resumed), weightsOf(first))).toBe(true);
  });

  // The reference backend would take minutes; WASM's parts are held to it in gradients.test.ts.
  it("has the gradients of WASM for the whole network", async () => {
    const { images, train: rows } = discs();
    const described = { ...images, classWeights: [1, 1] as const };
    const batch = drawBatch(described, rows.subarray(0, 4), 1);
    const network = new Float32Array(NETWORK_SIZE);
    new Optimizer(network, initialWeights(2), 0);
    const exchangeOn = () => {
      const exchange = new Float32Array(EXCHANGE_SIZE);
      new Replica(described).gradients(network, batch, exchange);
      return exchange;
    };
    await useBackend("wasm");
    const reference = exchangeOn();
    await useBackend("tfjs-node");
    const native = exchangeOn();
    const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    expect(norm(native.map((value, i) => value - (reference[i] as number)))).toBeLessThan(1e-3 * norm(reference));
  });

  it("draws the same batch ahead, in another thread, as on demand", async () => {
    const { images } = discs();
    const described = { ...images, classWeights: [1, 2] as const };
    const [one, two] = [
      { rows: Int32Array.of(0, 3, 5), seed: 7 },
      { rows: Int32Array.of(2, 1), seed: 7 },
    ];
    const batches = new BatchesAhead(described);
    try {
      expect(await batches.take(one, two)).toEqual(drawBatch(described, one.rows, 7));
      expect(await batches.take(two, one)).toEqual(drawBatch(described, two.rows, 7));
      // Not the one that was announced.
      expect(await batches.take(two)).toEqual(drawBatch(described, two.rows, 7));
      expect(await batches.take(one)).toEqual(drawBatch(described, one.rows, 7));
    } finally {
      await batches.close();
    }
  });
});
