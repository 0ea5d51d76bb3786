import { mkdirSync } from "node:fs";
import { Annotations, App } from "../constructs/core/cdktf";
import { withoutCreationStacks } from "../constructs/core/creation-stacks";
import { ConfigurationError } from "../runtime/platform/config";
import { BootstrapStack } from "./bootstrap-stack";
import { type CiEnvironment, type CiVariables, ciEnvironment, environmentFolder } from "./ci-environment";
import { type Hospital, type HospitalContext, type HospitalLine, parseHospitals, stateProblem } from "./config";
import { HospitalAppStack } from "./hospital-app-stack";
import { HospitalDataStack } from "./hospital-data-stack";
import { IMAGE_LOCK, type ImageLock, imageProblems, readImageLock, withStandIns } from "./images";
import {
  ephemeralStateBucketName,
  type Platform,
  type PlatformLine,
  parsePlatform,
  stateBucketName,
} from "./platform-config";
import { PlatformStack } from "./platform-stack";
import { extraRegionsOf } from "./regions";

export interface AppOptions {
  /** What all hospitals share. */
  readonly platform: PlatformLine;
  /**
   * Where the stacks are written.
   * @default CDKTF_OUTDIR, otherwise cdktf.out
   */
  readonly outdir?: string | undefined;
  /**
   * The container images that were pushed.
   * @default what images.lock.json says: of this checkout, or of the working directory of an app that has the package
   */
  readonly images?: ImageLock | undefined;
  /**
   * Images that do not exist in place of those that were not pushed: to look at what they will bring, never to deploy.
   * @default false
   */
  readonly standIns?: boolean | undefined;
  /** What the lines are called in an error. */
  readonly subject?: string | undefined;
  /**
   * Synthesize what the policy would refuse, for tools that list what it finds.
   * @default false
   */
  readonly skipValidation?: boolean | undefined;
  /**
   * Where CI_ENV_ID and what belongs to it are looked up.
   * @default the process's environment
   */
  readonly variables?: CiVariables | undefined;
  /**
   * From when an ephemeral environment's days are counted.
   * @default this moment
   */
  readonly now?: Date | undefined;
  /**
   * Take an environment of CI_ENV_ID whose date is over: to destroy it. A deploy of one is refused.
   * @default false
   */
  readonly expired?: boolean | undefined;
}

/**
 * Which stacks there are: bootstrap, platform, and two for every hospital, with nothing between hospitals. With CI_ENV_ID
 * set there are the two stacks of that environment and nothing else, so that nothing else can be destroyed with them.
 * @throws {ConfigurationError} listing every problem of every line; no construct exists then.
 */
export function buildApp(lines: readonly HospitalLine[], options: AppOptions): App {
  return withoutCreationStacks(() => build(lines, options));
}

function build(lines: readonly HospitalLine[], options: AppOptions): App {
  const platform = platformBeside(lines, options);
  const environment = ciEnvironment(options.variables ?? process.env, platform, lines, options);
  const context = { ...hospitalContext(platform), ...stateOf(platform, environment), now: options.now };
  const hospitals = environment
    ? parseHospitals([environment.line], "The environment of CI_ENV_ID", context)
    : parseHospitals(lines, options.subject, context);

  const pushed = options.images ?? readImageLock();
  const images = options.standIns ? withStandIns(pushed, platform) : pushed;
  const missing = imageProblems(hospitals, images);
  if (missing.length > 0) throw new ConfigurationError(IMAGE_LOCK, missing);

  const outdir = options.outdir ?? process.env.CDKTF_OUTDIR ?? "cdktf.out";
  mkdirSync(outdir, { recursive: true });
  const app = new App({ outdir, stackTraces: false, skipValidation: options.skipValidation ?? false });
  if (!environment) new PlatformStack(app, platform).addDependency(new BootstrapStack(app, platform));
  const stacks = hospitals.map((hospital) => {
    const data = new HospitalDataStack(app, hospital, platform);
    new HospitalAppStack(app, hospital, platform, images).addDependency(data);
    return { hospital, data };
  });

  const [first] = stacks;
  const warnings = [...(environment?.warnings ?? [])];
  if (environment && platform.state === "local")
    warnings.push(
      `The state of environment "${environment.line.name}" is a file on this machine, where no other machine finds it, the nightly sweep's neither. Set state: "gcs" in the platform's line to keep it in ${ephemeralStateBucketName(environment.line.project)}.`,
    );
  for (const warning of warnings) if (first) Annotations.of(first.data).addWarning(warning);
  warnOfNumbers(stacks);
  for (const { hospital, data } of stacks) {
    warnOfKeys(data, hospital, platform);
    const problem = stateProblem(hospital);
    if (problem) Annotations.of(data).addWarning(problem);
  }
  return app;
}

/** @throws {ConfigurationError} with what is wrong in the hospitals' lines too, so that one synth lists everything. */
function platformBeside(lines: readonly HospitalLine[], { platform, subject }: AppOptions): Platform {
  try {
    return parsePlatform(platform);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    try {
      parseHospitals(lines, subject, { extraRegions: extraRegionsOf(platform) });
    } catch (second) {
      if (second instanceof ConfigurationError && second.problems.length > 0)
        throw new ConfigurationError(second.subject, [...error.problems, ...second.problems]);
    }
    throw error;
  }
}

/** What a platform decides for its hospitals. */
export function hospitalContext(platform: Platform): HospitalContext {
  return {
    billingAccount: platform.billingAccount,
    stateBucket: platform.state === "gcs" ? stateBucketName(platform) : undefined,
    delivered: platform.repository !== undefined,
    reservedProjects: reservedProjects(platform),
    extraRegions: platform.extraRegions,
  };
}

/**
 * Platform and hospitals as a synth takes them, for what works on them without one.
 * @throws {ConfigurationError} with every problem of the platform, otherwise with every one of the hospitals
 */
export function parseLines(lines: {
  readonly hospitals: readonly HospitalLine[];
  readonly platform: PlatformLine;
  readonly subject: string;
}): { readonly platform: Platform; readonly hospitals: readonly Hospital[] } {
  const platform = parsePlatform(lines.platform);
  return { platform, hospitals: parseHospitals(lines.hospitals, lines.subject, hospitalContext(platform)) };
}

/** The states of an environment lie in its own project; `hospitalContext` says where all others do. */
function stateOf(
  platform: Platform,
  environment: CiEnvironment | undefined,
): Pick<HospitalContext, "stateBucket" | "stateFolder"> {
  if (!environment) return {};
  const { project, name } = environment.line;
  return {
    ...(platform.state === "gcs" ? { stateBucket: ephemeralStateBucketName(project) } : {}),
    stateFolder: environmentFolder(name),
  };
}

function reservedProjects({ project, ci }: Platform): Map<string, string> {
  const reserved = new Map([[project, "the platform's project"]]);
  if (ci) reserved.set(ci.project, "the project of ephemeral environments");
  return reserved;
}

interface DataStackOf {
  readonly hospital: Hospital;
  readonly data: HospitalDataStack;
}

function warnOfNumbers(stacks: readonly DataStackOf[]): void {
  const projects = new Map<string, string>();
  for (const { hospital, data } of stacks) {
    const { name, project, projectNumber } = hospital;
    const other = projects.get(projectNumber) ?? project;
    if (other !== project)
      Annotations.of(data).addWarning(
        `Projects "${other}" and "${project}" have the number ${projectNumber}, and no two projects do: with a wrong number, another project's service agents get the key of hospital "${name}". Correct "projectNumber" before you deploy.`,
      );
    projects.set(projectNumber, project);
  }
}

/** An ephemeral environment stands on keys that the platform stack makes: in some regions, for one project. */
function warnOfKeys(data: HospitalDataStack, hospital: Hospital, platform: Platform): void {
  const { name, tier, region, project, kmsKey, pseudonymKey } = hospital;
  if (tier !== "ephemeral" || (kmsKey && pseudonymKey)) return;
  if (!platform.ephemeralRegions.includes(region))
    Annotations.of(data).addWarning(
      `Environment "${name}" lies in ${region}, where the platform has no key for it: add the region to "ephemeralRegions" of the platform's line and deploy the platform first.`,
    );
  // Service agents use the encryption key alone.
  if (!kmsKey && project !== platform.ci?.project)
    Annotations.of(data).addWarning(
      `Environment "${name}" lies in project "${project}", whose service agents may not use the platform's keys: make it "ci" of the platform's line and deploy the platform first.`,
    );
}
