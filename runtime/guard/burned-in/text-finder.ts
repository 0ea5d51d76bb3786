import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import type { GreyImage } from "../../imaging";
import { workerFile } from "../../platform/worker-file";
import type { Region } from "./regions";
import { isText } from "./rule";

/** Threads look for text in different files at a time; more than two would only compete with decoders. */
const MOST_THREADS = 2;

/** Finds text in pictures, in threads of its own, which start with the first question and keep no process alive. */
export class TextFinder {
  private pool: Piscina<GreyImage, Region[]> | undefined;

  /** Whether a picture holds what looks like text, by {@link isText}. */
  async find(image: GreyImage): Promise<boolean> {
    return (await this.regions(image)).some(isText);
  }

  /** Everything that looks like text to the network, before the rule. */
  regions(image: GreyImage): Promise<Region[]> {
    this.pool ??= new Piscina<GreyImage, Region[]>({
      filename: workerFile(__dirname, "text-worker"),
      minThreads: 1,
      maxThreads: Math.min(MOST_THREADS, availableParallelism()),
    });
    return this.pool.run(image);
  }

  async close(): Promise<void> {
    await this.pool?.destroy();
    this.pool = undefined;
  }
}
