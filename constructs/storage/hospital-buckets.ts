import { Construct } from "constructs";
import { BUCKETS, type BucketName } from "../../runtime/platform/contract";
import type { ITerraformDependable } from "../core/cdktf";
import { bucketName, type HospitalRef } from "../core/naming";
import type { Removal } from "../core/removal";
import type { EncryptionKey } from "../security";
import { AccessLogBucket } from "./access-log-bucket";
import { BucketGrants, type BucketRef } from "./bucket-grants";
import { SecureBucket, type SecureBucketProps } from "./secure-bucket";

export type BucketRefs = Readonly<Record<BucketName, BucketRef>>;

/** How a bucket differs from the defaults. */
const RULES: Readonly<Record<BucketName, Pick<SecureBucketProps, "noncurrentDays" | "nearlineAfterDays">>> = {
  // Originals are read once, when they land, and kept for good.
  landing: { nearlineAfterDays: 90 },
  curated: {},
  quarantine: { nearlineAfterDays: 90 },
  // Made again from curated by one command.
  processed: { noncurrentDays: 30 },
  models: {},
  reports: {},
  // Rows are the audit trail: what replaced one stays recognisable for a year.
  warehouse: { noncurrentDays: 365 },
};

/** Where `serve` keeps pixels and map of its answers, and for a day the answers under the keys of requests. */
const ANSWERS = "answers/";
const KEYS = { folder: "idempotency/", days: 1 };

export interface HospitalBucketsProps {
  readonly hospital: HospitalRef;
  readonly key: EncryptionKey;
  readonly removal: Removal;
  /**
   * Days that what is kept of an answer stays in the bucket of reports, below {@link ANSWERS}.
   * @default it stays
   */
  readonly keepAnswersDays?: number;
  /**
   * Days that landed files stay, below {@link LANDED}.
   * @default for good
   */
  readonly landingDays?: number | undefined;
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** The buckets that hold one hospital's scans and all that is made of them, and the one that logs who accessed them. */
export class HospitalBuckets extends Construct {
  readonly buckets: Readonly<Record<BucketName, SecureBucket>>;
  readonly accessLogs: AccessLogBucket;

  constructor(scope: Construct, id: string, props: HospitalBucketsProps) {
    super(scope, id);
    this.accessLogs = new AccessLogBucket(this, "access-logs", props);
    const made = BUCKETS.map((bucket) => [
      bucket,
      new SecureBucket(this, bucket, {
        ...props,
        ...RULES[bucket],
        ...(bucket === "reports" ? { expireBelow: expiring(props.keepAnswersDays) } : {}),
        ...(bucket === "landing" && props.landingDays !== undefined ? leaving(props.landingDays) : {}),
        dependsOn: [...(props.dependsOn ?? []), this.accessLogs.resource],
        name: bucketName(props.hospital, bucket),
        dataClass: "phi",
      }),
    ]);
    this.buckets = Object.fromEntries(made) as Record<BucketName, SecureBucket>;
  }
}

/** Folders of scans and of their lesion masks; what says more about them stays. */
const LANDED = ["Cancer/", "Non-Cancer/", "Unlabelled/", "masks/"];

const leaving = (days: number) => ({
  expireBelow: LANDED.map((folder) => ({ folder, days })),
  forGood:
    "The hospital's line says for how many days landed files are kept: what a rule deletes then is not to be restored.",
});

const expiring = (answersDays: number | undefined) => [
  ...(answersDays === undefined ? [] : [{ folder: ANSWERS, days: answersDays }]),
  KEYS,
];

/** The same buckets by their names alone: what a stack uses that does not own them. */
export function hospitalBucketsFromNames(hospital: HospitalRef, key: EncryptionKey): BucketRefs {
  const refs = BUCKETS.map((bucket) => [
    bucket,
    new BucketGrants({ id: bucket, name: bucketName(hospital, bucket), key }),
  ]);
  return Object.fromEntries(refs) as Record<BucketName, BucketRef>;
}
