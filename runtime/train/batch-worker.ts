import { parentPort, workerData } from "node:worker_threads";
import { drawBatch, type TrainingImages } from "./batch";
import type { BatchReply, BatchRequest } from "./batches-ahead";

/** The thread that draws the next batch while the current one is learnt from. */
const images = workerData as TrainingImages;

parentPort?.on("message", ({ rows, seed }: BatchRequest) => {
  let reply: BatchReply;
  try {
    reply = { ok: true, batch: drawBatch(images, rows, seed) };
  } catch (error) {
    reply = { ok: false, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  parentPort?.postMessage(reply, reply.ok ? [reply.batch.pixels.buffer as ArrayBuffer] : []);
});
