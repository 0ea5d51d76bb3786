import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import { asRecord } from "../stacks/sentences";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { markdownTable, marks, writtenBetween } from "./markdown";
import type { Json, SynthesizedStack } from "./synthesized";
import { withTierStacks } from "./tiers";

export interface Grant {
  readonly stack: string;
  readonly member: string;
  readonly role: string;
  /** Kind and name of what the role is given on. */
  readonly on: string;
  readonly condition: string | undefined;
}

/** What each kind of grant is given on: the argument that names it. */
const TARGETS: readonly (readonly [type: RegExp, kind: string, argument: string])[] = [
  [/^google_storage_bucket_iam_member$/, "bucket", "bucket"],
  [/^google_kms_crypto_key_iam_member$/, "key", "crypto_key_id"],
  [/^google_kms_key_ring_iam_member$/, "key ring", "key_ring_id"],
  [/^google_project_iam_member$/, "project", "project"],
  [/^google_service_account_iam_member$/, "account", "service_account_id"],
  [/^google_pubsub_topic_iam_member$/, "topic", "topic"],
  [/^google_pubsub_subscription_iam_member$/, "subscription", "subscription"],
  [/^google_artifact_registry_repository_iam_member$/, "repository", "repository"],
  [/^google_cloud_run_v2_(?:service|job)_iam_member$/, "Cloud Run", "name"],
  [/^google_bigquery_dataset_iam_member$/, "dataset", "dataset_id"],
  [/^google_bigquery_table_iam_member$/, "table", "table_id"],
  [/^google_bigquery_datapolicy_data_policy_iam_member$/, "masked column", "data_policy_id"],
  [/^google_healthcare_dicom_store_iam_member$/, "DICOM store", "dicom_store_id"],
  [/^google_healthcare_fhir_store_iam_member$/, "FHIR store", "fhir_store_id"],
  [/^google_iap_web_backend_service_iam_member$/, "backend service", "web_backend_service"],
  [/^google_secret_manager_secret_iam_member$/, "secret", "secret_id"],
];

/** A kind of grant that the table above does not have: most resources are named by their last word, or by `name`. */
function unlisted(type: string): (typeof TARGETS)[number] {
  const kind = type.replace(/^google_|_iam_member$/g, "");
  return [/./, kind.replaceAll("_", " "), kind.slice(kind.lastIndexOf("_") + 1)];
}

/** Every grant in the stacks, with references followed to the names that they will have. */
export function grants(stacks: readonly SynthesizedStack[]): Grant[] {
  const found = stacks.flatMap(({ name, json }) => {
    const resources = asRecord(json.resource);
    return Object.entries(resources).flatMap(([type, instances]) => {
      if (!type.endsWith("_iam_member")) return [];
      const [, kind, argument] = TARGETS.find(([pattern]) => pattern.test(type)) ?? unlisted(type);
      return Object.values(asRecord(instances)).map((instance) => {
        const config = asRecord(instance);
        return {
          stack: name,
          member: resolve(String(config.member), resources),
          role: resolve(String(config.role), resources).replace(/^roles\//, ""),
          on: `${kind} ${shortName(resolve(String(config[argument] ?? config.name), resources))}`,
          condition: asRecord(Array.isArray(config.condition) ? config.condition[0] : config.condition).title as
            | string
            | undefined,
        };
      });
    });
  });
  return found.sort((a, b) => order(a).localeCompare(order(b), "en"));
}

const order = ({ stack, member, on, role }: Grant) => `${stack} ${member} ${on} ${role}`;

/** Follows `${google_type.id.attribute}` to a name that one recognises. */
function resolve(text: string, resources: Json): string {
  return text.replace(/\$\{(google_\w+)\.([\w-]+)\.(\w+)\}/g, (whole, type: string, id: string) => {
    const config = asRecord(asRecord(resources[type])[id]);
    const name =
      config.workload_identity_pool_id ??
      config.account_id ??
      config.repository_id ??
      config.data_policy_id ??
      config.table_id ??
      config.dataset_id ??
      config.role_id ??
      config.name;
    return typeof name === "string" ? resolve(name, resources) : whole;
  });
}

const shortName = (name: string) =>
  name.replace(/^projects\/[^/]+\/(?:locations\/[^/]+\/)?(?:keyRings\/)?/, "").replace("/cryptoKeys/", "/");

/** The matrix as Markdown: a table a stack, a line an identity and what it is given on. */
export function iamMatrix(stacks: readonly SynthesizedStack[]): string {
  const sections = new Map<string, Grant[]>();
  for (const grant of grants(stacks)) sections.set(grant.stack, [...(sections.get(grant.stack) ?? []), grant]);
  return [...sections]
    .map(([stack, given]) => {
      const rows = given.map(({ member, role, on, condition }) => [
        `\`${member.replace(/^serviceAccount:/, "")}\``,
        `\`${role}\``,
        `${on}${condition ? `, if ${condition}` : ""}`,
      ]);
      return [`### ${stack}`, "", markdownTable(["identity", "role", "on"], rows)].join("\n");
    })
    .join("\n\n");
}

/** Puts the matrix into a document. @throws if it has no marks for it */
export const withMatrix = (document: string, matrix: string): string =>
  writtenBetween(document, marks("iam-matrix", "npm run docs:iam"), matrix);

export const SECURITY_DOCUMENT = join(repositoryRoot(), "docs", "security.md");

/** What the document describes: production, and what the platform has beside it. */
export function documentedStacks(stacks: readonly SynthesizedStack[]): SynthesizedStack[] {
  return stacks.filter(({ name }) => ["bootstrap", "platform", "prod-data", "prod-app"].includes(name));
}

/** The command `npm run docs:iam`. */
export async function docsIam(args: readonly string[]): Promise<number> {
  const program = tool("docs:iam", "Writes who may do what, from the synthesized stacks, into docs/security.md.");
  return runTool(
    program,
    () => {
      const matrix = withTierStacks(undefined, (stacks) => iamMatrix(documentedStacks(stacks)));
      writeFileSync(SECURITY_DOCUMENT, withMatrix(readFileSync(SECURITY_DOCUMENT, "utf8"), matrix));
      print("docs/security.md is current.");
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, docsIam);
