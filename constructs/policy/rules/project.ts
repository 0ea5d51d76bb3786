import { resourceRule, stackRule } from "../rule";
import { block, blocks, record, type StackDocument, strings } from "../stack-document";

/** A stack that switches a project's APIs on is the one that owns what a project has once. */
const ownsProject = ({ resources }: StackDocument) => resources.some(({ type }) => type === "google_project_service");

const LOG_TYPES = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"];
const REQUIRED_LABELS = ["env", "owner", "data-class"];

/** What of this project's kinds of resources can carry labels. */
const LABELLED =
  /^google_(?:artifact_registry_repository|bigquery_(?:dataset|table)|cloud_run_v2_(?:service|job)|cloudfunctions2_function|compute_(?:disk|instance|instance_template|region_instance_template)|dataproc_(?:cluster|workflow_template)|healthcare_(?:dicom|fhir)_store|kms_crypto_key|pubsub_(?:topic|subscription)|secret_manager_secret|storage_bucket|workflows_workflow)$/;

export const projectRules = [
  stackRule(
    {
      id: "audit-config",
      severity: "high",
      title: "Every read and write in the project is logged, nobody exempted.",
      checkov: ["CKV2_GCP_5"],
      cis: ["2.1"],
      remedy: "Add google_project_iam_audit_config for allServices with ADMIN_READ, DATA_READ and DATA_WRITE.",
    },
    (stack) => {
      if (!ownsProject(stack)) return undefined;
      const all = stack.resources.filter(
        ({ type, config }) => type === "google_project_iam_audit_config" && config.service === "allServices",
      );
      const logs = all.flatMap(({ config }) => blocks(config, "audit_log_config"));
      const missing = LOG_TYPES.filter((wanted) => !logs.some(({ log_type }) => log_type === wanted));
      if (missing.length > 0) return `it owns a project and has no audit log of ${missing.join(", ")} for allServices`;
      const exempted = logs.flatMap(({ exempted_members }) => strings(exempted_members));
      return exempted.length === 0 ? undefined : `the audit log leaves out ${exempted.join(", ")}`;
    },
  ),
  stackRule(
    {
      id: "log-sink",
      severity: "medium",
      title: "Audit logs leave the project for the archive.",
      checkov: [],
      cis: ["2.2"],
      remedy: "Add a google_logging_project_sink to the platform's log archive.",
    },
    (stack) =>
      !ownsProject(stack) || stack.resources.some(({ type }) => type === "google_logging_project_sink")
        ? undefined
        : "it owns a project and has no log sink",
  ),
  stackRule(
    {
      id: "budget",
      severity: "low",
      title: "A project has a budget that warns.",
      checkov: [],
      cis: [],
      remedy: "Name the billing account in the hospital's line, so that the stack can make a budget.",
    },
    (stack) =>
      !ownsProject(stack) || stack.resources.some(({ type }) => type === "google_billing_budget")
        ? undefined
        : "it owns a project and has no google_billing_budget",
  ),
  resourceRule(
    {
      id: "perimeter-enforced",
      severity: "high",
      title: "A project that joins a perimeter is held by it.",
      checkov: [],
      cis: [],
      remedy:
        "Use google_access_context_manager_service_perimeter_resource: a dry run only writes down what it would stop.",
    },
    /^google_access_context_manager_service_perimeter(?:_dry_run)?_resource$/,
    ({ type, config }) => {
      if (type.includes("_dry_run_")) return "it joins the dry run of a perimeter";
      return /^projects\/\d+$/.test(String(config.resource)) ? undefined : "resource is not projects/NUMBER";
    },
  ),
  resourceRule(
    {
      id: "org-policy-restricts",
      severity: "high",
      title: "An organisation policy of the project forbids something, always.",
      checkov: [],
      cis: [],
      remedy:
        'Set spec.rules to enforce = "TRUE", deny_all = "TRUE" or allowed values, without reset and without a condition.',
    },
    ["google_org_policy_policy"],
    ({ config }) => {
      const spec = block(config, "spec");
      const rules = blocks(spec, "rules");
      if (rules.length === 0) return "spec has no rules";
      if (spec.reset === true) return "it resets what stands above it";
      const loose = rules.some(
        (rule) =>
          blocks(rule, "condition").length > 0 ||
          (rule.enforce !== "TRUE" &&
            rule.deny_all !== "TRUE" &&
            strings(block(rule, "values").allowed_values).length === 0),
      );
      return loose ? "a rule of it forbids nothing, or not always" : undefined;
    },
  ),
  resourceRule(
    {
      id: "labels",
      severity: "low",
      title: "What costs money says whose it is and what it holds.",
      checkov: [],
      cis: ["7.4"],
      remedy:
        "Let the stack's label aspect visit it: labels hospital, env, owner, data-class, for an ephemeral one expires-at.",
    },
    LABELLED,
    ({ config }) => {
      const labels = record(config.labels);
      const wanted = [...REQUIRED_LABELS, ...(labels.env === "ephemeral" ? ["expires-at"] : [])];
      const missing = wanted.filter((label) => typeof labels[label] !== "string" || labels[label] === "");
      return missing.length === 0 ? undefined : `labels lack ${missing.join(", ")}`;
    },
  ),
  resourceRule(
    {
      id: "bigquery-deletion-protection",
      severity: "high",
      title: "A table that is kept cannot be deleted by a plan.",
      checkov: ["CKV_GCP_121"],
      cis: [],
      remedy: "Set deletion_protection = true, or acknowledge it where the hospital's line says removal: destroy.",
    },
    ["google_bigquery_table"],
    // A view holds nothing.
    ({ config }) =>
      config.deletion_protection === false && block(config, "view").query === undefined
        ? "deletion_protection is false"
        : undefined,
  ),
];
