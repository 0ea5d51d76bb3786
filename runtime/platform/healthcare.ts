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
