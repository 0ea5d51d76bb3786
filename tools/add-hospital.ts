import { join, relative } from "node:path";
import { createInterface } from "node:readline/promises";
import { TIERS } from "../constructs/core/hospital-line";
import { repositoryRoot } from "../constructs/core/repository";
import { BILLING_ACCOUNT } from "../constructs/security";
import { ConfigurationError } from "../runtime/platform/config";
import { hospitalContext } from "../stacks/app";
import { type HospitalLine, parseHospitals } from "../stacks/config";
import { chooseLines, LINES_HELP, type LinesChoice, withVariables } from "../stacks/lines";
import { type Platform, parsePlatform } from "../stacks/platform-config";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { type CommandLine, type Runner, runCommand, runForList, showCommand } from "./gcloud";
import { addLine, lineText } from "./hospital-file";

/** Asks a person a question; undefined where nobody is there. */
export type Ask = (question: string) => Promise<string>;

interface Options extends LinesChoice {
  tier?: string;
  project?: string;
  region?: string;
  billingAccount?: string;
  folder?: string;
  organization?: string;
  create?: boolean;
  adopt?: boolean;
  yes?: boolean;
  dryRun?: boolean;
}

/** What is known before Google is asked. */
interface Request {
  readonly name: string;
  readonly tier: string;
  readonly project: string;
  readonly region: string;
  readonly create: boolean;
  readonly parent: string | undefined;
  /** What the project is to be paid by; of an adopted one, what pays for it already if this is undefined. */
  readonly billingAccount: string | undefined;
}

/** Stands in for the number of a project that is not there yet, while the rest of its line is validated. */
const NO_NUMBER = "999999999999";

/** The command `npm run add-hospital`. */
export async function addHospital(
  args: readonly string[],
  run: Runner = runCommand,
  ask: Ask | undefined = process.stdin.isTTY ? askPerson : undefined,
): Promise<number> {
  const program = tool(
    "add-hospital",
    "Creates a hospital's project, or takes one that is there, and writes its line. After a failure the same command goes on.",
  )
    .argument("<name>", "short name of the hospital, part of the names of everything it has")
    .option("--tier <tier>", `one of ${TIERS.join(", ")}`)
    .option("--project <id>", "the project that holds this hospital and nothing else")
    .option("--region <name>", "where everything lies")
    .option("--create", "create the project")
    .option("--adopt", "take a project that is there")
    .option("--folder <number>", "create the project in this folder")
    .option("--organization <number>", "create the project in this organization")
    .option("--billing-account <id>", "what pays for the project (default: the platform's)")
    .option("--hospitals <file>", LINES_HELP.hospitals)
    .option("--platform <file>", LINES_HELP.platform)
    .option("--yes", "do not ask before anything is created")
    .option("--dry-run", "print the commands and the line, and call nobody");
  return runTool(
    program,
    () =>
      untilInterrupted(async () => {
        const options = program.opts<Options>();
        const choice = withVariables(options);
        const file = choice.hospitals ?? relative("", join(repositoryRoot(), "stacks", "hospitals.ts"));
        // Of stacks/hospitals.ts the text as it is now, not as it was compiled.
        const lines = chooseLines({ ...choice, hospitals: file });
        const platform = parsePlatform(lines.platform);
        const request = await complete(String(program.args[0]), options, platform, options.dryRun ? undefined : ask);
        const known = lines.hospitals.find(({ name }) => name === request.name);
        const isThere = validate(request, known, lines.hospitals, lines.subject, platform);
        if (!isThere) addLine(file, lineOf(request, NO_NUMBER, platform), { write: false });

        const commands = creation(request);
        if (options.dryRun) {
          for (const command of commands) print(showCommand(command));
          if (!isThere) print(lineText(lineOf(request, "NUMBER", platform), ""));
          return EXIT.done;
        }
        if (!options.yes && !(await isAgreed(request, commands, file, ask))) {
          print("Nothing was done.");
          return EXIT.done;
        }
        const number = projectNumber(request, run);
        const line = lineOf(
          request,
          known?.projectNumber === undefined ? number : String(known.projectNumber),
          platform,
        );
        if (isThere && String(known?.projectNumber) !== number)
          throw new ConfigurationError(lines.subject, [
            `Hospital "${request.name}": "projectNumber" is ${known?.projectNumber}, and the number of ${request.project} is ${number}. Correct the line.`,
          ]);
        if (!isThere) addLine(file, line, { write: true });
        print(
          isThere ? `${file} has the line of ${request.name} already.` : `${file} has a line more:\n${lineText(line)}`,
        );
        print(next(request, choice));
        return EXIT.done;
      }),
    args,
  );
}

async function untilInterrupted(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
    process.stderr.write("\nInterrupted; what is done stays, and the same command goes on.\n");
    return EXIT.interrupted;
  }
}

/** Asks for what the command line leaves open. @throws {ConfigurationError} with everything that is missing or contradicts */
async function complete(name: string, options: Options, platform: Platform, ask: Ask | undefined): Promise<Request> {
  const problems: string[] = [];
  const answer = async (flag: string, given: string | undefined, question: string, proposal?: string) => {
    if (given !== undefined) return given;
    if (ask) return (await ask(`${question}${proposal ? ` [${proposal}]` : ""}: `)).trim() || (proposal ?? "");
    if (proposal !== undefined) return proposal;
    problems.push(`${flag} is missing: ${question}.`);
    return "";
  };
  const tier = await answer("--tier", options.tier, `Tier, one of ${TIERS.join(", ")}`);
  const project = await answer(
    "--project",
    options.project,
    "Project id, 6 to 30 characters, unique in all of Google Cloud",
  );
  const region = await answer("--region", options.region, "Region", platform.region);
  if (options.create && options.adopt) problems.push("--create and --adopt: choose one.");
  const way =
    options.create || options.adopt
      ? options.create
        ? "create"
        : "adopt"
      : await answer(
          "--create or --adopt",
          undefined,
          "Create the project, or adopt one that is there (create, adopt)",
        );
  if (way !== "" && way !== "create" && way !== "adopt") problems.push(`"${way}" is neither create nor adopt.`);
  const create = way === "create";

  const { folder, organization } = options;
  if (folder !== undefined && organization !== undefined) problems.push("--folder and --organization: choose one.");
  for (const [flag, value] of Object.entries({ "--folder": folder, "--organization": organization })) {
    if (value !== undefined && !/^\d+$/.test(value)) problems.push(`${flag} is "${value}"; it must be a number.`);
    if (value !== undefined && way === "adopt")
      problems.push(`${flag} is for --create: an adopted project stays where it is.`);
  }
  const account = options.billingAccount ?? platform.billingAccount;
  const billingAccount = create
    ? await answer("--billing-account", account, "Billing account")
    : options.billingAccount;
  if (billingAccount && !BILLING_ACCOUNT.safeParse(billingAccount).success)
    problems.push(`--billing-account is "${billingAccount}"; it must be ${BILLING_ACCOUNT.description}.`);
  if (problems.length > 0) problems.push(...lineProblems(name, { tier, project, region }, platform));
  if (problems.length > 0) throw new ConfigurationError("The command line", problems);
  const parent = folder ? `--folder=${folder}` : organization ? `--organization=${organization}` : undefined;
  return { name, tier, project, region, create, parent, billingAccount: billingAccount || undefined };
}

/** What is wrong with the keys that were given, where others are missing. */
function lineProblems(
  name: string,
  given: Readonly<Record<string, string>>,
  { extraRegions }: Pick<Platform, "extraRegions">,
): readonly string[] {
  const line = { name, projectNumber: NO_NUMBER, ...given };
  try {
    parseHospitals([line], undefined, { extraRegions });
    return [];
  } catch (error) {
    // What is missing has been said.
    return (error as ConfigurationError).problems.filter((problem) => !problem.includes(' is ""'));
  }
}

function lineOf({ billingAccount, ...request }: Request, projectNumber: string, platform: Platform): HospitalLine {
  const { name, tier, project, region } = request;
  const own = billingAccount !== undefined && billingAccount !== platform.billingAccount ? { billingAccount } : {};
  return { name, tier: tier as HospitalLine["tier"], project, projectNumber, region, ...own };
}

/**
 * Holds the line to all rules, beside those that are there: nothing is created for a line that a synth would refuse.
 * @returns whether the line is there already, from an earlier run
 * @throws {ConfigurationError} with every problem
 */
function validate(
  request: Request,
  known: HospitalLine | undefined,
  others: readonly HospitalLine[],
  subject: string,
  platform: Platform,
): boolean {
  const same = (["tier", "project", "region"] as const).filter((key) => known && known[key] !== request[key]);
  if (known && same.length > 0)
    throw new ConfigurationError(
      subject,
      same.map(
        (key) =>
          `Hospital "${request.name}" is there, and its "${key}" is "${known[key]}", not "${request[key]}": choose another name, or give what the line says.`,
      ),
    );
  const lines = known ? others : [...others, lineOf(request, NO_NUMBER, platform)];
  parseHospitals(lines, subject, hospitalContext(platform));
  return known !== undefined;
}

const create = ({ name, project, parent }: Request): CommandLine => [
  "gcloud",
  "projects",
  "create",
  project,
  `--name=${name}`,
  ...(parent ? [parent] : []),
  `--labels=hospital=${name},managed-by=brain-tumor-stack`,
  "--quiet",
];
const link = ({ project, billingAccount }: Request): CommandLine => [
  "gcloud",
  "billing",
  "projects",
  "link",
  project,
  `--billing-account=${billingAccount}`,
];
const describeProject = ({ project }: Request): CommandLine => ["gcloud", "projects", "describe", project];

/** What is run, where nothing of it has been done. */
function creation(request: Request): readonly CommandLine[] {
  return [
    ...(request.create ? [create(request)] : []),
    ...(request.billingAccount ? [link(request)] : []),
    describeProject(request),
  ];
}

interface Project {
  readonly projectNumber: string;
  readonly lifecycleState?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Creates the project or finds it, sees to it that it is paid for, and reads its number. Does nothing a second time. */
function projectNumber(request: Request, run: Runner): string {
  const { name, project, billingAccount } = request;
  const refuse = (problem: string) => new ConfigurationError("The project", [problem]);
  const [found] = runForList<Project>(run, ["gcloud", "projects", "list", `--filter=projectId=${project}`]);
  if (found?.lifecycleState !== undefined && found.lifecycleState !== "ACTIVE")
    throw refuse(
      `${project} is being deleted. Restore it with "gcloud projects undelete ${project}", or choose another id.`,
    );
  if (!request.create && !found)
    throw refuse(`There is no project ${project}, or you may not see it. Create it with --create, or ask for access.`);
  if (request.create && found && found.labels?.hospital !== name)
    throw refuse(
      `${project} is there, and was not made for "${name}". Take it with --adopt if it is empty, or choose another id.`,
    );
  if (request.create && !found) step(run, create(request));

  const billing = runForObject<{ billingEnabled?: boolean; billingAccountName?: string }>(run, [
    "gcloud",
    "billing",
    "projects",
    "describe",
    project,
  ]);
  const payer = billing.billingEnabled ? billing.billingAccountName?.split("/").at(-1) : undefined;
  if (payer === undefined && billingAccount === undefined)
    throw refuse(`${project} is linked to no billing account: give one with --billing-account.`);
  if (payer !== undefined && billingAccount !== undefined && payer !== billingAccount)
    throw refuse(
      `${project} is paid by ${payer}, not by ${billingAccount}: leave --billing-account out, or link it yourself.`,
    );
  if (payer === undefined) step(run, link(request));
  return String(runForObject<Project>(run, describeProject(request)).projectNumber);
}

/** Runs what changes something, and says so: it takes a while. */
function step(run: Runner, command: CommandLine): void {
  print(`$ ${showCommand(command)}`);
  run(command);
}

const runForObject = <T>(run: Runner, command: CommandLine): T => JSON.parse(run([...command, "--format=json"])) as T;

async function isAgreed(
  request: Request,
  commands: readonly CommandLine[],
  file: string,
  ask: Ask | undefined,
): Promise<boolean> {
  if (!ask)
    throw new ConfigurationError("The command line", [
      "--yes is missing, and nobody is there to be asked. --dry-run shows what would be done.",
    ]);
  for (const command of commands) print(showCommand(command));
  const answer = await ask(
    `Run what of this is not done yet, and write the line of ${request.name} into ${file}? [y/N] `,
  );
  return /^y(es)?$/i.test(answer.trim());
}

function next({ name }: Request, { hospitals, platform }: LinesChoice): string {
  const files = [hospitals && `--hospitals ${hospitals}`, platform && `--platform ${platform}`]
    .filter(Boolean)
    .join(" ");
  const more = files === "" ? "" : ` ${files}`;
  const synth = files === "" ? "npm run synth" : `npm run synth --${more}`;
  const deploy = (stack: string) =>
    `terraform -chdir=cdktf.out/stacks/${name}-${stack} init && terraform -chdir=cdktf.out/stacks/${name}-${stack} apply`;
  return [
    "Next (docs/operations.md says more):",
    `  1. ${synth}`,
    `  2. npm run policy${more === "" ? "" : ` --${more}`}`,
    `  3. npm run prepare-project -- ${name}${more} --run`,
    `  4. ${deploy("data")}`,
    `  5. ${deploy("app")}`,
    "  6. npm run image -- train, if images.lock.json has none, and steps 1 and 5 again; serve after the first model",
  ].join("\n");
}

/** @throws an AbortError if the person presses Ctrl-C or closes the input */
async function askPerson(question: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const controller = new AbortController();
  reader.once("SIGINT", () => controller.abort());
  reader.once("close", () => controller.abort());
  try {
    return await reader.question(question, { signal: controller.signal });
  } finally {
    reader.close();
  }
}

ifMain(module, addHospital);
