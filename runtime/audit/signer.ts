import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32c } from "@node-rs/crc32";
import { ConfigurationError } from "../platform/config";
import { type KmsRequest, kmsRequest, kmsVersion } from "../platform/kms";
import { type NoteKey, noteKey } from "./note";

/** Signs checkpoints. */
export interface Signer {
  readonly key: NoteKey;
  /** Ed25519, 64 bytes. The same text has the same signature. */
  sign(text: Buffer): Promise<Buffer>;
}

/**
 * Opens the key that a URI names: `gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N` (algorithm
 * EC_SIGN_ED25519), or a path: a PEM file, which is made where it is missing, for its owner alone.
 *
 * @param request stands in for the authenticated client of Cloud KMS, in tests
 * @throws {ConfigurationError}
 */
export async function openSigner(uri: string, request?: KmsRequest): Promise<Signer> {
  if (!uri.startsWith("gcp-kms:")) return localSigner(uri);
  const version = kmsVersion(uri);
  if (version === undefined)
    throw new ConfigurationError("The audit key", [
      "it must be gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N or the path of a file.",
    ]);
  return kmsSigner(version, request ?? kmsRequest());
}

function localSigner(path: string): Signer {
  const privateKey = readKey(existsSync(path) ? path : makeKey(path));
  return {
    key: noteKey(createPublicKey(privateKey)),
    sign: async (text) => sign(null, text, privateKey),
  };
}

function readKey(path: string): KeyObject {
  const wrong = (why: string) => new ConfigurationError("The audit key", [`${path} ${why}.`]);
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (error) {
    throw wrong(`cannot be read as a private key (${(error as Error).message})`);
  }
  if (key.asymmetricKeyType !== "ed25519") throw wrong(`holds a key of type ${key.asymmetricKeyType}, not ed25519`);
  return key;
}

/** Of two processes that make one at once, the first one's stays. */
function makeKey(path: string): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  const draft = join(dirname(path), `.audit-key-${process.pid}`);
  try {
    writeFileSync(draft, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return path;
}

/** https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/asymmetricSign */
async function kmsSigner(version: string, request: KmsRequest): Promise<Signer> {
  const url = `https://cloudkms.googleapis.com/v1/${version}`;
  const { pem = "", algorithm } = (await request({ url: `${url}/publicKey`, method: "GET", data: undefined })).data as {
    pem?: string;
    algorithm?: string;
  };
  if (algorithm !== "EC_SIGN_ED25519")
    throw new ConfigurationError("The audit key", [`${version} has the algorithm ${algorithm}, not EC_SIGN_ED25519.`]);
  return {
    key: noteKey(createPublicKey(pem)),
    async sign(text) {
      const { data } = await request({
        url: `${url}:asymmetricSign`,
        method: "POST",
        data: { data: text.toString("base64"), dataCrc32c: String(crc32c(text)) },
      });
      const { signature, signatureCrc32c, verifiedDataCrc32c } = data as {
        signature?: string;
        signatureCrc32c?: string;
        verifiedDataCrc32c?: boolean;
      };
      const bytes = Buffer.from(signature ?? "", "base64");
      // Both ways are checked as Cloud KMS advises: https://cloud.google.com/kms/docs/data-integrity-guidelines
      if (!verifiedDataCrc32c || bytes.length !== 64 || Number(signatureCrc32c) !== crc32c(bytes))
        throw new Error(`${version} gave a damaged signature. The seal is to be repeated.`);
      return bytes;
    },
  };
}
