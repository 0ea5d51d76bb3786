import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import type { GreyImage } from "../../imaging";
import { workerFile } from "../../platform/worker-file";
import type { Box } from "./regions";

/** Threads look for text in different files at a time; more than two would only compete with decoders. */
const MOST_THREADS = 2;

/** What looks like text in a picture. */
export interface FoundText {
  /** Covers it, with the margin that the network leaves out; pixels of the picture. */
  readonly box: Box;
  /** Long enough to name somebody. The rest are single words and letters, or nothing: they count beside a line alone. */
  readonly isLine: boolean;
}

/** Finds text in pictures, in threads of its own, which start with the first question and keep no process alive. */
export class TextFinder {
  private pool: Piscina<GreyImage, FoundText[]> | undefined;

  /** Whether a picture holds a line of what looks like text. */
  async holdsLine(image: GreyImage): Promise<boolean> {
    return (await this.find(image)).some(({ isLine }) => isLine);
  }

  find(image: GreyImage): Promise<FoundText[]> {
    this.pool ??= new Piscina<GreyImage, FoundText[]>({
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
