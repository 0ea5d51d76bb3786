import { z } from "zod";
import { type Filled, fill, type LinePart, linePart, objectWith, TIERS } from "../constructs/core/hospital-line";
import { bucketNameProblem } from "../constructs/core/naming";
import type { Removal } from "../constructs/core/removal";
import { deliveryLine, deliveryProblems } from "../constructs/deliver";
import { erasureLine, erasureProblems } from "../constructs/erasure";
import { featuresLine, featuresProblems } from "../constructs/features";
import { gatewayLine } from "../constructs/gateway";
import { ingestLine } from "../constructs/ingest";
import { networkLine, networkProblems } from "../constructs/network";
import { alertsLine, objectivesLine } from "../constructs/observability";
import { pacsLine, pacsProblems } from "../constructs/pacs";
import { NODE_TAG, preprocessLine } from "../constructs/preprocess";
import { retrainLine } from "../constructs/retrain";
import { type ScheduleOf, scheduleLine } from "../constructs/schedule";
import { budgetLine, keyLocation, keysLine, organisationLine, organisationProblems } from "../constructs/security";
import {
  type NamedCallers,
  namedCallers,
  type PublicAccess,
  publicAccess,
  serveLine,
  serveProblems,
} from "../constructs/serve";
import { storageLine } from "../constructs/storage";
import { type Training, training, trainLine, trainProblems } from "../constructs/train";
import { warehouseLine } from "../constructs/warehouse";
import { ConfigurationError } from "../runtime/platform/config";
import { BUCKETS } from "../runtime/platform/contract";
import { deliveryMember } from "./delivery-names";
import { regionProblem } from "./regions";
import { asRecord, nameOf, sentences, show } from "./sentences";
import { isDate, OWNER, PROJECT, PROJECT_NUMBER, REGION, STATE_BUCKET } from "./values";
import { WAVE, waveOf } from "./waves";

/**
 * Stacks, targets of commands and folders of states that are no hospital's: a hospital of this name could not be told from
 * them.
 */
const RESERVED_NAMES: readonly string[] = ["bootstrap", "ci", "ci-env", "platform"];

/** What a line says of no construct: which hospital it is, where it lies and how long it stays. */
const identityLine = linePart({
  schema: z.strictObject({
    name: z
      .string()
      .regex(/^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,29}$/)
      .refine((name) => !RESERVED_NAMES.includes(name))
      .describe(
        `2 to 30 lower-case letters, digits and single hyphens, a letter first and no hyphen last, such as st-anna; not ${RESERVED_NAMES.join(", ")}, which are the platform's own`,
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
    images: z
      .enum(["optional", "required"])
      .default("optional")
      .describe("optional (what has no image yet is left out) or required (a synth without it stops)"),
    wave: WAVE.optional(),
    stateBucket: STATE_BUCKET.optional(),
    expiresAt: z.string().refine(isDate).optional().describe("a date such as 2027-01-31"),
    deployer: z
      .string()
      .regex(/^serviceAccount:[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\.iam\.gserviceaccount\.com$/)
      .optional()
      .describe("the service account that deploys: serviceAccount:NAME@PROJECT.iam.gserviceaccount.com"),
  }),
  purpose: {
    name: "Part of the names of its stacks, buckets and accounts. Another name is another hospital.",
    tier: "Decides every default of this table, and what a destroy may take along.",
    project: "The project that holds this hospital and nothing else; ephemeral environments share one.",
    projectNumber: "Google names the project's service agents by it.",
    region: "Where everything lies. Of a dated list; a newer one stands in `extraRegions` of the platform's line.",
    owner: "The label `owner` on every resource.",
    removal: "What a destroy does with the data. Never `destroy` in tier prod, never `retain` in tier ephemeral.",
    allowDestroys: "For the one deploy before a hospital is taken down: its data may be destroyed from then on.",
    images:
      "Whether `images.lock.json` must have the images of serving and training. Write `required` once both are deployed: without the file, the next deploy would take them away.",
    wave: "When a roll-out comes to it: the first wave first. Without it 1 in tier test, 2 in tier prod; an ephemeral environment is in none.",
    stateBucket: "Keeps the state of its stacks. Without it the platform's choice counts.",
    expiresAt:
      "Until when it is wanted, as a label; tier ephemeral alone. `npm run sweep` goes by it for environments of `CI_ENV_ID`, and never touches a line of this list. Without it two days after the synth.",
    deployer:
      "The account of a pipeline that deploys: it has to act as the identities that it deploys. Without it the hospital's own identity that deploys, where the platform names a repository.",
  },
  defaults: {
    prod: { removal: "retain" },
    test: { removal: "retain" },
    ephemeral: { removal: "destroy" },
  },
});

/** Every part of a line with the key that it stands under; those without one have keys of the line itself. */
export const LINE_PARTS: readonly { readonly key?: string; readonly part: LinePart }[] = [
  { part: identityLine },
  { part: keysLine },
  { part: budgetLine },
  { part: alertsLine },
  { part: warehouseLine },
  { part: storageLine },
  { part: organisationLine },
  { part: pacsLine },
  { part: erasureLine },
  { key: "network", part: networkLine },
  { key: "delivery", part: deliveryLine },
  { key: "gateway", part: gatewayLine },
  { key: "ingest", part: ingestLine },
  { key: "preprocess", part: preprocessLine },
  { key: "features", part: featuresLine },
  { key: "schedule", part: scheduleLine },
  { key: "train", part: trainLine },
  { key: "retraining", part: retrainLine },
  { key: "serve", part: serveLine },
  { key: "objectives", part: objectivesLine },
];

const { stateBucket, expiresAt, deployer, ...identity } = identityLine.schema.shape;

/** One line of `hospitals.ts`. An error that lists the keys has them in this order. */
const lineSchema = z.strictObject({
  ...identity,
  ...keysLine.schema.shape,
  stateBucket,
  expiresAt,
  ...budgetLine.schema.shape,
  ...alertsLine.schema.shape,
  ...warehouseLine.schema.shape,
  ...storageLine.schema.shape,
  ...organisationLine.schema.shape,
  ...pacsLine.schema.shape,
  ...erasureLine.schema.shape,
  deployer,
  network: networkLine.schema.default({}).describe(objectWith(networkLine)),
  delivery: deliveryLine.schema.default({}).describe(objectWith(deliveryLine)),
  gateway: gatewayLine.schema.default({}).describe(objectWith(gatewayLine)),
  ingest: ingestLine.schema.default({}).describe(objectWith(ingestLine)),
  preprocess: preprocessLine.schema.default({}).describe(objectWith(preprocessLine)),
  features: featuresLine.schema.default({}).describe(objectWith(featuresLine)),
  schedule: scheduleLine.schema.default({}).describe(objectWith(scheduleLine)),
  train: trainLine.schema.default({}).describe(objectWith(trainLine)),
  retraining: retrainLine.schema.default({}).describe(objectWith(retrainLine)),
  serve: serveLine.schema.default({}).describe(objectWith(serveLine)),
  objectives: objectivesLine.schema.default({}).describe(objectWith(objectivesLine)),
});

/** What an engineer writes. */
export type HospitalLine = z.input<typeof lineSchema>;

/** A validated line with every default filled in. */
export interface Hospital
  extends Omit<Filled<typeof identityLine>, "allowDestroys">,
    Filled<typeof keysLine>,
    Filled<typeof budgetLine>,
    Filled<typeof alertsLine>,
    Filled<typeof warehouseLine>,
    Filled<typeof storageLine>,
    Filled<typeof organisationLine>,
    Filled<typeof pacsLine>,
    Filled<typeof erasureLine> {
  /** What a destroy does: the tier's choice, or the line's. `allowDestroys` makes it `destroy`. */
  readonly removal: Removal;
  /** Where in the bucket, or beside the output folder, its states lie: empty, or a folder with a slash at its end. */
  readonly stateFolder: string;
  readonly network: Filled<typeof networkLine>;
  readonly delivery: Filled<typeof deliveryLine>;
  readonly gateway: Filled<typeof gatewayLine>;
  readonly ingest: Filled<typeof ingestLine>;
  readonly preprocess: Filled<typeof preprocessLine>;
  readonly features: Filled<typeof featuresLine>;
  readonly schedule: ScheduleOf;
  readonly train: Training;
  readonly retraining: Filled<typeof retrainLine>;
  readonly objectives: Filled<typeof objectivesLine>;
  readonly serve: {
    readonly maxInstances: number;
    /** Days that the pixels of an answer are kept. */
    readonly keepDays: number;
    /** Share of Cancer among the scans that are sent, where it is stated. */
    readonly prevalence: number | undefined;
    /** Who may try models out on a share of the requests. */
    readonly releasers: readonly string[];
    readonly callers: NamedCallers;
    /** How people reach the page; without it, there is no load balancer. */
    readonly publicAccess: PublicAccess | undefined;
  };
}

/** Days that an ephemeral environment lives for, where its line does not say. */
const EPHEMERAL_DAYS = 2;

/** Whether a hospital or an environment may be called so. */
export const isHospitalName = (name: string) => identityLine.schema.shape.name.safeParse(name).success;

/** What the platform decides for all hospitals. */
export interface HospitalContext {
  /** @default each line's own, otherwise none */
  readonly billingAccount?: string | undefined;
  /** @default each line's own, otherwise state lies beside the output folder */
  readonly stateBucket?: string | undefined;
  /**
   * The folder that states lie in, with a slash at its end.
   * @default the uppermost
   */
  readonly stateFolder?: string | undefined;
  /** Whether workflows deploy, each hospital by an identity of its own. @default false */
  readonly delivered?: boolean | undefined;
  /** Whose project no hospital may have. */
  readonly reservedProjects?: ReadonlyMap<string, string> | undefined;
  /** Regions that Google opened after the list of them was made. */
  readonly extraRegions?: readonly string[] | undefined;
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
    problems.push(...bucketProblems(who, line), ...crossFieldProblems(who, usableKeys(line), context));
    if (result.success) hospitals.push(withDefaults(result.data, context));
  });
  problems.push(...listProblems(input, context.reservedProjects ?? new Map()));
  if (problems.length > 0) throw new ConfigurationError(subject, problems);
  return hospitals;
}

function withDefaults(line: Line, context: HospitalContext): Hospital {
  const { tier } = line;
  const { allowDestroys, removal, ...identity } = fill(identityLine, tier, line);
  const costs = fill(budgetLine, tier, line);
  return {
    ...identity,
    removal: allowDestroys ? "destroy" : removal,
    wave: waveOf(line),
    deployer:
      identity.deployer ?? (context.delivered && tier !== "ephemeral" ? deliveryMember(identity, "deploy") : undefined),
    stateBucket: identity.stateBucket ?? context.stateBucket,
    stateFolder: context.stateFolder ?? "",
    expiresAt: identity.expiresAt ?? (tier === "ephemeral" ? expiry(context.now ?? new Date()) : undefined),
    ...costs,
    billingAccount: costs.billingAccount ?? context.billingAccount,
    ...fill(keysLine, tier, line),
    ...fill(alertsLine, tier, line),
    ...fill(warehouseLine, tier, line),
    ...fill(storageLine, tier, line),
    ...fill(organisationLine, tier, line),
    ...fill(pacsLine, tier, line),
    ...fill(erasureLine, tier, line),
    network: fill(networkLine, tier, line.network),
    delivery: fill(deliveryLine, tier, line.delivery),
    gateway: fill(gatewayLine, tier, line.gateway),
    ingest: fill(ingestLine, tier, line.ingest),
    preprocess: fill(preprocessLine, tier, line.preprocess),
    features: fill(featuresLine, tier, line.features),
    schedule: fill(scheduleLine, tier, line.schedule),
    objectives: fill(objectivesLine, tier, line.objectives),
    train: training(line.train, fill(trainLine, tier, line.train).spot, line.region),
    retraining: fill(retrainLine, tier, line.retraining),
    serve: {
      maxInstances: fill(serveLine, tier, line.serve).maxInstances,
      keepDays: fill(serveLine, tier, line.serve).keepDays,
      prevalence: line.serve?.prevalence,
      releasers: fill(serveLine, tier, line.serve).releasers,
      callers: namedCallers(line.serve),
      publicAccess: publicAccess(line.serve),
    },
  };
}

/**
 * Why a hospital's state cannot stay where it is, as a sentence; undefined if it can. A synth warns of it; what deploys
 * production refuses it.
 */
export function stateProblem({
  name,
  tier,
  stateBucket,
}: Pick<Hospital, "name" | "tier" | "stateBucket">): string | undefined {
  if (tier !== "prod" || stateBucket !== undefined) return undefined;
  return `Hospital "${name}" is of tier prod, and its state is a file on the machine that deploys: a second machine would make everything anew, and without the file nothing can be changed any more. Write "state": "gcs" into the platform's line (docs/operations.md, step 5), or "stateBucket" into the hospital's.`;
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
    // A key such as __proto__ or constructor is no key of a line, though every object has one.
    if (!Object.hasOwn(lineSchema.shape, key)) continue;
    const parsed = (lineSchema.shape as Record<string, z.ZodType>)[key]?.safeParse(value);
    if (parsed?.success) usable[key] = parsed.data;
  }
  return usable as Partial<Line>;
}

/** Rules over more than one key of a line, those within a construct's part among them. */
function crossFieldProblems(who: string, line: Partial<Line>, { extraRegions }: HospitalContext): string[] {
  const problems = serveProblems(line.serve ?? {}, line.tier).map((problem) => `${who}: ${problem}`);
  const noRegion = line.region && regionProblem("region", line.region, extraRegions);
  if (noRegion) problems.push(`${who}: ${noRegion}`);
  if (line.tier === "prod" && line.removal === "destroy" && !line.allowDestroys)
    problems.push(
      `${who}: "removal" is "destroy" in tier prod; allowed: retain. To take a prod hospital down, deploy it once with "allowDestroys": true.`,
    );
  if (line.tier === "ephemeral" && line.removal === "retain")
    problems.push(`${who}: "removal" is "retain" in tier ephemeral; allowed: destroy, an environment that expires.`);
  if (line.expiresAt && line.tier && line.tier !== "ephemeral")
    problems.push(`${who}: "expiresAt" is "${line.expiresAt}" in tier ${line.tier}; allowed: in tier ephemeral only.`);
  if (line.tier === "ephemeral" && line.wave !== undefined)
    problems.push(`${who}: "wave" is ${line.wave} in tier ephemeral; allowed: in tiers prod and test only.`);
  if (line.tier === "ephemeral" && line.budget !== undefined)
    problems.push(
      `${who}: "budget" is ${line.budget} in tier ephemeral; allowed: in tiers prod and test, as one project's environments share its budget.`,
    );
  problems.push(...organisationProblems(line, line.tier).map((problem) => `${who}: ${problem}`));
  problems.push(...pacsProblems(line, line.tier, line.region, extraRegions).map((problem) => `${who}: ${problem}`));
  problems.push(...erasureProblems(line, line.tier).map((problem) => `${who}: ${problem}`));
  problems.push(
    ...deliveryProblems(line.delivery ?? {}, line.tier, line.network ?? {}).map((problem) => `${who}: ${problem}`),
  );
  problems.push(...networkProblems(line.network ?? {}, [NODE_TAG]).map((problem) => `${who}: ${problem}`));
  problems.push(...featuresProblems(line.features ?? {}, modelsOf(line)).map((problem) => `${who}: ${problem}`));
  problems.push(...trainProblems(line.train ?? {}, trainedIn(line)).map((problem) => `${who}: ${problem}`));
  for (const key of ["kmsKey", "pseudonymKey", "auditKey"] as const) {
    const location = keyLocation(line[key] ?? "");
    if (location && line.region && location !== line.region)
      problems.push(
        `${who}: "${key}" lies in "${location}"; allowed: the hospital's own region, ${line.region}, where its data is.`,
      );
  }
  return problems;
}

/** Where a hospital trains, as far as its line says. */
function trainedIn(line: Partial<Line>) {
  const { tier, region } = line;
  const models = modelsOf(line);
  return { ...(tier ? { tier } : {}), ...(region ? { region } : {}), ...(models ? { models } : {}) };
}

/** A hospital's bucket of models. */
const modelsOf = ({ name, project }: Partial<Line>) => (name && project ? `${project}-${name}-models` : undefined);

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
  const keys = new Map<string, string>();
  lines.forEach((line, index) => {
    const { name, project, tier, kmsKey } = asRecord(line);
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
    if (tier === "ephemeral" && typeof kmsKey === "string") {
      const use = `${project} ${kmsKey}`;
      const user = keys.get(use);
      if (user !== undefined)
        problems.push(
          `${who}: "kmsKey" is that of environment "${user}" in the same project, whose end would take the rights of the project's service agents along; allowed: a key that no other environment of the project uses, or none for the platform's.`,
        );
      else keys.set(use, name);
    }
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
