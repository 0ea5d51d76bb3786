import { datasetId, SHARED_KEY_RING, serviceAccountId } from "../constructs/core/naming";
import { IMAGE_REPOSITORY } from "../stacks/platform-config";
import { asRecord, show } from "../stacks/sentences";
import { isDate } from "../stacks/values";
import type { Json } from "./synthesized";

/** Whose everything in an environment's states has to be. */
export interface Owner {
  readonly id: string;
  /** The project of ephemeral environments. */
  readonly project: string;
  /** That project's number, which some names have in place of its id. */
  readonly projectNumber: string | undefined;
  /** The platform's project, whose keys and images environments are let use. */
  readonly platformProject: string;
  /** Whose nothing may be. */
  readonly hospitals: readonly Named[];
  /** Ids of the other environments in the project. */
  readonly environments: readonly string[];
}

interface Named {
  readonly name: string;
  readonly project: string;
}

/** One thing that Terraform would take away. */
export interface Managed {
  readonly address: string;
  readonly type: string;
  readonly attributes: Json;
}

/** What a state holds. */
export interface Reading {
  readonly managed: readonly Managed[];
  /** Why it is not believed; empty if it is. */
  readonly problems: readonly string[];
}

/** What writes into an environment's states: the provider, and what Terraform has built in. */
const PROVIDERS =
  /^provider\["(?:registry\.terraform\.io\/hashicorp\/google|registry\.opentofu\.org\/hashicorp\/google|terraform\.io\/builtin\/terraform)"\]/;
const VERSION = 4;

/**
 * Reads a state file of Terraform.
 * https://developer.hashicorp.com/terraform/internals/json-format is of plans; a state's own format is in its source,
 * internal/states/statefile/version4.go.
 */
export function readState(text: string): Reading {
  const refuse = (problem: string): Reading => ({ managed: [], problems: [problem] });
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (error) {
    return refuse(`it is not JSON (${(error as Error).message})`);
  }
  if (!isObject(state)) return refuse("it is no JSON object");
  if (state.version !== VERSION) return refuse(`its version is ${show(state.version)}, not ${VERSION}`);
  const { resources = [] } = state;
  if (!Array.isArray(resources)) return refuse("its resources are no list");

  const problems = [...oddKeys(state)];
  const managed: Managed[] = [];
  for (const resource of resources as unknown[]) {
    const { mode, type, name, provider, instances, module } = asRecord(resource);
    if (mode === "data") continue;
    const address = [module, type, name].filter((part) => part !== undefined).join(".");
    if (mode !== "managed" || typeof type !== "string" || typeof name !== "string" || !Array.isArray(instances)) {
      problems.push(`${show(address)} is no resource as Terraform writes one`);
      continue;
    }
    problems.push(...oddKeys(asRecord(resource)));
    if (provider !== undefined && !(typeof provider === "string" && PROVIDERS.test(provider)))
      problems.push(`${address} is of ${show(provider)}, which no environment uses`);
    for (const instance of instances as unknown[]) {
      problems.push(...oddKeys(asRecord(instance)));
      const { attributes } = asRecord(instance);
      if (isObject(attributes)) managed.push({ address, type, attributes });
      else problems.push(`${address} has no attributes`);
    }
  }
  return { managed, problems };
}

/** Terraform takes a key in any case for its own, and the last one counts: what it read would not be what was read here. */
function oddKeys(object: Json): string[] {
  return Object.keys(object)
    .filter((key) => key !== key.toLowerCase())
    .map((key) => `the key ${show(key)} is none that Terraform writes`);
}

/** What is one project's, or the platform's, and no environment's. */
const NEVER =
  /^google_(?:kms_(?!crypto_key_iam_member$)|project$|project_service|project_organization_policy|project_iam_(?:policy|binding|audit_config|custom_role)|organization|folder|billing|logging_(?:project|folder|organization|billing_account)_|iam_|access_context_manager|tags|resource_manager)|_iam_(?:policy|binding)$/;

/** What nobody can take away but on this machine. */
const HARMLESS = "terraform_data";

/** Why a thing is not this environment's, or may be somebody else's: a sentence each without its stop. */
export function ownershipProblems(thing: Managed, owner: Owner): string[] {
  const { address, type, attributes } = thing;
  if (type === HARMLESS) return [];
  if (!type.startsWith("google_") || NEVER.test(type)) return [`${address} is a ${type}, which no environment owns`];

  const labels = ownLabels(thing);
  const problems = labels.flatMap((map) => labelProblems(map, owner).map((problem) => `${address} ${problem}`));
  problems.push(...pathProblems(thing), ...nameProblems(thing, owner));
  if (usesPlatform(thing, owner)) return problems;

  const projects = projectsOf(thing);
  for (const project of projects)
    if (project !== owner.project && project !== owner.projectNumber)
      problems.push(`${address} lies in project ${show(project)}, not in ${owner.project}`);
  const bucket = bucketOf(thing);
  if (bucket !== undefined && !isOwnBucket(bucket, owner))
    problems.push(`${address} is of bucket ${show(bucket)}, which no bucket of ${owner.id} is called`);
  if (labels.length === 0 && projects.length === 0 && bucket === undefined)
    problems.push(`${address} says neither by labels nor by project whose it is`);
  if (type === "google_project_iam_member" && !isAccountOf(owner.project, attributes.member))
    problems.push(`${address} is a right of ${show(attributes.member)}, which is no identity of an environment`);
  return problems;
}

/** The dates on which things may go, one of each that has the environment's labels; undefined for one that says none. */
export function expiries(things: readonly Managed[]): (string | undefined)[] {
  return things.flatMap(ownLabels).map((labels) => {
    const date = labels["expires-at"];
    return typeof date === "string" && isDate(date) ? date : undefined;
  });
}

/** The region that most things lie in, in lower case; undefined if none says one. */
export function regionOf(things: readonly Managed[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { attributes } of things)
    for (const value of [attributes.region, attributes.location]) {
      const region = typeof value === "string" ? value.toLowerCase() : "";
      if (REGION.test(region)) counts.set(region, (counts.get(region) ?? 0) + 1);
    }
  return [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b, "en"))[0]?.[0];
}

export const REGION = /^[a-z]+-[a-z]+\d+$/;

/** The labels that the stacks of a hospital or an environment put on whatever can carry some. */
const LABELS = ["hospital", "env", "managed-by"] as const;

/** A provider keeps labels as configured, and with its own and the cloud's; Cloud Monitoring has another word for them. */
const LABEL_ATTRIBUTES = ["labels", "terraform_labels", "effective_labels", "user_labels", "resource_labels"];

function ownLabels({ attributes }: Managed): Json[] {
  return LABEL_ATTRIBUTES.map((key) => attributes[key])
    .filter(isObject)
    .filter((labels) => LABELS.some((label) => label in labels));
}

function labelProblems(labels: Json, owner: Owner): string[] {
  const wanted = { hospital: owner.id, env: "ephemeral", "managed-by": "cdktf" };
  return LABELS.filter((label) => labels[label] !== wanted[label]).map(
    (label) => `has the label ${label}=${show(labels[label])}, not ${wanted[label]}`,
  );
}

/** What says who has which right, not on what; an id repeats all of it, a condition's title included. */
const OF_A_RIGHT = ["id", "member", "role", "etag", "condition"];

/** Attributes by which the provider finds what it deletes. */
function identityOf({ type, attributes }: Managed): string[] {
  const keys = type.endsWith("_iam_member")
    ? Object.keys(attributes).filter((key) => !OF_A_RIGHT.includes(key))
    : ["id", "self_link", "name", "parent"];
  return keys.map((key) => attributes[key]).filter((value) => typeof value === "string");
}

function projectsOf(thing: Managed): string[] {
  const named = identityOf(thing).flatMap((text) =>
    [...text.matchAll(/(?:^|\/)projects\/([^/]*)/g)].map(([, id]) => id ?? ""),
  );
  const { project } = thing.attributes;
  if (project !== undefined && project !== null && project !== "") named.push(String(project));
  // Of a bucket or an object, a path of the storage service has no project in it.
  return [...new Set(named)].filter((name) => name !== "_");
}

/** The bucket of what lies in one: names of buckets are global, so that no project limits what is deleted. */
function bucketOf({ type, attributes }: Managed): string | undefined {
  if (!type.startsWith("google_storage_")) return undefined;
  const name = type === "google_storage_bucket" ? attributes.name : attributes.bucket;
  return String(name).replace(/^b\//, "");
}

/**
 * A bucket carries project and owner, one after the other: the name of another's may begin like an own one, and then the
 * longer counts.
 */
function isOwnBucket(bucket: string, { project, id, environments, hospitals, platformProject }: Owner): boolean {
  const own = `${project}-${id}-`;
  const others = [
    ...environments.map((name) => ({ name, project })),
    ...hospitals,
    { name: "platform", project: platformProject },
  ].map((other) => `${other.project}-${other.name}-`);
  return bucket.startsWith(own) && !others.some((other) => other.length > own.length && bucket.startsWith(other));
}

/** Rights of an environment's identities on the two things of the platform that all environments share. */
function usesPlatform({ type, attributes }: Managed, { platformProject, project }: Owner): boolean {
  const target = {
    google_kms_crypto_key_iam_member: "crypto_key_id",
    google_artifact_registry_repository_iam_member: "repository",
  }[type];
  if (target === undefined || !isAccountOf(project, attributes.member)) return false;
  const text = String(attributes[target]);
  if (type === "google_kms_crypto_key_iam_member")
    return new RegExp(
      `^projects/${platformProject}/locations/[a-z0-9-]+/keyRings/${SHARED_KEY_RING}/cryptoKeys/[a-z-]+$`,
    ).test(text);
  return (
    attributes.project === platformProject &&
    (text === IMAGE_REPOSITORY ||
      new RegExp(`^projects/${platformProject}/locations/[a-z0-9-]+/repositories/${IMAGE_REPOSITORY}$`).test(text))
  );
}

const isAccountOf = (project: string, member: unknown) =>
  typeof member === "string" &&
  /^serviceAccount:[a-z0-9-]+@([a-z0-9-]+)\.iam\.gserviceaccount\.com$/.exec(member)?.[1] === project;

/** Parts of the address that a provider sends its requests to. */
const PLACES = ["project", "location", "region", "zone"];

/** Within an address, two dots lead out of the project that stands before them. */
function pathProblems(thing: Managed): string[] {
  const { address, attributes } = thing;
  const texts = [...PLACES, ...NAMES].map((key) => attributes[key]).filter((value) => typeof value === "string");
  return [...new Set([...identityOf(thing), ...texts])]
    .filter((text) => /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(text))
    .map((text) => `${address} has ${show(text)} in its address, which leads elsewhere`);
}

/** Attributes that carry the naming contract's names; a table's or a record's would be everybody's. */
const NAMES = [
  "account_id",
  "bucket",
  "dataset_id",
  "managed_zone",
  "policy_id",
  "repository",
  "repository_id",
  "service_account_id",
  "subscription",
];

function nameProblems({ address, type, attributes }: Managed, owner: Owner): string[] {
  const keys = /_(?:object|record_set)$/.test(type) ? NAMES : ["name", ...NAMES];
  return keys.flatMap((key) => {
    const value = attributes[key];
    if (typeof value !== "string") return [];
    const name = value.slice(value.lastIndexOf("/") + 1).replace(/@.*/, "");
    const own = isNamedLike(name, owner) || isCutAccount(name, owner.id);
    const environments = owner.environments.map((id) => ({ name: id, project: owner.project }));
    const other = [...owner.hospitals, ...environments].find(
      (one) =>
        one.name !== owner.id &&
        // What goes on where the own id ends may be the own one's; not so where a hospital is called like that.
        (!own || (owner.hospitals.includes(one as Named) && one.name.startsWith(`${owner.id}-`))) &&
        [one.project, owner.project].some((project) => isNamedLike(name, { id: one.name, project })),
    );
    return other ? [`${address} is called ${show(name)}, like what is of ${other.name}`] : [];
  });
}

function isNamedLike(name: string, { id, project }: Pick<Owner, "id" | "project">): boolean {
  return (
    name === id || name === datasetId({ name: id }) || name.startsWith(`${id}-`) || name.startsWith(`${project}-${id}-`)
  );
}

/** Of a long name, an account's id has the beginning and a hash. */
function isCutAccount(name: string, id: string): boolean {
  const parts = name.split("-");
  return parts.some((_, index) => index > 0 && serviceAccountId({ name: id }, parts.slice(index).join("-")) === name);
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
