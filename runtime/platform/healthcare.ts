import { setTimeout as sleep } from "node:timers/promises";
import type { GoogleAuth } from "google-auth-library";
import { z } from "zod";

/** `projects/P/locations/L/datasets/D/dicomStores/S`: a path, in which dots alone would climb. */
export const DICOM_STORE =
  /^projects\/[a-z][a-z0-9.:-]{1,61}\/locations\/[a-z0-9-]+\/datasets\/(?!\.{1,2}\/)[\w.-]{1,256}\/dicomStores\/(?!\.{1,2}$)[\w.-]{1,256}$/;

/** `projects/P/locations/L/datasets/D/fhirStores/S` */
export const FHIR_STORE = new RegExp(DICOM_STORE.source.replace("dicomStores", "fhirStores"));

export const healthcareEndpoint = z
  .url()
  .optional()
  .describe("Root URL of a test server that stands in for the Cloud Healthcare API; not set in production.");

/** The root of the Cloud Healthcare API. */
export const HEALTHCARE_ROOT = "https://healthcare.googleapis.com";

/** The header by which this process signs in at the Cloud Healthcare API. The client is loaded with the first call. */
export function healthcareAuthorization(): () => Promise<string> {
  let auth: GoogleAuth | undefined;
  return async () => {
    if (!auth) {
      const { GoogleAuth } = require("google-auth-library") as typeof import("google-auth-library");
      auth = new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloud-healthcare" });
    }
    return `Bearer ${await auth.getAccessToken()}`;
  };
}

/** A hospital's stores, by the naming contract. */
export function healthcareStores(hospital: {
  readonly project: string;
  readonly region: string;
  readonly name: string;
}): {
  /** `projects/P/locations/L/datasets/D/dicomStores/S` */
  readonly dicom: string;
  /** `projects/P/locations/L/datasets/D/fhirStores/S` */
  readonly fhir: string;
} {
  const dataset = `projects/${hospital.project}/locations/${hospital.region}/datasets/${hospital.name}-pacs`;
  return { dicom: `${dataset}/dicomStores/dicom`, fhir: `${dataset}/fhirStores/fhir` };
}

/** What the API answered. */
export interface HealthcareAnswer {
  readonly status: number;
  /** Undefined where there is no body. */
  readonly json: unknown;
}

const SECONDS = 60;
/** A request that fails in a way that may pass is repeated after so many milliseconds. */
const PAUSES = [250, 1_000, 4_000];

/** Asks the Cloud Healthcare API for small things: JSON, and deletions. */
export class HealthcareClient {
  private readonly authorization: (() => Promise<string>) | undefined;
  private readonly root: string;

  /** @param endpoint root URL of a test server, which is asked without credentials */
  constructor(endpoint: string | undefined) {
    this.authorization = endpoint === undefined ? healthcareAuthorization() : undefined;
    this.root = `${endpoint?.replace(/\/$/, "") ?? HEALTHCARE_ROOT}/v1/`;
  }

  /** The path below the API's root that a URL of one of its answers has. @throws if it leads elsewhere */
  pathOf(url: string): string {
    if (url.startsWith(this.root)) return url.slice(this.root.length);
    throw new Error("The Cloud Healthcare API names a page of its answer that lies elsewhere.");
  }

  /**
   * @param path below `/v1/`, as it goes over the wire
   * @throws where the answer is none of 2xx, 404 and 410
   */
  async ask(method: "GET" | "DELETE", path: string, accept: string, signal: AbortSignal): Promise<HealthcareAnswer> {
    for (const pause of [...PAUSES, undefined]) {
      const answer = await fetch(`${this.root}${path}`, {
        method,
        headers: { accept, ...(this.authorization ? { authorization: await this.authorization() } : {}) },
        // What is asked for may name a patient: nobody else is told.
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(SECONDS * 1000)]),
      }).catch((error: unknown) => {
        signal.throwIfAborted();
        if (pause === undefined) throw new Error("The Cloud Healthcare API cannot be reached.", { cause: error });
        return undefined;
      });
      const text = await answer?.text();
      if (answer && (answer.ok || answer.status === 404 || answer.status === 410))
        return { status: answer.status, json: text ? JSON.parse(text) : undefined };
      const mayPass = !answer || answer.status === 429 || answer.status >= 500;
      if (!mayPass || pause === undefined)
        throw new Error(`The Cloud Healthcare API answers ${answer?.status} to ${method}: ${reasonIn(text)}`);
      await sleep(pause, undefined, { signal });
    }
    throw new Error("unreachable");
  }
}

/** Google's own sentence, without what was asked for. */
function reasonIn(text: string | undefined): string {
  try {
    const { error } = JSON.parse(text ?? "") as { error?: { status?: string } };
    if (error?.status) return `${error.status}.`;
  } catch {
    // It is no JSON.
  }
  return "it gives no reason.";
}
