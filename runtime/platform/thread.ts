import type { Worker } from "node:worker_threads";

/** A thread that failed, or took too long. It is gone; the next question gets another. */
export class ThreadError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ThreadError";
  }
}

/**
 * Puts questions to a thread that answers each with one message. It keeps no process alive; one that takes too long is
 * ended, and what it did to its memory goes with it.
 */
export class AnsweringThread<Question, Answer> {
  private worker: Worker | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly start: () => Worker) {}

  /**
   * @param seconds for this question, those before it not counted
   * @param moved what is handed over in place of copied
   * @throws {ThreadError}
   */
  ask(question: Question, seconds: number, moved: readonly ArrayBuffer[] = []): Promise<Answer> {
    // One at a time: answers come without a name.
    const answer = this.last.then(() => this.put(question, seconds, moved));
    this.last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends the thread. A question that it has is not answered any more. */
  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private put(question: Question, seconds: number, moved: readonly ArrayBuffer[]): Promise<Answer> {
    this.worker ??= this.start();
    const worker = this.worker;
    return new Promise<Answer>((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        worker.off("message", onMessage).off("error", onError).off("exit", onExit);
        worker.unref();
        end();
      };
      const fail = (message: string) => {
        this.worker = undefined;
        void worker.terminate();
        settle(() => reject(new ThreadError(message)));
      };
      const timer = setTimeout(() => fail(`it took more than ${Math.round(seconds)} s`), seconds * 1000);
      const onMessage = (answer: Answer) => settle(() => resolve(answer));
      const onError = (error: Error) => fail(error.message);
      const onExit = () => fail("its thread ended");
      worker.ref();
      worker.on("message", onMessage).on("error", onError).on("exit", onExit);
      worker.postMessage(question, [...moved]);
    });
  }
}
