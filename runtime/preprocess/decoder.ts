import { Piscina } from "piscina";
import { type CuratedPage, madeOfCurated, type Rejection } from "../dataset";
import type { RecipeTask } from "../imaging";
import type { ReadableStore } from "../platform/stores";
import { workerFile } from "../platform/worker-file";

/** Tasks waiting a thread: enough to keep it busy, few enough to keep the files of a shard out of memory. */
const QUEUE = 4;

/** Takes curated pages through the recipe on all processors. Threads start with the first page. */
export class Decoder {
  private pool: Piscina<RecipeTask> | undefined;

  constructor(
    private readonly curated: ReadableStore,
    private readonly threads: number,
  ) {}

  /**
   * One channel of each page's pixels by image id, and what is wrong with the others.
   * @throws what `signal` was aborted with.
   */
  async decode(
    images: readonly CuratedPage[],
    signal: AbortSignal,
    onDone: () => void,
  ): Promise<{ pixels: Map<string, Uint8Array>; rejections: Map<string, Rejection> }> {
    const pixels = new Map<string, Uint8Array>();
    const rejections = new Map<string, Rejection>();
    await this.each(images, signal, async (image) => {
      const outcome = await this.page<Uint8Array>(image, "default");
      if (outcome instanceof Uint8Array) pixels.set(image.id, outcome);
      else rejections.set(image.id, outcome);
      onDone();
    });
    return { pixels, rejections };
  }

  /**
   * The perceptual hash of each page by image id; pages that cannot be read have none.
   * @throws what `signal` was aborted with.
   */
  async hash(images: readonly CuratedPage[], signal: AbortSignal, onDone: () => void): Promise<Map<string, string>> {
    const hashes = new Map<string, string>();
    await this.each(images, signal, async (image) => {
      const outcome = await this.page<string>(image, "hashOfCurated");
      if (typeof outcome === "string") hashes.set(image.id, outcome);
      onDone();
    });
    return hashes;
  }

  async close(): Promise<void> {
    await this.pool?.destroy();
  }

  private async each(
    images: readonly CuratedPage[],
    signal: AbortSignal,
    work: (image: CuratedPage) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const take = async (): Promise<void> => {
      for (let image = images[next++]; image; image = images[next++]) {
        signal.throwIfAborted();
        await work(image);
      }
    };
    await Promise.all(Array.from({ length: Math.min(images.length, this.threads * QUEUE) }, take));
  }

  /** @param name of an export of worker.ts that makes a `T` */
  private page<T>(page: CuratedPage, name: keyof typeof import("./worker")): Promise<T | Rejection> {
    return madeOfCurated<T>(this.curated, page, ({ bytes, sha256 }) => {
      this.pool ??= new Piscina({
        filename: workerFile(__dirname, "worker"),
        minThreads: this.threads,
        maxThreads: this.threads,
      });
      return this.pool.run({ bytes: new Uint8Array(bytes), sha256 }, { name });
    });
  }
}
