import { createHmac } from "node:crypto";
import type { ReplacementNames } from "../imaging";
import { openPseudonymiser, type Pseudonymiser } from "./pseudonym";

/** What stands in a scan for the identifiers of a patient, and of whatever else DICOM names: the same at every door. */
export interface Identities {
  /** @param patientId as in the header or the manifest, padding and all; undefined or empty where it is not known */
  of(patientId: string | undefined): Promise<ReplacementNames>;
}

/**
 * The key that is derived for all but patients. No patient can be called so, as what is no printable sign is taken out of
 * their ids: else that patient's pseudonym, which stands in tables, would be this key.
 */
const DERIVED = "\0dicom-identifiers-v1";

const MOST_DAYS = 3652;

/**
 * Opens the key named by a URI as `openPseudonymiser` takes it. One name is asked of the key here, and one a patient later.
 *
 * @throws {ConfigurationError}
 */
export function openIdentities(uri: string): Promise<Identities> {
  return identitiesUnder(openPseudonymiser(uri));
}

/** The same over a key that is open already. */
export async function identitiesUnder(pseudonymiser: Pseudonymiser): Promise<Identities> {
  const derived = Buffer.from(await pseudonymiser.pseudonym(DERIVED), "hex");
  const signed = (kind: string, value: string) =>
    createHmac("sha256", derived)
      .update(`${kind}\0${normalised(value)}`)
      .digest();
  const shared = {
    // PS3.5, B.2: 128 bits have up to 39 digits.
    uid: (uid: string) => `2.25.${BigInt(`0x${signed("uid", uid).toString("hex", 0, 16)}`)}`,
    accession: (value: string) => signed("accession", value).toString("hex", 0, 8).toUpperCase(),
  };
  return {
    async of(patientId) {
      const id = normalised(patientId ?? "");
      return {
        ...shared,
        patient: id === "" ? undefined : await pseudonymiser.pseudonym(id),
        dayShift: 1 + (signed("days", id).readUInt32BE() % MOST_DAYS),
      };
    },
  };
}

/** An identifier in the one form of those that look alike, without padding (PS3.5, 6.2) and control characters. */
function normalised(value: string): string {
  return value
    .replace(/\p{Cc}/gu, "")
    .normalize("NFC")
    .trim();
}
