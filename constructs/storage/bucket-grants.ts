import { StorageBucketIamMember } from "@cdktf/provider-google/lib/storage-bucket-iam-member";
import type { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { Access, Grantable } from "../core/declared-access";
import type { Identity } from "../core/identity";
import type { EncryptionKey } from "../security";
import { belowFolders, onlyObjects, readsBelow } from "./place-condition";

/** https://cloud.google.com/storage/docs/access-control/iam-roles */
export type BucketRole = "roles/storage.objectViewer" | "roles/storage.objectCreator" | "roles/storage.objectUser";

/** A bucket that identities can be let into. */
export interface BucketRef extends Grantable {
  grantLook(grantee: Identity, folders: readonly string[]): readonly ITerraformDependable[];
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

/**
 * Every permission on a bucket is given here: additively, to one identity, on the bucket and on the key of its objects. A
 * grant gives what a consumer waits for, until a wider right takes its place; what runs as the identity waits by
 * {@link runsAs}, which knows of that.
 */
export class BucketGrants implements BucketRef {
  readonly name: string;
  readonly uri: string;

  constructor(private readonly props: BucketRefProps) {
    this.name = props.name;
    this.uri = `gs://${props.name}`;
  }

  /** List and read objects. */
  grantRead(grantee: Identity): readonly ITerraformDependable[] {
    return [this.grant(grantee, "read"), ...this.props.key.grantDecrypt(grantee)];
  }

  /**
   * Add objects below some folders, each with a slash at its end, but not below others; the folders of all calls for an
   * identity add up, those that stay closed too.
   */
  grantAppend(
    grantee: Identity,
    folders: readonly string[],
    except: readonly string[] = [],
  ): readonly ITerraformDependable[] {
    return [this.grant(grantee, "append", folders, except), ...this.props.key.grantEncrypt(grantee)];
  }

  /** Write and replace some objects, by their names; those of all calls for an identity add up. */
  grantReplace(grantee: Identity, names: readonly string[]): readonly ITerraformDependable[] {
    return [this.grant(grantee, "replace", names), ...this.props.key.grantEncryptDecrypt(grantee)];
  }

  /** Add objects; replacing one needs the right to delete, which this is not. */
  grantCreate(grantee: Identity): readonly ITerraformDependable[] {
    return [this.grant(grantee, "create"), ...this.props.key.grantEncrypt(grantee)];
  }

  /** Read, add, replace and delete objects. */
  grantWrite(grantee: Identity): readonly ITerraformDependable[] {
    return [this.grant(grantee, "write"), ...this.props.key.grantEncryptDecrypt(grantee)];
  }

  /** Read objects below some folders by their names, and list none. Cloud Storage decrypts by itself. */
  grantLook(grantee: Identity, folders: readonly string[]): readonly ITerraformDependable[] {
    const member = new StorageBucketIamMember(grantee, `${this.props.id}-look`, {
      bucket: this.props.name,
      role: ROLES.read,
      member: grantee.member,
      condition: readsBelow(this.props.name, folders),
    });
    return [member];
  }

  /** One member an identity and right; what a wider right says already is not said again, in whatever order they come. */
  private grant(
    grantee: Identity,
    access: Access,
    places: readonly string[] = [],
    except: readonly string[] = [],
  ): ITerraformDependable {
    if ((access === "append" || access === "replace") && places.length === 0)
      throw new Error(`Nothing in ${this.props.name} is named that may be written: that would be all of it.`);
    const id = (granted: Access) => `${this.props.id}-${granted}`;
    const known = (granted: Access) => grantee.node.tryFindChild(id(granted)) as BucketMember | undefined;
    const wider = WIDER[access].flatMap((granted) => known(granted) ?? [])[0];
    if (wider) return wider;
    for (const lesser of ACCESSES) if (WIDER[lesser].includes(access)) grantee.node.tryRemoveChild(id(lesser));
    const member = known(access) ?? new BucketMember(grantee, id(access), this.props.name, ROLES[access]);
    member.open(places, except, access === "replace" ? onlyObjects : belowFolders);
    return member;
  }
}

const ACCESSES = ["read", "append", "replace", "create", "write"] as const satisfies readonly Access[];

const ROLES: Readonly<Record<Access, BucketRole>> = {
  read: "roles/storage.objectViewer",
  append: "roles/storage.objectCreator",
  // Whoever replaces an object needs the right to delete it.
  replace: "roles/storage.objectUser",
  create: "roles/storage.objectCreator",
  write: "roles/storage.objectUser",
};

/** The rights that include a right. */
const WIDER: Readonly<Record<Access, readonly Access[]>> = {
  read: ["write"],
  append: ["create", "write"],
  replace: ["write"],
  create: ["write"],
  write: [],
};

/** A role of an identity on a bucket: on all of it, or on some folders or objects. */
class BucketMember extends StorageBucketIamMember {
  private readonly places = new Set<string>();
  private readonly closed = new Set<string>();

  constructor(grantee: Identity, id: string, bucket: string, role: BucketRole) {
    super(grantee, id, { bucket, role, member: grantee.member });
  }

  /** Opens some places more. A member that never had one has the whole bucket. */
  open(places: readonly string[], except: readonly string[], condition: typeof belowFolders): void {
    for (const place of places) this.places.add(place);
    for (const place of except) this.closed.add(place);
    if (this.places.size === 0) return;
    this.putCondition(condition(String(this.bucketInput), [...this.places], [...this.closed]));
    // Another condition is another member: the new one is there before the old one goes.
    this.lifecycle = { createBeforeDestroy: true };
  }
}

/** Cloud Storage delivers usage logs as this group of Google's own, which domain-restricted sharing keeps out: `usageLogs: false`. */
const USAGE_LOG_WRITER = "group:cloud-storage-analytics@google.com";

/** Lets Cloud Storage put usage logs into a bucket. It encrypts them itself and needs no right on the key. */
export function allowUsageLogs(scope: Construct, bucket: string): void {
  new StorageBucketIamMember(scope, "usage-logs", {
    bucket,
    role: "roles/storage.objectCreator" satisfies BucketRole,
    member: USAGE_LOG_WRITER,
  });
}

/**
 * Lets an identity add objects below a folder of a bucket that others use too, and list and read those there; it can neither
 * replace nor delete one. Cloud Storage encrypts by itself.
 */
export function allowFolder(grantee: Identity, bucket: string, folder: string): void {
  const { expression } = readsBelow(bucket, [folder]);
  new StorageBucketIamMember(grantee, "archive-create", {
    bucket,
    role: ROLES.create,
    member: grantee.member,
    condition: belowFolders(bucket, [folder]),
  });
  new StorageBucketIamMember(grantee, "archive-read", {
    bucket,
    role: ROLES.read,
    member: grantee.member,
    condition: {
      title: `reads and lists ${folder}`,
      description: "May read objects there, and list them",
      // A list is a right on the bucket.
      expression: `${expression} || api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("${folder}")`,
    },
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
