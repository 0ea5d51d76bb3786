import { resourceRule } from "../rule";
import { block, blocks, isGiven, type Json } from "../stack-document";

const BUCKET = ["google_storage_bucket"];
const WEEK = 7 * 24 * 60 * 60;

/** Under a retention period nothing can be replaced or deleted, so that there are no versions. */
const isRetained = (config: Json) => typeof block(config, "retention_policy").retention_period === "number";

/** Whether a bucket empties itself within a month: what is in it was never meant to stay. */
const isScratch = (config: Json) =>
  blocks(config, "lifecycle_rule").some((rule) => {
    const { age, with_state: state = "ANY", ...others } = block(rule, "condition");
    const all = others.matches_prefix === undefined && others.matches_suffix === undefined;
    return (
      block(rule, "action").type === "Delete" && all && typeof age === "number" && age <= 31 && state !== "ARCHIVED"
    );
  });

export const storageRules = [
  resourceRule(
    {
      id: "bucket-uniform-access",
      severity: "high",
      title: "A bucket is opened by IAM alone, not by lists on its objects.",
      checkov: ["CKV_GCP_29"],
      cis: ["5.2"],
      remedy: "Set uniform_bucket_level_access = true and remove ACL resources.",
    },
    [...BUCKET, "google_storage_bucket_acl", "google_storage_default_object_acl", "google_storage_object_acl"],
    ({ type, config }) => {
      if (type !== "google_storage_bucket") return "it is an access list, which uniform access does without";
      return config.uniform_bucket_level_access === true ? undefined : "uniform_bucket_level_access is not true";
    },
  ),
  resourceRule(
    {
      id: "bucket-public-access-prevention",
      severity: "critical",
      title: "A bucket cannot be made public, whatever is granted on it.",
      checkov: ["CKV_GCP_114"],
      cis: ["5.1"],
      remedy: 'Set public_access_prevention = "enforced".',
    },
    BUCKET,
    ({ config }) =>
      config.public_access_prevention === "enforced" ? undefined : 'public_access_prevention is not "enforced"',
  ),
  resourceRule(
    {
      id: "bucket-versioning",
      severity: "medium",
      title: "A bucket keeps what was replaced or deleted.",
      checkov: ["CKV_GCP_78"],
      cis: [],
      remedy: "Set versioning.enabled = true.",
    },
    BUCKET,
    ({ config }) =>
      block(config, "versioning").enabled === true || isRetained(config) ? undefined : "versioning is off",
  ),
  resourceRule(
    {
      id: "bucket-noncurrent-lifecycle",
      severity: "low",
      title: "Replaced versions are deleted some day.",
      checkov: [],
      cis: [],
      remedy: "Add a Delete rule with days_since_noncurrent_time or num_newer_versions.",
    },
    BUCKET,
    ({ config }) => {
      const ends = blocks(config, "lifecycle_rule").some((rule) => {
        const condition = block(rule, "condition");
        const old =
          condition.days_since_noncurrent_time ?? condition.num_newer_versions ?? condition.noncurrent_time_before;
        return block(rule, "action").type === "Delete" && old !== undefined;
      });
      return ends || isRetained(config) ? undefined : "no lifecycle rule deletes versions that were replaced";
    },
  ),
  resourceRule(
    {
      id: "bucket-cmek",
      severity: "high",
      title: "A bucket is encrypted with the hospital's key.",
      checkov: [],
      cis: [],
      remedy: "Set encryption.default_kms_key_name.",
    },
    BUCKET,
    ({ config }) =>
      isGiven(block(config, "encryption").default_kms_key_name)
        ? undefined
        : "encryption.default_kms_key_name is missing",
  ),
  resourceRule(
    {
      id: "bucket-soft-delete",
      severity: "medium",
      title: "What is deleted from a bucket that is kept can be restored for a week or more.",
      checkov: [],
      cis: [],
      remedy:
        "Set soft_delete_policy.retention_duration_seconds to 604800 or more, or declare the bucket disposable (force_destroy).",
    },
    BUCKET,
    ({ config }) => {
      const seconds = block(config, "soft_delete_policy").retention_duration_seconds;
      if (typeof seconds !== "number") return "soft_delete_policy is not written out";
      if (config.force_destroy === true || seconds >= WEEK) return undefined;
      return `what is deleted is gone after ${seconds} s, and the bucket is not declared disposable`;
    },
  ),
  resourceRule(
    {
      id: "bucket-access-log",
      severity: "medium",
      title: "Reads of scans leave a trace in another bucket.",
      checkov: ["CKV_GCP_62", "CKV_GCP_63"],
      cis: [],
      remedy:
        "Set logging.log_bucket to another bucket; where domain-restricted sharing keeps Google's writer out, set usageLogs: false in the line.",
    },
    BUCKET,
    ({ config }) => {
      if (block({ labels: config.labels }, "labels")["data-class"] !== "phi") return undefined;
      const target = block(config, "logging").log_bucket;
      if (!isGiven(target)) return "logging.log_bucket is missing, and the bucket holds patients' data";
      return target === config.name ? "it logs to itself" : undefined;
    },
  ),
  resourceRule(
    {
      id: "warehouse-append-only",
      severity: "critical",
      title:
        "Whoever adds rows to the warehouse can neither replace nor delete one: what is audited cannot rewrite its audit.",
      checkov: [],
      cis: [],
      remedy: "Grant roles/storage.objectCreator on a condition on the folders of the tables (grantAppend).",
    },
    ["google_storage_bucket_iam_member"],
    ({ config: { bucket, role, condition } }) => {
      if (!/-warehouse$|^\$\{google_storage_bucket\.warehouse\./.test(String(bucket))) return undefined;
      if (role === "roles/storage.objectViewer") return undefined;
      if (role !== "roles/storage.objectCreator") return `role is ${role}`;
      return /\/objects\/\w/.test(JSON.stringify(condition ?? "")) ? undefined : "it is granted on all tables at once";
    },
  ),
  resourceRule(
    {
      id: "retention-lock-by-option",
      severity: "high",
      title: "A retention is locked, which nobody can undo, only where an option says so.",
      // CKV2_GCP_4 and CIS 2.3 want the lock: it is the platform's option, and never a default.
      checkov: [],
      cis: [],
      remedy: "Remove the lock, or acknowledge it where the platform's option asks for it.",
    },
    /^google_storage_bucket$|^google_logging_\w+_bucket_config$/,
    ({ config }) =>
      block(config, "retention_policy").is_locked === true || config.locked === true
        ? "its retention policy is locked"
        : undefined,
  ),
  resourceRule(
    {
      id: "prod-retained",
      severity: "high",
      title: "A destroy of a production stack takes no patients' data with it.",
      checkov: [],
      cis: [],
      remedy: "Leave removal at its default; for a planned teardown set allowDestroys in the hospital's line.",
    },
    ["google_storage_bucket", "google_bigquery_dataset"],
    ({ config }) => {
      const labels = block({ labels: config.labels }, "labels");
      if (labels.env !== "prod" || labels["data-class"] !== "phi" || isScratch(config)) return undefined;
      if (config.force_destroy === true) return "force_destroy is true";
      return config.delete_contents_on_destroy === true ? "delete_contents_on_destroy is true" : undefined;
    },
  ),
];
