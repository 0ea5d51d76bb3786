import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { type Backbone, unusable } from "../../backbone";
import { RECIPE } from "../../imaging";
import { sharedCopy, workerFile } from "../../platform/worker-file";

const PIXELS = RECIPE.side ** 2;
/** Pictures of one task. */
const TASK = 16;

/** Threads that take pictures through one backbone. */
export class ExtractionPool {
  private constructor(
    private readonly pool: Piscina<Uint8Array, Float32Array>,
    private readonly length: number,
  ) {}

  /**
   * Starts the threads and takes a grey picture through the network.
   *
   * @param threads default: one a core
   * @throws {ConfigurationError} if the network does not give what its manifest says
   */
  static async start(uri: string, backbone: Backbone, threads = availableParallelism()): Promise<ExtractionPool> {
    const piscina = new Piscina<Uint8Array, Float32Array>({
      filename: workerFile(__dirname, "extract-worker"),
      minThreads: threads,
      maxThreads: threads,
      // One copy of the network for all threads.
      workerData: { ...backbone, onnx: sharedCopy(backbone.onnx) } satisfies Backbone,
    });
    try {
      await piscina.run(new Uint8Array(PIXELS).fill(128));
    } catch (error) {
      await piscina.destroy();
      const why = (error as Error).message.replace(/\s+/g, " ").replace(/\.?\s*$/, ".");
      throw unusable(uri, [`${backbone.manifest.network} does not run: ${why}`]);
    }
    return new ExtractionPool(piscina, backbone.manifest.features.length);
  }

  /** The features of pictures, in their order. @param planes one channel of each, 128 x 128 bytes */
  async extract(planes: readonly Uint8Array[]): Promise<Float32Array[]> {
    const tasks: Promise<Float32Array>[] = [];
    for (let start = 0; start < planes.length; start += TASK) {
      const part = planes.slice(start, start + TASK);
      const joined = new Uint8Array(part.length * PIXELS);
      for (const [i, plane] of part.entries()) joined.set(plane, i * PIXELS);
      tasks.push(this.pool.run(joined, { transferList: [joined.buffer] }));
    }
    const found = await Promise.all(tasks);
    const { length } = this;
    return planes.map((_, i) => {
      const rows = found[Math.floor(i / TASK)] as Float32Array;
      return rows.slice((i % TASK) * length, ((i % TASK) + 1) * length);
    });
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }
}
