import { Worker } from "node:worker_threads";
import { workerFile } from "../../platform/worker-file";
import { damaged } from "./failures";
import type { DecodedStream, WasmCodec } from "./wasm-codecs";

export interface CodecRequest {
  readonly codec: WasmCodec;
  readonly stream: ArrayBuffer;
}

export type CodecReply =
  | ({ readonly ok: true; readonly buffer: ArrayBuffer } & Omit<DecodedStream, "bytes">)
  | { readonly ok: false; readonly message: string };

/**
 * Time for a stream, seconds: a thousand times what is usual, because what is refused stays refused, and a machine may be
 * busy. A decoder that damage sends in a circle is ended by it.
 */
const SECONDS = 20;
const SECONDS_PER_MEGAPIXEL = 2;

/**
 * Runs decoders that are not ours in a thread: whoever shares this one need not wait, one that never ends is ended with
 * its thread, and what it did to its memory goes with it.
 */
export class CodecThread {
  private worker: Worker | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly seconds = (pixels: number) => SECONDS + (SECONDS_PER_MEGAPIXEL * pixels) / 1e6) {}

  /**
   * @param pixels of the frame
   * @throws {RejectedImage} `damaged`
   */
  decode(codec: WasmCodec, stream: Buffer, pixels: number): Promise<DecodedStream> {
    // One at a time: answers come without a name.
    const result = this.last.then(() => this.ask(codec, stream, this.seconds(pixels)));
    this.last = result.catch(() => undefined);
    return result;
  }

  private async ask(codec: WasmCodec, stream: Buffer, seconds: number): Promise<DecodedStream> {
    const worker = this.start();
    const copy = Uint8Array.from(stream).buffer;
    const reply = await new Promise<CodecReply>((resolve) => {
      const fail = (message: string) => {
        this.worker = undefined;
        void worker.terminate();
        done({ ok: false, message });
      };
      const timer = setTimeout(() => fail(`it took more than ${Math.round(seconds)} s`), seconds * 1000);
      const onError = (error: Error) => fail(error.message);
      const onExit = () => fail("its thread ended");
      const done = (reply: CodecReply) => {
        clearTimeout(timer);
        worker.off("message", done).off("error", onError).off("exit", onExit);
        worker.unref();
        resolve(reply);
      };
      worker.ref();
      worker.on("message", done).on("error", onError).on("exit", onExit);
      worker.postMessage({ codec, stream: copy } satisfies CodecRequest, [copy]);
    });
    if (!reply.ok) throw damaged("a frame cannot be decompressed", { cause: new Error(reply.message) });
    const { ok: _, buffer, ...decoded } = reply;
    return { ...decoded, bytes: new Uint8Array(buffer) };
  }

  private start(): Worker {
    this.worker ??= new Worker(workerFile(__dirname, "codec-worker"));
    return this.worker;
  }
}
