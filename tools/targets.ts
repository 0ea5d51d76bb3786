import type { SharedNetworkLine } from "../constructs/network";
import { ConfigurationError } from "../runtime/platform/config";
import { parseLines } from "../stacks/app";
import { hospitalServices } from "../stacks/hospital-data-stack";
import { chooseLines, type LinesChoice } from "../stacks/lines";
import { closest } from "../stacks/sentences";

/** A project that a command works on. */
export interface Target {
  readonly name: string;
  readonly project: string;
  readonly projectNumber: string;
  readonly region: string;
  /** The Google APIs of a hospital. @default those of every hospital */
  readonly services?: readonly string[];
  /** The Shared VPC that a hospital's line names. */
  readonly sharedNetwork?: SharedNetworkLine | undefined;
  /** Who deploys a hospital, where its line says so. */
  readonly deployer?: string | undefined;
}

/**
 * A hospital by its name, or one of the two projects of the platform: `platform` and `ci`.
 * @param hint what else a command takes, as a sentence of its error
 * @throws {ConfigurationError} that says what exists, if there is none of this name.
 */
export function findTarget(name: string, choice: LinesChoice = {}, hint = ""): Target {
  const lines = chooseLines(choice);
  const { platform, hospitals } = parseLines(lines);
  const own: Target[] = [
    { name: "platform", project: platform.project, projectNumber: platform.projectNumber, region: platform.region },
    ...(platform.ci ? [{ name: "ci", ...platform.ci, region: platform.region }] : []),
  ];
  const known: readonly Target[] = [
    ...own,
    ...hospitals.map((hospital) => ({
      ...hospital,
      services: hospitalServices(hospital),
      sharedNetwork: hospital.network.shared,
    })),
  ];
  const found = known.find((target) => target.name === name);
  if (found) return found;
  const names = known.map((target) => target.name);
  const meant = closest(name, names);
  const sentences = [
    `There is no target "${name}" in ${lines.subject}${meant ? `; did you mean "${meant}"?` : "."}`,
    `There are the hospitals ${hospitals.map((hospital) => hospital.name).join(", ")} and the platform's projects ${own.map((target) => target.name).join(", ")}.`,
  ];
  if (name === "ci" && !platform.ci) sentences.push('For "ci" the platform\'s line has to name its project: "ci".');
  throw new ConfigurationError("The command line", [[...sentences, hint].join(" ").trim()]);
}
