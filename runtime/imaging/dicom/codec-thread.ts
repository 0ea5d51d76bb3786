import { Worker } from "node:worker_threads";
import { AnsweringThread, ThreadError } from "../../platform/thread";
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
 * Runs decoders that are not ours in a thread: whoever shares this one need not wait, and one that never ends is ended with
 * its thread.
 */
export class CodecThread {
  private readonly thread = new AnsweringThread<CodecRequest, CodecReply>(
    () => new Worker(workerFile(__dirname, "codec-worker")),
  );

  constructor(private readonly seconds = (pixels: number) => SECONDS + (SECONDS_PER_MEGAPIXEL * pixels) / 1e6) {}

  /**
   * @param pixels of the frame
   * @throws {RejectedImage} `damaged`
   */
  async decode(codec: WasmCodec, stream: Buffer, pixels: number): Promise<DecodedStream> {
    const copy = Uint8Array.from(stream).buffer;
    const reply = await this.thread
      .ask({ codec, stream: copy }, this.seconds(pixels), [copy])
      .catch((error: unknown): CodecReply => {
        if (error instanceof ThreadError) return { ok: false, message: error.message };
        throw error;
      });
    if (!reply.ok) throw damaged("a frame cannot be decompressed", { cause: new Error(reply.message) });
    const { ok: _, buffer, ...decoded } = reply;
    return { ...decoded, bytes: new Uint8Array(buffer) };
  }
}
