import { spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Bundle, unpackBundle } from "../../constructs/core/bundle-files";
import { bucketsRead, type ContractBucket, type RuntimeContract } from "../../runtime/platform/contract";
import { TABLES } from "../../runtime/platform/warehouse";
import type { HospitalLine } from "../../stacks/config";
import { platform } from "../../stacks/hospitals";
import { IMAGE_CONTRACTS, type ImageLock, type ImageName } from "../../stacks/images";
import type { Json, Resource } from "../stacks/synthesize";

/**
 * What has to be true between a contract and what is deployed for it. Each check gives its problems as sentences, so that
 * a test can show that a change on either side is found.
 */

export const ROOT = resolve(__dirname, "../..");

/** A capability as it stands in a hospital's app stack. */
export interface Deployed {
  readonly contract: RuntimeContract;
  readonly hospital: HospitalLine;
  /** All resources of the stack. */
  readonly resources: readonly Resource[];
  /** Contracts of the other capabilities that run as the same identity. */
  readonly beside: readonly RuntimeContract[];
}

/** The capability under whose identity another one runs: steps of one cluster. */
const HOSTS: Readonly<Record<string, string>> = { features: "preprocess", monitor: "preprocess", score: "preprocess" };
export const hostOf = (name: string): string => HOSTS[name] ?? name;

/** What the place where a capability runs asks for beside its contract, spelt out here and not taken from the constructs. */
const PLATFORM: Readonly<
  Record<
    string,
    { buckets?: readonly string[]; project?: readonly string[]; keys?: readonly string[]; archive?: boolean }
  >
> = {
  ingest: { keys: ["pseudonym roles/cloudkms.signerVerifier"] },
  pacs: { keys: ["pseudonym roles/cloudkms.signerVerifier"] },
  preprocess: {
    buckets: ["source roles/storage.objectViewer", "staging roles/storage.objectUser", "temp roles/storage.objectUser"],
    // Of all buckets, only the two of the cluster.
    project: ["roles/dataproc.worker on condition"],
  },
  serve: { keys: ["pseudonym roles/cloudkms.signerVerifier"] },
  train: { project: ["roles/logging.logWriter"] },
  audit: {
    keys: ["audit roles/cloudkms.signerVerifier"],
    // Of the archive, which all hospitals have, its own folder: it adds and looks, and takes nothing away.
    archive: true,
  },
};

/**
 * The resources that a capability's construct made; of the workflow template, which several share, once for each of its
 * steps, with that step alone.
 */
export function own({ contract, hospital, resources }: Deployed): Resource[] {
  const made = resources.filter(
    ({ path, type }) => path.startsWith(`${hospital.name}-app/${contract.name}/`) && type !== TEMPLATE,
  );
  const templates = resources.filter(({ type }) => type === TEMPLATE && contract.drivers !== undefined);
  const drivers = driversOf(contract);
  const steps = templates.flatMap((template) =>
    jobs(template)
      .filter(({ step_id }) => String(step_id) in drivers)
      .map((job) => ({ ...template, config: { ...template.config, jobs: [job] } })),
  );
  return [...made, ...steps];
}

/** By step: what is compared is a hospital whose line asks for all that it may ask for. */
export const driversOf = ({
  drivers = {},
  driversOnRequest = {},
}: RuntimeContract): Readonly<Record<string, string>> => ({
  ...drivers,
  ...driversOnRequest,
});

const TEMPLATE = "google_dataproc_workflow_template";

export const jobs = ({ config }: Resource): Json[] => (config.jobs ?? []) as Json[];

export function environmentProblems(deployed: Deployed): string[] {
  const { shape } = deployed.contract.env;
  const places = own(deployed)
    .filter(({ type, config }) => type === TEMPLATE || Object.keys(environment(config)).length > 0)
    .map(({ config }) => environment(config));
  const problems = (places.length > 0 ? places : [{}]).flatMap((bound) => [
    ...Object.entries(bound).flatMap(([key, value]) => {
      const schema = shape[key];
      if (!schema) return [`${key} is set and not in the contract.`];
      return schema.safeParse(value).success ? [] : [`${key} is "${value}", which the process refuses.`];
    }),
    ...secretVariables(own(deployed))
      .filter((key) => !(key in shape))
      .map((key) => `${key} is set and not in the contract.`),
    ...Object.keys(shape)
      .filter((key) => !(key in bound) && !shape[key]?.safeParse(undefined).success)
      .map((key) => `${key} is needed and not set.`),
  ]);
  return [...new Set(problems)];
}

export function accessProblems(deployed: Deployed): string[] {
  const { contract, resources, hospital, beside } = deployed;
  const host = hostOf(contract.name);
  const identities = runtimeIdentities(own(deployed));
  if (identities.length !== 1) return [`It runs as ${identities.length} identities.`];
  const [identity] = identities;
  const accounts = resources.filter(({ path }) => path.startsWith(`${hospital.name}-app/${host}/`));
  if (!accounts.some(({ logicalId }) => logicalId === identity)) return [`${identity} is not its own identity.`];

  const member = `\${google_service_account.${identity}.member}`;
  const granted = (type: string) => resources.filter((found) => found.type === type && found.config.member === member);
  const extra = PLATFORM[host];
  const buckets = granted("google_storage_bucket_iam_member").map(({ config }) => grantOnBucket(config, deployed));
  const contracts = [contract, ...beside];
  const declared = [...declaredGrants(contracts, hospital), ...(extra?.buckets ?? [])];
  const outside = extra?.archive ? archiveGrants(hospital) : [];
  const tables = declaredTables(contracts, hospital);
  const keys = granted("google_kms_crypto_key_iam_member").map(
    ({ config }) => `${String(config.crypto_key_id).replace(/^.*\//, "")} ${config.role}`,
  );
  const project = granted("google_project_iam_member").map(
    ({ config }) => `${config.role}${config.condition ? " on condition" : ""}`,
  );
  return [
    ...difference("bucket", buckets, [...declared, ...outside]),
    ...difference("key", keys, [...keyGrants(declared), ...(extra?.keys ?? [])]),
    ...difference("project", project, [...(extra?.project ?? []), ...(tables.asksItself ? tables.onProject : [])]),
    ...difference("table", granted("google_bigquery_table_iam_member").map(grantOnTable), [
      ...tables.appended,
      ...(tables.asksItself ? tables.asked : []),
    ]),
    ...readerProblems(deployed, member, tables),
  ];
}

/** What the sealer may do outside of its project: in its own folder alone, and neither replace nor delete. */
function archiveGrants({ name }: HospitalLine): string[] {
  const archive = `${platform.project}-platform-audit-archive`;
  const own = `resource.name.startsWith("projects/_/buckets/${archive}/objects/${name}/")`;
  const lists = `api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("${name}/")`;
  return [
    `${archive} roles/storage.objectCreator if ${own}`,
    `${archive} roles/storage.objectViewer if ${own} || ${lists}`,
  ];
}

const RUN_JOBS = "roles/bigquery.jobUser";
const SEE_PSEUDONYMS = "roles/datacatalog.categoryFineGrainedReader";

/**
 * What the words of contracts mean in rights on tables, spelt out here and not taken from the constructs: who adds rows asks
 * as somebody else.
 */
function declaredTables(contracts: readonly RuntimeContract[], { project, tier }: HospitalLine) {
  const appended = new Set(contracts.flatMap(({ appends }) => appends));
  const read = new Set(contracts.flatMap(({ reads }) => reads).filter((one) => one in TABLES));
  const role = `projects/${project}/roles/brainTumorAppender`;
  return {
    appended: [...appended].map((table) => `${table} ${role}`),
    asked: [...read].map((table) => `${table} roles/bigquery.dataViewer`),
    asksItself: appended.size === 0 && read.size > 0,
    // The column of patients is tagged, except where environments share a project.
    onProject: [RUN_JOBS, ...(read.has("images") && tier !== "ephemeral" ? [SEE_PSEUDONYMS] : [])],
  };
}

const grantOnTable = ({ config }: Resource): string => `${config.table_id} ${config.role}`;

/** The account that asks for an identity that adds rows: nobody else may act as it, and it may do nothing else. */
function readerProblems(
  { resources }: Deployed,
  actor: string,
  { asked, asksItself, onProject }: ReturnType<typeof declaredTables>,
): string[] {
  const acts = resources.filter(
    ({ type, config }) => type === "google_service_account_iam_member" && config.member === actor,
  );
  const wanted = asked.length > 0 && !asksItself;
  if (acts.length !== (wanted ? 1 : 0)) return [`reader: it may act as ${acts.length} other accounts.`];
  const [act] = acts;
  if (!act) return [];
  const account = String(act.config.service_account_id);
  const id = /^\$\{google_service_account\.([\w-]+)\.name\}$/.exec(account)?.[1];
  const by = resources
    .filter(({ type, config }) => type === "google_service_account_iam_member" && config.service_account_id === account)
    .map(({ config }) => `${config.member === actor ? "it" : config.member} ${config.role}`);
  const grants = resources.filter(({ config }) => config.member === `\${google_service_account.${id}.member}`);
  return [
    ...difference("reader", by, ["it roles/iam.serviceAccountTokenCreator"]),
    ...difference(
      "reader",
      grants.map((grant) =>
        grant.type === "google_bigquery_table_iam_member" ? grantOnTable(grant) : `${grant.type} ${grant.config.role}`,
      ),
      [...asked, ...onProject.map((role) => `google_project_iam_member ${role}`)],
    ),
  ];
}

export function probeProblems(deployed: Deployed): string[] {
  const { health } = deployed.contract;
  const { startup, liveness } = probePaths(own(deployed));
  return [
    ...difference("startup probe", startup, health ? [health.startup] : []),
    ...difference("liveness probe", liveness, health ? [health.liveness] : []),
  ];
}

/** Whether what is started is the contract's entry, in the bundle of the contract's code. */
export function entryProblems(deployed: Deployed, bundle: Bundle, images: ImageLock): string[] {
  const { contract } = deployed;
  const problems = loadProblems(deployed, bundle);
  const made = own(deployed);
  const fn = made.find(({ type }) => type === "google_cloudfunctions2_function");
  // The sealer is in the image of the service, with a command of its own.
  const imageName = (contract.name === "audit" ? "serve" : contract.name) as ImageName;
  const image = images.images[imageName];
  if (fn || contract.drivers) {
    const shipped = made.filter(({ config }) => config.name === `${contract.name}/${bundle.sha256}.zip`);
    if (shipped.length !== 1) problems.push("The bundle of its code is not uploaded.");
    const reference = `\${google_storage_bucket_object.${shipped[0]?.logicalId}.name}`;
    if (fn) {
      if (!JSON.stringify(fn.config).includes(reference))
        problems.push("The bundle that is uploaded is not the one that is run.");
      const entryPoint = (fn.config.build_config as Json | undefined)?.entry_point;
      if (entryPoint !== contract.target) problems.push(`The function starts ${entryPoint}, not ${contract.target}.`);
    } else problems.push(...stepProblems(deployed, reference));
  } else {
    const uri = `${image?.image}@${image?.digest}`;
    if (!made.some(({ config }) => JSON.stringify(config).includes(`"${uri}"`))) problems.push(`Nothing runs ${uri}.`);
    const dockerfile = join(ROOT, "images", imageName, "Dockerfile");
    const text = existsSync(dockerfile) ? readFileSync(dockerfile, "utf8") : "";
    if (contract.name !== imageName) return [...problems, ...commandProblems(contract, imageName, made)];
    if (!/^CMD \["node", "index\.js"\]$/m.test(text))
      problems.push(`${contract.name} has no image that starts its bundle.`);
  }
  return problems;
}

/** Whether what runs in another capability's image is in its bundle, and is what is started. */
function commandProblems(contract: RuntimeContract, image: ImageName, made: readonly Resource[]): string[] {
  const file = contract.entry.replace(/^.*\/(.*)\.ts$/, "$1.js");
  const workers = IMAGE_CONTRACTS[image].workers as readonly string[];
  const started = made.some(({ config }) => JSON.stringify(config).includes(`"command":["node","${file}"]`));
  return [
    ...(workers.includes(contract.entry) ? [] : [`The image of ${image} does not have ${contract.entry}.`]),
    ...(started ? [] : [`Nothing starts ${file}.`]),
  ];
}

/** Whether every driver of a contract is a step that runs the repository's files over the bundle of the contract's code. */
function stepProblems(deployed: Deployed, bundle: string): string[] {
  const { contract, resources } = deployed;
  const templates = own(deployed).filter(({ type }) => type === TEMPLATE);
  const uploaded = new Map(
    resources
      .filter(({ type }) => type === "google_storage_bucket_object")
      .map(({ logicalId, config }) => [`\${google_storage_bucket_object.${logicalId}.name}`, config]),
  );
  /** File in the repository that a gs:// URI is a copy of. */
  const origin = (uri: unknown): string => {
    const object = uploaded.get(String(uri).replace(/^gs:\/\/[^/]+\//, ""));
    const path = `spark/${String(object?.name).replace(/^.*\//, "")}`;
    const sha256 = existsSync(join(ROOT, path))
      ? createHash("sha256")
          .update(readFileSync(join(ROOT, path)))
          .digest("hex")
      : "";
    const copied = String(object?.source).endsWith(`/${sha256.slice(0, 32)}/${path.replace("spark/", "")}`);
    return copied ? path : `${uri}, not of the repository`;
  };
  return Object.entries(driversOf(contract)).flatMap(([step, driver]) => {
    const template = templates.find((found) => jobs(found)[0]?.step_id === step);
    if (!template) return [`The workflow has no step ${step}.`];
    const nodes =
      JSON.stringify(template.config.placement)
        .match(/"runtime-bundles":"([^"]*)"/)?.[1]
        ?.split(" ") ?? [];
    const installs = nodes.some((pair) => pair.startsWith(`${contract.name}=gs://`) && pair.endsWith(`/${bundle}`));
    const job = jobs(template)[0]?.pyspark_job as Json;
    const args = job.args as string[];
    const runtime = args[args.indexOf("--runtime") + 1];
    const installed = `/opt/brain-tumor-stack/${contract.name}/index.js`;
    const files = (job.python_file_uris as unknown[]).map(origin);
    const main = origin(job.main_python_file_uri);
    return [
      ...(installs ? [] : ["The bundle that is uploaded is not the one that the nodes install."]),
      ...(runtime === installed ? [] : [`The step ${step} runs ${runtime}, not ${installed}.`]),
      ...(main === driver ? [] : [`The step ${step} submits ${main}, not ${driver}.`]),
      ...files.filter((file) => file.includes("not of")).map((file) => `The step ${step} ships ${file}.`),
      ...importedModules(driver)
        .filter((file) => !files.includes(file))
        .map((file) => `The step ${step} lacks ${file}.`),
    ];
  });
}

/** The repository's own modules that a driver imports, also by way of others. */
function importedModules(driver: string, found = new Set<string>()): string[] {
  const text = existsSync(join(ROOT, driver)) ? readFileSync(join(ROOT, driver), "utf8") : "";
  for (const [, name] of text.matchAll(/^\s*(?:from|import) (\w+)/gm)) {
    const path = `spark/${name}.py`;
    if (found.has(path) || !existsSync(join(ROOT, path))) continue;
    found.add(path);
    importedModules(path, found);
  }
  return [...found];
}

/** Loads a bundle as its platform does, under the deployed environment. */
function loadProblems(deployed: Deployed, bundle: Bundle): string[] {
  const { contract } = deployed;
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    unpackBundle(bundle, folder);
    const workers = (contract.workers ?? []).map((path) => path.replace(/^.*\/(.*)\.ts$/, "$1.js"));
    const problems = workers
      .filter((file) => !existsSync(join(folder, file)))
      .map((file) => `${file} is not in the bundle.`);
    const script = `
      const exported = require(${JSON.stringify(folder)});
      process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(exported).map(([k, v]) => [k, typeof v]))));
      process.exit(0);`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
      encoding: "utf8",
      cwd: folder,
      env: {
        ...environment(own(deployed).map(({ config }) => config)),
        // What Secret Manager would put there.
        ...Object.fromEntries(secretVariables(own(deployed)).map((name) => [name, SECRET])),
        PATH: process.env.PATH,
        // Packages that are installed beside the bundle.
        NODE_PATH: join(ROOT, "node_modules"),
      },
    });
    if (stderr !== "") problems.push(`The bundle does not load: ${stderr}`);
    else if ((JSON.parse(stdout) as Json)[contract.target] !== "function")
      problems.push(`The bundle has no function ${contract.target}.`);
    return problems;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The environment variables that a resource sets, whatever its form for them. */
function environment(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  const found: Record<string, string> = {};
  for (const [key, inner] of Object.entries(value as Json)) {
    // A function has a map, a container a list of pairs, a machine a file, a step of Spark arguments.
    if (key === "environment_variables") Object.assign(found, inner);
    else if (key === "env" && Array.isArray(inner))
      Object.assign(found, Object.fromEntries(inner.map((pair: Json) => [pair.name, String(pair.value)])));
    else if (key === "job-environment") Object.assign(found, pairs(String(inner).split("\n")));
    else if (key === "args" && Array.isArray(inner))
      Object.assign(found, pairs(inner.filter((_, index) => inner[index - 1] === "--env").map(String)));
    else Object.assign(found, environment(inner));
  }
  return found;
}

/** Whatever a secret is for: a key in PEM. */
const SECRET = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

/** Variables of functions whose values Secret Manager keeps. */
const secretVariables = (resources: readonly Resource[]): string[] =>
  resources.flatMap(({ config }) => {
    const { secret_environment_variables: secrets = [] } = (config.service_config ?? {}) as {
      readonly secret_environment_variables?: readonly Json[];
    };
    return secrets.map(({ key }) => String(key));
  });

const pairs = (lines: readonly string[]): Record<string, string> =>
  Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));

/** Where a workload says as whom it runs. */
const RUNS_AS: ReadonlyMap<string, readonly string[]> = new Map([
  ["google_cloudfunctions2_function", ["service_config", "service_account_email"]],
  ["google_cloud_run_v2_service", ["template", "service_account"]],
  ["google_cloud_run_v2_job", ["template", "template", "service_account"]],
  ["google_compute_instance_template", ["service_account", "email"]],
  [
    "google_dataproc_workflow_template",
    ["placement", "managed_cluster", "config", "gce_cluster_config", "service_account"],
  ],
]);

/** Logical ids of the service accounts that workloads run as; what builds or calls them is not among these. */
function runtimeIdentities(resources: readonly Resource[]): string[] {
  const found = resources.flatMap(({ type, config }) => {
    const path = RUNS_AS.get(type);
    const email = path?.reduce<unknown>((value, key) => (value as Json | undefined)?.[key], config);
    const id = /^\$\{google_service_account\.([\w-]+)\.email\}$/.exec(String(email))?.[1];
    return id ? [id] : [];
  });
  return [...new Set(found)];
}

/** `bucket role`, and for which objects, if not for all: another condition is another grant. */
function grantOnBucket({ bucket, role, condition }: Json, { hospital }: Deployed): string {
  const name = String(bucket)
    .replace(`${hospital.project}-${hospital.name}-`, "")
    .replace(/^\$\{google_storage_bucket\.(\w+)\.name\}$/, "$1");
  return `${name} ${role}${condition ? ` if ${(condition as Json).expression}` : ""}`;
}

/** What the words of contracts mean in roles, spelt out here and not taken from the constructs. */
function declaredGrants(contracts: readonly RuntimeContract[], { project, name }: HospitalLine): string[] {
  const all = (words: (contract: RuntimeContract) => readonly string[]) => new Set(contracts.flatMap(words));
  const writable = all(({ writes }) => writes);
  const readable = all(bucketsRead);
  const creatable = all(({ creates }) => creates);
  const below = contracts.flatMap(({ createsBelow = {} }) => Object.entries(createsBelow));
  const replaced = contracts.flatMap(({ replaces = {} }) => Object.entries(replaces));
  return [
    ...[...writable].map((bucket) => `${bucket} roles/storage.objectUser`),
    ...[...readable].filter((one) => !writable.has(one)).map((bucket) => `${bucket} roles/storage.objectViewer`),
    ...[...creatable].filter((one) => !writable.has(one)).map((bucket) => `${bucket} roles/storage.objectCreator`),
    ...below.map(([bucket, { folders, except = [] }]) => {
      const starts = (folder: string) =>
        `resource.name.startsWith("projects/_/buckets/${project}-${name}-${bucket}/objects/${folder}")`;
      return `${bucket} roles/storage.objectCreator if ${[folders.map(starts).join(" || "), ...except.map((one) => `!${starts(one)}`)].join(" && ")}`;
    }),
    ...[...replaced]
      .filter(([bucket]) => !writable.has(bucket as ContractBucket))
      .map(([bucket, objects]) => {
        const named = objects.map((object) => {
          const path = `"projects/_/buckets/${project}-${name}-${bucket}/objects/${object}"`;
          return object.endsWith("/") ? `resource.name.startsWith(${path})` : `resource.name == ${path}`;
        });
        return `${bucket} roles/storage.objectUser if ${named.join(" || ")}`;
      }),
  ];
}

/** Every grant that contracts declare on one identity, with the names of those that declare it. */
export function whoseRights(contracts: readonly RuntimeContract[]): Readonly<Record<string, readonly string[]>> {
  const owners: Record<string, string[]> = {};
  for (const { name, reads, creates, createsBelow = {}, writes, appends, replaces = {} } of contracts) {
    const rights = {
      read: reads,
      create: creates,
      "create below": Object.keys(createsBelow),
      write: writes,
      append: appends,
      replace: Object.keys(replaces),
    };
    for (const [right, things] of Object.entries(rights))
      for (const thing of things) {
        owners[`${right} ${thing}`] ??= [];
        owners[`${right} ${thing}`]?.push(name);
      }
  }
  return owners;
}

/** The use of the key that goes with rights on buckets. */
function keyGrants(grants: readonly string[]): string[] {
  const roles = {
    objectUser: "cryptoKeyEncrypterDecrypter",
    objectViewer: "cryptoKeyDecrypter",
    objectCreator: "cryptoKeyEncrypter",
  };
  const used = Object.entries(roles).filter(([role]) =>
    grants.some((grant) => grant.split(" ")[1]?.endsWith(`.${role}`)),
  );
  return used.map(([, key]) => `data roles/cloudkms.${key}`);
}

function probePaths(resources: readonly Resource[]): { startup: string[]; liveness: string[] } {
  const paths = (kind: string, value: unknown): string[] => {
    if (Array.isArray(value)) return value.flatMap((inner) => paths(kind, inner));
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value as Json).flatMap(([key, inner]) =>
      key === kind ? [String(((inner as Json).http_get as Json | undefined)?.path)] : paths(kind, inner),
    );
  };
  const all = resources.map(({ config }) => config);
  return { startup: paths("startup_probe", all), liveness: paths("liveness_probe", all) };
}

function difference(what: string, found: readonly string[], expected: readonly string[]): string[] {
  return [
    ...found.filter((one) => !expected.includes(one)).map((one) => `${what}: ${one} is deployed and not declared.`),
    ...expected.filter((one) => !found.includes(one)).map((one) => `${what}: ${one} is declared and not deployed.`),
  ];
}
