import { ConfigurationError } from "../runtime/platform/config";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { type Json, readJson } from "./synthesized";
import { table } from "./table";

/**
 * What holds something that a deploy cannot bring back: data, keys, secrets, logs, names that stay taken, and what
 * decides who was allowed what. https://developer.hashicorp.com/terraform/internals/json-format#change-representation
 */
const STATEFUL: readonly RegExp[] = [
  /^google_storage_(?:bucket|managed_folder|folder)$/,
  /^google_kms_(?:key_ring|crypto_key|crypto_key_version|key_ring_import_job|secret_ciphertext)$/,
  /^google_bigquery_(?:dataset|table|routine)$/,
  /^google_secret_manager_(?:regional_)?secret(?:_version)?$/,
  /^google_logging_\w+_bucket_config$/,
  /^google_(?:sql_database_instance|sql_database|sql_user|spanner_instance|spanner_database|bigtable_instance|bigtable_table)$/,
  /^google_(?:firestore_database|datastore_\w+|filestore_instance|redis_instance|memcache_instance|alloydb_\w+)$/,
  /^google_compute_(?:region_)?(?:disk|snapshot|image|machine_image)$/,
  /^google_artifact_registry_repository$/,
  /^google_pubsub_(?:topic|subscription|snapshot|schema)$/,
  /^google_iam_workload_identity_pool(?:_provider)?$/,
  /^google_(?:project|folder)$/,
  /^google_project_iam_custom_role$/,
  // What others were given on it is gone with it, whatever comes back under its name.
  /^google_service_account$/,
  /^google_logging_project_sink$/,
  /^google_healthcare_\w+$/,
];

/** What answers, works or is reached: nothing is lost with it for good, and until it is back nobody is served. */
const SERVING: readonly RegExp[] = [
  /^google_cloud_run_(?:v2_)?(?:service|job|worker_pool)$/,
  /^google_cloudfunctions2?_function$/,
  /^google_dataproc_(?:workflow_template|cluster|autoscaling_policy)$/,
  /^google_compute_(?:region_)?instance(?:_template)?$/,
  /^google_compute_(?:global_)?(?:address|forwarding_rule)$/,
  /^google_compute_(?:region_)?(?:target_https?_proxy|url_map|backend_service|network_endpoint_group)$/,
  /^google_compute_(?:managed_|region_)?ssl_certificate$/,
  /^google_certificate_manager_\w+$/,
  /^google_compute_(?:network|subnetwork|security_policy)$/,
  /^google_vpc_access_connector$/,
  /^google_dns_(?:managed_zone|record_set)$/,
  /^google_access_context_manager_service_perimeter_resource$/,
  /^google_(?:cloud_scheduler_job|workflows_workflow|eventarc_trigger|storage_notification)$/,
];

/** How a new digest or bundle comes: a replacement that nobody notices, in the order of its actions. */
const RENEWED: Readonly<Record<string, string>> = {
  // Machines are made from the newest one; it is there before the old one goes.
  google_compute_instance_template: "create,delete",
  google_compute_region_instance_template: "create,delete",
  // None of its arguments can be changed; what runs does not look at it again.
  google_dataproc_workflow_template: "delete,create",
};

/** Deleting one of these changes who may do what; it loses nothing. */
const GRANT = /_iam_(?:member|binding|policy|audit_config)$/;

export interface Loss {
  readonly address: string;
  readonly type: string;
  /** What cannot be brought back, or what serves until it is made again. */
  readonly loses: "state" | "service";
  readonly action: "delete" | "replace" | "forget";
  /** What makes Terraform replace it: `location`. */
  readonly because: readonly string[];
}

/**
 * Deletions and replacements in a plan of what holds state, and of what serves: the former first.
 * @param plan what `terraform show -json PLAN` prints
 * @throws {ConfigurationError} if it is not a plan.
 */
export function stateLosses(plan: Json): Loss[] {
  if (typeof plan.format_version !== "string" || !("planned_values" in plan || "resource_changes" in plan))
    throw new ConfigurationError("The plan", [
      'It is not what "terraform show -json" prints of a plan: make it with "terraform plan -out=plan.bin" and "terraform show -json plan.bin > plan.json".',
    ]);
  if (plan.errored === true)
    throw new ConfigurationError("The plan", [
      "Planning failed half-way, so what it would change is not known: correct it and plan again.",
    ]);
  if (plan.complete === false || (Array.isArray(plan.deferred_changes) && plan.deferred_changes.length > 0))
    throw new ConfigurationError("The plan", [
      "It is not whole: Terraform put some changes off, so what they would take away is not known. Apply it and plan again by hand.",
    ]);
  if (plan.resource_changes !== undefined && !Array.isArray(plan.resource_changes))
    throw new ConfigurationError("The plan", ['Its "resource_changes" are no list: make it again.']);
  const changes = ((plan.resource_changes ?? []) as unknown[]).filter(
    (change): change is Json => typeof change === "object" && change !== null,
  );
  const losses = changes.flatMap((resource): Loss[] => {
    const { address, type, mode, deposed } = resource as Record<string, string | undefined>;
    const change = (resource.change ?? {}) as { actions?: string[]; before?: Json | null; replace_paths?: unknown[][] };
    const actions = change.actions ?? [];
    if (mode === "data" || typeof address !== "string" || typeof type !== "string") return [];
    const lost = actions.includes("delete") || actions.includes("forget");
    const loses = lost && !GRANT.test(type) ? lossOf(type) : undefined;
    if (loses === undefined || RENEWED[type] === actions.join()) return [];
    // What a replacement that broke off has left serves nobody any more; it may still hold state.
    if (loses === "service" && deposed !== undefined) return [];
    // A view is a query: nothing is lost with it.
    if (type === "google_bigquery_table" && isView(change.before)) return [];
    const because = (change.replace_paths ?? []).map((path) => path.map(String).join("."));
    const action = actions.includes("forget") ? "forget" : actions.includes("create") ? "replace" : "delete";
    return [{ address, type, loses, action, because }];
  });
  return (["state", "service"] as const).flatMap((kind) => losses.filter(({ loses }) => loses === kind));
}

function lossOf(type: string): Loss["loses"] | undefined {
  if (STATEFUL.some((pattern) => pattern.test(type))) return "state";
  return SERVING.some((pattern) => pattern.test(type)) ? "service" : undefined;
}

const isView = (before: Json | null | undefined) =>
  ["view", "materialized_view"].some((kind) => Array.isArray(before?.[kind]) && (before[kind] as unknown[]).length > 0);

const RUNS_IMAGE = /^google_(?:cloud_run_v2_(?:service|job)|compute_instance_template)$/;

function whatGoes(losses: readonly Loss[]): string {
  const of = (kind: Loss["loses"]) => losses.filter(({ loses }) => loses === kind).length;
  const [state, service] = [of("state"), of("service")];
  return [
    ...(state > 0 ? [`would lose the state of ${state} resource${state === 1 ? "" : "s"}`] : []),
    ...(service > 0 ? [`${state > 0 ? "" : "would "}take away ${service} that serve${service === 1 ? "s" : ""}`] : []),
  ].join(" and ");
}

/** The command `npm run plan-guard`. */
export async function planGuard(args: readonly string[]): Promise<number> {
  const program = tool(
    "plan-guard",
    "Fails on a plan that deletes or replaces what holds state or serves, unless each such address is named.",
  )
    .argument("<plan>", "JSON file: terraform show -json plan.bin > plan.json")
    .option(
      "--allow <address>",
      "a deletion or replacement that is meant; may be given several times",
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option("--seed <n>", "accepted as everywhere; nothing is drawn at random");
  return runTool(
    program,
    () => {
      const file = String(program.args[0]);
      const { allow } = program.opts<{ allow: readonly string[] }>();
      const losses = stateLosses(readJson(file, "The plan"));
      const unused = allow.filter((address) => !losses.some((loss) => loss.address === address));
      if (unused.length > 0)
        process.stderr.write(
          `The plan neither deletes nor replaces ${unused.join(", ")}: --allow has no effect there.\n`,
        );
      const forbidden = losses.filter(({ address }) => !allow.includes(address));
      if (forbidden.length === 0) {
        const meant =
          losses.length === 0
            ? "nothing that holds state or serves"
            : `only what was named: ${losses.map(({ address }) => address).join(", ")}`;
        print(`The plan deletes and replaces ${meant}.`);
        return EXIT.done;
      }
      const rows = forbidden.map(({ address, loses, action, because }) => [action, address, because.join(", "), loses]);
      print(
        table(
          [
            { title: "ACTION", width: 8 },
            { title: "RESOURCE", width: 60 },
            { title: "BECAUSE OF", width: 40 },
            { title: "LOSES", width: 8 },
          ],
          rows,
        ),
      );
      print(
        `\nThe plan ${whatGoes(forbidden)}. If that is meant, name each with --allow ADDRESS; if not, do not apply this plan.`,
      );
      // What a lost lock file looks like; nobody deletes these two alone.
      if (forbidden.some(({ type, action }) => action === "delete" && RUNS_IMAGE.test(type)))
        print(
          'Without images.lock.json a synth leaves out what runs an image: bring the file back, and write images: "required" in the hospital\'s line.',
        );
      return EXIT.failed;
    },
    args,
  );
}

ifMain(module, planGuard);
