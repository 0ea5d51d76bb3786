import { StorageBucket, type StorageBucketLifecycleRule } from "@cdktf/provider-google/lib/storage-bucket";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";
import { type DataClass, dataClass } from "../core/labels";
import { bucketName, type HospitalRef } from "../core/naming";
import { type Removal, removalPolicy } from "../core/removal";
import { acknowledge } from "../policy";
import type { EncryptionKey } from "../security";
import { BucketGrants, type BucketRef } from "./bucket-grants";

export interface SecureBucketProps {
  readonly hospital: HospitalRef;
  /** Global name; see {@link bucketName}. */
  readonly name: string;
  readonly key: EncryptionKey;
  readonly removal: Removal;
  readonly dataClass: DataClass;
  /**
   * Days that a replaced or deleted version is kept.
   * @default 90
   */
  readonly noncurrentDays?: number;
  /**
   * Days after which objects move to cheaper storage that can still be read at once.
   * @default they stay
   */
  readonly nearlineAfterDays?: number;
  /**
   * Days after which objects are deleted.
   * @default never
   */
  readonly expireAfterDays?: number;
  /**
   * Folders, with a slash at their end, whose objects are deleted after some days; a day later no version is left either.
   * @default none
   */
  readonly expireBelow?: readonly { readonly folder: string; readonly days: number }[];
  /**
   * Why what is deleted is gone at once, and cannot be restored.
   * @default it can be, for the days of the removal policy
   */
  readonly forGood?: string;
  /**
   * Keep what is replaced or deleted as a noncurrent version.
   * @default true
   */
  readonly versioned?: boolean;
  /**
   * Days in which nobody can replace or delete an object. A locked period can never be shortened or taken away again.
   * @default none
   */
  readonly retention?: { readonly days: number; readonly locked: boolean };
  /**
   * Bucket that is told of every access.
   * @default the hospital's bucket of access logs, if it has usage logs; null for that bucket itself
   */
  readonly accessLogs?: string | null;
  /**
   * The bucket's address in Terraform, which it keeps for good.
   * @default the construct's id
   */
  readonly logicalId?: string;
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

const DEFAULT_NONCURRENT_DAYS = 90;
const SECONDS_A_DAY = 24 * 60 * 60;

/**
 * A bucket as this project has them: versioned, uniform access, never public, encrypted with the hospital's key, every
 * access logged. Unless it says so, nothing current is ever deleted by a rule; versions that were replaced are, after a
 * while.
 */
export class SecureBucket extends Construct implements BucketRef {
  readonly name: string;
  readonly uri: string;
  readonly resource: StorageBucket;
  private readonly grants: BucketGrants;

  constructor(scope: Construct, id: string, props: SecureBucketProps) {
    super(scope, id);
    const removal = removalPolicy(props.removal);
    const { usageLogs = true } = props.hospital;
    const hospitalsOwn = usageLogs ? bucketName(props.hospital, "access-log") : null;
    const accessLogs = props.accessLogs === undefined ? hospitalsOwn : props.accessLogs;
    this.resource = new StorageBucket(this, "bucket", {
      project: props.hospital.project,
      name: props.name,
      location: props.hospital.region,
      storageClass: "STANDARD",
      uniformBucketLevelAccess: true,
      publicAccessPrevention: "enforced",
      versioning: { enabled: props.versioned ?? true },
      ...(props.retention
        ? {
            retentionPolicy: {
              retentionPeriod: props.retention.days * SECONDS_A_DAY,
              isLocked: props.retention.locked,
            },
          }
        : {}),
      ...(accessLogs === null ? {} : { logging: { logBucket: accessLogs, logObjectPrefix: props.name } }),
      encryption: { defaultKmsKeyName: props.key.id },
      softDeletePolicy: { retentionDurationSeconds: props.forGood === undefined ? removal.softDeleteSeconds : 0 },
      lifecycleRule: lifecycleRules(props),
      labels: dataClass(props.dataClass),
      forceDestroy: removal.forceDestroy,
      dependsOn: [...props.key.ready, ...(props.dependsOn ?? [])],
      ...removal.lifecycle,
    });
    // A stateful resource keeps its address when constructs are moved or renamed.
    this.resource.overrideLogicalId(props.logicalId ?? id);
    if (props.forGood !== undefined && !removal.forceDestroy)
      acknowledge(this.resource, "bucket-soft-delete", props.forGood);
    this.name = props.name;
    this.grants = new BucketGrants({ id, name: this.resource.name, key: props.key });
    this.uri = `gs://${props.name}`;
  }

  grantRead(grantee: Identity): readonly ITerraformDependable[] {
    return this.grants.grantRead(grantee);
  }

  grantAppend(
    grantee: Identity,
    folders: readonly string[],
    except?: readonly string[],
  ): readonly ITerraformDependable[] {
    return this.grants.grantAppend(grantee, folders, except);
  }

  grantLook(grantee: Identity, folders: readonly string[]): readonly ITerraformDependable[] {
    return this.grants.grantLook(grantee, folders);
  }

  grantReplace(grantee: Identity, names: readonly string[]): readonly ITerraformDependable[] {
    return this.grants.grantReplace(grantee, names);
  }

  grantCreate(grantee: Identity): readonly ITerraformDependable[] {
    return this.grants.grantCreate(grantee);
  }

  grantWrite(grantee: Identity): readonly ITerraformDependable[] {
    return this.grants.grantWrite(grantee);
  }
}

function lifecycleRules(props: SecureBucketProps): StorageBucketLifecycleRule[] {
  const rules: StorageBucketLifecycleRule[] = [];
  if (props.versioned ?? true)
    rules.push({
      action: { type: "Delete" },
      condition: {
        daysSinceNoncurrentTime: props.noncurrentDays ?? DEFAULT_NONCURRENT_DAYS,
        withState: "ARCHIVED",
      },
    });
  rules.push({ action: { type: "AbortIncompleteMultipartUpload" }, condition: { age: 7, withState: "ANY" } });
  if (props.nearlineAfterDays !== undefined)
    rules.push({
      action: { type: "SetStorageClass", storageClass: "NEARLINE" },
      condition: { age: props.nearlineAfterDays, matchesStorageClass: ["STANDARD"], withState: "LIVE" },
    });
  if (props.expireAfterDays !== undefined)
    rules.push({ action: { type: "Delete" }, condition: { age: props.expireAfterDays, withState: "LIVE" } });
  for (const { folder, days } of props.expireBelow ?? [])
    rules.push(
      { action: { type: "Delete" }, condition: { age: days, matchesPrefix: [folder], withState: "LIVE" } },
      {
        action: { type: "Delete" },
        condition: { daysSinceNoncurrentTime: 1, matchesPrefix: [folder], withState: "ARCHIVED" },
      },
    );
  return rules;
}
