import { PROJECT_SERVICES } from "../constructs/core/project-services";
import type { ServiceAgent } from "../constructs/core/service-agents";
import { hostCommands, type SharedNetworkLine } from "../constructs/network";
import { NODE_TAG } from "../constructs/preprocess";
import { LINES_HELP, type LinesChoice } from "../stacks/lines";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { defaultNetwork, defaultNetworkByHand } from "./default-network";
import { type CommandLine, type Runner, runCommand, showCommand } from "./gcloud";
import { findTarget, type Target } from "./targets";

/** Of this service a project has an identity only where its line asks for it. */
const HEALTHCARE = "healthcare";

/** How each of Google's own identities comes into being: by a command, or with its API alone. */
const AGENTS: Readonly<Record<ServiceAgent | "logging" | "iap", (project: string) => CommandLine | undefined>> = {
  storage: (project) => ["gcloud", "storage", "service-agent", `--project=${project}`],
  pubsub: identity("pubsub"),
  functions: identity("cloudfunctions"),
  run: identity("run"),
  artifactRegistry: identity("artifactregistry"),
  bigquery: (project) => ["bq", "show", "--encryption_service_account", `--project_id=${project}`],
  // Compute Engine makes its agent when its API is switched on.
  compute: () => undefined,
  dataproc: identity("dataproc"),
  healthcare: identity(HEALTHCARE),
  workflows: identity("workflows"),
  logging: identity("logging"),
  iap: identity("iap"),
};

function identity(service: string): (project: string) => CommandLine {
  return (project) => [
    "gcloud",
    "beta",
    "services",
    "identity",
    "create",
    `--service=${service}.googleapis.com`,
    `--project=${project}`,
  ];
}

/**
 * What makes Google's own identities of a project. A grant to one fails before its first use, and the data stack grants
 * them the key before anything uses it.
 */
export function preparation({ project, services }: Pick<Target, "project" | "services">): CommandLine[] {
  const wanted = services ?? PROJECT_SERVICES;
  const enable: CommandLine = ["gcloud", "services", "enable", ...wanted, `--project=${project}`];
  const agents = Object.entries(AGENTS)
    .filter(([agent]) => agent !== HEALTHCARE || wanted.includes(`${HEALTHCARE}.googleapis.com`))
    .map(([, command]) => command(project));
  return [enable, ...agents.filter((command) => command !== undefined)];
}

/** For others to run: whoever prepares a hospital has no rights on the host project, and needs none. */
function sharedNetworkByHand(target: Target, shared: SharedNetworkLine): string[] {
  return [
    `# An administrator of the Shared VPC runs these in ${shared.project}, and skips what is there already, such as the zones of another hospital. RANGE_OF_THE_SUBNET is that of ${shared.subnet}.`,
    `# Rules are about machines with this hospital's tags alone. The private zones are not: they lead every machine of ${shared.network} to Google's restricted addresses.`,
    ...hostCommands(target, shared, NODE_TAG).map(showCommand),
    `# Who starts training machines by hand needs roles/compute.networkUser on ${shared.subnet} as well.`,
  ];
}

/** The command `npm run prepare-project`. */
export async function prepareProject(args: readonly string[], run: Runner = runCommand): Promise<number> {
  const program = tool(
    "prepare-project",
    "Prints the commands that make Google's own identities in a hospital's project and take its default network away, or runs them. They may be repeated.",
  )
    .argument("<hospital>", 'name of a hospital, or "platform" or "ci" for the platform\'s two projects')
    .option("--hospitals <file>", LINES_HELP.hospitals)
    .option("--platform <file>", LINES_HELP.platform)
    .option("--run", "run them");
  return runTool(
    program,
    () => {
      const options = program.opts<LinesChoice & { run?: boolean }>();
      const target = findTarget(String(program.args[0]), options);
      const each = (command: CommandLine) => {
        print(showCommand(command));
        if (options.run) run(command);
      };
      preparation(target).forEach(each);
      if (target.sharedNetwork) sharedNetworkByHand(target, target.sharedNetwork).forEach(print);
      if (!options.run) {
        defaultNetworkByHand(target.project).forEach(print);
        return EXIT.done;
      }
      const { removal, kept } = defaultNetwork(target.project, run);
      removal.forEach(each);
      if (kept !== undefined) print(kept);
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, prepareProject);
