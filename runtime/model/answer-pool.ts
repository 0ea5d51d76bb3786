import { setMaxListeners } from "node:events";
import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { oneChannel, RECIPE, RejectedImage } from "../imaging";
import { sharedCopy, workerFile } from "../platform/worker-file";
import { leave, newClaim } from "./claim";
import type { ScoreFileOptions } from "./classifier";
import type { ViewedAnswer } from "./engine";
import { type EngineGate, newEngineGate, shut } from "./engine-gate";
import type { EncodedScan, ScoredScan } from "./score";
import type { AnswerTask, Outcome, PoolSetup, Portable, ScoreTask, WorkerSetup } from "./worker-protocol";

export interface PoolOptions {
  /** Worker threads, each with an onnxruntime session of one thread. @default one a core */
  readonly threads?: number;
  /** JavaScript that a thread starts with. @default the compiled answer-worker */
  readonly worker?: string;
}

/** The network gave no number. */
export class NoNumberError extends Error {}

const VALUES = RECIPE.side * RECIPE.side * RECIPE.channels;

/**
 * Threads that answer with one network. A thread that dies takes the image it was at with it, which is rejected, and is
 * replaced. Idle threads keep no process alive.
 */
export class AnswerPool {
  private constructor(
    private readonly pool: Piscina,
    private readonly gate: EngineGate,
  ) {}

  /** @throws if onnxruntime cannot open the network */
  static async start(setup: PoolSetup, { threads, worker }: PoolOptions = {}): Promise<AnswerPool> {
    const count = threads ?? availableParallelism();
    const gate = newEngineGate();
    const piscina = new Piscina({
      filename: worker ?? workerFile(__dirname, "answer-worker"),
      minThreads: count,
      maxThreads: count,
      // One copy of the network for all threads.
      workerData: { ...setup, onnx: sharedCopy(setup.onnx), gate } satisfies WorkerSetup,
    });
    // A thread that dies while it is idle is replaced; nobody waits for anything of it.
    piscina.on("error", () => undefined);
    const pool = new AnswerPool(piscina, gate);
    try {
      await Promise.all(Array.from({ length: count }, async () => resultOf(await piscina.run({}, { name: "hello" }))));
    } catch (error) {
      await pool.close();
      throw error;
    }
    return pool;
  }

  /**
   * @param image recipe output, 128 x 128 x 3
   * @throws {NoNumberError}
   * @throws the signal's reason
   */
  answer(image: Uint8Array, signal?: AbortSignal): Promise<ViewedAnswer> {
    const task: AnswerTask = { grey: oneChannel(image), claim: newClaim() };
    return this.run<ViewedAnswer>("answer", task, signal);
  }

  /**
   * @throws {RejectedImage} if no page of the file can be used
   * @throws {NoNumberError}
   * @throws the signal's reason
   */
  async score(bytes: Uint8Array, options?: ScoreFileOptions): Promise<ScoredScan> {
    return this.scored<ScoredScan>("score", bytes, options);
  }

  /** The same with the page as PNG in place of its pixels. @throws the same */
  async encode(bytes: Uint8Array, options?: ScoreFileOptions): Promise<EncodedScan> {
    return this.scored<EncodedScan>("encode", bytes, options);
  }

  private async scored<T extends ScoredScan | EncodedScan>(
    name: "score" | "encode",
    bytes: Uint8Array,
    { limits, signal }: ScoreFileOptions = {},
  ): Promise<Omit<T, "rejectedPages"> & Pick<ScoredScan, "rejectedPages">> {
    // Of its own: posting a part of a buffer would copy the whole, and handing it over would take the caller's away.
    const task: ScoreTask = { bytes: new Uint8Array(bytes), limits, claim: newClaim() };
    const scan = await this.run<Portable<T>>(name, task, signal, [task.bytes.buffer as ArrayBuffer]);
    const rejectedPages = scan.rejectedPages.map(({ page, code, message }) => ({
      page,
      reason: new RejectedImage(code, message),
    }));
    return { ...scan, rejectedPages };
  }

  /** Ends the threads, each once it has come out of onnxruntime. What they were at is rejected. */
  async close(): Promise<void> {
    await shut(this.gate);
    await this.pool.destroy();
  }

  private async run<T>(
    name: keyof typeof import("./answer-worker"),
    task: AnswerTask | ScoreTask,
    signal: AbortSignal | undefined,
    transferList: ArrayBuffer[] = [],
  ): Promise<T> {
    signal?.throwIfAborted();
    // Not told of the signal: it would end the thread that has the task, which may be in onnxruntime.
    const done = this.pool.run(task, { name, transferList }) as Promise<Outcome<T>>;
    if (!signal) return resultOf(await done);
    done.catch(() => undefined);
    // Any number of images may wait for one signal.
    setMaxListeners(0, signal);
    let stop = (): void => undefined;
    const left = new Promise<never>((_, reject) => {
      stop = () => {
        reject(signal.reason);
        leave(task.claim);
      };
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      return resultOf(await Promise.race([left, done]));
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

/** @throws {RangeError} if an image has not the size that the recipe gives */
export function checkSizes(images: readonly Uint8Array[]): void {
  images.forEach((image, index) => {
    if (image.length === VALUES) return;
    throw new RangeError(`Image ${index} has ${image.length} values; the recipe gives ${VALUES}.`);
  });
}

function resultOf<T>(outcome: Outcome<T>): T {
  if ("value" in outcome) return outcome.value;
  if ("rejected" in outcome) throw new RejectedImage(outcome.rejected.code, outcome.rejected.message);
  if ("unusable" in outcome) throw new NoNumberError(outcome.unusable);
  throw new Error("A thread left what was still waited for.");
}
