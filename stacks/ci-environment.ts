import { ConfigurationError } from "../runtime/platform/config";
import type { HospitalLine } from "./config";
import { ciDeployer, type Platform } from "./platform-config";
import { asRecord, show } from "./sentences";
import { isDate } from "./values";

const DAY = 24 * 3600 * 1000;

/** Variables of the environment that make the app one ephemeral environment. */
export type CiVariables = Readonly<Record<string, string | undefined>>;

export interface CiEnvironment {
  /** The one hospital of the environment, named by its id. */
  readonly line: HospitalLine;
  readonly warnings: readonly string[];
}

/** In the bucket of their states, and in a folder that stands in for it, environments lie below this. */
export const ENVIRONMENTS_FOLDER = "ci-env";

/** Where the states of an environment lie, with a slash at its end: `<this><stack>/default.tfstate`. */
export const environmentFolder = (id: string) => `${ENVIRONMENTS_FOLDER}/${id}/`;

/** The stacks of an environment, in the order in which they are deployed. */
export const environmentStacks = (id: string): readonly string[] => [`${id}-data`, `${id}-app`];

/**
 * The environment that `CI_ENV_ID` asks for, or undefined. `CI_PROJECT`, `CI_PROJECT_NUMBER`, `CI_REGION` and
 * `CI_EXPIRES_AT` (a date) say where it lies and until when; what they leave open is the platform's choice.
 * @param lines other hospitals: one in the same project knows its number
 * @param options.now from when a date is over; this moment by default
 * @param options.expired take an environment whose date is over, to destroy it
 * @throws {ConfigurationError} if the id is empty or a hospital's name, the date is over, or no project is known
 */
export function ciEnvironment(
  variables: CiVariables,
  platform: Platform,
  lines: unknown,
  options: { readonly now?: Date | undefined; readonly expired?: boolean | undefined } = {},
): CiEnvironment | undefined {
  const { CI_ENV_ID: id, CI_REGION: region, CI_EXPIRES_AT: expiresAt } = variables;
  if (id === undefined && !expiresAt) return undefined;
  // A variable that was forgotten must not turn "destroy this environment" into "destroy every hospital".
  if (!id) {
    throw new ConfigurationError("The environment", [
      `CI_ENV_ID is ${id === undefined ? "not set, and CI_EXPIRES_AT is" : "empty"}: give the environment's id, or unset both for all hospitals.`,
    ]);
  }
  const taken = (Array.isArray(lines) ? lines : []).map(asRecord).some((line) => line.name === id);
  if (taken) {
    throw new ConfigurationError("The environment", [
      `CI_ENV_ID is ${show(id)}, which is the name of a hospital: its state would be taken over. Choose another id, such as pr-123.`,
    ]);
  }
  const { now = new Date(), expired = false } = options;
  if (expiresAt && !expired && isDate(expiresAt) && Date.parse(expiresAt) < now.getTime() - DAY) {
    throw new ConfigurationError("The environment", [
      `CI_EXPIRES_AT is ${show(expiresAt)}, which is over: the next sweep would take the environment away. Give a date to come.`,
    ]);
  }
  const project = variables.CI_PROJECT || platform.ci?.project;
  if (!project)
    throw new ConfigurationError("The environment", [
      `CI_ENV_ID is ${show(id)}, and no project is known for it: set CI_PROJECT and CI_PROJECT_NUMBER, or "ci" in the platform's line.`,
    ]);

  const warnings: string[] = [];
  const numberOf = (): string => {
    if (variables.CI_PROJECT_NUMBER) return variables.CI_PROJECT_NUMBER;
    if (project === platform.ci?.project) return platform.ci.projectNumber;
    const twin = (Array.isArray(lines) ? lines : []).map(asRecord).find((line) => line.project === project);
    if (twin) return String(twin.projectNumber);
    if (!platform.ci)
      throw new ConfigurationError("The environment", [
        `CI_PROJECT is ${show(project)}, whose number is not known: set CI_PROJECT_NUMBER to it.`,
      ]);
    warnings.push(
      `CI_PROJECT is "${project}", whose number is not known; ${platform.ci.projectNumber}, the number of "${platform.ci.project}", stands in for it. Set CI_PROJECT_NUMBER before you deploy.`,
    );
    return platform.ci.projectNumber;
  };

  return {
    line: {
      name: id,
      tier: "ephemeral",
      project,
      projectNumber: numberOf(),
      region: region || platform.region,
      owner: "ci",
      usageLogs: platform.usageLogs,
      ...(expiresAt ? { expiresAt } : {}),
      ...(platform.repository ? { deployer: ciDeployer(platform) } : {}),
    },
    warnings,
  };
}
