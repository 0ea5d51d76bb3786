import { LINES_HELP } from "../stacks/lines";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { type CommandLine, type Runner, runCommand, runForList, showCommand } from "./gcloud";
import { findTarget, type Target } from "./targets";

interface Named {
  readonly name: string;
}
interface Cluster {
  readonly clusterName: string;
}
interface Instance extends Named {
  /** URL; its last part is the zone's name. */
  readonly zone: string;
}
interface WorkflowOperation extends Named {
  readonly metadata?: { readonly template?: string; readonly state?: string };
}

/**
 * Stops what an environment started and Terraform does not know: running workflows first, which would start clusters
 * again, then their clusters, then the machines. Everything is found by the label `hospital`, workflows by their
 * template's name.
 * @param options.dryRun list and stop nothing
 * @returns the commands that stop something, in their order
 */
export function drain(target: Target, run: Runner, options: { readonly dryRun: boolean }): CommandLine[] {
  const { name, project, region } = target;
  const here = `--project=${project}`;
  const stopped: CommandLine[] = [];
  const stop = (command: CommandLine) => {
    stopped.push(command);
    if (!options.dryRun) run(command);
  };

  const workflows = runForList<WorkflowOperation>(run, [
    "gcloud",
    "dataproc",
    "operations",
    "list",
    `--region=${region}`,
    "--filter=operationType = WORKFLOW AND status.state = RUNNING",
    here,
  ]);
  for (const operation of workflows) {
    const template = operation.metadata?.template?.split("/").at(-1);
    if (template !== undefined && TEMPLATES.some((suffix) => template === `${name}-${suffix}`))
      stop(["gcloud", "dataproc", "operations", "cancel", operation.name, `--region=${region}`, "--quiet", here]);
  }

  const clusters = runForList<Cluster>(run, [
    "gcloud",
    "dataproc",
    "clusters",
    "list",
    `--region=${region}`,
    `--filter=labels.hospital = ${name}`,
    here,
  ]);
  for (const { clusterName } of clusters)
    stop(["gcloud", "dataproc", "clusters", "delete", clusterName, `--region=${region}`, "--quiet", here]);

  // A cluster's machines went with it.
  const instances = runForList<Instance>(run, [
    "gcloud",
    "compute",
    "instances",
    "list",
    `--filter=labels.hospital = ${name} AND -labels.goog-dataproc-cluster-name:*`,
    here,
  ]);
  for (const instance of instances) {
    const zone = instance.zone.split("/").at(-1);
    stop(["gcloud", "compute", "instances", "delete", instance.name, `--zone=${zone}`, "--quiet", here]);
  }
  return stopped;
}

const ENVIRONMENT_HINT = "A CI environment is named with both --project and --region.";

/** Workflow templates of an environment: `<hospital>-<suffix>`. */
const TEMPLATES = ["preprocess", "retrain"];

/** The command `npm run drain`. */
export async function drainCommand(args: readonly string[], run: Runner = runCommand): Promise<number> {
  const program = tool(
    "drain",
    "Stops the workflows, clusters and machines that an environment started. Run it before a destroy.",
  )
    .argument("<hospital>", "name of a hospital, or of an ephemeral environment with --project and --region")
    .option("--hospitals <file>", LINES_HELP.hospitals)
    .option("--platform <file>", LINES_HELP.platform)
    .option("--project <id>", "project of an ephemeral environment")
    .option("--region <name>", "region of an ephemeral environment")
    .option("--dry-run", "list what would be stopped");
  return runTool(
    program,
    () => {
      const {
        hospitals,
        platform,
        project,
        region,
        dryRun = false,
      } = program.opts<Record<string, string> & { dryRun?: boolean }>();
      const name = String(program.args[0]);
      const target =
        project && region
          ? { name, project, region, projectNumber: "" }
          : findTarget(name, { hospitals, platform }, ENVIRONMENT_HINT);
      const commands = drain(target, run, { dryRun });
      for (const command of commands) print(showCommand(command));
      print(
        commands.length === 0
          ? `Nothing of ${name} is running.`
          : `${commands.length} ${dryRun ? "to stop" : "stopped"}.`,
      );
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, drainCommand);
