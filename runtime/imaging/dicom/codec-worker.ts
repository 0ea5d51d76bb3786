import { parentPort } from "node:worker_threads";
import type { CodecReply, CodecRequest } from "./codec-thread";
import { decodeStream } from "./wasm-codecs";

/** The thread of {@link CodecThread}: a stream at a time. */
parentPort?.on("message", async ({ codec, stream }: CodecRequest) => {
  try {
    const { bytes, ...decoded } = await decodeStream(codec, new Uint8Array(stream));
    const reply: CodecReply = { ok: true, ...decoded, buffer: bytes.buffer };
    parentPort?.postMessage(reply, [bytes.buffer]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parentPort?.postMessage({ ok: false, message } satisfies CodecReply);
  }
});
