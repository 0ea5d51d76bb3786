import { z } from "zod";
import { bucketNameProblem } from "../constructs/core/naming";
import type { Removal } from "../constructs/core/removal";
import { DEFAULT_CIDR, type EgressDestination } from "../constructs/network";
import type { PublicAccess } from "../constructs/serve";
import { GPUS, type Gpu } from "../constructs/train";
import { ConfigurationError } from "../runtime/platform/config";
import { BUCKETS } from "../runtime/platform/contract";
import { asRecord, nameOf, sentences, show } from "./sentences";
import {
  AMOUNT,
  BILLING_ACCOUNT,
  DOMAIN,
  EMAILS,
  isDate,
  isNarrowRange,
  isPrivateRange,
  isSourceRange,
  KMS_KEY,
  KMS_KEY_VERSION,
  MEMBERS,
  OWNER,
  PROJECT,
  PROJECT_NUMBER,
  REGION,
  STATE_BUCKET,
  VIEWERS,
} from "./values";

export const TIERS = ["prod", "test", "ephemeral"] as const;
export type Tier = (typeof TIERS)[number];

/** One line of `hospitals.ts`. A description says what is allowed; errors quote it. */
const lineSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,29}$/)
    .describe(
      "2 to 30 lower-case letters, digits and single hyphens, a letter first and no hyphen last, such as st-anna",
    ),
  tier: z.enum(TIERS).describe("prod, test or ephemeral"),
  project: PROJECT,
  projectNumber: PROJECT_NUMBER,
  region: REGION,
  owner: OWNER,
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
  preprocess: z
    .strictObject({
      maxSpotWorkers: z.int().min(1).max(200).optional().describe("a whole number from 1 to 200"),
    })
    .default({})
    .describe("an object with maxSpotWorkers"),
  train: z
    .strictObject({
      gpu: z.enum(GPUS).optional().describe(GPUS.join(", ")),
      spot: z.boolean().optional().describe("true or false"),
    })
    .default({})
    .describe("an object with gpu and spot"),
  serve: z
    .strictObject({
      maxInstances: z.int().min(1).max(1000).optional().describe("a whole number from 1 to 1000"),
      domain: DOMAIN.optional(),
      viewers: VIEWERS.optional(),
      allowedRanges: z
        .array(
          z.string().refine(isSourceRange).describe("a range such as 198.51.100.0/24, starting at its first address"),
        )
        .min(1)
        .max(10)
        .optional()
        .describe("a list of at most 10 ranges, such as 198.51.100.0/24"),
    })
    .default({})
    .describe("an object with maxInstances, domain, viewers and allowedRanges"),
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
  readonly preprocess: { readonly maxSpotWorkers: number };
  readonly train: { readonly gpu: Gpu; readonly spot: boolean };
  readonly serve: {
    readonly maxInstances: number;
    /** How people reach the page; without it, there is no load balancer. */
    readonly publicAccess: PublicAccess | undefined;
  };
}

/** What a line that says nothing gets. */
const TIER_DEFAULTS: Readonly<Record<Tier, TierDefaults>> = {
  prod: { removal: "retain", maxInstances: 20, serveInstances: 10, spotWorkers: 8, spotTraining: false, budget: 2000 },
  test: { removal: "retain", maxInstances: 5, serveInstances: 3, spotWorkers: 4, spotTraining: true, budget: 300 },
  ephemeral: {
    removal: "destroy",
    maxInstances: 2,
    serveInstances: 2,
    spotWorkers: 2,
    spotTraining: true,
    budget: 100,
  },
};

interface TierDefaults {
  readonly removal: Removal;
  readonly maxInstances: number;
  readonly serveInstances: number;
  readonly spotWorkers: number;
  readonly spotTraining: boolean;
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
    preprocess: { maxSpotWorkers: line.preprocess.maxSpotWorkers ?? defaults.spotWorkers },
    train: { gpu: line.train.gpu ?? "nvidia-tesla-t4", spot: line.train.spot ?? defaults.spotTraining },
    serve: {
      maxInstances: line.serve.maxInstances ?? defaults.serveInstances,
      publicAccess: publicAccess(line.serve),
    },
  };
}

function publicAccess({ domain, viewers = [], allowedRanges }: Line["serve"]): PublicAccess | undefined {
  return domain === undefined ? undefined : { domain, viewers, allowedRanges };
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
  for (const key of ["viewers", "allowedRanges"] as const)
    if (line.serve?.[key] && line.serve.domain === undefined)
      problems.push(
        `${who}: "serve.${key}" is given without "serve.domain"; allowed: with the domain that people open.`,
      );
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
