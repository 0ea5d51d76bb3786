import { Piscina } from "piscina";
import { ChecksumMismatchError, ObjectNotFoundError, type ObjectStore } from "../platform/object-store";
import { workerFile } from "../platform/worker-file";
import type { ShardRow } from "./shards";
import type { RecipeTask } from "./worker";

/** Tasks waiting a thread: enough to keep it busy, few enough to keep the files of a shard out of memory. */
const QUEUE = 4;

/** Takes curated pages through the recipe on all processors. Threads start with the first page. */
export class Decoder {
  private pool: Piscina<RecipeTask, Uint8Array | undefined> | undefined;

  constructor(
    private readonly curated: ObjectStore,
    private readonly threads: number,
  ) {}

  /**
   * One channel of each page's pixels by image id, and why the others could not be read, as sentences.
   * @throws what `signal` was aborted with.
   */
  async decode(
    rows: readonly ShardRow[],
    signal: AbortSignal,
    onDone: () => void,
  ): Promise<{ pixels: Map<string, Uint8Array>; failures: Map<ShardRow, string> }> {
    const pixels = new Map<string, Uint8Array>();
    const failures = new Map<ShardRow, string>();
    let next = 0;
    const take = async (): Promise<void> => {
      for (let row = rows[next++]; row; row = rows[next++]) {
        signal.throwIfAborted();
        const outcome = await this.page(row);
        if (typeof outcome === "string") failures.set(row, outcome);
        else pixels.set(row.id, outcome);
        onDone();
      }
    };
    await Promise.all(Array.from({ length: Math.min(rows.length, this.threads * QUEUE) }, take));
    // The order of arrival is that of the threads; what is reported is in the order of the rows.
    return {
      pixels,
      failures: new Map(rows.flatMap((row) => (failures.has(row) ? [[row, failures.get(row) ?? ""]] : []))),
    };
  }

  async close(): Promise<void> {
    await this.pool?.destroy();
  }

  /** The pixels, or what is wrong with this one page. Anything else is thrown. */
  private async page(row: ShardRow): Promise<Uint8Array | string> {
    const name = `images/${row.sha256}.png`;
    let bytes: Buffer;
    try {
      bytes = await this.curated.read(name);
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return `its file curated/${name} is gone.`;
      if (error instanceof ChecksumMismatchError) return `its file curated/${name} is damaged.`;
      throw error;
    }
    this.pool ??= new Piscina({
      filename: workerFile(__dirname, "worker"),
      minThreads: this.threads,
      maxThreads: this.threads,
    });
    const outcome = await this.pool.run({ bytes: new Uint8Array(bytes), sha256: row.sha256 });
    return outcome ?? `its file curated/${name} does not hold the pixels that were ingested.`;
  }
}
