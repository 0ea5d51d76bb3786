import type { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { bucketName, type HospitalRef } from "../core/naming";
import type { Removal } from "../core/removal";
import type { EncryptionKey } from "../security";
import { allowUsageLogs } from "./bucket-grants";
import { SecureBucket } from "./secure-bucket";

export interface AccessLogBucketProps {
  readonly hospital: HospitalRef;
  readonly key: EncryptionKey;
  readonly removal: Removal;
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** More than a year, so that a yearly review sees all of it. What must be kept for longer is in the audit logs. */
const EXPIRE_AFTER_DAYS = 400;

/** Where the usage logs of a hospital's other buckets go, if it has any. https://cloud.google.com/storage/docs/access-logs */
export class AccessLogBucket extends SecureBucket {
  constructor(scope: Construct, id: string, props: AccessLogBucketProps) {
    super(scope, id, {
      ...props,
      name: bucketName(props.hospital, "access-log"),
      // Names of objects and addresses of who read them.
      dataClass: "metadata",
      noncurrentDays: 30,
      expireAfterDays: EXPIRE_AFTER_DAYS,
      accessLogs: null,
      logicalId: "access_logs",
    });
    if (props.hospital.usageLogs ?? true) allowUsageLogs(this, this.resource.name);
  }
}
