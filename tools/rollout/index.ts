import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigurationError } from "../../runtime/platform/config";
import { buildApp, hospitalContext } from "../../stacks/app";
import { stateProblem } from "../../stacks/config";
import { chooseLines, LINES_HELP, withVariables } from "../../stacks/lines";
import { type Platform, parsePlatform } from "../../stacks/platform-config";
import { LAST_WAVE } from "../../stacks/waves";
import { Interruption, interruptible } from "../child";
import { EXIT, ifMain, print, runTool, tool } from "../command";
import { readJson, readStacks, type SynthesizedStack, withScratch } from "../synthesized";
import { findTerraform } from "../terraform";
import { applyWaves, type Stop } from "./apply";
import { askWith, type Check, standardChecks } from "./checks";
import { githubCredentials } from "./credentials";
import { lockFolder } from "./lock";
import { type Member, membersOf, stacksOf } from "./members";
import { defaultParallelism, objections, openRecord, planAll } from "./plan";
import { RecordFile, type RolloutRecord } from "./record";
import { type Review, recordTable, reviewMarkdown, reviewOf } from "./report";
import { digestOf, StackRunner } from "./stack-runner";

interface Options {
  readonly out: string;
  readonly hospitals?: string;
  readonly platform?: string;
  readonly dir?: string;
  readonly states: string;
  readonly wave?: string;
  readonly parallel?: string;
  readonly allow: readonly string[];
  readonly expect?: string;
  readonly fresh?: boolean;
  readonly soak: string;
  readonly check?: string;
  readonly maxErrors: string;
  readonly identity?: string;
  readonly json?: boolean;
}

/** What tests put in the place of asking Google Cloud. */
export interface RolloutParts {
  readonly checks?: readonly Check[];
}

/** The command `npm run rollout`. */
export async function rollout(args: readonly string[], parts: RolloutParts = {}): Promise<number> {
  const program = tool(
    "rollout",
    "Plans every hospital, then applies what was planned: wave after wave, each after the one before has passed its checks. Stops at the first failure; the same command goes on from there.",
  )
    .argument("<plan|apply|status>", "plan: changes nothing; apply: what was planned; status: how far it is")
    .option("--out <dir>", "the roll-out's folder: plans, logs, how far it is", ".rollout")
    .option("--hospitals <file>", LINES_HELP.hospitals)
    .option("--platform <file>", LINES_HELP.platform)
    .option("--dir <dir>", "plan a folder that was synthesized before")
    .option("--states <dir>", "where states lie that are in no bucket", ".")
    .option("--wave <n>", "this wave alone")
    .option(
      "--parallel <n>",
      "stacks that are planned, or hospitals that are applied, at once (default: by cores and memory; 1)",
    )
    .option(
      "--allow <stack:address>",
      "a loss that plan-guard names and that is meant; may be given several times",
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .option("--expect <file>", "the review.json of a plan that was agreed to: what is not in it is refused")
    .option("--fresh", "plan: everything again, also what an interrupted plan has done")
    .option("--soak <time>", "apply: how long a wave is watched before the next, such as 90s, 30m or 2h", "10m")
    .option(
      "--check <command>",
      "apply: a shell command that a hospital has to pass as well; it finds HOSPITAL, PROJECT, REGION, WAVE and SINCE in its environment",
    )
    .option("--max-errors <n>", "apply: 5xx answers of a hospital that are let pass while it is watched", "5")
    .option("--identity <plan|deploy>", "in a workflow of GitHub: act as each hospital's own identity for this")
    .option("--json", "print the result as JSON")
    .option("--seed <n>", "accepted as everywhere; nothing is drawn at random");
  return runTool(
    program,
    async () => {
      const action = String(program.args[0]);
      const options = program.opts<Options>();
      const settings = validate(action, options);
      if (action === "status") return status(options);
      const command = findTerraform();
      if (command === undefined)
        throw new Error("Neither terraform nor tofu is on PATH: install Terraform 1.9 or newer.");
      mkdirSync(options.out, { recursive: true, mode: 0o700 });
      const lock = lockFolder(options.out);
      const interruption = interruptible();
      try {
        const work = { ...settings, options, command, signal: interruption.signal };
        return action === "plan" ? await plan(work) : await apply(work, parts);
      } catch (error) {
        if (!(error instanceof Interruption)) throw error;
        process.stderr.write("Interrupted. The same command goes on from here.\n");
        return EXIT.interrupted;
      } finally {
        interruption.release();
        lock.release();
      }
    },
    args,
  );
}

interface Settings {
  readonly wave: number | undefined;
  readonly parallel: number | undefined;
  readonly soakMs: number;
  readonly maxErrors: number;
}

interface Work extends Settings {
  readonly options: Options;
  readonly command: string;
  readonly signal: AbortSignal;
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

/** @throws {ConfigurationError} with everything that is wrong. */
function validate(action: string, options: Options): Settings {
  const problems: string[] = [];
  if (!["plan", "apply", "status"].includes(action)) problems.push(`"${action}" is neither plan nor apply nor status.`);
  const whole = (name: string, text: string | undefined, least: number, most: number): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    problems.push(`--${name} is "${text}"; it must be a whole number from ${least} to ${most}.`);
    return undefined;
  };
  const wave = whole("wave", options.wave, 1, LAST_WAVE);
  const parallel = whole("parallel", options.parallel, 1, 64);
  const maxErrors = whole("max-errors", options.maxErrors, 0, 1000) ?? 0;
  const [, count, unit] = /^(\d{1,5})([smh])$/.exec(options.soak) ?? [];
  if (count === undefined) problems.push(`--soak is "${options.soak}"; it must be a time such as 90s, 30m or 2h.`);
  for (const allowed of options.allow)
    if (!/^[^:]+:.+$/.test(allowed)) problems.push(`--allow is "${allowed}"; it must be STACK:ADDRESS.`);
  if (options.identity !== undefined && options.identity !== "plan" && options.identity !== "deploy")
    problems.push(`--identity is "${options.identity}"; it must be plan or deploy.`);
  if (options.dir !== undefined && resolve(options.dir) === resolve(options.out))
    problems.push("--dir and --out are the same folder; the roll-out needs one of its own.");
  if (problems.length > 0) throw new ConfigurationError("The command line", problems);
  return { wave, parallel, maxErrors, soakMs: Number(count) * UNITS[unit as keyof typeof UNITS] };
}

interface Choice {
  readonly platform: Platform;
  readonly members: readonly Member[];
}

/** The lines and the stacks that they make: those of a folder, or synthesized into the roll-out's own. */
function chooseMembers(source: RolloutRecord["source"], folder: string, wave: number | undefined): Choice {
  const lines = chooseLines(source);
  const { subject } = lines;
  if (source.dir === undefined)
    buildApp(lines.hospitals, { platform: lines.platform, outdir: folder, subject }).synth();
  const platform = parsePlatform(lines.platform);
  const context = { ...hospitalContext(platform), subject, wave };
  const members = membersOf(lines.hospitals, readStacks(source.dir ?? folder), context);
  const problems = members.flatMap(({ hospital }) => stateProblem(hospital) ?? []);
  if (problems.length > 0) throw new ConfigurationError(subject, problems);
  return { platform, members };
}

function runnerFor({ options, command, signal }: Work, { platform, members }: Choice) {
  const { identity } = options;
  const credentials =
    identity === undefined
      ? undefined
      : githubCredentials(
          members.map(({ hospital }) => hospital),
          platform,
          identity as "plan" | "deploy",
          join(options.out, "credentials"),
        );
  const settings = { command, folder: resolve(options.out), localStates: resolve(options.states), signal, credentials };
  return { runner: new StackRunner(settings), credentials };
}

async function plan(work: Work): Promise<number> {
  const { options, wave } = work;
  const file = new RecordFile(options.out);
  const before = options.fresh ? undefined : file.read();
  const source = { ...withVariables(options), dir: options.dir };
  const choice = chooseMembers(source, join(options.out, "cdktf.out"), wave);
  const { members } = choice;
  const stacks = stacksOf(members);
  // One that came to its end is old news: what is deployed may have changed since.
  const record = openRecord(stacks, source, before?.planned === false ? before : undefined);
  const done = Object.values(record.stacks).filter(({ status }) => status === "planned").length;
  if (done > 0)
    process.stderr.write(
      `${done} of ${stacks.length} stacks were planned before the interruption; --fresh plans them again.\n`,
    );
  await file.write(record);
  await planAll(stacks, record, file, runnerFor(work, choice).runner, work.parallel ?? defaultParallelism());

  const review = reviewOf(record);
  writeFileSync(join(options.out, "review.json"), `${JSON.stringify(review, null, 2)}\n`);
  writeFileSync(join(options.out, "review.md"), reviewMarkdown(review, "What a roll-out would change"));
  const refused = refusals(record, members, options);
  if (options.json) print(JSON.stringify({ ...review, refused: refused.length }, null, 2));
  else print(`${recordTable(record)}\n`);
  for (const [name, { problem }] of Object.entries(record.stacks))
    if (problem) process.stderr.write(`${name}: ${problem.sentence}\n`);
  for (const sentence of refused) process.stderr.write(`${sentence}\n`);
  if (refused.length > 0) return EXIT.failed;
  if (!options.json)
    print(`Planned. To apply it: npm run rollout -- apply${options.out === ".rollout" ? "" : ` --out ${options.out}`}`);
  return EXIT.done;
}

/** @throws {ConfigurationError} if it is no review. */
function readReview(file: string): Review {
  const review = readJson(file, "The reviewed plan");
  if (typeof review.stacks === "object" && review.stacks !== null) return review as unknown as Review;
  throw new ConfigurationError("The reviewed plan", [`${file} is no review.json of "npm run rollout -- plan".`]);
}

/** Why the plans of some hospitals may not be applied. */
function refusals(record: RolloutRecord, members: readonly Member[], { allow, expect }: Options): string[] {
  const reviewed = expect === undefined ? undefined : readReview(expect);
  return stacksOf(members).flatMap(({ stack }) => {
    const own = record.stacks[stack.name];
    return own && own.status !== "applied" ? objections(stack.name, own, new Set(allow), reviewed) : [];
  });
}

async function apply(work: Work, parts: RolloutParts): Promise<number> {
  const { options, wave, signal } = work;
  const file = new RecordFile(options.out);
  const record = file.read();
  if (!record?.planned)
    throw new ConfigurationError("The folder of the roll-out", [
      `${record ? `The plan in ${options.out} was interrupted` : `There is no plan in ${options.out}`}: run "npm run rollout -- plan --out ${options.out}" first.`,
    ]);
  const choice = plannedMembers(record, options, wave);
  const { members } = choice;
  const refused = refusals(record, members, options);
  if (refused.length > 0) throw new Error([...refused, "Nothing was applied."].join("\n"));

  const { runner, credentials } = runnerFor(work, choice);
  const checks =
    parts.checks ??
    standardChecks({ runner, ask: askWith(credentials), command: options.check, maxErrors: work.maxErrors });
  const allowed = new Set(options.allow);
  const stop = await applyWaves({
    members,
    record,
    file,
    runner,
    checks,
    soakMs: work.soakMs,
    allowed,
    parallel: work.parallel ?? 1,
    signal,
  });
  if (options.json)
    print(JSON.stringify({ ...reviewOf(record), passed: record.passed, stopped: stop ?? null }, null, 2));
  if (stop === undefined) {
    if (!options.json) print(`Rolled out: ${members.length} hospitals.`);
    return EXIT.done;
  }
  process.stderr.write(`${describeStop(stop, record)}\n`);
  return EXIT.failed;
}

/**
 * The hospitals of a plan, held against what would be planned now.
 *
 * @throws {ConfigurationError} if a line, the code or an image has changed since, or an earlier wave is not done
 */
function plannedMembers(record: RolloutRecord, options: Options, wave: number | undefined): Choice {
  const { platform, members: all } = withScratch((scratch) => {
    const choice = chooseMembers(record.source, scratch, undefined);
    const now = choice.members;
    const changed = stacksOf(now)
      .filter(({ member, stack }) => {
        const own = record.stacks[stack.name];
        return own && (own.digest !== digestOf(stack) || own.wave !== member.wave);
      })
      .map(({ stack }) => stack.name);
    const names = new Set(stacksOf(now).map(({ stack }) => stack.name));
    const gone = Object.keys(record.stacks).filter((name) => !names.has(name));
    if (changed.length + gone.length > 0)
      throw new ConfigurationError("The plan", [
        `It is not of what would be deployed now: ${[...changed, ...gone].join(", ")} ${changed.length + gone.length === 1 ? "has" : "have"} changed since. Plan again.`,
      ]);
    return choice;
  });
  const planned = all
    .filter(({ stacks }) => stacks.data.name in record.stacks)
    .filter((member) => wave === undefined || member.wave === wave);
  if (planned.length === 0)
    throw new ConfigurationError("The command line", [`--wave is ${wave}, and nothing of it was planned.`]);
  const waves = new Set(Object.values(record.stacks).map((stack) => stack.wave));
  const before = [...waves].filter((other) => wave !== undefined && other < wave && !record.passed.includes(other));
  if (before.length > 0)
    throw new ConfigurationError("The command line", [
      `--wave is ${wave}, and wave ${before.sort().join(", ")} has not been applied and passed its checks; it comes first.`,
    ]);
  // The scratch folder is gone; what was planned lies in the roll-out's own.
  const folder = record.source.dir ?? join(options.out, "cdktf.out");
  const stacks = new Map(readStacks(folder).map((stack) => [stack.name, stack]));
  const find = (name: string): SynthesizedStack => {
    const stack = stacks.get(name);
    if (stack && digestOf(stack) === record.stacks[name]?.digest) return stack;
    throw new ConfigurationError("The plan", [
      `The stack ${name} in ${folder} is not the one that was planned. Plan again.`,
    ]);
  };
  const members = planned.map((member) => ({
    ...member,
    stacks: { data: find(member.stacks.data.name), app: find(member.stacks.app.name) },
  }));
  return { platform, members };
}

function describeStop({ wave, hospital, stack, addresses, sentence }: Stop, { stacks }: RolloutRecord): string {
  const where = [`hospital ${hospital}`, ...(stack ? [`stack ${stack}`] : []), ...addresses].join(", ");
  const open = new Set(
    Object.values(stacks)
      .filter(({ status }) => status === "planned")
      .map((each) => each.hospital),
  );
  open.delete(hospital);
  const rest = open.size > 0 ? `\nNot begun: ${[...open].join(", ")}.` : "";
  return `Stopped in wave ${wave} at ${where}:\n  ${sentence}${rest}\nOnce it is corrected, the same command goes on from there.`;
}

function status({ out, json }: Options): number {
  const record = existsSync(out) ? new RecordFile(out).read() : undefined;
  if (!record)
    throw new ConfigurationError("The folder of the roll-out", [
      `There is no plan in ${out}: run "npm run rollout -- plan" first.`,
    ]);
  if (json) print(JSON.stringify({ ...reviewOf(record), passed: record.passed }, null, 2));
  else {
    print(recordTable(record));
    for (const [name, { problem }] of Object.entries(record.stacks)) if (problem) print(`${name}: ${problem.sentence}`);
    print(`Passed: ${record.passed.length > 0 ? `wave ${record.passed.join(", ")}` : "no wave yet"}.`);
  }
  return EXIT.done;
}

ifMain(module, rollout);
