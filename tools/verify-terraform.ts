import { cpus } from "node:os";
import { ConfigurationError } from "../runtime/platform/config";
import { chooseLines, LINES_HELP } from "../stacks/lines";
import { startEcho } from "../tests/echo";
import { Interruption, interruptible } from "./child";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { deployOrder, orderProblems } from "./deploy-order";
import type { StartApis } from "./google-apis";
import { ODD_HOSPITALS } from "./odd-hospitals";
import { inParallel } from "./pool";
import { type CheckContext, madeByOthers, STEPS, StackCheck } from "./stack-check";
import { readStacks, type SynthesizedStack, withScratch } from "./synthesized";
import { table } from "./table";
import { findTerraform, providerProblem } from "./terraform";
import { EPHEMERAL, TIER_HOSPITALS, type TierOptions, tierStacks } from "./tiers";

interface Options {
  readonly hospitals?: string;
  readonly platform?: string;
  readonly dir?: string;
  readonly out?: string;
  readonly all?: boolean;
  readonly only?: readonly string[];
  readonly apply: boolean;
  readonly jobs: string;
}

/** What is verified: stacks, and the same with `allowDestroys` where they can be synthesized again. */
interface Subject {
  readonly stacks: readonly SynthesizedStack[];
  readonly lifted: readonly SynthesizedStack[];
}

/**
 * The command `npm run verify:terraform`.
 * @param startApis what stands in for Google
 */
export async function verifyTerraform(args: readonly string[], startApis: StartApis = startEcho): Promise<number> {
  const program = tool(
    "verify:terraform",
    "Lets Terraform and the real provider judge every stack: init, validate, a first plan without a call to Google; then, against an echo of Google's APIs, apply, a second plan that has nothing to do, and destroy.",
  )
    .option("--hospitals <file>", "a list of hospitals (JSON or TypeScript) in place of one of every tier")
    .option("--platform <file>", LINES_HELP.platform)
    .option("--all", "the hospital of every tier, and every odd one of tools/odd-hospitals.ts")
    .option("--only <names...>", "of all these, only hospitals of these names, and the platform")
    .option("--out <dir>", "keep what is synthesized in this folder")
    .option("--dir <dir>", "verify a folder that was synthesized before")
    .option("--no-apply", "stop behind the first plan")
    .option("--jobs <n>", "hospitals at the same time", String(2 * cpus().length));
  return runTool(
    program,
    () => {
      const options = program.opts<Options>();
      if (!/^[1-9]\d?$/.test(options.jobs))
        throw new ConfigurationError("The command line", [
          `--jobs is "${options.jobs}"; it must be a whole number from 1 to 99.`,
        ]);
      return withScratch((scratch) => verify(subjectOf(options, scratch), options, scratch, startApis));
    },
    args,
  );
}

function subjectOf(options: Options, scratch: string): Subject {
  if (options.dir !== undefined) return { stacks: readStacks(options.dir), lifted: [] };
  const chosen = linesOf(options);
  const { only } = options;
  const names = [...(chosen.lines ?? []).map(({ name }) => name), EPHEMERAL];
  const unknown = (only ?? []).filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new ConfigurationError("The command line", [
      `--only names ${unknown.join(", ")}, and there is no such hospital; there are ${names.join(", ")}.`,
    ]);
  const wanted = ({ name }: SynthesizedStack) => only === undefined || [...only, PLATFORM].includes(groupOf(name));
  const stacks = tierStacks(options.out ?? `${scratch}/synthesized`, chosen).filter(wanted);
  // Nothing that is not applied is taken down again.
  const lifted = options.apply
    ? tierStacks(`${scratch}/lifted`, { ...chosen, allowDestroys: true }).filter(wanted)
    : [];
  return { stacks, lifted };
}

function linesOf({ hospitals, platform, all, only }: Options): TierOptions {
  if (hospitals === undefined && platform === undefined) {
    const odd = all || only !== undefined ? ODD_HOSPITALS : [];
    return { lines: [...TIER_HOSPITALS, ...odd], subject: "The hospitals of tools/" };
  }
  const lines = chooseLines({ hospitals, platform }, TIER_HOSPITALS);
  return { lines: lines.hospitals, platform: lines.platform, subject: lines.subject };
}

const PLATFORM = "platform";
/** The hospital, or the platform, that a stack is of: what is deployed and destroyed together. */
const groupOf = (stack: string) => (stack === "bootstrap" ? PLATFORM : stack.replace(/-(?:data|app)$/, ""));

async function verify(
  { stacks, lifted }: Subject,
  options: Options,
  scratch: string,
  startApis: StartApis,
): Promise<number> {
  const command = findTerraform();
  if (command === undefined) {
    print("Neither terraform nor tofu is on PATH: nothing was verified.");
    return EXIT.done;
  }
  const missing = await providerProblem(command, scratch);
  if (missing !== undefined) {
    print(`${command} cannot get the provider hashicorp/google ~> 6.50, so nothing was verified: ${missing}`);
    return EXIT.done;
  }

  const interruption = interruptible();
  const apis = options.apply ? await startApis(madeByOthers(stacks)) : undefined;
  const begun = Date.now();
  try {
    const context: CheckContext = { command, scratch, apis, signal: interruption.signal, progress: report(begun) };
    const order = deployOrder(stacks);
    const checks = order
      .flatMap((name) => stacks.filter((stack) => stack.name === name))
      .map((stack) => new StackCheck(stack, context));
    await live(checks, lifted, Number(options.jobs));
    const gaps = [...new Set(apis?.gaps)];
    return conclude(
      checks,
      [...gaps.map((gap) => `The echo has a gap: ${gap}`), ...orderProblems(stacks)],
      order,
      begun,
    );
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    process.stderr.write("Interrupted: what was applied was in the echo alone, and is gone.\n");
    return EXIT.interrupted;
  } finally {
    interruption.release();
    await apis?.stop();
  }
}

const report =
  (begun: number): CheckContext["progress"] =>
  (stack, step, outcome, seconds) => {
    const now = Math.round((Date.now() - begun) / 1000);
    process.stderr.write(`${String(now).padStart(5)} s  ${stack} ${step}: ${outcome} (${seconds.toFixed(1)} s)\n`);
  };

/** The platform first and last, hospitals between, several at a time; each from its first plan to its end. */
async function live(checks: readonly StackCheck[], lifted: readonly SynthesizedStack[], jobs: number): Promise<void> {
  const groups = new Set(checks.map(({ stack }) => groupOf(stack.name)));
  const inGroup = (name: string) => checks.filter(({ stack }) => groupOf(stack.name) === name);
  const platform = inGroup(PLATFORM);
  await rise(platform);
  const hospitals = [...groups].filter((name) => name !== PLATFORM).map(inGroup);
  await inParallel(hospitals, jobs, async (group) => {
    await rise(group);
    await fall(group, lifted);
  });
  await fall(platform, lifted);
}

/** Judges and applies stacks one after the other, and plans them again once all of them stand. */
async function rise(group: readonly StackCheck[]): Promise<void> {
  for (const check of group) await check.judge();
  if (group.some(({ failed, applies }) => failed || !applies)) return;
  for (const check of group) {
    await check.apply();
    // What stands on it would fail for its sake alone.
    if (check.failed) return;
  }
  for (const check of group) await check.again();
}

/** Destroys them the other way round; what protects data refuses first, and has to be allowed. */
async function fall(group: readonly StackCheck[], lifted: readonly SynthesizedStack[]): Promise<void> {
  if (group.some(({ failed, applies }) => failed || !applies)) return;
  for (const check of group) if (check.protects) await check.refused();
  for (const check of group) {
    const again = lifted.find(({ name }) => name === check.stack.name);
    if (check.protects && again) await check.allowed(again);
  }
  const free = group.every((check) => !check.protects || check.steps.allowed === "ok");
  if (!free || group.some(({ failed }) => failed)) return;
  for (const check of [...group].reverse()) await check.destroy();
  for (const check of group) await check.left();
}

function conclude(
  checks: readonly StackCheck[],
  others: readonly string[],
  order: readonly string[],
  begun: number,
): number {
  print(
    table(
      [
        { title: "STACK", width: 40 },
        { title: "RESOURCES", width: 9, align: "right" },
        ...STEPS.map((step) => ({ title: step.toUpperCase(), width: 8 })),
      ],
      checks.map(({ stack, resources, steps }) => [stack.name, String(resources), ...STEPS.map((step) => steps[step])]),
    ),
  );
  const problems = [
    ...checks.flatMap(({ stack, problems }) => problems.map((text) => `${stack.name}: ${text}`)),
    ...others,
  ];
  if (problems.length > 0) {
    print(`\n${problems.join("\n")}`);
    return EXIT.failed;
  }
  print(`\ncdktf deploy takes them in this order, and destroy the other way round: ${order.join(", ")}.`);
  print("Every first plan creates everything, reads nothing and calls nobody.");
  if (checks.some(({ steps }) => steps.again === "ok")) print("Every second plan has nothing to do.");
  print(`${checks.length} stacks in ${Math.round((Date.now() - begun) / 1000)} s.`);
  return EXIT.done;
}

ifMain(module, verifyTerraform);
