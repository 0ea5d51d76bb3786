import { StorageBucketIamMember } from "@cdktf/provider-google/lib/storage-bucket-iam-member";
import type { Construct } from "constructs";
import type { Access, Grantable } from "../core/declared-access";
import type { Identity } from "../core/identity";
import type { EncryptionKey } from "../security";

/** https://cloud.google.com/storage/docs/access-control/iam-roles */
export type BucketRole = "roles/storage.objectViewer" | "roles/storage.objectCreator" | "roles/storage.objectUser";

/** A bucket that identities can be let into. */
export interface BucketRef extends Grantable {
  readonly name: string;
  /** `gs://<name>` */
  readonly uri: string;
}

export interface BucketRefProps {
  /** Short name, which the grants' logical ids carry. */
  readonly id: string;
  readonly name: string;
  readonly key: EncryptionKey;
}

/** Every permission on a bucket is given here: additively, to one identity, on the bucket and on the key of its objects. */
export class BucketGrants implements BucketRef {
  readonly name: string;
  readonly uri: string;

  constructor(private readonly props: BucketRefProps) {
    this.name = props.name;
    this.uri = `gs://${props.name}`;
  }

  /** List and read objects. */
  grantRead(grantee: Identity): void {
    this.grant(grantee, "read", "roles/storage.objectViewer");
    this.props.key.grantDecrypt(grantee);
  }

  /** Add objects; replacing one needs the right to delete, which this is not. */
  grantCreate(grantee: Identity): void {
    this.grant(grantee, "create", "roles/storage.objectCreator");
    this.props.key.grantEncrypt(grantee);
  }

  /** Read, add, replace and delete objects. */
  grantWrite(grantee: Identity): void {
    this.grant(grantee, "write", "roles/storage.objectUser");
    this.props.key.grantEncryptDecrypt(grantee);
  }

  private grant(grantee: Identity, access: Access, role: BucketRole): void {
    const id = (granted: Access) => `${this.props.id}-${granted}`;
    // Who may write may read and create: no second role, in whatever order the grants come.
    if (grantee.node.tryFindChild(id(access)) || grantee.node.tryFindChild(id("write"))) return;
    if (access === "write") for (const lesser of ["read", "create"] as const) grantee.node.tryRemoveChild(id(lesser));
    new StorageBucketIamMember(grantee, id(access), { bucket: this.props.name, role, member: grantee.member });
  }
}

/** Cloud Storage delivers usage logs as this group of Google's own. */
const USAGE_LOG_WRITER = "group:cloud-storage-analytics@google.com";

/** Lets Cloud Storage put usage logs into a bucket. It encrypts them itself and needs no right on the key. */
export function allowUsageLogs(scope: Construct, bucket: string): void {
  new StorageBucketIamMember(scope, "usage-logs", {
    bucket,
    role: "roles/storage.objectCreator" satisfies BucketRole,
    member: USAGE_LOG_WRITER,
  });
}

/** Lets a log sink, or the service agent behind all sinks of a project, put log entries into a bucket. */
export function allowLogSink(scope: Construct, id: string, bucket: string, writer: string): StorageBucketIamMember {
  return new StorageBucketIamMember(scope, id, {
    bucket,
    role: "roles/storage.objectCreator" satisfies BucketRole,
    member: writer,
  });
}
