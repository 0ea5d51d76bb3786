import { z } from "zod";
import { LABEL_VALUE } from "../constructs/core/labels";
import { bucketNameProblem } from "../constructs/core/naming";
import type { Removal } from "../constructs/core/removal";
import { DEFAULT_CIDR, type EgressDestination } from "../constructs/network";
import { ConfigurationError } from "../runtime/platform/config";
import { BUCKETS } from "../runtime/platform/contract";

export const TIERS = ["prod", "test", "ephemeral"] as const;
export type Tier = (typeof TIERS)[number];

const KMS_KEY = /^projects\/[a-z][a-z0-9-]+\/locations\/([a-z0-9-]+)\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}$/;
const KMS_KEY_VERSION =
  /^projects\/[a-z][a-z0-9-]+\/locations\/([a-z0-9-]+)\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}\/cryptoKeyVersions\/[1-9]\d*$/;

const isDate = (text: string) => {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
};

const isPrivateRange = (text: string) => {
  const range = parseRange(text);
  return range !== undefined && range.bits >= 16 && range.bits <= 24 && PRIVATE_ADDRESS.test(text);
};

/** Google's own range needs no line, and whatever is wider than /16 is no list of destinations any more. */
const isNarrowRange = (text: string) => {
  const range = parseRange(text);
  return range !== undefined && range.bits >= 16;
};

const PRIVATE_ADDRESS = /^(?:10\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.168\.)/;

/** An IPv4 range whose address is its first; undefined for anything else. */
function parseRange(text: string): { readonly first: number; readonly bits: number } | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!match) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match.slice(1).map(Number);
  if ([a, b, c, d].some((part) => part > 255) || bits > 32) return undefined;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % 2 ** (32 - bits) === 0 ? { first, bits } : undefined;
}

const STATE_BUCKET = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/)
  .describe("the name of an existing bucket for Terraform's state, without gs://");
const BILLING_ACCOUNT = z
  .string()
  .regex(/^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$/)
  .describe("a billing account's id such as 01AB23-456789-CDEF01");
const AMOUNT = z
  .int()
  .min(1)
  .max(10_000_000)
  .describe("a whole number from 1 to 10000000, a month in the billing account's currency");
const EMAILS = z
  .array(z.email().describe("an e-mail address"))
  .max(16)
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of at most 16 e-mail addresses, each once");
const MEMBERS = z
  .array(
    z
      .string()
      .regex(/^(?:user|group|serviceAccount):[^\s@]+@[^\s@]+$/)
      .describe("group:NAME, user:NAME or serviceAccount:NAME, each with an e-mail address"),
  )
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of IAM members such as group:analysts@example.org, each once");

/** One line of `hospitals.ts`. A description says what is allowed; errors quote it. */
const lineSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,29}$/)
    .describe(
      "2 to 30 lower-case letters, digits and single hyphens, a letter first and no hyphen last, such as st-anna",
    ),
  tier: z.enum(TIERS).describe("prod, test or ephemeral"),
  project: z
    .string()
    .regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/)
    .describe(
      "the id of a Google Cloud project: 6 to 30 lower-case letters, digits and hyphens, a letter first and no hyphen last",
    ),
  projectNumber: z
    .union([z.string(), z.int().transform(String)])
    .pipe(z.string().regex(/^[1-9]\d{5,18}$/))
    .describe("the project's number, digits only: gcloud projects describe PROJECT --format='value(projectNumber)'"),
  region: z
    .string()
    .regex(/^(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+\d+$/)
    .describe("one region of Google Cloud such as europe-west4, not a zone and not a multi-region"),
  owner: z
    .string()
    .regex(LABEL_VALUE)
    .default("platform")
    .describe("a label: up to 63 lower-case letters, digits, hyphens and underscores"),
  removal: z
    .enum(["retain", "destroy"])
    .optional()
    .describe("retain (terraform destroy fails) or destroy (it leaves nothing but key versions)"),
  allowDestroys: z.boolean().default(false).describe("true or false"),
  kmsKey: z
    .string()
    .regex(KMS_KEY)
    .optional()
    .describe("an existing encryption key in full: projects/P/locations/REGION/keyRings/R/cryptoKeys/K"),
  pseudonymKey: z
    .string()
    .regex(KMS_KEY_VERSION)
    .optional()
    .describe(
      "an existing MAC key version in full: projects/P/locations/REGION/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N",
    ),
  stateBucket: STATE_BUCKET.optional(),
  expiresAt: z.string().refine(isDate).optional().describe("a date such as 2027-01-31"),
  billingAccount: BILLING_ACCOUNT.optional(),
  budget: AMOUNT.optional(),
  alertEmails: EMAILS.optional(),
  analysts: MEMBERS.optional(),
  deployer: z
    .string()
    .regex(/^serviceAccount:[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\.iam\.gserviceaccount\.com$/)
    .optional()
    .describe("the service account that deploys: serviceAccount:NAME@PROJECT.iam.gserviceaccount.com"),
  network: z
    .strictObject({
      cidr: z.string().refine(isPrivateRange).optional().describe("a private range of /16 to /24 such as 10.10.0.0/20"),
      egress: z
        .array(
          z
            .strictObject({
              name: z
                .string()
                .regex(/^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,19}$/)
                .describe("2 to 20 lower-case letters, digits and single hyphens, a letter first"),
              cidr: z
                .string()
                .refine(isNarrowRange)
                .describe("a range of /16 or smaller such as 203.0.113.0/28, starting at its first address"),
              ports: z
                .array(z.int().min(1).max(65_535).describe("a whole number from 1 to 65535"))
                .min(1)
                .max(20)
                .describe("a list of TCP ports"),
            })
            .describe("an object with name, cidr and ports"),
        )
        .max(20)
        .optional()
        .describe("a list of at most 20 destinations, each with name, cidr and ports"),
    })
    .default({})
    .describe("an object with cidr and egress"),
  ingest: z
    .strictObject({
      maxInstances: z.int().min(1).max(1000).optional().describe("a whole number from 1 to 1000"),
    })
    .default({})
    .describe("an object with maxInstances"),
});

/** What an engineer writes. */
export type HospitalLine = z.input<typeof lineSchema>;

/** A validated line with every default filled in. */
export interface Hospital {
  readonly name: string;
  readonly tier: Tier;
  readonly project: string;
  readonly projectNumber: string;
  readonly region: string;
  readonly owner: string;
  /** What a destroy does: the tier's choice, or the line's. `allowDestroys` makes it `destroy`. */
  readonly removal: Removal;
  readonly kmsKey: string | undefined;
  readonly pseudonymKey: string | undefined;
  readonly stateBucket: string | undefined;
  readonly expiresAt: string | undefined;
  /** Where the budget is made; without one, there is none. */
  readonly billingAccount: string | undefined;
  /** A month, in the billing account's currency. */
  readonly budget: number;
  readonly alertEmails: readonly string[];
  /** IAM members that may read the warehouse. */
  readonly analysts: readonly string[];
  /** Who has to act as the identities that it deploys. */
  readonly deployer: string | undefined;
  readonly network: { readonly cidr: string; readonly egress: readonly EgressDestination[] };
  readonly ingest: { readonly maxInstances: number };
}

/** What a line that says nothing gets. */
const TIER_DEFAULTS: Readonly<Record<Tier, TierDefaults>> = {
  prod: { removal: "retain", maxInstances: 20, budget: 2000 },
  test: { removal: "retain", maxInstances: 5, budget: 300 },
  ephemeral: { removal: "destroy", maxInstances: 2, budget: 100 },
};

interface TierDefaults {
  readonly removal: Removal;
  readonly maxInstances: number;
  readonly budget: number;
}

/** Days that an ephemeral environment lives for, where its line does not say. */
const EPHEMERAL_DAYS = 2;

/** What the platform decides for all hospitals. */
export interface HospitalContext {
  /** @default each line's own, otherwise none */
  readonly billingAccount?: string | undefined;
  /** @default each line's own, otherwise state lies beside the output folder */
  readonly stateBucket?: string | undefined;
  /** Whose project no hospital may have. */
  readonly reservedProjects?: ReadonlyMap<string, string> | undefined;
  /**
   * From when an ephemeral environment's days are counted.
   * @default this moment
   */
  readonly now?: Date | undefined;
}

/**
 * Validates all lines and fills in the defaults of each tier.
 * @throws {ConfigurationError} with one sentence for every problem of every hospital.
 */
export function parseHospitals(
  input: unknown,
  subject = "The list of hospitals",
  context: HospitalContext = {},
): Hospital[] {
  if (!Array.isArray(input))
    throw new ConfigurationError(subject, [`It is ${show(input)}; allowed: a list of hospitals.`]);
  if (input.length === 0) throw new ConfigurationError(subject, ["It is empty; it must have at least one hospital."]);

  const problems: string[] = [];
  const hospitals: Hospital[] = [];
  input.forEach((line: unknown, index) => {
    const who = nameOf(line, index);
    const result = lineSchema.safeParse(line);
    if (!result.success)
      problems.push(...result.error.issues.flatMap((issue) => sentences(lineSchema, who, line, issue)));
    problems.push(...bucketProblems(who, line), ...crossFieldProblems(who, usableKeys(line)));
    if (result.success) hospitals.push(withDefaults(result.data, context));
  });
  problems.push(...listProblems(input, context.reservedProjects ?? new Map()));
  if (problems.length > 0) throw new ConfigurationError(subject, problems);
  return hospitals;
}

function withDefaults(line: z.output<typeof lineSchema>, context: HospitalContext): Hospital {
  const defaults = TIER_DEFAULTS[line.tier];
  return {
    name: line.name,
    tier: line.tier,
    project: line.project,
    projectNumber: line.projectNumber,
    region: line.region,
    owner: line.owner,
    removal: line.allowDestroys ? "destroy" : (line.removal ?? defaults.removal),
    kmsKey: line.kmsKey,
    pseudonymKey: line.pseudonymKey,
    stateBucket: line.stateBucket ?? context.stateBucket,
    expiresAt: line.expiresAt ?? (line.tier === "ephemeral" ? expiry(context.now ?? new Date()) : undefined),
    billingAccount: line.billingAccount ?? context.billingAccount,
    budget: line.budget ?? defaults.budget,
    alertEmails: line.alertEmails ?? [],
    analysts: line.analysts ?? [],
    deployer: line.deployer,
    network: { cidr: line.network.cidr ?? DEFAULT_CIDR, egress: line.network.egress ?? [] },
    ingest: { maxInstances: line.ingest.maxInstances ?? defaults.maxInstances },
  };
}

/** The date from which an environment that is deployed now may be taken away. */
export function expiry(now: Date): string {
  return new Date(now.getTime() + EPHEMERAL_DAYS * 24 * 60 * 60 * 1000).toISOString().slice(0, 10);
}

type Line = z.output<typeof lineSchema>;

/** The keys of a line that are right by themselves: rules over several keys also hold where another key is wrong. */
function usableKeys(line: unknown): Partial<Line> {
  const usable: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(asRecord(line))) {
    const parsed = (lineSchema.shape as Record<string, z.ZodType>)[key]?.safeParse(value);
    if (parsed?.success) usable[key] = parsed.data;
  }
  return usable as Partial<Line>;
}

/** Rules over more than one key of a line. */
function crossFieldProblems(who: string, line: Partial<Line>): string[] {
  const problems: string[] = [];
  if (line.tier === "prod" && line.removal === "destroy" && !line.allowDestroys)
    problems.push(
      `${who}: "removal" is "destroy" in tier prod; allowed: retain. To take a prod hospital down, deploy it once with "allowDestroys": true.`,
    );
  if (line.tier === "ephemeral" && line.removal === "retain")
    problems.push(`${who}: "removal" is "retain" in tier ephemeral; allowed: destroy, an environment that expires.`);
  if (line.expiresAt && line.tier && line.tier !== "ephemeral")
    problems.push(`${who}: "expiresAt" is "${line.expiresAt}" in tier ${line.tier}; allowed: in tier ephemeral only.`);
  if (line.tier === "ephemeral" && line.budget !== undefined)
    problems.push(
      `${who}: "budget" is ${line.budget} in tier ephemeral; allowed: in tiers prod and test, as one project's environments share its budget.`,
    );
  const egress = line.network?.egress ?? [];
  for (const name of new Set(egress.map((destination) => destination.name)))
    if (egress.filter((destination) => destination.name === name).length > 1)
      problems.push(`${who}: "network.egress" has the name "${name}" twice; allowed: each name once.`);
  for (const [key, value, pattern] of [
    ["kmsKey", line.kmsKey, KMS_KEY],
    ["pseudonymKey", line.pseudonymKey, KMS_KEY_VERSION],
  ] as const) {
    const location = value && pattern.exec(value)?.[1];
    if (location && line.region && location !== line.region)
      problems.push(
        `${who}: "${key}" lies in "${location}"; allowed: the hospital's own region, ${line.region}, where its data is.`,
      );
  }
  return problems;
}

/** Bucket names are made of project, hospital and purpose: each can be right and the whole too long. */
function bucketProblems(who: string, line: unknown): string[] {
  const { name, project } = asRecord(line);
  if (typeof name !== "string" || typeof project !== "string") return [];
  const longest = [...BUCKETS, "access-log", "source"].sort((a, b) => b.length - a.length)[0] ?? "quarantine";
  const problem = bucketNameProblem(`${project}-${name}-${longest}`);
  const malformed =
    !lineSchema.shape.name.safeParse(name).success || !lineSchema.shape.project.safeParse(project).success;
  // A malformed part has its own sentence; only the length of the whole is worth a second one.
  if (!problem || (malformed && !problem.includes("63"))) return [];
  return [`${who}: "name" is ${show(name)} and "project" is ${show(project)}. ${problem}`];
}

/** Rules over the whole list. */
function listProblems(lines: readonly unknown[], reserved: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  const names = new Map<string, number>();
  const projects = new Map<string, { readonly name: string; readonly tier: unknown }>();
  const prefixes = new Map<string, string>();
  lines.forEach((line, index) => {
    const { name, project, tier } = asRecord(line);
    if (typeof name !== "string") return;
    const who = nameOf(line, index);
    const before = names.get(name);
    if (before !== undefined)
      problems.push(
        `${who}: "name" is ${show(name)}, as is line ${before + 1}; allowed: a name that no other line has.`,
      );
    else names.set(name, index);
    if (typeof project !== "string" || before !== undefined) return;

    const use = reserved.get(project);
    if (use !== undefined && tier !== "ephemeral")
      problems.push(`${who}: "project" is ${show(project)}, which is ${use}; allowed: a project of its own.`);
    const owner = projects.get(project);
    if (owner === undefined) projects.set(project, { name, tier });
    else if (tier !== "ephemeral" || owner.tier !== "ephemeral")
      problems.push(
        `${who}: "project" is ${show(project)}, which is the project of hospital "${owner.name}"; allowed: a project of its own, or one that only hospitals of tier ephemeral share.`,
      );
    const prefix = `${project}-${name}`;
    const twin = prefixes.get(prefix);
    if (twin !== undefined && twin !== name)
      problems.push(
        `${who}: "name" and "project" together are "${prefix}", as are those of hospital "${twin}", so their buckets would have the same names; allowed: another name.`,
      );
    else prefixes.set(prefix, name);
  });
  return problems;
}

/** An issue of the schema as a sentence: which hospital, which key, what was given, what is allowed. */
function sentences(schema: z.ZodObject, who: string, line: unknown, issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    const allowed = keysAt(schema, issue.path);
    const where = issue.path.length === 0 ? "" : ` in "${issue.path.join(".")}"`;
    return issue.keys.map((key) => {
      const meant = closest(key, allowed);
      return `${who}: "${key}"${where} is not a known key${meant ? `; did you mean "${meant}"?` : ";"} allowed: ${allowed.join(", ")}.`;
    });
  }
  if (issue.path.length === 0)
    return [`${who} is ${show(line)}; allowed: an object with ${requiredKeys(schema).join(", ")}.`];
  const given = issue.path.reduce<unknown>((value, key) => asRecord(value)[String(key)], line);
  const key = issue.path.join(".");
  const allowed = describe(schema, issue.path) ?? issue.message;
  return [`${who}: "${key}" is ${given === undefined ? "missing" : show(given)}; allowed: ${allowed}.`];
}

function requiredKeys({ shape }: z.ZodObject): string[] {
  return Object.keys(shape).filter((key) => !(shape[key] as z.ZodType).safeParse(undefined).success);
}

/** Follows a path into a schema, through defaults, options and lists. */
function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let here: z.ZodType | undefined = schema;
  for (const key of path) {
    here = unwrapped(here);
    if (here instanceof z.ZodObject) here = (here.shape as Record<string, z.ZodType>)[String(key)];
    else if (here instanceof z.ZodArray) here = here.element as z.ZodType;
    else return undefined;
  }
  return here;
}

function unwrapped(schema: z.ZodType | undefined): z.ZodType | undefined {
  let here = schema;
  while (here instanceof z.ZodDefault || here instanceof z.ZodOptional) here = here.unwrap() as z.ZodType;
  return here;
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const found = unwrapped(schemaAt(schema, path));
  return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

/** The description of what a path leads to; a default or an option may stand around it. */
function describe(schema: z.ZodType, path: readonly PropertyKey[]): string | undefined {
  const found = schemaAt(schema, path);
  return found?.description ?? unwrapped(found)?.description;
}

const nameOf = (line: unknown, index: number): string => {
  const { name } = asRecord(line);
  return typeof name === "string" && name !== "" ? `Hospital "${name}" (line ${index + 1})` : `Line ${index + 1}`;
};

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

const show = (value: unknown): string => (value === undefined ? "missing" : (JSON.stringify(value) ?? String(value)));

/** The allowed word within two edits of a mistyped one. */
function closest(word: string, allowed: readonly string[]): string | undefined {
  const best = allowed
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)[0];
  return best && best.edits <= 2 ? best.candidate : undefined;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current[column] = Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
