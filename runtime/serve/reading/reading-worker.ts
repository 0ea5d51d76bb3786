import { parentPort } from "node:worker_threads";
import { outlineScan, RejectedImage } from "../../imaging";
import { messageForLogs } from "../../platform/names-in-logs";
import { examineInstance } from "../dicomweb/examine";
import { studyFactsOf } from "../studies";
import type { Answer, Question, Told } from "./questions";

/** A thread of {@link FileReaders}: a file at a time. */

function tell(question: Question): Told[Question["kind"]] {
  const { buffer, byteOffset, byteLength } = question.bytes;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  switch (question.kind) {
    case "outline":
      return outlineScan(bytes, question.limits);
    case "study":
      return studyFactsOf(bytes, question.frame);
    case "instance":
      return examineInstance(bytes);
  }
}

function answer(question: Question): Answer {
  try {
    return { told: tell(question) };
  } catch (error) {
    if (error instanceof RejectedImage) return { rejected: { code: error.code, message: error.message } };
    return { failed: messageForLogs(error) };
  }
}

parentPort?.on("message", (question: Question) => parentPort?.postMessage(answer(question)));
