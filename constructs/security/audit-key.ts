import { KmsCryptoKey } from "@cdktf/provider-google/lib/kms-crypto-key";
import type { KmsKeyRing } from "@cdktf/provider-google/lib/kms-key-ring";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";
import { type Removal, removalPolicy } from "../core/removal";
import { DESTROY_SCHEDULED_DURATION } from "./data-key";
import { grantOnKey } from "./key-grants";

/** The key that signs checkpoints of the log of answers and acts. */
export interface AuditKeyRef {
  /** What a runtime takes as its key: `gcp-kms://` and the version. */
  readonly uri: string;
  /** Lets an identity sign. It never sees the key itself. @returns what a consumer waits for */
  grantSign(grantee: Identity): readonly ITerraformDependable[];
}

/** Refers to a key version that exists, or will, under a known name. */
export function auditKeyFromVersion(versionId: string): AuditKeyRef {
  const keyId = versionId.replace(/\/cryptoKeyVersions\/[^/]+$/, "");
  return {
    uri: `gcp-kms://${versionId}`,
    grantSign: (grantee) => grantOnKey(grantee, keyId, "audit", "roles/cloudkms.signerVerifier"),
  };
}

/** The hospital's own: Ed25519 inside Cloud KMS. One key signs a log for ever, and Cloud KMS rotates none of this kind. */
export class AuditKey extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { ring, removal }: { readonly ring: KmsKeyRing; readonly removal: Removal },
  ) {
    super(scope, id);
    const key = new KmsCryptoKey(this, "key", {
      name: "audit",
      keyRing: ring.id,
      purpose: "ASYMMETRIC_SIGN",
      destroyScheduledDuration: DESTROY_SCHEDULED_DURATION,
      versionTemplate: { algorithm: "EC_SIGN_ED25519", protectionLevel: "SOFTWARE" },
      ...removalPolicy(removal).lifecycle,
    });
    key.overrideLogicalId("audit");
  }
}
