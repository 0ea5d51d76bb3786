import { KmsKeyRing } from "@cdktf/provider-google/lib/kms-key-ring";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { cryptoKeyId, type HospitalRef, keyRingName, SHARED_KEY_RING } from "../core/naming";
import { type Removal, removalPolicy } from "../core/removal";
import { AuditKey, type AuditKeyRef, auditKeyFromVersion } from "./audit-key";
import { DataKey, type EncryptionKey, encryptionKeyFromId, KeyAgentGrants } from "./data-key";
import { PseudonymKey, type PseudonymKeyRef, pseudonymKeyFromVersion } from "./pseudonym-key";

/** Which keys a hospital uses. */
export interface KeyChoice {
  /**
   * An existing encryption key, in full.
   * @default the hospital's own key
   */
  readonly kmsKey?: string | undefined;
  /**
   * An existing MAC key version, in full.
   * @default the hospital's own key
   */
  readonly pseudonymKey?: string | undefined;
  /**
   * An existing signing key version, in full.
   * @default the hospital's own key
   */
  readonly auditKey?: string | undefined;
  /**
   * Use the long-lived ring of a project in place of own keys: a ring is never deleted, and an ephemeral environment would
   * leave one behind.
   */
  readonly shared: false | { readonly project: string };
}

export interface KeyRefs {
  readonly data: EncryptionKey;
  readonly pseudonym: PseudonymKeyRef;
  /** Undefined where keys are shared: of an environment that expires, nothing is sealed. */
  readonly audit: AuditKeyRef | undefined;
}

/** The keys of a hospital by their names alone: what a stack uses that does not own them. */
export function hospitalKeysFromNames(hospital: HospitalRef, choice: KeyChoice): KeyRefs {
  const ring = choice.shared ? SHARED_KEY_RING : keyRingName(hospital);
  const owner = choice.shared ? { project: choice.shared.project, region: hospital.region } : hospital;
  return {
    data: encryptionKeyFromId(choice.kmsKey ?? cryptoKeyId(owner, ring, "data")),
    pseudonym: pseudonymKeyFromVersion(
      choice.pseudonymKey ?? `${cryptoKeyId(owner, ring, "pseudonym")}/cryptoKeyVersions/1`,
    ),
    audit: choice.shared
      ? undefined
      : auditKeyFromVersion(choice.auditKey ?? `${cryptoKeyId(owner, ring, "audit")}/cryptoKeyVersions/1`),
  };
}

export interface HospitalKeysProps extends KeyChoice {
  readonly hospital: HospitalRef;
  readonly removal: Removal;
  readonly dependsOn: readonly ITerraformDependable[];
}

/** Owns the keys that the hospital does not bring: ring, encryption key, pseudonym key and audit key. */
export class HospitalKeys extends Construct implements KeyRefs {
  readonly data: EncryptionKey;
  readonly pseudonym: PseudonymKeyRef;
  readonly audit: AuditKeyRef | undefined;

  constructor(scope: Construct, id: string, props: HospitalKeysProps) {
    super(scope, id);
    const { hospital, removal } = props;
    const names = hospitalKeysFromNames(hospital, props);
    this.data = names.data;
    this.pseudonym = names.pseudonym;
    this.audit = names.audit;
    if (props.kmsKey) {
      const { kmsKey: keyId, dependsOn } = props;
      this.data = encryptionKeyFromId(keyId, new KeyAgentGrants(this, "agents", { hospital, keyId, dependsOn }).all);
    }
    // Shared keys and the grants on them belong to whoever owns the project: several environments stand on them.
    if (props.shared || (props.kmsKey && props.pseudonymKey && props.auditKey)) return;

    const ring = new KmsKeyRing(this, "ring", {
      project: hospital.project,
      name: keyRingName(hospital),
      location: hospital.region,
      dependsOn: [...props.dependsOn],
      ...removalPolicy(removal).lifecycle,
    });
    ring.overrideLogicalId("hospital");
    if (!props.kmsKey) this.data = new DataKey(this, "data", { hospital, ring, keyId: names.data.id, removal });
    if (!props.pseudonymKey) new PseudonymKey(this, "pseudonym", { ring, removal });
    if (!props.auditKey) new AuditKey(this, "audit", { ring, removal });
  }
}
