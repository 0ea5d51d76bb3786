import { KmsCryptoKeyIamMember } from "@cdktf/provider-google/lib/kms-crypto-key-iam-member";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";

/** Roles on a key that an identity can be given. https://cloud.google.com/kms/docs/reference/permissions-and-roles */
export type KeyRole =
  | "roles/cloudkms.cryptoKeyEncrypter"
  | "roles/cloudkms.cryptoKeyDecrypter"
  | "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  | "roles/cloudkms.signerVerifier";

/**
 * Every permission on a key is given here, additively and once an identity and role.
 * @returns what a consumer waits for
 */
export function grantOnKey(
  grantee: Identity,
  keyId: string,
  keyName: string,
  role: KeyRole,
): readonly ITerraformDependable[] {
  const id = `key-${keyName}-${role.slice(role.lastIndexOf(".") + 1)}`;
  const known = grantee.node.tryFindChild(id) as KmsCryptoKeyIamMember | undefined;
  return [known ?? new KmsCryptoKeyIamMember(grantee, id, { cryptoKeyId: keyId, role, member: grantee.member })];
}
