import { MessageChannel } from "node:worker_threads";
import { Piscina } from "piscina";
import { workerFile } from "../platform/worker-file";
import type { EncodedPage } from "./kept/answers";
import { DamagedPage, type StoredPage } from "./kept/stored-page";
import type { Outcome, OverlayTask, PagesTask, Painted } from "./picture-worker";

type Task = Exclude<keyof typeof import("./picture-worker"), "pages">;

/** Milliseconds that a thread waits for work before it ends. */
const IDLE = 60_000;

/** Draws what is shown of kept pages, as PNG, in threads of its own: requests are answered while it draws. */
export class Pictures {
  private readonly pool: Piscina;

  /** @param threads that draw at a time; they start with the first picture */
  constructor(threads: number) {
    this.pool = new Piscina({
      filename: workerFile(__dirname, "picture-worker"),
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE,
    });
    // A thread that dies while it is idle is replaced; nobody waits for anything of it.
    this.pool.on("error", () => undefined);
  }

  /**
   * The page with the map over it, at most 1,024 pixels wide and high.
   * @throws {DamagedPage}
   */
  overlay(task: OverlayTask): Promise<Buffer> {
    return this.run("overlay", task);
  }

  /** The same as pixels. @throws {DamagedPage} */
  async painted(task: OverlayTask): Promise<{ readonly width: number; readonly height: number; readonly rgb: Buffer }> {
    const { width, height, rgb } = await this.make<Painted>("painted", task);
    return { width, height, rgb: asBuffer(rgb) };
  }

  /** The page in 8 bits, at most 1,024 pixels wide and high. @throws {DamagedPage} */
  original(page: StoredPage): Promise<Buffer> {
    return this.run("original", page);
  }

  /** What the model saw of the page, 128 x 128. @throws {DamagedPage} */
  seen(page: StoredPage): Promise<Buffer> {
    return this.run("seen", page);
  }

  /** The page at its full size and depth. @throws {DamagedPage} */
  stored(page: StoredPage): Promise<Buffer> {
    return this.run("stored", page);
  }

  /** The page's perceptual hash: 64 hex digits. @throws {DamagedPage} */
  fingerprint(page: StoredPage): Promise<string> {
    return this.make<string>("fingerprint", page);
  }

  /**
   * Pages of a file as they are kept, one after the other.
   * @throws the signal's reason
   */
  async *pages(task: PagesTask, signal: AbortSignal): AsyncGenerator<EncodedPage> {
    const { port1, port2 } = new MessageChannel();
    // Of its own: handing it over would take the caller's away.
    const bytes = new Uint8Array(task.bytes);
    const transferList = [bytes.buffer as ArrayBuffer, port2];
    const ended = this.pool.run({ ...task, bytes, port: port2 }, { name: "pages", transferList }).then(() => undefined);
    const left = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    left.catch(() => undefined);
    try {
      for (;;) {
        signal.throwIfAborted();
        const sent = new Promise<EncodedPage>((resolve) => {
          port1.once("message", resolve);
        });
        const page = await Promise.race([sent, ended, left]);
        if (!page) return;
        yield page;
        port1.postMessage("next");
      }
    } finally {
      // The thread notices, and ends what it is at.
      port1.close();
      ended.catch(() => undefined);
    }
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }

  private async run(name: Task, task: OverlayTask | StoredPage): Promise<Buffer> {
    return asBuffer(await this.make<Uint8Array>(name, task));
  }

  private async make<T>(name: Task, task: OverlayTask | StoredPage): Promise<T> {
    const outcome = (await this.pool.run(task, { name })) as Outcome<T>;
    if ("damaged" in outcome) throw new DamagedPage(outcome.damaged);
    return outcome.made;
  }
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array) => Buffer.from(buffer, byteOffset, byteLength);
