import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { useBackend } from "../runtime/tensorflow/backend";
import { initialWeights, MAP_SIDE, PARAMETERS, sizeOf } from "../runtime/train/architecture";
import type { Batch } from "../runtime/train/batch";
import { NETWORK_SIZE, Optimizer } from "../runtime/train/optimizer";
import { EXCHANGE_SIZE, Replica } from "../runtime/train/replica";
import type { StepMeasurement } from "./train";
import { fiveConvolutions, parametersOf, trainingStep, tutorialNetwork } from "./train-networks";

/** Training steps in a process of its own: node train-step-once.js native|wasm STEPS prints measurements as JSON. */

const BATCH = 32;
const WARM_UP_STEPS = 5;
/** As many as the product's trainer splits a batch over on WASM. */
const THREADS = 2;

interface Spent {
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
}

/** What a step takes once it is warm; of the whole process. */
function time(step: () => void, steps: number): Spent {
  for (let i = 0; i < WARM_UP_STEPS; i++) step();
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < steps; i++) step();
  const { user, system } = process.cpuUsage(cpu);
  return { milliseconds: (performance.now() - start) / steps, cpuMilliseconds: (user + system) / 1000 / steps };
}

/** A step of the product's network, optimiser and all, on a batch that is ready in memory. */
function productStep(): () => void {
  const network = new Float32Array(NETWORK_SIZE);
  const optimizer = new Optimizer(network, initialWeights(0), 0.02);
  const exchange = new Float32Array(EXCHANGE_SIZE);
  const side = 128;
  const batch: Batch = {
    rows: BATCH,
    side,
    pixels: Float32Array.from({ length: BATCH * side * side * 3 }, (_, i) => (Math.sin(i) + 1) / 2),
    labels: Float32Array.from({ length: BATCH }, (_, i) => i % 2),
    importance: new Float32Array(BATCH).fill(1),
    lesions: new Float32Array(BATCH * MAP_SIDE * MAP_SIDE),
    lesionImportance: new Float32Array(BATCH).fill(1),
  };
  const none = {
    side,
    pixels: new Uint8Array(0),
    labels: new Uint8Array(0),
    masks: new Uint8Array(0),
    donors: new Int32Array(0),
  };
  const replica = new Replica({ ...none, maskOf: new Int32Array(0), classWeights: [1, 1] });
  return () => {
    replica.gradients(network, batch, exchange);
    optimizer.apply(exchange, 1e-3);
  };
}

async function native(steps: number): Promise<StepMeasurement[]> {
  await useBackend("tfjs-node");
  const parameters = PARAMETERS.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return [
    {
      network: "tutorial",
      parameters: parametersOf(tutorialNetwork),
      ...time(trainingStep(tutorialNetwork, BATCH), steps),
    },
    { network: "product", parameters, ...time(productStep(), steps) },
  ];
}

/** Each thread does its part of every batch, as in the product; the steps count once the last one is done. */
async function wasm(steps: number): Promise<StepMeasurement[]> {
  const threads = Array.from({ length: THREADS }, () => new Worker(__filename, { workerData: steps }));
  const spent = await Promise.all(threads.map(async (thread) => (await once(thread, "message"))[0] as Spent));
  const slowest = spent.reduce((most, one) => (one.milliseconds > most.milliseconds ? one : most));
  return [{ network: "five convolutions", parameters: parametersOf(fiveConvolutions), ...slowest }];
}

async function main(): Promise<void> {
  if (!isMainThread) {
    await useBackend("wasm");
    parentPort?.postMessage(time(trainingStep(fiveConvolutions, BATCH / THREADS), workerData as number));
    return;
  }
  const [backend, steps] = process.argv.slice(2);
  const measured = await (backend === "wasm" ? wasm : native)(Number(steps));
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}

void main();
