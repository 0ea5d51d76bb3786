import { environmentStacks } from "../stacks/ci-environment";
import { isHospitalName } from "../stacks/config";
import { asRecord, show } from "../stacks/sentences";
import { isDate } from "../stacks/values";
import {
  expiries,
  type Managed,
  type Owner,
  ownershipProblems,
  REGION,
  readState,
  regionOf,
} from "./environment-proof";
import type { StateFile, StateListing } from "./environment-states";

/** A resource as gcloud lists it. What it says of itself proves nothing, and is not trusted to be of these types. */
export interface InventoryItem {
  readonly name: string;
  readonly location?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface EnvironmentState {
  readonly stack: string;
  /** Its path or URL. */
  readonly place: string;
  /** What it holds. */
  readonly resources: number;
}

/** An ephemeral environment whose states agree that it is one, and that its time is over. */
export interface Environment {
  readonly name: string;
  /** YYYY-MM-DD, the latest that any of its resources says. */
  readonly expiresAt: string;
  readonly region: string | undefined;
  /** What its states hold. */
  readonly resources: number;
  /** How many of the inventory's carry its labels. */
  readonly inCloud: number;
  /** In the order in which they are destroyed. */
  readonly states: readonly EnvironmentState[];
}

/** What is to be looked at. */
export interface Evidence {
  readonly listing: StateListing;
  readonly inventory: readonly unknown[];
  /** YYYY-MM-DD, in UTC: an environment may be taken away from its date on. */
  readonly today: string;
  readonly owner: Omit<Owner, "id" | "environments">;
}

export interface Survey {
  readonly expired: readonly Environment[];
  /** Those whose time is not over. */
  readonly living: readonly string[];
  /** Sentences about what is left alone. */
  readonly left: readonly string[];
  /** Those of them that tell of a state that lies, or of something where no environment's state belongs. */
  readonly doubtful: readonly string[];
  /** Items of the inventory that carry other labels than an environment's. */
  readonly foreign: number;
}

/** The labels that an environment's resources carry in the cloud, for people. */
export const WANTED_LABELS = "hospital=ID, env=ephemeral and managed-by=cdktf";

/**
 * Which environments may be destroyed. An environment is what its states say: each has to be of it alone, and all have to
 * agree that its time is over. The inventory adds what is there; by itself it proves nothing.
 */
export function survey(evidence: Evidence): Survey {
  const { listing, owner, today } = evidence;
  const left: string[] = [];
  const doubtful: string[] = [];
  const living: string[] = [];
  const expired: Environment[] = [];
  const { byId, foreign } = itemsById(evidence.inventory);
  const ids = new Set([...listing.states, ...listing.strays].flatMap(({ id }) => id ?? []));

  for (const { id, problem } of listing.strays) if (id === undefined) doubtful.push(`${problem} It is left alone.`);
  for (const id of [...ids].sort()) {
    const states = listing.states.filter((state) => state.id === id);
    const strays = listing.strays.filter((stray) => stray.id === id).map(({ problem }) => problem);
    const items = byId.get(id) ?? [];
    const found = examine(id, states, strays, items, { ...owner, id, environments: [...ids] }, today);
    if (found.kind === "expired") expired.push(found.environment);
    else if (found.kind === "living") living.push(found.sentence);
    else if (found.kind === "left") left.push(found.sentence);
    else if (found.kind === "doubtful") doubtful.push(found.sentence);
  }
  for (const [id, items] of [...byId].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (ids.has(id)) continue;
    const carry = `${items.length} of the inventory's resources carry the labels of an environment ${show(id)}`;
    if (isHospital(id, owner)) doubtful.push(`${carry}, which is a hospital's name: a hospital is never touched.`);
    else if (!isHospitalName(id)) doubtful.push(`${carry}, as none can be called: they are left alone.`);
    else
      left.push(
        `${carry}, and ${listing.place} has no state of it: labels alone prove nothing, so they are left alone. Look at them.`,
      );
  }
  return { expired, living, left, doubtful, foreign };
}

type Finding =
  | { readonly kind: "expired"; readonly environment: Environment }
  | { readonly kind: "living" | "left" | "doubtful"; readonly sentence: string }
  | { readonly kind: "empty" };

function examine(
  id: string,
  files: readonly StateFile[],
  strays: readonly string[],
  items: readonly Json[],
  owner: Owner,
  today: string,
): Finding {
  if (isHospital(id, owner))
    return {
      kind: "doubtful",
      sentence: `${id} has a folder among the states of environments, and is a hospital's name: a hospital is never touched.`,
    };

  const states = files.map((file) => ({ file, ...readState(file.text) }));
  const problems = [
    ...strays,
    ...states.flatMap(({ file, managed, problems: unread }) =>
      [...unread, ...managed.flatMap((thing) => ownershipProblems(thing, owner))].map(
        (problem) => `${show(file.place)}: ${problem}.`,
      ),
    ),
  ];
  if (problems.length > 0)
    return {
      kind: "doubtful",
      sentence: `${id} is left alone, as its states do not say that all of it is this environment's: ${some(problems)}`,
    };

  const things = states.flatMap(({ managed }) => managed);
  if (things.length === 0)
    return items.length === 0
      ? { kind: "empty" }
      : {
          kind: "left",
          sentence: `${id} has states in which nothing is left, and ${items.length} resources in the cloud that carry its labels: they are left alone. Look at them.`,
        };
  const expiresAt = lastDate(things);
  if (expiresAt === undefined)
    return {
      kind: "left",
      sentence: `${id} has resources without a date in expires-at, or none that carries labels: it is left alone. Look at it.`,
    };
  const newer = items.map(dateOf).find((date) => date !== undefined && date > today);
  if (expiresAt > today) return { kind: "living", sentence: `${id} has time until ${expiresAt}.` };
  if (newer !== undefined)
    return {
      kind: "left",
      sentence: `${id} expired on ${expiresAt} by its states, and something of it in the cloud says ${newer}: it may just be deployed again, and is left alone.`,
    };

  const order = [...environmentStacks(id)].reverse();
  return {
    kind: "expired",
    environment: {
      name: id,
      expiresAt,
      region: regionOf(things) ?? items.map(locationOf).find((location) => REGION.test(location)),
      resources: things.length,
      inCloud: items.length,
      states: states
        .filter(({ managed }) => managed.length > 0)
        .map(({ file, managed }) => ({ stack: file.stack, place: file.place, resources: managed.length }))
        .sort((a, b) => order.indexOf(a.stack) - order.indexOf(b.stack)),
    },
  };
}

/** The newest date, if everything that carries the labels says one: whoever was deployed again lives as long as it says. */
function lastDate(things: readonly Managed[]): string | undefined {
  const dates = expiries(things);
  return dates.includes(undefined) ? undefined : dates.sort().at(-1);
}

function isHospital(id: string, { hospitals }: Pick<Owner, "hospitals">): boolean {
  return hospitals.some(({ name }) => name === id);
}

type Json = Record<string, unknown>;

function itemsById(inventory: readonly unknown[]): { byId: Map<string, Json[]>; foreign: number } {
  const byId = new Map<string, Json[]>();
  let foreign = 0;
  for (const item of inventory.map(asRecord)) {
    const { hospital, env, "managed-by": by } = asRecord(item.labels);
    if (env === "ephemeral" && by === "cdktf" && typeof hospital === "string" && hospital !== "")
      byId.set(hospital, [...(byId.get(hospital) ?? []), item]);
    else foreign++;
  }
  return { byId, foreign };
}

function dateOf(item: Json): string | undefined {
  const date = asRecord(item.labels)["expires-at"];
  return typeof date === "string" && isDate(date) ? date : undefined;
}

const locationOf = ({ location }: Json) => (typeof location === "string" ? location.toLowerCase() : "");

const SHOWN = 3;

function some(problems: readonly string[]): string {
  const more = problems.length - SHOWN;
  return `${problems.slice(0, SHOWN).join(" ")}${more > 0 ? ` And ${more} more.` : ""}`;
}
