import { resourceRule } from "../rule";
import { block, blocks, isGiven, type Json, record, strings } from "../stack-document";
import { clusterConfig, DATAPROC } from "./dataproc";

const missing = (name: string) => `${name} is missing`;
const given = (value: unknown, name: string) => (isGiven(value) ? undefined : missing(name));

const GRANT = /_iam_(?:member|binding)$/;
const KEY_ROLE = /^roles\/cloudkms\./;
/** Roles by which a key is used or looked at; every other one of Cloud KMS changes keys, or who may use them. */
const KEY_USE =
  /^roles\/cloudkms\.(?:viewer|publicKeyViewer|cryptoOperator|signer|verifier|signerVerifier|cryptoKey(?:Encrypter|Decrypter|EncrypterDecrypter)(?:ViaDelegation)?)$/;
/** The same for single permissions. https://cloud.google.com/kms/docs/reference/permissions-and-roles */
const KEY_USE_PERMISSION = /\.(?:get|list|getIamPolicy|viewPublicKey|useTo(?!Import)\w+)$/;

const MAX_ROTATION_SECONDS = 90 * 24 * 60 * 60;

const cmek = (service: string, id: string, checkov: readonly string[], cis: readonly string[], argument: string) => ({
  id,
  severity: "high" as const,
  title: `${service} encrypted with the hospital's key.`,
  checkov,
  cis,
  remedy: `Set ${argument}, after the grant of the service agent on the key.`,
});

export const encryptionRules = [
  resourceRule(
    cmek(
      "A BigQuery dataset is",
      "bigquery-dataset-cmek",
      ["CKV_GCP_81"],
      ["7.3"],
      "default_encryption_configuration.kms_key_name",
    ),
    ["google_bigquery_dataset"],
    ({ config }) =>
      given(
        block(config, "default_encryption_configuration").kms_key_name,
        "default_encryption_configuration.kms_key_name",
      ),
  ),
  resourceRule(
    cmek(
      "A BigQuery table is",
      "bigquery-table-cmek",
      ["CKV_GCP_80"],
      ["7.2"],
      "encryption_configuration.kms_key_name",
    ),
    ["google_bigquery_table"],
    // A view stores nothing.
    ({ config }) =>
      config.view !== undefined
        ? undefined
        : given(block(config, "encryption_configuration").kms_key_name, "encryption_configuration.kms_key_name"),
  ),
  resourceRule(
    cmek("A Pub/Sub topic is", "pubsub-topic-cmek", ["CKV_GCP_83"], [], "kms_key_name"),
    ["google_pubsub_topic"],
    ({ config }) => given(config.kms_key_name, "kms_key_name"),
  ),
  resourceRule(
    cmek("An Artifact Registry repository is", "artifact-registry-cmek", ["CKV_GCP_84"], [], "kms_key_name"),
    ["google_artifact_registry_repository"],
    ({ config }) => given(config.kms_key_name, "kms_key_name"),
  ),
  resourceRule(
    cmek("A Cloud Function is", "function-cmek", [], [], "kms_key_name"),
    ["google_cloudfunctions2_function", "google_cloudfunctions_function"],
    ({ config }) => given(config.kms_key_name, "kms_key_name"),
  ),
  resourceRule(
    cmek("A Cloud Run service or job is", "run-cmek", [], [], "template.encryption_key"),
    ["google_cloud_run_v2_service", "google_cloud_run_v2_job"],
    ({ type, config }) =>
      given(
        block(config, type.endsWith("_job") ? "template.template" : "template").encryption_key,
        "the template's encryption_key",
      ),
  ),
  resourceRule(
    cmek("A disk is", "disk-cmek", ["CKV_GCP_37", "CKV_GCP_38"], ["4.7"], "disk_encryption_key.kms_key_self_link"),
    /^google_compute_(?:disk|region_disk|instance|instance_template|region_instance_template)$/,
    ({ type, config }) => {
      if (type.endsWith("_disk")) {
        const key = block(config, "disk_encryption_key");
        return given(key.kms_key_self_link, "disk_encryption_key.kms_key_self_link");
      }
      if (type === "google_compute_instance") {
        const disks = [...blocks(config, "boot_disk"), ...blocks(config, "attached_disk")];
        return disks.every((disk) => isGiven(disk.kms_key_self_link))
          ? undefined
          : missing("boot_disk.kms_key_self_link");
      }
      const open = (disk: Json) => !isGiven(block(disk, "disk_encryption_key").kms_key_self_link);
      return blocks(config, "disk").some(open) ? missing("disk.disk_encryption_key.kms_key_self_link") : undefined;
    },
  ),
  resourceRule(
    cmek("A Dataproc cluster is", "dataproc-cmek", ["CKV_GCP_91"], ["8.1"], "the cluster's encryption_config"),
    DATAPROC,
    (resource) => {
      const cluster = clusterConfig(resource);
      if (!cluster) return undefined;
      const { kms_key_name, gce_pd_kms_key_name } = block(cluster, "encryption_config");
      return isGiven(kms_key_name) || isGiven(gce_pd_kms_key_name)
        ? undefined
        : "the cluster's encryption_config names no key";
    },
  ),
  resourceRule(
    cmek("A secret is", "secret-cmek", [], [], "customer_managed_encryption of its replication"),
    ["google_secret_manager_secret"],
    ({ config }) => {
      const auto = block(config, "replication.auto.customer_managed_encryption");
      const replicas = blocks(block(config, "replication.user_managed"), "replicas");
      const keys = [
        ...(replicas.length === 0 ? [auto] : []),
        ...replicas.map((one) => block(one, "customer_managed_encryption")),
      ];
      return keys.every((key) => isGiven(key.kms_key_name)) ? undefined : missing("customer_managed_encryption");
    },
  ),
  resourceRule(
    cmek("A workflow is", "workflow-cmek", [], [], "crypto_key_name"),
    ["google_workflows_workflow"],
    ({ config }) => given(config.crypto_key_name, "crypto_key_name"),
  ),
  resourceRule(
    {
      id: "kms-administration",
      severity: "critical",
      title:
        "No stack hands out the administration of keys: who can change a key can lock everybody out, or let anybody in.",
      checkov: [],
      cis: ["1.11"],
      remedy: "Leave it to whoever owns the project, and grant the role by which the key is used.",
    },
    /_iam_(?:member|binding|custom_role)$/,
    ({ config }) => {
      const role = strings(config.role).find((given) => KEY_ROLE.test(given) && !KEY_USE.test(given));
      if (role !== undefined) return `role is ${role}`;
      const permission = strings(config.permissions).find(
        (given) => given.startsWith("cloudkms.") && !KEY_USE_PERMISSION.test(given),
      );
      return permission === undefined ? undefined : `its permissions have ${permission}`;
    },
  ),
  resourceRule(
    {
      id: "kms-users",
      severity: "critical",
      title: "Keys are used by service accounts alone: no person, group or stranger decrypts.",
      checkov: [],
      cis: ["1.11"],
      remedy: "Grant the role to the identity of the workload; people see what it shows them.",
    },
    GRANT,
    ({ config }) => {
      if (!strings(config.role).some((role) => KEY_ROLE.test(role))) return undefined;
      const other = [...strings(config.member), ...strings(config.members)].find(
        (member) => !/^serviceAccount:|^\$\{/.test(member),
      );
      return other === undefined ? undefined : `${other} has ${strings(config.role).join(", ")}`;
    },
  ),
  resourceRule(
    {
      id: "kms-rotation",
      severity: "high",
      title: "An encryption key is rotated every 90 days or sooner.",
      checkov: ["CKV_GCP_43"],
      cis: ["1.10"],
      remedy: 'Set rotation_period to "7776000s" or less.',
    },
    ["google_kms_crypto_key"],
    ({ config }) => {
      // Cloud KMS rotates no key of another purpose.
      if ((config.purpose ?? "ENCRYPT_DECRYPT") !== "ENCRYPT_DECRYPT") return undefined;
      const seconds = /^(\d+)s$/.exec(String(config.rotation_period ?? ""))?.[1];
      if (seconds === undefined) return missing("rotation_period");
      return Number(seconds) <= MAX_ROTATION_SECONDS ? undefined : `rotation_period is ${seconds} s, more than 90 days`;
    },
  ),
  resourceRule(
    {
      id: "kms-prevent-destroy",
      severity: "high",
      title: "A key cannot be destroyed by a plan: without it, what it encrypted is lost.",
      checkov: ["CKV_GCP_82"],
      cis: [],
      remedy: "Set lifecycle.prevent_destroy = true.",
    },
    ["google_kms_crypto_key"],
    ({ config }) =>
      record(block(config, "lifecycle")).prevent_destroy === true ? undefined : "lifecycle.prevent_destroy is not true",
  ),
];
