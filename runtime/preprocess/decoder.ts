import { Piscina } from "piscina";
import { curatedPixels, type Rejection } from "../dataset";
import type { RecipeTask } from "../imaging";
import type { ReadableStore } from "../platform/stores";
import { workerFile } from "../platform/worker-file";
import type { PlannedShard } from "./plan";

/** Tasks waiting a thread: enough to keep it busy, few enough to keep the files of a shard out of memory. */
const QUEUE = 4;

type Fresh = PlannedShard["fresh"][number];

/** Takes curated pages through the recipe on all processors. Threads start with the first page. */
export class Decoder {
  private pool: Piscina<RecipeTask, Uint8Array | undefined> | undefined;

  constructor(
    private readonly curated: ReadableStore,
    private readonly threads: number,
  ) {}

  /**
   * One channel of each page's pixels by image id, and what is wrong with the others.
   * @throws what `signal` was aborted with.
   */
  async decode(
    images: readonly Fresh[],
    signal: AbortSignal,
    onDone: () => void,
  ): Promise<{ pixels: Map<string, Uint8Array>; rejections: Map<string, Rejection> }> {
    const pixels = new Map<string, Uint8Array>();
    const rejections = new Map<string, Rejection>();
    let next = 0;
    const take = async (): Promise<void> => {
      for (let image = images[next++]; image; image = images[next++]) {
        signal.throwIfAborted();
        const outcome = await this.page(image);
        if ("reason" in outcome) rejections.set(image.id, outcome);
        else pixels.set(image.id, outcome);
        onDone();
      }
    };
    await Promise.all(Array.from({ length: Math.min(images.length, this.threads * QUEUE) }, take));
    return { pixels, rejections };
  }

  async close(): Promise<void> {
    await this.pool?.destroy();
  }

  private page(page: Fresh): Promise<Uint8Array | Rejection> {
    return curatedPixels(this.curated, page, ({ bytes, sha256 }) => {
      this.pool ??= new Piscina({
        filename: workerFile(__dirname, "worker"),
        minThreads: this.threads,
        maxThreads: this.threads,
      });
      return this.pool.run({ bytes: new Uint8Array(bytes), sha256 });
    });
  }
}
