import type { z } from "zod";
import type { deliverContract } from "../../deliver";
import { HEALTHCARE_ROOT, healthcareAuthorization } from "../../platform/healthcare";
import { Endpoint } from "./endpoint";
import { Signer } from "./signature";

type Environment = z.output<typeof deliverContract.env>;

/** What the variables get wrong together, each as a sentence. */
export function receiverProblems(env: NodeJS.ProcessEnv): readonly string[] {
  const has = (name: keyof Environment) => (env[name] ?? "") !== "";
  const together = (...names: (keyof Environment)[]) => {
    const missing = names.filter((name) => !has(name));
    return missing.length > 0 && missing.length < names.length
      ? [`${names.join(", ")} belong together, and ${missing.join(", ")} is not set.`]
      : [];
  };
  const signsIn = has("RECEIVER_CLIENT_SECRET") || has("RECEIVER_CERTIFICATE");
  return [
    ...(has("FHIR_STORE") || has("RECEIVER_URL")
      ? []
      : ["Neither FHIR_STORE nor RECEIVER_URL is set: there is nowhere to deliver to."]),
    ...together("RECEIVER_URL", "RECEIVER_SIGNING_KEY"),
    ...together("RECEIVER_SIGN_IN_URL", "RECEIVER_CLIENT_ID", "RECEIVER_CLIENT_SECRET"),
    ...together("RECEIVER_CERTIFICATE", "RECEIVER_CERTIFICATE_KEY"),
    ...(has("RECEIVER_URL") && !signsIn
      ? [
          "RECEIVER_URL is set, and nothing to sign in with: a client of OAuth 2.0 (RECEIVER_CLIENT_SECRET) or a certificate (RECEIVER_CERTIFICATE).",
        ]
      : []),
  ];
}

/** Everywhere that answers are delivered to: the hospital's FHIR store, a receiver outside Google, or both. */
export async function endpointsOf(env: Environment): Promise<readonly Endpoint[]> {
  return [...fhirStore(env), ...(await receiver(env))];
}

/** The store checks who signs in; nothing is signed for it. */
function fhirStore({ FHIR_STORE, HEALTHCARE_API_ENDPOINT: standIn }: Environment): Endpoint[] {
  if (FHIR_STORE === undefined) return [];
  const root = standIn?.replace(/\/$/, "") ?? HEALTHCARE_ROOT;
  return [
    new Endpoint({
      url: new URL(`${root}/v1/${FHIR_STORE}/fhir`),
      format: "fhir",
      client: undefined,
      identity: standIn === undefined ? healthcareAuthorization() : undefined,
      tls: {},
    }),
  ];
}

/** @throws {ConfigurationError} where the key is none that signs */
async function receiver(env: Environment): Promise<Endpoint[]> {
  const { RECEIVER_URL: url, RECEIVER_SIGNING_KEY: signingKey } = env;
  if (url === undefined || signingKey === undefined) return [];
  const { RECEIVER_SIGN_IN_URL: tokenUrl, RECEIVER_CLIENT_ID: id, RECEIVER_CLIENT_SECRET: secret } = env;
  const { RECEIVER_CERTIFICATE: cert, RECEIVER_CERTIFICATE_KEY: key, RECEIVER_CA: ca } = env;
  return [
    new Endpoint({
      url: new URL(url),
      format: env.RECEIVER_FORMAT,
      signer: await Signer.of(signingKey, "RECEIVER_SIGNING_KEY"),
      client:
        tokenUrl !== undefined && id !== undefined && secret !== undefined
          ? { tokenUrl: new URL(tokenUrl), id, secret: secret.trim(), scope: env.RECEIVER_SCOPE }
          : undefined,
      tls: {
        ...(cert === undefined ? {} : { cert: Buffer.from(cert) }),
        ...(key === undefined ? {} : { key: Buffer.from(key) }),
        ...(ca === undefined ? {} : { ca: Buffer.from(ca) }),
      },
    }),
  ];
}
