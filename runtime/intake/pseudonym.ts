import { createHmac } from "node:crypto";
import { crc32c } from "@node-rs/crc32";
import { ConfigurationError } from "../platform/config";
import { type KmsRequest, kmsRequest, kmsVersion } from "../platform/kms";

/** Replaces patients' ids by names that only the holder of the key could compute again. */
export interface Pseudonymiser {
  /** 64 hex digits: HMAC-SHA256 of the id. The same patient has the same pseudonym under the same key. */
  pseudonym(patientId: string): Promise<string>;
}

/**
 * The key of a workspace on a laptop. It is public, so it hides nothing from somebody who can guess ids: real ids stay
 * in the landing folder beside it anyway. A hospital's service uses a key that never leaves Cloud KMS.
 */
export const LOCAL_PSEUDONYM_KEY = "local:not-a-secret";

/**
 * Opens the key named by a URI: `local:SECRET`, or `gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N`
 * (purpose MAC, algorithm HMAC_SHA256).
 * @throws {ConfigurationError}
 */
export function openPseudonymiser(uri: string): Pseudonymiser {
  if (uri.startsWith("local:") && uri.length > "local:".length)
    return new LocalPseudonymiser(uri.slice("local:".length));
  const version = kmsVersion(uri);
  if (version) return new KmsPseudonymiser(version);
  throw new ConfigurationError("The pseudonym key", [
    "it must be gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N or local:SECRET.",
  ]);
}

export class LocalPseudonymiser implements Pseudonymiser {
  constructor(private readonly secret: string) {}

  async pseudonym(patientId: string): Promise<string> {
    return createHmac("sha256", this.secret).update(patientId).digest("hex");
  }
}

/**
 * HMAC-SHA256 inside Cloud KMS. https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/macSign
 * Answers are kept: a patient's scans arrive together.
 */
export class KmsPseudonymiser implements Pseudonymiser {
  private readonly known = new Map<string, Promise<string>>();

  /** @param request stands in for the authenticated client, in tests. */
  constructor(
    private readonly version: string,
    private readonly request: KmsRequest = kmsRequest(),
  ) {}

  pseudonym(patientId: string): Promise<string> {
    let answer = this.known.get(patientId);
    if (!answer) {
      answer = this.sign(patientId);
      this.known.set(patientId, answer);
      // A failure is not an answer: the next scan asks again.
      answer.catch(() => this.known.delete(patientId));
    }
    return answer;
  }

  private async sign(patientId: string): Promise<string> {
    const bytes = Buffer.from(patientId);
    const { data } = await this.request({
      url: `https://cloudkms.googleapis.com/v1/${this.version}:macSign`,
      method: "POST",
      data: { data: bytes.toString("base64"), dataCrc32c: String(crc32c(bytes)) },
    });
    const { mac, macCrc32c, verifiedDataCrc32c } = data as {
      mac?: string;
      macCrc32c?: string;
      verifiedDataCrc32c?: boolean;
    };
    const signature = Buffer.from(mac ?? "", "base64");
    // Both ways are checked as Cloud KMS advises: https://cloud.google.com/kms/docs/data-integrity-guidelines
    if (!verifiedDataCrc32c || signature.length !== 32 || Number(macCrc32c) !== crc32c(signature)) {
      throw new Error(`${this.version} gave a damaged signature. The request is to be repeated.`);
    }
    return signature.toString("hex");
  }
}
