import { SecretManagerSecretIamMember } from "@cdktf/provider-google/lib/secret-manager-secret-iam-member";
import type { Construct } from "constructs";
import type { deliverContract } from "../../runtime/deliver/contract";
import type { Bindings } from "../../runtime/platform/contract";
import type { Identity } from "../core/identity";
import type { HospitalRef } from "../core/naming";
import type { SecretRef } from "../ingest";
import { type Network, Outlet } from "../network";
import { OUTLET, type Receiver } from "./config";

type Variables = Partial<Bindings<typeof deliverContract>>;

/** What of a receiver stands in the function's environment as it is. */
export const receiverVariables = ({ url, format, oauth2 }: Receiver): Variables => ({
  RECEIVER_URL: url,
  RECEIVER_FORMAT: format,
  ...(oauth2 && {
    RECEIVER_SIGN_IN_URL: oauth2.signInUrl,
    RECEIVER_CLIENT_ID: oauth2.clientId,
    ...(oauth2.scope === undefined ? {} : { RECEIVER_SCOPE: oauth2.scope }),
  }),
});

/** What of it Cloud Functions fetches from Secret Manager, by variable: versions, so that a plan shows every change. */
export function receiverSecrets({ signingKey, oauth2, mtls, ca }: Receiver): Readonly<Record<string, SecretRef>> {
  const named: Partial<Record<keyof Variables, string | undefined>> = {
    RECEIVER_SIGNING_KEY: signingKey,
    RECEIVER_CLIENT_SECRET: oauth2?.clientSecret,
    RECEIVER_CERTIFICATE: mtls?.certificate,
    RECEIVER_CERTIFICATE_KEY: mtls?.key,
    RECEIVER_CA: ca,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([variable, name]) => (name === undefined ? [] : [[variable, secretOf(name)]])),
  );
}

function secretOf(name: string): SecretRef {
  const [, secret = "", , version = ""] = name.split("/");
  return { secret, version };
}

/** Lets the function read these secrets, each by itself. Whoever keeps their values made them: see docs/operations.md. */
export function grantSecrets(
  { project }: Pick<HospitalRef, "project">,
  identity: Identity,
  secrets: Readonly<Record<string, SecretRef>>,
): void {
  for (const secret of new Set(Object.values(secrets).map((one) => one.secret)))
    new SecretManagerSecretIamMember(identity, `secret-${secret}`, {
      project,
      secretId: secret,
      role: "roles/secretmanager.secretAccessor",
      member: identity.member,
    });
}

/** The way to a receiver and to nothing else. */
export function outletTo(
  scope: Construct,
  hospital: HospitalRef,
  network: Network,
  { url, oauth2, addresses, cidr }: Receiver,
): Outlet {
  const ports = [url, ...(oauth2 ? [oauth2.signInUrl] : [])].map((one) => Number(new URL(one).port || 443));
  return new Outlet(scope, "outlet", {
    ...{ hospital, network, name: OUTLET, cidr, destinations: addresses },
    ports: [...new Set(ports)].sort((a, b) => a - b),
  });
}
