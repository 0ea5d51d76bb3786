import { ConfigurationError } from "../runtime/platform/config";
import { readLines } from "../stacks/command";
import { type Hospital, parseHospitals } from "../stacks/config";
import { hospitals, platform as platformLine } from "../stacks/hospitals";
import { parsePlatform } from "../stacks/platform-config";

/** A project that a command works on. */
export interface Target {
  readonly name: string;
  readonly project: string;
  readonly projectNumber: string;
  readonly region: string;
}

/**
 * A hospital by its name, or one of the two projects of the platform: `platform` and `ci`.
 * @throws {ConfigurationError} if there is none of this name.
 */
export function findTarget(name: string, hospitalsFile?: string): Target {
  const platform = parsePlatform(platformLine);
  const lines = hospitalsFile === undefined ? hospitals : readLines(hospitalsFile);
  const known: Target[] = [
    ...parseHospitals(lines, hospitalsFile ?? "stacks/hospitals.ts").map((hospital: Hospital) => hospital),
    { name: "platform", project: platform.project, projectNumber: platform.projectNumber, region: platform.region },
    ...(platform.ci ? [{ name: "ci", ...platform.ci, region: platform.region }] : []),
  ];
  const found = known.find((target) => target.name === name);
  if (found) return found;
  throw new ConfigurationError("The command line", [
    `There is no target "${name}"; there are ${known.map((target) => target.name).join(", ")}. A CI environment is named with both --project and --region.`,
  ]);
}
