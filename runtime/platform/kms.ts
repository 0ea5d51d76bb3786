import type { GoogleAuth } from "google-auth-library";

/** Sends a request to Cloud KMS with credentials and returns the parsed answer. */
export type KmsRequest = (options: {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly data: unknown;
}) => Promise<{ data: unknown }>;

/** The resource name of a key version in its URI, `gcp-kms://projects/...`; undefined for any other. */
export function kmsVersion(uri: string): string | undefined {
  return /^gcp-kms:\/\/(projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+\/cryptoKeyVersions\/\d+)$/.exec(
    uri,
  )?.[1];
}

/** Requests as the account of this process. The client is loaded with the first. */
export function kmsRequest(): KmsRequest {
  let auth: GoogleAuth | undefined;
  return async (options) => {
    if (!auth) {
      const { GoogleAuth } = require("google-auth-library") as typeof import("google-auth-library");
      auth = new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloudkms" });
    }
    return auth.request({ ...options, retryConfig: { httpMethodsToRetry: ["GET", "POST"], retry: 3 } });
  };
}
