import { KmsCryptoKeyIamMember } from "@cdktf/provider-google/lib/kms-crypto-key-iam-member";
import type { Identity } from "../core/identity";

/** Roles on a key that an identity can be given. https://cloud.google.com/kms/docs/reference/permissions-and-roles */
export type KeyRole =
  | "roles/cloudkms.cryptoKeyEncrypter"
  | "roles/cloudkms.cryptoKeyDecrypter"
  | "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  | "roles/cloudkms.signerVerifier";

/** Every permission on a key is given here, additively and once an identity and role. */
export function grantOnKey(grantee: Identity, keyId: string, keyName: string, role: KeyRole): void {
  const id = `key-${keyName}-${role.slice(role.lastIndexOf(".") + 1)}`;
  if (grantee.node.tryFindChild(id)) return;
  new KmsCryptoKeyIamMember(grantee, id, { cryptoKeyId: keyId, role, member: grantee.member });
}
