import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { type Identities, openIdentities } from "../intake";
import { withDeadline } from "../platform/deadline";
import { messageForLogs } from "../platform/names-in-logs";
import { PixelText } from "./pixel-text";
import { prepare, RefusedInstance } from "./prepare";
import type { PrepareAnswer, PrepareQuestion, PrepareSettings } from "./prepare-thread";

/** For one name: a key in a cloud that does not answer is no fault of the file. */
const KEY_MS = 60_000;

/** The thread of {@link PrepareThread}: a file at a time. */

const settings = workerData as PrepareSettings;
const pixelText = new PixelText(settings.pixelText);
let identities: Promise<Identities> | undefined;

/** Opened with the first file; a key that could not be asked is asked again with the next. */
function opened(): Promise<Identities> {
  identities ??= openIdentities(settings.key);
  identities.catch(() => {
    identities = undefined;
  });
  return identities;
}

const inTime: Identities = {
  of: (patientId) =>
    withDeadline(
      KEY_MS,
      opened().then((identities) => identities.of(patientId)),
      () => new Error("The pseudonym key does not answer."),
    ),
};

async function answer({ path }: PrepareQuestion): Promise<PrepareAnswer> {
  try {
    return { kind: "prepared", prepared: await prepare(await readFile(path), inTime, pixelText) };
  } catch (error) {
    if (error instanceof RefusedInstance) return { kind: "refused", refusal: error.refusal };
    return { kind: "failed", message: messageForLogs(error) };
  }
}

parentPort?.on("message", async (question: PrepareQuestion) => {
  parentPort?.postMessage(await answer(question));
});
