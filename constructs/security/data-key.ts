import { KmsCryptoKey } from "@cdktf/provider-google/lib/kms-crypto-key";
import { KmsCryptoKeyIamMember } from "@cdktf/provider-google/lib/kms-crypto-key-iam-member";
import type { KmsKeyRing } from "@cdktf/provider-google/lib/kms-key-ring";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";
import type { HospitalRef } from "../core/naming";
import { type Removal, removalPolicy } from "../core/removal";
import { SERVICE_AGENTS, type ServiceAgent, serviceAgentMember } from "../core/service-agents";
import { grantOnKey } from "./key-grants";

/** 90 days. */
export const ROTATION_PERIOD = "7776000s";
/** How long a destroyed version can be restored: 30 days. Fixed at creation, so it does not depend on the removal. */
export const DESTROY_SCHEDULED_DURATION = "2592000s";

/** A key that encrypts what is stored (CMEK). */
export interface EncryptionKey {
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K`, always known while synthesizing. */
  readonly id: string;
  /** What must exist before the first resource that is encrypted with the key: put it into `dependsOn`. */
  readonly ready: readonly ITerraformDependable[];
  /** Each grant gives what a consumer waits for. */
  grantDecrypt(grantee: Identity): readonly ITerraformDependable[];
  grantEncrypt(grantee: Identity): readonly ITerraformDependable[];
  grantEncryptDecrypt(grantee: Identity): readonly ITerraformDependable[];
}

/** Refers to a key that these stacks do not own. */
export function encryptionKeyFromId(id: string, ready: readonly ITerraformDependable[] = []): EncryptionKey {
  return {
    id,
    ready,
    grantDecrypt: (grantee) => grantOnKey(grantee, id, "data", "roles/cloudkms.cryptoKeyDecrypter"),
    grantEncrypt: (grantee) => grantOnKey(grantee, id, "data", "roles/cloudkms.cryptoKeyEncrypter"),
    grantEncryptDecrypt: (grantee) => grantOnKey(grantee, id, "data", "roles/cloudkms.cryptoKeyEncrypterDecrypter"),
  };
}

/**
 * Lets the service agents that store something for this hospital use a key. A bucket or topic that comes before its
 * agent's grant fails to be created: hence {@link EncryptionKey.ready}.
 */
export class KeyAgentGrants extends Construct {
  readonly all: readonly ITerraformDependable[];

  constructor(
    scope: Construct,
    id: string,
    props: {
      /** Whose project the agents belong to. */
      readonly hospital: Pick<HospitalRef, "projectNumber">;
      readonly keyId: string;
      /** @default every agent that stores something for a hospital */
      readonly agents?: readonly ServiceAgent[];
      readonly dependsOn?: readonly ITerraformDependable[];
    },
  ) {
    super(scope, id);
    this.all = (props.agents ?? SERVICE_AGENTS).map(
      (agent) =>
        new KmsCryptoKeyIamMember(this, agent, {
          cryptoKeyId: props.keyId,
          role: "roles/cloudkms.cryptoKeyEncrypterDecrypter",
          member: serviceAgentMember(props.hospital, agent),
          dependsOn: [...(props.dependsOn ?? [])],
        }),
    );
  }
}

export interface DataKeyProps {
  /** Whose project the service agents belong to. */
  readonly hospital: Pick<HospitalRef, "projectNumber">;
  readonly ring: KmsKeyRing;
  /** The id that the key will have, by the naming contract; its last part is the key's name. */
  readonly keyId: string;
  readonly removal: Removal;
  /** @default every agent that stores something for a hospital */
  readonly agents?: readonly ServiceAgent[];
  /** @default data */
  readonly logicalId?: string;
}

/** The hospital's own encryption key: rotated every 90 days, and usable by the agents that store its data. */
export class DataKey extends Construct implements EncryptionKey {
  readonly id: string;
  readonly ready: readonly ITerraformDependable[];
  private readonly reference: EncryptionKey;

  constructor(scope: Construct, id: string, props: DataKeyProps) {
    super(scope, id);
    const key = new KmsCryptoKey(this, "key", {
      name: props.keyId.slice(props.keyId.lastIndexOf("/") + 1),
      keyRing: props.ring.id,
      purpose: "ENCRYPT_DECRYPT",
      rotationPeriod: ROTATION_PERIOD,
      destroyScheduledDuration: DESTROY_SCHEDULED_DURATION,
      versionTemplate: { algorithm: "GOOGLE_SYMMETRIC_ENCRYPTION", protectionLevel: "SOFTWARE" },
      ...removalPolicy(props.removal).lifecycle,
    });
    key.overrideLogicalId(props.logicalId ?? "data");
    const grants = new KeyAgentGrants(this, "agents", {
      hospital: props.hospital,
      keyId: key.id,
      ...(props.agents ? { agents: props.agents } : {}),
    });
    this.id = props.keyId;
    this.ready = grants.all;
    this.reference = encryptionKeyFromId(props.keyId, grants.all);
  }

  grantDecrypt(grantee: Identity): readonly ITerraformDependable[] {
    return this.reference.grantDecrypt(grantee);
  }

  grantEncrypt(grantee: Identity): readonly ITerraformDependable[] {
    return this.reference.grantEncrypt(grantee);
  }

  grantEncryptDecrypt(grantee: Identity): readonly ITerraformDependable[] {
    return this.reference.grantEncryptDecrypt(grantee);
  }
}
