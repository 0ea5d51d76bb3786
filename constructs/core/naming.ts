import { createHash } from "node:crypto";
import type { BucketName } from "../../runtime/platform/contract";

/** What every name of a hospital's resources is made of. */
export interface HospitalRef {
  /** Short name, e.g. `st-anna`. */
  readonly name: string;
  /** Google Cloud project id. */
  readonly project: string;
  /** The same project's number: service agents are named by it. */
  readonly projectNumber: string;
  readonly region: string;
  /** IAM member that deploys, where it cannot act as every account of the project by itself. */
  readonly deployer?: string | undefined;
  /**
   * Whether Cloud Storage logs every access to the buckets.
   * @default true
   */
  readonly usageLogs?: boolean | undefined;
}

type BucketOwner = Pick<HospitalRef, "name" | "project">;

/** Buckets that hold code, logs and state, not scans. */
export type SystemBucketName = "source" | "staging" | "temp" | "access-log" | "log-archive" | "audit-archive" | "state";

/** https://cloud.google.com/storage/docs/buckets#naming */
export const MAX_BUCKET_NAME_LENGTH = 63;
/** https://cloud.google.com/iam/docs/service-accounts-create */
const MAX_SERVICE_ACCOUNT_ID_LENGTH = 30;

/** `<project>-<hospital>-<bucket>`. Bucket names are global; the project's id is what makes them unique. */
export function bucketName(hospital: BucketOwner, bucket: BucketName | SystemBucketName): string {
  const name = `${hospital.project}-${hospital.name}-${bucket}`;
  const problem = bucketNameProblem(name);
  if (problem) throw new Error(problem);
  return name;
}

/** Why Cloud Storage would refuse this bucket name, as a sentence; undefined if it would not. */
export function bucketNameProblem(name: string): string | undefined {
  if (name.length > MAX_BUCKET_NAME_LENGTH)
    return `The bucket name "${name}" has ${name.length} characters and Cloud Storage allows ${MAX_BUCKET_NAME_LENGTH}: shorten the hospital's name or use a project with a shorter id.`;
  if (!/^[a-z0-9][a-z0-9-]+[a-z0-9]$/.test(name))
    return `The bucket name "${name}" has characters that Cloud Storage does not allow: use lower-case letters, digits and hyphens.`;
  if (name.startsWith("goog") || /g[o0]{2}g[l1]e/.test(name))
    return `The bucket name "${name}" looks like Google's own, which Cloud Storage refuses: choose another name.`;
  return undefined;
}

/**
 * `<hospital>-<role>`; where that exceeds 30 characters the hospital's name is cut and a hash of the whole keeps the id
 * unique.
 */
export function serviceAccountId(hospital: Pick<HospitalRef, "name">, role: string): string {
  const id = `${hospital.name}-${role}`;
  if (id.length <= MAX_SERVICE_ACCOUNT_ID_LENGTH) return id;
  const hash = createHash("sha256").update(id).digest("hex").slice(0, 6);
  const head = hospital.name.slice(0, MAX_SERVICE_ACCOUNT_ID_LENGTH - role.length - hash.length - 2).replace(/-+$/, "");
  return `${head}-${hash}-${role}`;
}

/** `<hospital>-<suffix>`: topics, subscriptions, functions and repositories, which are unique in their project. */
export function resourceName(hospital: Pick<HospitalRef, "name">, suffix: string): string {
  return `${hospital.name}-${suffix}`;
}

/**
 * The address that Cloud Run gives a service for good, by which tokens for it are asked for: the one that it answers with
 * when it is made is of an older form, and not known before. https://cloud.google.com/run/docs/triggering/https-request
 */
export function serviceUrl(hospital: Pick<HospitalRef, "name" | "projectNumber" | "region">, suffix: string): string {
  return `https://${resourceName(hospital, suffix)}-${hospital.projectNumber}.${hospital.region}.run.app`;
}

/** The hospital's BigQuery dataset, whose id has underscores only. */
export function datasetId(hospital: Pick<HospitalRef, "name">): string {
  return `brain_tumor_${hospital.name.replaceAll("-", "_")}`;
}

/** The role of a project by which processes add rows: `projects/P/roles/` and this. */
export const APPENDER_ROLE = "brainTumorAppender";

/** The role of a project by which a schedule starts workflows. */
export const STARTER_ROLE = "brainTumorStarter";

/** The role of a project by which the workflow of a retraining makes machines. */
export const RETRAINER_ROLE = "brainTumorRetrainer";

/** The roles of a project by which a canary is given its share, and by which it is looked at. */
export const RELEASER_ROLE = "brainTumorReleaser";
export const RELEASE_WATCHER_ROLE = "brainTumorReleaseWatcher";

/** A role of the hospital's own project in full. */
export const projectRole = (hospital: Pick<HospitalRef, "project">, role: string): string =>
  `projects/${hospital.project}/roles/${role}`;

/** The key ring that a hospital creates. A ring is never deleted: its name stays taken in its project. */
export function keyRingName(hospital: Pick<HospitalRef, "name">): string {
  return `brain-tumor-${hospital.name}`;
}

/** The long-lived ring of the platform that ephemeral environments of a region share. */
export const SHARED_KEY_RING = "brain-tumor-ephemeral";

/** `projects/P/locations/L/keyRings/R/cryptoKeys/K` */
export function cryptoKeyId(
  hospital: Pick<HospitalRef, "project" | "region">,
  ring: string,
  key: "data" | "pseudonym" | "audit" | "environment-states",
): string {
  return `projects/${hospital.project}/locations/${hospital.region}/keyRings/${ring}/cryptoKeys/${key}`;
}

/** First digits of a hash over a text, for names that change with what they name. */
export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
