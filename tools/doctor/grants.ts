import { asRecord } from "../../stacks/sentences";
import type { CommandLine, Runner } from "../gcloud";
import type { Json } from "../synthesized";
import { askFor, type Check, deploy, failed, ok, skipped } from "./checkup";
import type { DeclaredResource } from "./declared";

/** How the policy of what each kind of grant is given on is read. */
const POLICIES: Readonly<Record<string, readonly [kind: string, command?: (grant: Json) => CommandLine]>> = {
  // gcloud has no command for it.
  google_bigquery_datapolicy_data_policy_iam_member: ["masked columns"],
  google_storage_bucket_iam_member: [
    "buckets",
    ({ bucket }) => ["gcloud", "storage", "buckets", "get-iam-policy", `gs://${bucket}`],
  ],
  google_kms_crypto_key_iam_member: [
    "keys",
    ({ crypto_key_id: key }) => ["gcloud", "kms", "keys", "get-iam-policy", String(key)],
  ],
  google_kms_key_ring_iam_member: [
    "key rings",
    ({ key_ring_id: ring }) => ["gcloud", "kms", "keyrings", "get-iam-policy", String(ring)],
  ],
  google_project_iam_member: ["projects", ({ project }) => ["gcloud", "projects", "get-iam-policy", String(project)]],
  google_service_account_iam_member: [
    "accounts",
    ({ service_account_id: id }) => {
      const [, project, , email] = String(id).split("/");
      return ["gcloud", "iam", "service-accounts", "get-iam-policy", String(email), `--project=${project}`];
    },
  ],
  google_pubsub_topic_iam_member: [
    "topics",
    ({ topic, project }) => ["gcloud", "pubsub", "topics", "get-iam-policy", String(topic), `--project=${project}`],
  ],
  google_pubsub_subscription_iam_member: [
    "subscriptions",
    ({ subscription, project }) => [
      "gcloud",
      "pubsub",
      "subscriptions",
      "get-iam-policy",
      String(subscription),
      `--project=${project}`,
    ],
  ],
  google_artifact_registry_repository_iam_member: [
    "repositories",
    ({ repository, location, project }) => [
      "gcloud",
      "artifacts",
      "repositories",
      "get-iam-policy",
      String(repository),
      `--location=${location}`,
      `--project=${project}`,
    ],
  ],
  google_cloud_run_v2_service_iam_member: [
    "Cloud Run services",
    ({ name, location, project }) => [
      "gcloud",
      "run",
      "services",
      "get-iam-policy",
      String(name),
      `--region=${location}`,
      `--project=${project}`,
    ],
  ],
  google_cloud_run_v2_job_iam_member: [
    "Cloud Run jobs",
    ({ name, location, project }) => [
      "gcloud",
      "run",
      "jobs",
      "get-iam-policy",
      String(name),
      `--region=${location}`,
      `--project=${project}`,
    ],
  ],
  google_bigquery_dataset_iam_member: [
    "datasets",
    ({ dataset_id: dataset, project }) => ["bq", "get-iam-policy", "--dataset=true", `${project}:${dataset}`],
  ],
  google_bigquery_table_iam_member: [
    "tables",
    ({ dataset_id: dataset, table_id: table, project }) => [
      "bq",
      "get-iam-policy",
      "--table=true",
      `${project}:${dataset}.${table}`,
    ],
  ],
  google_healthcare_dicom_store_iam_member: ["DICOM stores", storePolicy("dicom")],
  google_healthcare_fhir_store_iam_member: ["FHIR stores", storePolicy("fhir")],
  google_secret_manager_secret_iam_member: [
    "secrets",
    ({ secret_id: secret, project }) => ["gcloud", "secrets", "get-iam-policy", String(secret), `--project=${project}`],
  ],
  google_iap_web_backend_service_iam_member: [
    "pages behind Identity-Aware Proxy",
    ({ web_backend_service: service, project }) => [
      "gcloud",
      "iap",
      "web",
      "get-iam-policy",
      "--resource-type=backend-services",
      `--service=${service}`,
      `--project=${project}`,
    ],
  ],
};

/** Of a store of the Cloud Healthcare API: `projects/P/locations/L/datasets/D/dicomStores/S`. */
function storePolicy(kind: "dicom" | "fhir"): (grant: Json) => CommandLine {
  return (grant) => {
    const [, project, , location, , dataset, , store] = String(grant[`${kind}_store_id`]).split("/");
    return [
      "gcloud",
      "healthcare",
      `${kind}-stores`,
      "get-iam-policy",
      String(store),
      `--dataset=${dataset}`,
      `--location=${location}`,
      `--project=${project}`,
    ];
  };
}

export interface Policy {
  readonly bindings?: readonly {
    readonly role: string;
    readonly members?: readonly string[];
    readonly condition?: { readonly title?: string };
  }[];
}

/** Whether the policies that Google has hold what the stacks declare. One line a kind of resource. */
export const grants: Check = ({ hospital, declared, dry, run }) => {
  const given = declared.resources.filter(({ type }) => type.endsWith("_iam_member"));
  if (dry) return [skipped("grants", `The stacks declare ${given.length}, which a deploy makes.`)];
  const read = readerOf(run);
  return [...groupBy(given, ({ type }) => type)].map(([type, members]) => {
    const [kind, command] = POLICIES[type] ?? [];
    const check = `grants on ${kind ?? type.replace(/^google_|_iam_member$/g, "").replaceAll("_", " ")}`;
    if (command === undefined)
      return skipped(check, `${members.length} are declared; how their policy is read is not known here.`);
    const missing = members.filter(({ config }) => !has(read(command(config)), config));
    if (missing.length === 0) return ok(check, `All ${members.length} are there.`);
    const stacks = [...new Set(missing.map(({ stack }) => stack))];
    return failed(
      check,
      `${missing.length} of ${members.length} are missing: ${missing.map(sentence(command)).join("; ")}.`,
      `Deploy ${stacks.join(" and ")} again (${stacks.map((stack) => deploy(hospital, stack.endsWith("-data") ? "data" : "app")).join(", ")}). What goes missing again is taken away by somebody: the audit log says by whom.`,
    );
  });
};

/** Asks for each policy once; undefined where what it belongs to does not exist. */
function readerOf(run: Runner): (command: CommandLine) => Policy | undefined {
  const known = new Map<string, Policy | undefined>();
  return (command) => {
    const key = command.join(" ");
    if (!known.has(key)) known.set(key, askFor<Policy>(run, command));
    return known.get(key);
  };
}

function has(policy: Policy | undefined, { role, member, condition }: Json): boolean {
  const title = asRecord(Array.isArray(condition) ? condition[0] : condition).title;
  // Google writes addresses in small letters.
  const wanted = String(member).toLowerCase();
  return (policy?.bindings ?? []).some(
    (binding) =>
      binding.role === role &&
      binding.condition?.title === title &&
      (binding.members ?? []).some((found) => found.toLowerCase() === wanted),
  );
}

const sentence =
  (command: (grant: Json) => CommandLine) =>
  ({ config }: DeclaredResource) => {
    const words = command(config).filter(
      (word) => !/^--(?:project|region|location|resource-type|table|dataset)=/.test(word),
    );
    return `${config.role} for ${config.member} on ${words.at(-1)?.replace(/^--service=/, "")}`;
  };

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
