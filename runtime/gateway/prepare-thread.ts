import { Worker } from "node:worker_threads";
import { AnsweringThread, ThreadError } from "../platform/thread";
import { workerFile } from "../platform/worker-file";
import type { PixelTextChoice } from "./pixel-text";
import { type Prepared, RefusedInstance } from "./prepare";
import type { Refusal } from "./spool";

export interface PrepareSettings {
  /** See `openIdentities`. */
  readonly key: string;
  readonly pixelText: PixelTextChoice;
}

export interface PrepareQuestion {
  readonly path: string;
}

export type PrepareAnswer =
  | { readonly kind: "prepared"; readonly prepared: Prepared }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** The key or the disk: another time may be better. */
  | { readonly kind: "failed"; readonly message: string };

/** A hundred times what the largest file takes; a file that sends a parser in a circle is refused by it. */
const SECONDS = 180;

/** {@link prepare} in a thread of its own: senders need not wait, and no file can stop the gateway. */
export class PrepareThread {
  private readonly thread: AnsweringThread<PrepareQuestion, PrepareAnswer>;

  constructor(settings: PrepareSettings) {
    this.thread = new AnsweringThread(
      () => new Worker(workerFile(__dirname, "prepare-worker"), { workerData: settings }),
    );
  }

  /** @throws {RefusedInstance} {@link Error} where the key or the disk failed */
  async prepare(path: string): Promise<Prepared> {
    const answer = await this.thread.ask({ path }, SECONDS).catch((error: unknown): PrepareAnswer => {
      if (!(error instanceof ThreadError)) throw error;
      return {
        kind: "refused",
        refusal: { code: "not-de-identified", message: `The file could not be de-identified: ${error.message}.` },
      };
    });
    if (answer.kind === "prepared") return answer.prepared;
    if (answer.kind === "refused") throw new RefusedInstance(answer.refusal);
    throw new Error(answer.message);
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}
