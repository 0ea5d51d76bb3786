import { z } from "zod";
import { documentedKeys } from "../constructs/core/hospital-line";
import { bucketName, bucketNameProblem } from "../constructs/core/naming";
import type { Removal } from "../constructs/core/removal";
import { EMAILS } from "../constructs/observability";
import { AMOUNT, BILLING_ACCOUNT } from "../constructs/security";
import { USAGE_LOGS, USAGE_LOGS_PURPOSE } from "../constructs/storage";
import { ConfigurationError } from "../runtime/platform/config";
import { regionProblem } from "./regions";
import { asRecord, sentences, show } from "./sentences";
import { OWNER, PROJECT, PROJECT_NUMBER, REGION } from "./values";

const ciKeys = documentedKeys({
  schema: z.strictObject({
    project: PROJECT,
    projectNumber: PROJECT_NUMBER,
    budget: AMOUNT.default(200),
  }),
  purpose: {
    project: "The project that every ephemeral environment lies in, and nothing else.",
    projectNumber: "Google names that project's service agents by it.",
    budget: "The same as the platform's, for all environments together.",
  },
});

/** The platform's line in `hospitals.ts`. */
export const platformKeys = documentedKeys({
  schema: z.strictObject({
    project: PROJECT,
    projectNumber: PROJECT_NUMBER,
    region: REGION,
    owner: OWNER,
    state: z
      .enum(["local", "gcs"])
      .default("local")
      .describe("local (beside the output folder) or gcs (in the bucket that the bootstrap stack makes)"),
    billingAccount: BILLING_ACCOUNT.optional(),
    budget: AMOUNT.default(200),
    alertEmails: EMAILS.default([]),
    allowDestroys: z.boolean().default(false).describe("true or false"),
    lockLogArchive: z
      .boolean()
      .default(false)
      .describe("true or false; true can never be taken back: no log of six years can be deleted any more"),
    usageLogs: USAGE_LOGS,
    repository: z
      .string()
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}\/[A-Za-z0-9._-]{1,100}$/)
      .optional()
      .describe("the GitHub repository whose workflows may deploy to the CI project: OWNER/NAME"),
    ci: ciKeys.schema
      .optional()
      .describe("the project that ephemeral environments share: an object with project and projectNumber"),
    ephemeralRegions: z
      .array(REGION)
      .min(1)
      .max(10)
      .refine((list) => new Set(list).size === list.length)
      .optional()
      .describe("a list of the regions in which ephemeral environments may lie, each once"),
    extraRegions: z.array(REGION).max(20).default([]).describe("a list of regions"),
  }),
  purpose: {
    project: "Holds what hospitals share: images, the log archive, the keys of ephemeral environments, the state.",
    projectNumber: "Google names the project's service agents by it.",
    region: "Where the platform lies.",
    owner: "The label `owner` on the platform's resources.",
    state: "Where the state of every stack is kept. `local` until the bootstrap stack stands.",
    billingAccount: "Where budgets are made, those of hospitals too whose line names none. Without it there is none.",
    budget: "Its administrators hear of it when the platform's costs come near it.",
    alertEmails: "Who is written to when an alert of the platform fires.",
    allowDestroys: "For the one deploy before the platform is taken down.",
    lockLogArchive: "Locks the retention of the log archive.",
    usageLogs: USAGE_LOGS_PURPOSE,
    repository: "Whose workflows get into the CI project, without a key. Without it no account for CI is made.",
    ci: "Without it there are no ephemeral environments but those whose variables name a project.",
    ephemeralRegions: "Where the platform has keys for ephemeral environments. Without it the platform's own region.",
    extraRegions:
      "Regions that Google opened after this project's list of them was made: they are allowed in every line.",
  },
  within: { ci: ciKeys },
});

const platformSchema = platformKeys.schema;

/** What an engineer writes. */
export type PlatformLine = z.input<typeof platformSchema>;

/** The platform with every default filled in. It is named like a hospital, so that the same constructs make its parts. */
export interface Platform {
  readonly name: "platform";
  readonly project: string;
  readonly projectNumber: string;
  readonly region: string;
  readonly owner: string;
  readonly removal: Removal;
  readonly state: "local" | "gcs";
  readonly billingAccount: string | undefined;
  readonly budget: number;
  readonly alertEmails: readonly string[];
  readonly lockLogArchive: boolean;
  readonly usageLogs: boolean;
  /** `owner/name` on GitHub. */
  readonly repository: string | undefined;
  readonly ci: { readonly project: string; readonly projectNumber: string; readonly budget: number } | undefined;
  readonly ephemeralRegions: readonly string[];
  readonly extraRegions: readonly string[];
}

/**
 * Validates the platform's line and fills in its defaults.
 * @throws {ConfigurationError} with one sentence for every problem.
 */
export function parsePlatform(line: unknown, subject = "The platform"): Platform {
  const result = platformSchema.safeParse(line);
  const problems = result.success
    ? []
    : result.error.issues.flatMap((issue) => sentences(platformSchema, "The platform", line, issue));
  const { project, ci } = asRecord(line);
  if (project !== undefined && project === asRecord(ci).project)
    problems.push(
      `The platform: "ci.project" is ${show(project)}, which is the platform's own; allowed: another project, which ephemeral environments may fill.`,
    );
  if (result.success) {
    const problem = bucketNameProblem(`${result.data.project}-platform-log-archive`);
    if (problem) problems.push(`The platform: "project" is ${show(project)}. ${problem}`);
    const { ci } = result.data;
    const ciProblem = ci && bucketNameProblem(`${ci.project}-${CI_NAME}-state`);
    if (ciProblem) problems.push(`The platform: "ci.project" is ${show(ci.project)}. ${ciProblem}`);
    const { region, ephemeralRegions = [], extraRegions } = result.data;
    const regions = [["region", region] as const, ...ephemeralRegions.map((one) => ["ephemeralRegions", one] as const)];
    for (const [key, value] of regions) {
      const noRegion = regionProblem(key, value, extraRegions);
      if (noRegion) problems.push(`The platform: ${noRegion}`);
    }
  }
  if (!result.success || problems.length > 0) throw new ConfigurationError(subject, problems);
  const { data } = result;
  return {
    name: "platform",
    project: data.project,
    projectNumber: data.projectNumber,
    region: data.region,
    owner: data.owner,
    removal: data.allowDestroys ? "destroy" : "retain",
    state: data.state,
    billingAccount: data.billingAccount,
    budget: data.budget,
    alertEmails: data.alertEmails,
    lockLogArchive: data.lockLogArchive,
    usageLogs: data.usageLogs,
    repository: data.repository,
    ci: data.ci,
    ephemeralRegions: data.ephemeralRegions ?? [data.region],
    extraRegions: data.extraRegions,
  };
}

/** The bucket that keeps the state of every stack, once the platform's line says `state: "gcs"`. */
export function stateBucketName(platform: Pick<Platform, "name" | "project">): string {
  return bucketName(platform, "state");
}

/** The project of ephemeral environments, named like a hospital for what it has once for all of them. */
export const CI_NAME = "ci";

/**
 * The bucket that keeps the states of ephemeral environments. It lies in their own project: whoever deploys there has
 * no way to the states of hospitals.
 * @param project the project of ephemeral environments
 */
export function ephemeralStateBucketName(project: string): string {
  return bucketName({ name: CI_NAME, project }, "state");
}

/** The bucket that keeps the audit logs of every project. */
export function logArchiveName(platform: Pick<Platform, "name" | "project">): string {
  return bucketName(platform, "log-archive");
}

/** The bucket that keeps the signed log of every hospital's answers and acts, a folder each. */
export function auditArchiveName(platform: Pick<Platform, "name" | "project">): string {
  return bucketName(platform, "audit-archive");
}

/** The account as which CI deploys, by the naming contract. */
export function ciDeployer(platform: Pick<Platform, "project">): string {
  return `serviceAccount:${CI_DEPLOYER.name}-${CI_DEPLOYER.role}@${platform.project}.iam.gserviceaccount.com`;
}

export const CI_DEPLOYER = { name: CI_NAME, role: "deploy" } as const;

/** Repository of the images that hospitals run, in the platform's project and region. */
export const IMAGE_REPOSITORY = "brain-tumor-images";

/** Where it is pushed to. */
export const imageRepository = ({ project, region }: Pick<PlatformLine, "project" | "region">) =>
  `${region}-docker.pkg.dev/${project}/${IMAGE_REPOSITORY}`;
