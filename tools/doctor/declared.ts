import { logWriterMember } from "../../constructs/core/service-agents";
import type { Hospital } from "../../stacks/config";
import { asRecord } from "../../stacks/sentences";
import type { Json, SynthesizedStack } from "../synthesized";

export interface DeclaredResource {
  readonly stack: string;
  readonly type: string;
  /** Arguments with references followed to what they will be; one that only Google knows stays an expression. */
  readonly config: Json;
}

/** What a hospital's stacks declare. */
export class Declared {
  readonly resources: readonly DeclaredResource[];
  /** Where each stack keeps its state. */
  readonly backends: readonly { readonly stack: string; readonly backend: Json }[];

  constructor(stacks: readonly SynthesizedStack[], hospital: Pick<Hospital, "projectNumber">) {
    this.resources = stacks.flatMap(({ name: stack, json }) => {
      const resources = asRecord(json.resource);
      const follow = following(resources, hospital);
      return Object.entries(resources).flatMap(([type, instances]) =>
        Object.values(asRecord(instances)).map((config) => ({ stack, type, config: follow(config) as Json })),
      );
    });
    this.backends = stacks.map(({ name: stack, json }) => ({
      stack,
      backend: asRecord(asRecord(json.terraform).backend),
    }));
  }

  ofType(type: string): readonly Json[] {
    return this.resources.filter((resource) => resource.type === type).map(({ config }) => config);
  }

  /** Every different match in what is declared, in order. */
  matches(pattern: RegExp): readonly string[] {
    return [...new Set(JSON.stringify(this.resources.map(({ config }) => config)).match(pattern) ?? [])].sort();
  }
}

/** Follows `${google_type.id.attribute}`, deeply. */
function following(resources: Json, hospital: Pick<Hospital, "projectNumber">): (value: unknown) => unknown {
  const attributeOf = (type: string, id: string, attribute: string): unknown => {
    const config = asRecord(asRecord(resources[type])[id]);
    const { project } = config;
    const email = `${config.account_id}@${project}.iam.gserviceaccount.com`;
    switch (`${type}.${attribute}`) {
      case "google_service_account.email":
        return email;
      case "google_service_account.member":
        return `serviceAccount:${email}`;
      case "google_service_account.name":
        return `projects/${project}/serviceAccounts/${email}`;
      case "google_kms_key_ring.id":
        return `projects/${project}/locations/${config.location}/keyRings/${config.name}`;
      case "google_kms_crypto_key.id":
        return `${config.key_ring}/cryptoKeys/${config.name}`;
      case "google_project_iam_custom_role.name":
        return `projects/${project}/roles/${config.role_id}`;
      case "google_logging_project_sink.writer_identity":
        return logWriterMember(hospital);
      case "google_artifact_registry_repository.name":
        return config.repository_id;
      default:
        return config[attribute];
    }
  };
  const follow = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(follow);
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, follow(inner)]));
    if (typeof value !== "string") return value;
    return value.replace(/\$\{(google_\w+)\.([\w-]+)\.(\w+)\}/g, (whole, type: string, id: string, name: string) => {
      const found = attributeOf(type, id, name);
      return typeof found === "string" ? String(follow(found)) : whole;
    });
  };
  return follow;
}
