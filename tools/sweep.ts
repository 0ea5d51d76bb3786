import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { ConfigurationError } from "../runtime/platform/config";
import { buildApp } from "../stacks/app";
import { chooseLines } from "../stacks/lines";
import { parsePlatform } from "../stacks/platform-config";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { drain } from "./drain";
import { type Runner, runCommand, runForList } from "./gcloud";
import { readStacks, withScratch } from "./synthesized";
import { table } from "./table";
import { findTerraform } from "./terraform";

/** A resource as gcloud lists it. */
export interface InventoryItem {
  readonly name: string;
  readonly location?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Environment {
  readonly name: string;
  /** YYYY-MM-DD, the latest that any of its resources says; undefined if none says a date. */
  readonly expiresAt: string | undefined;
  readonly expired: boolean;
  readonly region: string | undefined;
  readonly resources: number;
}

/**
 * The ephemeral environments in an inventory, by the labels that their stacks put on everything.
 * @param today YYYY-MM-DD, in UTC: an environment may be taken away from its date on
 */
export function environments(inventory: readonly InventoryItem[], today: string): Environment[] {
  const byName = new Map<string, InventoryItem[]>();
  for (const item of inventory) {
    const { hospital, env } = item.labels ?? {};
    if (env !== "ephemeral" || item.labels?.["managed-by"] !== "cdktf" || !hospital) continue;
    byName.set(hospital, [...(byName.get(hospital) ?? []), item]);
  }
  return [...byName]
    .map(([name, items]) => {
      const dates = items.map(({ labels }) => labels?.["expires-at"]);
      // Whoever was deployed again lives as long as the newest label says; one that says nothing is left to people.
      const known = dates.filter((date) => date !== undefined && isDate(date)) as string[];
      const expiresAt = known.length === dates.length ? known.sort().at(-1) : undefined;
      const expired = expiresAt !== undefined && expiresAt <= today;
      const region = items
        .map(({ location }) => location?.toLowerCase())
        .find((location) => /^[a-z]+-[a-z]+\d+$/.test(location ?? ""));
      return { name, expiresAt, expired, region, resources: items.length };
    })
    .sort((a, b) => a.name.localeCompare(b.name, "en"));
}

const isDate = (text: string) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));

/**
 * What of a project's can carry an expiry and is in every environment as long as one of its stacks is: buckets of both
 * stacks, topics, and machines that still run.
 */
export function listInventory(project: string, run: Runner): InventoryItem[] {
  const here = `--project=${project}`;
  return [
    ...runForList<InventoryItem>(run, ["gcloud", "storage", "buckets", "list", here]),
    ...runForList<InventoryItem>(run, ["gcloud", "pubsub", "topics", "list", here]),
    ...runForList<InventoryItem>(run, ["gcloud", "compute", "instances", "list", here]),
  ];
}

/** Takes away the stacks of an environment: app first. Inherits this process's credentials. */
export type DestroyStacks = (environment: Environment, project: string) => void;

const destroyStacks: DestroyStacks = ({ name, region, expiresAt }, project) =>
  withScratch((outdir) => {
    const command = findTerraform();
    if (command === undefined) throw new Error("Neither terraform nor tofu is on PATH.");
    const variables = { CI_ENV_ID: name, CI_PROJECT: project, CI_REGION: region, CI_EXPIRES_AT: expiresAt };
    const { platform } = chooseLines({});
    const environment = { ...process.env, ...variables };
    buildApp([], { outdir, platform, subject: "The environment", variables: environment }).synth();
    const stacks = readStacks(outdir);
    const state = stacks[0]?.json.terraform as { backend?: { gcs?: unknown } } | undefined;
    if (state?.backend?.gcs === undefined)
      throw new Error(
        `The state of ${name} is not in a bucket, so it can only be destroyed where it was deployed: set state: "gcs" in the platform's line.`,
      );
    for (const suffix of ["app", "data"]) {
      const cwd = stacks.find((stack) => stack.name === `${name}-${suffix}`)?.folder;
      if (cwd === undefined) continue;
      for (const args of [
        ["init", "-input=false"],
        ["destroy", "-input=false", "-auto-approve"],
      ]) {
        const { status } = spawnSync(command, args, {
          cwd,
          stdio: "inherit",
          env: { ...process.env, CHECKPOINT_DISABLE: "1" },
        });
        if (status !== 0) throw new Error(`"${command} ${args.join(" ")}" failed for ${name}-${suffix}.`);
      }
    }
  });

interface Options {
  readonly project?: string;
  readonly inventory?: string;
  readonly today?: string;
  readonly json?: boolean;
}

/** The command `npm run sweep`. */
export async function sweep(
  args: readonly string[],
  run: Runner = runCommand,
  destroy: DestroyStacks = destroyStacks,
): Promise<number> {
  const program = tool("sweep", "Lists the ephemeral environments whose time is over, or takes them away.")
    .argument("<list|destroy>", "what to do with them")
    .option("--project <id>", "the project of ephemeral environments (default: CI_PROJECT, or the platform's line)")
    .option("--inventory <file>", "a JSON list of {name, labels, location} in place of asking Google Cloud")
    .option("--today <date>", "YYYY-MM-DD in place of today, in UTC")
    .option("--json", "print the expired environments as JSON");
  return runTool(
    program,
    () => {
      const action = String(program.args[0]);
      if (action !== "list" && action !== "destroy")
        throw new ConfigurationError("The command line", [`"${action}" is neither list nor destroy.`]);
      const options = program.opts<Options>();
      const today = options.today ?? new Date().toISOString().slice(0, 10);
      if (!isDate(today))
        throw new ConfigurationError("The command line", [`--today is "${today}"; it must be YYYY-MM-DD.`]);
      const project = options.project ?? process.env.CI_PROJECT ?? parsePlatform(chooseLines({}).platform).ci?.project;
      if (!project)
        throw new ConfigurationError("The command line", ["No project is known: use --project or set CI_PROJECT."]);
      const file = options.inventory;
      const inventory = file === undefined ? listInventory(project, run) : readInventory(file);

      const found = environments(inventory, today);
      const expired = found.filter((environment) => environment.expired);
      for (const { name } of found.filter(({ expiresAt }) => expiresAt === undefined))
        process.stderr.write(`${name} has resources without a date in expires-at: it is left alone. Look at it.\n`);
      if (options.json) print(JSON.stringify(expired, null, 2));
      else if (expired.length > 0) print(expiredTable(expired));
      else print(`Of ${found.length} ephemeral environments in ${project} none has expired by ${today}.`);

      const failed: string[] = [];
      if (action === "destroy")
        for (const environment of expired) {
          try {
            const { name, region = parsePlatform(chooseLines({}).platform).region } = environment;
            drain({ name, project, region, projectNumber: "" }, run, { dryRun: false });
            destroy(environment, project);
            process.stderr.write(`${name} is gone.\n`);
          } catch (error) {
            failed.push(environment.name);
            process.stderr.write(`${environment.name}: ${(error as Error).message}\n`);
          }
        }
      return failed.length > 0 ? EXIT.failed : EXIT.done;
    },
    args,
  );
}

/** @throws {ConfigurationError} if the file is not a JSON list. */
function readInventory(file: string): InventoryItem[] {
  try {
    const list: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (Array.isArray(list)) return list as InventoryItem[];
  } catch (error) {
    throw new ConfigurationError("The inventory", [`The file ${file} cannot be read: ${(error as Error).message}.`]);
  }
  throw new ConfigurationError("The inventory", [`The file ${file} is not a list.`]);
}

const expiredTable = (expired: readonly Environment[]) =>
  table(
    [
      { title: "EXPIRED ENVIRONMENT", width: 30 },
      { title: "EXPIRES AT", width: 10 },
      { title: "REGION", width: 20 },
      { title: "RESOURCES", width: 9, align: "right" },
    ],
    expired.map(({ name, expiresAt = "", region = "", resources }) => [name, expiresAt, region, String(resources)]),
  );

ifMain(module, sweep);
