import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Views } from "../model";
import { workerFile } from "../platform/worker-file";
import { usesAllCores } from "../tensorflow";
import type { Backend } from "../tensorflow/backend-names";
import type { TrainingImages } from "./batch";
import { BatchesAhead, type BatchRequest } from "./batches-ahead";
import { type LearnerSpec, learnerOf } from "./learner";
import { exchangeSize, Replica } from "./replica";

/**
 * Threads on the WASM backend, which has one each. A constant, not the number of cores: a batch is split the same way
 * everywhere, so the same seed gives the same weights on any machine.
 */
export const THREADS = 2;

export interface ReplicaSetup {
  readonly images: TrainingImages;
  readonly learner: LearnerSpec;
  readonly network: Float32Array;
  readonly exchange: Float32Array;
}
export type ReplicaRequest =
  | ({ readonly kind: "gradients" } & BatchRequest)
  | { readonly kind: "predict"; readonly rows: Int32Array; readonly network: Float32Array; readonly views: Views };
export type ReplicaReply =
  | { readonly ok: true; readonly probabilities?: Float32Array }
  | { readonly ok: false; readonly message: string };

/** Splits batches over replicas and averages what they answer, always in the same order. */
export interface ReplicaPool {
  /** Shared by all replicas: whoever changes it changes what they compute with. */
  readonly network: Float32Array;
  /**
   * @param next which batch is going to be asked for next, if that is known: it can be drawn meanwhile
   * @returns mean gradients, batch statistics and loss of a batch: {@link exchangeSize} floats, overwritten by the next call
   */
  gradients(batch: BatchRequest, next?: BatchRequest): Promise<Float32Array>;
  predict(network: Float32Array, rows: Int32Array, views: Views): Promise<Float32Array>;
  close(): Promise<void>;
}

export async function createReplicaPool(
  images: TrainingImages,
  backend: Backend,
  learner: LearnerSpec = { kind: "compact" },
): Promise<ReplicaPool> {
  const shared = {
    ...images,
    pixels: share(images.pixels),
    labels: share(images.labels),
    masks: share(images.masks),
  };
  return usesAllCores(backend) ? inProcess(shared, learner) : threaded(shared, learner);
}

function inProcess(images: TrainingImages, learner: LearnerSpec): ReplicaPool {
  const { layout } = learnerOf(learner);
  const replica = new Replica(images, learner);
  const batches = new BatchesAhead(images);
  const network = new Float32Array(layout.size);
  const exchange = new Float32Array(exchangeSize(layout));
  return {
    network,
    async gradients(batch, next) {
      replica.gradients(network, await batches.take(batch, next), exchange);
      return exchange;
    },
    predict: async (average, rows, views) => replica.predict(average, rows, views),
    close: () => batches.close(),
  };
}

async function threaded(images: TrainingImages, learner: LearnerSpec): Promise<ReplicaPool> {
  const { layout } = learnerOf(learner);
  const size = exchangeSize(layout);
  const network = new Float32Array(new SharedArrayBuffer(layout.size * 4));
  const threads = Array.from({ length: THREADS }, () => {
    const exchange = new Float32Array(new SharedArrayBuffer(size * 4));
    const setup: ReplicaSetup = { images, learner, network, exchange };
    return { exchange, worker: new Worker(workerFile(__dirname, "replica-worker"), { workerData: setup }) };
  });
  await Promise.all(threads.map(({ worker }) => answer(worker)));

  const mean = new Float32Array(size);
  return {
    network,
    async gradients({ rows, seed }) {
      const parts = split(rows, THREADS);
      await Promise.all(
        parts.map((part, i) => ask(threads[i] as (typeof threads)[number], { kind: "gradients", rows: part, seed })),
      );
      mean.fill(0);
      parts.forEach((part, i) => {
        const share = part.length / rows.length;
        const exchange = threads[i]?.exchange as Float32Array;
        for (let k = 0; k < size; k++) mean[k] = (mean[k] as number) + share * (exchange[k] as number);
      });
      return mean;
    },
    async predict(average, rows, views) {
      const replies = await Promise.all(
        split(rows, THREADS).map((part, i) =>
          ask(threads[i] as (typeof threads)[number], { kind: "predict", rows: part, network: average, views }),
        ),
      );
      return Float32Array.from(replies.flatMap((reply) => Array.from(reply.probabilities ?? [])));
    },
    async close() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

async function ask(thread: { readonly worker: Worker }, request: ReplicaRequest) {
  thread.worker.postMessage(request);
  return answer(thread.worker);
}

async function answer(worker: Worker): Promise<ReplicaReply & { ok: true }> {
  const [reply] = (await once(worker, "message")) as [ReplicaReply];
  if (!reply.ok) throw new Error(`A training thread failed: ${reply.message}`);
  return reply;
}

/** Nearly equal parts, none empty. */
function split(rows: Int32Array, parts: number): Int32Array[] {
  const size = Math.ceil(rows.length / parts);
  return Array.from({ length: parts }, (_, i) => rows.slice(i * size, (i + 1) * size)).filter(
    (part) => part.length > 0,
  );
}

function share(values: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(values.length));
  copy.set(values);
  return copy;
}
