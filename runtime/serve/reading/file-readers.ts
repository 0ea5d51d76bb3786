import { Worker } from "node:worker_threads";
import { type ImageLimits, outlineScan, RejectedImage, type ScanOutline, sniffFormat } from "../../imaging";
import { AnsweringThread, ThreadError } from "../../platform/thread";
import { workerFile } from "../../platform/worker-file";
import { unlessAborted } from "../queue";
import type { Answer, Asked, Kind, Question, Told } from "./questions";

export interface FileReadersOptions {
  /** Files that are read at a time; a thread starts with the first file that it gets. */
  readonly threads: number;
  /** For one file. A hundred times what the worst takes: a machine may be busy. @default 15 */
  readonly seconds?: number;
  /** @default the compiled reading-worker */
  readonly worker?: string;
}

const SECONDS = 15;

/** Pictures whose headers are a few numbers at known places, bytes: they are read sooner than handed to a thread. */
const READ_HERE = 2 ** 20;
const PLAIN: ReadonlySet<string | undefined> = new Set(["jpeg", "png", "webp", "bmp"]);

type Thread = AnsweringThread<Question, Answer>;

/**
 * Reads headers of files that anybody may have made up, in threads of their own: whatever a file does to its reader,
 * requests are answered beside it. One that takes too long is refused, and its thread replaced.
 */
export class FileReaders {
  private readonly threads: readonly Thread[];
  private readonly idle: Thread[];
  private readonly waiting: ((thread: Thread) => void)[] = [];
  private readonly seconds: number;

  constructor({ threads, seconds = SECONDS, worker }: FileReadersOptions) {
    this.seconds = seconds;
    const start = () => new Worker(worker ?? workerFile(__dirname, "reading-worker"));
    this.threads = Array.from({ length: threads }, () => new AnsweringThread<Question, Answer>(start));
    this.idle = [...this.threads];
  }

  /**
   * What a file's headers announce.
   * @throws {RejectedImage}
   * @throws the signal's reason
   */
  async outline(bytes: Buffer, limits: Partial<ImageLimits>, signal: AbortSignal): Promise<ScanOutline> {
    if (bytes.length <= READ_HERE && PLAIN.has(sniffFormat(bytes).format)) return outlineScan(bytes, limits);
    return this.ask("outline", bytes, { limits }, signal);
  }

  /** @param frame that is asked about, from 1. @throws as {@link outline} */
  study(bytes: Buffer, frame: number, signal: AbortSignal): Promise<Told["study"]> {
    return this.ask("study", bytes, { frame }, signal);
  }

  /** @throws as {@link outline}: it took too long */
  instance(bytes: Buffer, signal: AbortSignal): Promise<Told["instance"]> {
    return this.ask("instance", bytes, {}, signal);
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  private async ask<K extends Kind>(kind: K, bytes: Buffer, asked: Asked[K], signal: AbortSignal): Promise<Told[K]> {
    const thread = await this.turn(signal);
    // Of its own: handing it over would take the caller's away.
    const copy = new Uint8Array(bytes);
    const question = { kind, bytes: copy, ...asked } as unknown as Question;
    const answered = thread.ask(question, this.seconds, [copy.buffer]).finally(() => this.free(thread));
    const answer = await unlessAborted(signal, answered).catch((error: unknown) => {
      if (error instanceof ThreadError) throw tooHard(this.seconds, error);
      throw error;
    });
    if ("rejected" in answer) throw new RejectedImage(answer.rejected.code, answer.rejected.message);
    if ("failed" in answer) throw new Error(answer.failed);
    return answer.told as Told[K];
  }

  private turn(signal: AbortSignal): Promise<Thread> {
    signal.throwIfAborted();
    const thread = this.idle.pop();
    if (thread) return Promise.resolve(thread);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiting.splice(this.waiting.indexOf(take), 1);
        reject(signal.reason);
      };
      const take = (free: Thread) => {
        signal.removeEventListener("abort", leave);
        resolve(free);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.waiting.push(take);
    });
  }

  private free(thread: Thread): void {
    const next = this.waiting.shift();
    if (next) next(thread);
    else this.idle.push(thread);
  }
}

/** A file that its reader could not come to an end with. */
export class UnreadableFile extends RejectedImage {}

const tooHard = (seconds: number, cause: ThreadError) =>
  new UnreadableFile(
    "damaged",
    `The file is made so that it cannot be read within ${seconds} s, or at all. Export it again.`,
    { cause },
  );
