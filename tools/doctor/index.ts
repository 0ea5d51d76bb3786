import { resolve4 } from "node:dns/promises";
import { ConfigurationError } from "../../runtime/platform/config";
import { GcsStore, type ObjectStore } from "../../runtime/platform/stores";
import { openWarehouse, type Warehouse } from "../../runtime/platform/warehouse";
import { type AppOptions, parseLines } from "../../stacks/app";
import type { Hospital } from "../../stacks/config";
import { chooseLines, LINES_HELP, type LinesChoice } from "../../stacks/lines";
import { EXIT, ifMain, print, runTool, tool } from "../command";
import { type Runner, runCommand } from "../gcloud";
import { withStacks } from "../synthesize";
import { findTarget } from "../targets";
import { canary } from "./canary";
import { type Check, type Finding, failed, type Subject, skipped } from "./checkup";
import { Declared } from "./declared";
import { grants } from "./grants";
import { keys } from "./keys";
import { probe } from "./probe";
import { agents, apis, project, state } from "./project";
import { certificate, dns, type Network, page, ready } from "./reach";
import { images, services } from "./services";

/** What the command asks, beside the command lines; tests put their own in its place. */
export interface Outside {
  readonly run: Runner;
  readonly network: Network;
  readonly open: (uri: string) => Promise<ObjectStore>;
  readonly openTables: (uri: string) => Promise<Warehouse>;
  /** @default the shipped platform, and the images of images.lock.json */
  readonly app?: Partial<AppOptions>;
}

const OUTSIDE: Outside = {
  run: runCommand,
  network: { fetch: (...request) => fetch(...request), resolve: (domain) => resolve4(domain).catch(() => []) },
  open: (uri) => GcsStore.open(uri),
  openTables: (uri) => openWarehouse(uri),
};

interface Options extends LinesChoice {
  readonly dir?: string;
  readonly dry?: boolean;
  readonly probe?: boolean;
  readonly url?: string;
  readonly wait: string;
  readonly json?: boolean;
}

/** The command `npm run doctor`. */
export async function doctor(args: readonly string[], outside: Outside = OUTSIDE): Promise<number> {
  const program = tool(
    "doctor",
    "Looks at a hospital after a deploy, or with --dry before one, and says in a line each what is right, what is not and what to do. It changes nothing, but for --probe.",
  )
    .argument("<hospital>", "name of a hospital")
    .option("--hospitals <file>", LINES_HELP.hospitals)
    .option("--platform <file>", LINES_HELP.platform)
    .option("--dir <folder>", "stacks that npm run synth wrote; without it they are synthesized now")
    .option("--dry", "before a deploy: what has to be there already")
    .option(
      "--probe",
      "send a drawn phantom through landing to curated, take it back, and with --url ask for one prediction",
    )
    .option("--url <url>", "the prediction service, as it is reached from this machine")
    .option("--wait <seconds>", "how long ingest is waited for", "180")
    .option("--json", "print what was found as JSON");
  return runTool(
    program,
    async () => {
      const options = program.opts<Options>();
      check(options);
      const name = String(program.args[0]);
      const hospital = find(name, options);
      const declared = withStacks(
        { dir: options.dir, hospitals: options.hospitals, platform: options.platform },
        (stacks) =>
          new Declared(
            stacks.filter((stack) => [`${name}-data`, `${name}-app`].includes(stack.name)),
            hospital,
          ),
        { policy: false, ...(outside.app ? { app: outside.app } : {}) },
      );
      if (declared.backends.length === 0)
        throw new ConfigurationError("The folder of synthesized stacks", [
          `There is no stack ${name}-data or ${name}-app in ${options.dir}: run "npm run synth" first.`,
        ]);
      const subject: Subject = { hospital, declared, dry: options.dry ?? false, run: outside.run };
      return examine(subject, options, outside);
    },
    args,
  );
}

async function examine(subject: Subject, options: Options, outside: Outside): Promise<number> {
  const { hospital } = subject;
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.once("SIGINT", stop);
  const findings: Finding[] = [];
  try {
    for (const [name, run] of Object.entries(checks(options, outside, stopped.signal))) {
      if (stopped.signal.aborted) break;
      for (const finding of await settled(name, run, subject, stopped.signal)) {
        findings.push(finding);
        if (!options.json) print(show(finding));
      }
    }
  } finally {
    process.removeListener("SIGINT", stop);
  }
  const count = (status: Finding["status"]) => findings.filter((finding) => finding.status === status).length;
  if (options.json) print(JSON.stringify({ hospital: hospital.name, dry: subject.dry, findings }, null, 2));
  else print(`\n${hospital.name}: ${count("ok")} ok, ${count("failed")} failed, ${count("skipped")} skipped.`);
  if (stopped.signal.aborted) return EXIT.interrupted;
  return count("failed") > 0 ? EXIT.failed : EXIT.done;
}

/** In the order in which they depend on each other. */
function checks(
  { probe: wanted, url, wait, dry }: Options,
  { network, open, openTables }: Outside,
  signal: AbortSignal,
): Record<string, Check> {
  return {
    project,
    apis,
    agents,
    state,
    keys,
    grants,
    images,
    services,
    canary,
    dns: dns(network),
    certificate,
    page: page(network),
    ready: ready(network, url),
    probe: async (subject) => {
      if (dry) return [];
      if (wanted) return probe(subject, { open, openTables, wait: Number(wait), url, network, signal });
      const how = "--probe sends a drawn phantom through landing to curated, and takes it back.";
      return [skipped("probe", "Nothing was sent through.", how)];
    },
  };
}

/** A check that could not be made is one that failed. */
async function settled(name: string, run: Check, subject: Subject, signal: AbortSignal): Promise<readonly Finding[]> {
  try {
    return await run(subject);
  } catch (error) {
    if (signal.aborted) return [failed(name, "It was stopped.", "Run it again.")];
    const rights = `Sign in (gcloud auth login, gcloud auth application-default login) as somebody who may read the settings of ${subject.hospital.project}.`;
    return [failed(name, `It could not be looked at: ${(error as Error).message.trim().split("\n")[0]}`, rights)];
  }
}

function show({ check: name, status, says, todo }: Finding): string {
  const line = `${status.padEnd(8)} ${name.padEnd(24)} ${says}`;
  return todo === undefined ? line : `${line}\n${" ".repeat(34)}-> ${todo}`;
}

function check({ wait, url, dry, probe: wanted }: Options): void {
  const problems: string[] = [];
  if (!/^[1-9]\d{0,4}$/.test(wait))
    problems.push(`--wait is "${wait}"; it must be a whole number of seconds, 1 to 99999.`);
  if (url !== undefined && !/^https?:\/\/[^/\s]+/.test(url))
    problems.push(`--url is "${url}"; it must begin with http:// or https://.`);
  if (dry && wanted) problems.push("--probe sends something through what is deployed; it does not go with --dry.");
  if (problems.length > 0) throw new ConfigurationError("The command line", problems);
}

/** @throws {ConfigurationError} that says what there is */
function find(name: string, choice: LinesChoice): Hospital {
  const found = parseLines(chooseLines(choice)).hospitals.find((hospital) => hospital.name === name);
  if (found) return found;
  const { project: own } = findTarget(name, choice);
  throw new ConfigurationError("The command line", [
    `"${name}" is no hospital but the platform's project ${own}; name a hospital.`,
  ]);
}

ifMain(module, doctor);
