import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { workerFile } from "../platform/worker-file";
import type { Batch, TrainingImages } from "./batch";

/** Names a batch: its rows, and the seed of the epoch. */
export interface BatchRequest {
  readonly rows: Int32Array;
  readonly seed: number;
}
export type BatchReply =
  | { readonly ok: true; readonly batch: Batch }
  | { readonly ok: false; readonly message: string };

/**
 * Draws batches in a thread of its own: while native TensorFlow computes a step, which keeps this thread waiting, the
 * next batch is drawn. Which thread draws changes no byte.
 */
export class BatchesAhead {
  private readonly worker: Worker;
  private ahead: { readonly request: BatchRequest; readonly batch: Promise<Batch> } | undefined;

  /** @param images in shared memory, or the thread gets a copy */
  constructor(images: TrainingImages) {
    this.worker = new Worker(workerFile(__dirname, "batch-worker"), { workerData: images });
  }

  /**
   * @param request which batch is needed now
   * @param next which is going to be asked for next, if that is known
   * @throws if the thread fails
   */
  async take(request: BatchRequest, next?: BatchRequest): Promise<Batch> {
    // One request at a time: answers come without a name.
    const ahead = this.ahead && { ...this.ahead, batch: await this.ahead.batch };
    const batch = ahead && isSame(ahead.request, request) ? ahead.batch : await this.draw(request);
    this.ahead = next && { request: next, batch: this.draw(next) };
    // Whoever takes it hears of a failure; if nobody does, it does not matter.
    this.ahead?.batch.catch(() => {});
    return batch;
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private async draw(request: BatchRequest): Promise<Batch> {
    this.worker.postMessage(request);
    const [reply] = (await once(this.worker, "message")) as [BatchReply];
    if (!reply.ok) throw new Error(`The thread that draws batches failed: ${reply.message}`);
    return reply.batch;
  }
}

const isSame = (one: BatchRequest, other: BatchRequest) =>
  one.seed === other.seed && one.rows.length === other.rows.length && one.rows.every((row, i) => row === other.rows[i]);
