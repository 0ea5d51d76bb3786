import { Piscina } from "piscina";
import { workerFile } from "../platform/worker-file";
import type { StoredPage } from "./kept/stored-page";
import { DamagedPage } from "./kept/stored-page";
import type { Outcome, OverlayTask } from "./picture-worker";

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

  close(): Promise<void> {
    return this.pool.destroy();
  }

  private async run(name: keyof typeof import("./picture-worker"), task: OverlayTask | StoredPage): Promise<Buffer> {
    const outcome = (await this.pool.run(task, { name })) as Outcome;
    if ("damaged" in outcome) throw new DamagedPage(outcome.damaged);
    const { buffer, byteOffset, byteLength } = outcome.png;
    return Buffer.from(buffer, byteOffset, byteLength);
  }
}
