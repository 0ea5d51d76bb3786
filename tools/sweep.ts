import { readFileSync } from "node:fs";
import { ConfigurationError } from "../runtime/platform/config";
import { parseLines } from "../stacks/app";
import { chooseLines, LINES_HELP } from "../stacks/lines";
import { show } from "../stacks/sentences";
import { isDate, PROJECT } from "../stacks/values";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { type DestroyOptions, destroyEnvironment, type Tools } from "./destroy-environment";
import { statesInBucket, statesInFolder } from "./environment-states";
import { type Environment, type Survey, survey, WANTED_LABELS } from "./environments";
import { type Runner, runCommand, runForList } from "./gcloud";
import { table } from "./table";

/**
 * What of a project's can carry an expiry and is in every environment as long as one of its stacks is: buckets of both
 * stacks, topics, and machines that still run.
 */
export function listInventory(project: string, run: Runner): unknown[] {
  const here = `--project=${project}`;
  return ["storage buckets", "pubsub topics", "compute instances"].flatMap((kind) =>
    runForList<unknown>(run, ["gcloud", ...kind.split(" "), "list", here]),
  );
}

interface Options {
  readonly project?: string;
  readonly hospitals?: string;
  readonly platform?: string;
  readonly inventory?: string;
  readonly state?: string;
  readonly today?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Takes an environment away. */
export type Destroy = (options: DestroyOptions, tools: Tools) => void;

/** The command `npm run sweep`. */
export async function sweep(
  args: readonly string[],
  run: Runner = runCommand,
  destroy: Destroy = destroyEnvironment,
): Promise<number> {
  const program = tool("sweep", "Lists the ephemeral environments whose time is over, or takes them away.")
    .argument("<list|destroy>", "what to do with them")
    .option("--project <id>", "the project of ephemeral environments (default: CI_PROJECT, or the platform's line)")
    .option("--hospitals <file>", `${LINES_HELP.hospitals}: none of them is touched`)
    .option("--platform <file>", LINES_HELP.platform)
    .option("--inventory <file>", "a JSON list of {name, labels, location} in place of asking Google Cloud")
    .option("--state <dir>", "a folder with ci-env/ID/STACK/default.tfstate in place of the project's bucket of states")
    .option("--today <date>", "YYYY-MM-DD in place of today, in UTC")
    .option("--dry-run", "destroy nothing: print what would be destroyed")
    .option("--json", "print the expired environments as JSON");
  return runTool(
    program,
    () => {
      const action = String(program.args[0]);
      const options = program.opts<Options>();
      const settings = readSettings(action, options);
      const { today, project, platform, projectNumber, lines, owned } = settings;
      const listing = options.state === undefined ? statesInBucket(project, run) : statesInFolder(options.state);
      const inventory =
        options.inventory === undefined ? listInventory(project, run) : readInventory(options.inventory);
      const owner = { project, projectNumber, platformProject: platform.project, hospitals: owned };
      const found = survey({ listing, inventory, today, owner });

      for (const sentence of [...found.doubtful, ...found.left, ...found.living]) say(sentence);
      const looked = `Looked at ${listing.states.length} states below ${listing.place}, and at ${inventory.length} resources in the inventory, of which ${inventory.length - found.foreign} carry the labels ${WANTED_LABELS}.`;
      if (options.json) print(JSON.stringify(found.expired, null, 2));
      else if (found.expired.length > 0) print(expiredTable(found.expired));
      else print(`No ephemeral environment in ${project} has expired by ${today}.`);
      say(looked);

      if (action === "list" || options.dryRun) return EXIT.done;
      const environments = [...new Set(listing.states.map(({ id }) => id))];
      const failed = found.expired.filter((environment) => {
        const request = {
          environment,
          owner: { ...owner, id: environment.name, environments },
          files: listing.states,
          region: platform.region,
          lines,
        };
        return !isGone(environment, () => destroy(request, { run }));
      });
      return failed.length > 0 || found.doubtful.length > 0 ? EXIT.failed : EXIT.done;
    },
    args,
  );
}

/** Runs one destroy; the next is tried whatever becomes of it. */
function isGone({ name }: Environment, destroy: () => void): boolean {
  try {
    destroy();
    say(`${name} is gone.`);
    return true;
  } catch (error) {
    say(`${name}: ${(error as Error).message}`);
    return false;
  }
}

/** Everything that is said on the command line, judged before anything is asked or done. */
function readSettings(action: string, options: Options) {
  const lines = chooseLines(options);
  const { platform, hospitals: owned } = parseLines(lines);
  const today = options.today ?? new Date().toISOString().slice(0, 10);
  const project = (options.project ?? process.env.CI_PROJECT) || platform.ci?.project;

  const problems: string[] = [];
  if (action !== "list" && action !== "destroy") problems.push(`"${action}" is neither list nor destroy.`);
  if (!isDate(today)) problems.push(`--today is ${show(today)}; it must be a date such as 2027-01-31.`);
  if (!project) problems.push("No project is known: use --project or set CI_PROJECT.");
  else if (!PROJECT.safeParse(project).success)
    problems.push(`The project is ${show(project)}; it must be ${PROJECT.description}.`);
  const lasting = owned.find((hospital) => hospital.tier !== "ephemeral" && hospital.project === project);
  if (lasting)
    problems.push(`Project "${project}" is that of hospital "${lasting.name}", and no environment lies there.`);
  if (project === platform.project)
    problems.push(`Project "${project}" is the platform's, and no environment lies there.`);
  if (problems.length > 0 || !project) throw new ConfigurationError("The command line", problems);

  const known = project === platform.ci?.project ? platform.ci.projectNumber : undefined;
  return { today, project, platform, projectNumber: process.env.CI_PROJECT_NUMBER || known, lines, owned };
}

/** @throws {ConfigurationError} if the file is not a JSON list. */
function readInventory(file: string): unknown[] {
  try {
    const list: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (Array.isArray(list)) return list as unknown[];
  } catch (error) {
    throw new ConfigurationError("The inventory", [`The file ${file} cannot be read: ${(error as Error).message}.`]);
  }
  throw new ConfigurationError("The inventory", [`The file ${file} is not a list.`]);
}

/** What states and labels say is not to steer a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const say = (text: string) => process.stderr.write(`${text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?")}\n`);

const expiredTable = (expired: Survey["expired"]) =>
  table(
    [
      { title: "EXPIRED ENVIRONMENT", width: 30 },
      { title: "EXPIRES AT", width: 10 },
      { title: "REGION", width: 20 },
      { title: "RESOURCES", width: 9, align: "right" },
      { title: "STACKS", width: 40 },
    ],
    expired.map(({ name, expiresAt, region = "", resources, states }) => [
      name,
      expiresAt,
      region,
      String(resources),
      states.map(({ stack }) => stack).join(", "),
    ]),
  );

ifMain(module, sweep);
