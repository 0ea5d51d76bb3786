import { UnusableEventError } from "../platform/event-request";
import { HEALTHCARE_ROOT, healthcareAuthorization } from "../platform/healthcare";
import type { StoredInstance } from "./notification";

/** For the whole of an instance. */
const SECONDS = 240;

/** A DICOM store, as far as it is read: DICOMweb, retrieval of instances (PS3.18, 10.4). */
export interface InstanceSource {
  /**
   * An instance as it was stored, in its own transfer syntax.
   * @returns undefined where there is none any more
   * @throws {UnusableEventError} if it is too large; any other error: it may go better later
   */
  retrieve(instance: StoredInstance, atMost: number): Promise<Buffer | undefined>;
}

/** @param endpoint root URL of a test server, which is asked without credentials */
export function openDicomStore(endpoint: string | undefined): InstanceSource {
  const authorization = endpoint === undefined ? healthcareAuthorization() : undefined;
  const root = `${endpoint?.replace(/\/$/, "") ?? HEALTHCARE_ROOT}/v1`;
  return {
    async retrieve({ store, path }, atMost) {
      const answer = await fetch(`${root}/${store}/${path}`, {
        headers: {
          accept: "application/dicom; transfer-syntax=*",
          ...(authorization ? { authorization: await authorization() } : {}),
        },
        // What is asked for names a patient's study: nobody else is told.
        redirect: "error",
        signal: AbortSignal.timeout(SECONDS * 1000),
      });
      if (answer.status === 404 || answer.status === 410) {
        await answer.body?.cancel();
        return undefined;
      }
      if (!answer.ok) {
        await answer.body?.cancel();
        throw new Error(`The DICOM store answers ${answer.status}.`);
      }
      return bounded(answer, atMost);
    },
  };
}

async function bounded(answer: Response, atMost: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    // Leaving the loop cancels what is left.
    if (size > atMost) throw new UnusableEventError(`The instance has more than ${atMost} bytes, MAX_FILE_BYTES.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
