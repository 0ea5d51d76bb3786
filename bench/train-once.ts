import { auc } from "../runtime/evaluate/metrics";
import { silentProgress } from "../runtime/platform/progress";
import { openWorkspace } from "../runtime/platform/workspace";
import { useBackend } from "../runtime/tensorflow/backend";
import type { Backend } from "../runtime/tensorflow/backend-names";
import { VIEWS } from "../runtime/train/architecture";
import { trainingConfiguration } from "../runtime/train/configuration";
import { loadTrainingSet } from "../runtime/train/data";
import { NETWORK_SIZE, PARAMETER_COUNT } from "../runtime/train/optimizer";
import { Replica } from "../runtime/train/replica";
import { trainNetwork } from "../runtime/train/trainer";
import type { TrainingMeasurement } from "./train";

/**
 * One training of the product's, in a process of its own: node train-once.js WORKSPACE BACKEND EPOCHS SEED prints a
 * measurement as JSON. After every epoch the averaged weights, which would become the model, answer for the validation
 * images, in all views. That takes no part in the times; the trainer's own look at them, one view, does in the processor
 * time.
 */
async function main(): Promise<void> {
  const [directory = "", backend = "", epochs = "", seed = ""] = process.argv.slice(2);
  const workspace = await openWorkspace(directory);
  const set = await loadTrainingSet(workspace);
  await workspace.close();
  await useBackend(backend as Backend);
  const replica = new Replica({ ...set.images, classWeights: [1, 1] });
  const labels = Uint8Array.from(set.validation, (row) => set.images.labels[row] as number);
  const configuration = trainingConfiguration(set.train.length, { seed: Number(seed), epochs: Number(epochs) });
  const measured: TrainingMeasurement["epochs"][number][] = [];
  let cpu = process.cpuUsage();
  await trainNetwork(set, configuration, backend as Backend, {
    progress: silentProgress,
    signal: new AbortController().signal,
    checkpoints: {
      load: async () => undefined,
      clear: async () => {},
      async save({ curve, state }) {
        const { user, system } = process.cpuUsage(cpu);
        const steps = Math.max(1, Math.floor(set.train.length / configuration.batch));
        const seconds = (steps * configuration.batch) / (curve.at(-1)?.imagesPerSecond as number);
        const average = state.subarray(NETWORK_SIZE, 2 * NETWORK_SIZE);
        const probabilities = Float64Array.from(replica.predict(average, set.validation, VIEWS));
        const value = auc({ labels, probabilities, groups: [] }).value as number;
        measured.push({ seconds, cpuSeconds: (user + system) / 1e6, auc: value });
        cpu = process.cpuUsage();
      },
    },
  });
  const measurement: TrainingMeasurement = {
    images: set.train.length,
    parameters: PARAMETER_COUNT,
    epochs: measured,
  };
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}

void main();
