import { existsSync } from "node:fs";
import { print } from "../command";
import { inParallel } from "../pool";
import { type Check, watch } from "./checks";
import { type Member, type MemberStack, stacksOf } from "./members";
import { objections, planStack } from "./plan";
import type { Change, RecordFile, RolloutRecord } from "./record";
import { type StackRunner, sha256Of, TerraformFailure } from "./stack-runner";

/** Where a roll-out stopped. */
export interface Stop {
  readonly wave: number;
  readonly hospital: string;
  /** Undefined where it was not about one stack. */
  readonly stack?: string;
  readonly addresses: readonly string[];
  readonly sentence: string;
}

export interface ApplyOptions {
  readonly members: readonly Member[];
  readonly record: RolloutRecord;
  readonly file: RecordFile;
  readonly runner: StackRunner;
  readonly checks: readonly Check[];
  readonly soakMs: number;
  /** `STACK:ADDRESS` of what may be lost. */
  readonly allowed: ReadonlySet<string>;
  /** Hospitals at once. */
  readonly parallel: number;
  readonly signal: AbortSignal;
}

class Stopped extends Error {
  constructor(readonly stop: Stop) {
    super(stop.sentence);
  }
}

/**
 * Applies what was planned: wave after wave, of a hospital its data before its app. A wave begins when the one before was
 * applied whole and has passed its checks.
 *
 * @returns where it stopped; undefined if it came to the end
 * @throws {Interruption}
 */
export async function applyWaves(options: ApplyOptions): Promise<Stop | undefined> {
  const { members, record, file } = options;
  const waves = [...new Set(members.map(({ wave }) => wave))];
  try {
    for (const wave of waves) {
      if (record.passed.includes(wave)) continue;
      const inWave = members.filter((member) => member.wave === wave);
      print(`Wave ${wave}: ${inWave.map(({ hospital }) => hospital.name).join(", ")}`);
      await inParallel(inWave, options.parallel, async (member) => {
        for (const each of stacksOf([member])) await applyStack(each, options);
      });
      await passChecks(wave, inWave, options);
      record.passed = [...record.passed, wave];
      await file.write(record);
    }
    return undefined;
  } catch (error) {
    if (error instanceof Stopped) return error.stop;
    throw error;
  }
}

async function passChecks(wave: number, members: readonly Member[], options: ApplyOptions): Promise<void> {
  const { checks, soakMs, signal } = options;
  if (checks.length === 0) return;
  print(`Wave ${wave} is applied; watching it for ${Math.round(soakMs / 1000)} s.`);
  const failure = await watch(members, checks, soakMs, signal);
  if (failure)
    throw new Stopped({
      wave,
      hospital: failure.member.hospital.name,
      addresses: [],
      sentence: `The check "${failure.check}" was not passed: ${failure.sentences.join(" ")}`,
    });
  print(`Wave ${wave} has passed ${checks.map(({ name }) => `"${name}"`).join(", ")}.`);
}

async function applyStack(each: MemberStack, options: ApplyOptions): Promise<void> {
  const { record, file, runner, signal } = options;
  const { stack, member } = each;
  const stopAt = (sentence: string, addresses: readonly string[] = []) =>
    new Stopped({ wave: member.wave, hospital: member.hospital.name, stack: stack.name, addresses, sentence });
  if (record.stacks[stack.name]?.status === "applied") return;

  if (await mustPlanAgain(each, options)) {
    print(`${stack.name}: planning it again, since its plan was begun or is not whole.`);
    const agreed = record.stacks[stack.name];
    await planStack(each, record, runner);
    const news = notAgreedTo(record.stacks[stack.name]?.plan?.changes ?? [], agreed?.plan?.changes ?? []);
    if (agreed && news.length > 0) {
      const addresses = news.map(({ address }) => address);
      const sentence = `Its new plan has what was not agreed to: ${news.map(({ address, actions }) => `${actions.join(" and ")} ${address}`).join(", ")}. Look at it with "npm run rollout -- plan", and apply that.`;
      // What was agreed to stays written down: the same command does not take the new plan for it.
      record.stacks[stack.name] = { ...agreed, status: "failed", problem: { sentence, addresses } };
      await file.write(record);
      throw stopAt(sentence, addresses);
    }
    await file.write(record);
  }
  const own = record.stacks[stack.name];
  if (own?.status !== "planned" || !own.plan)
    throw stopAt(own?.problem?.sentence ?? "It was not planned.", own?.problem?.addresses);
  const [objection] = objections(stack.name, own, options.allowed);
  if (objection !== undefined)
    throw stopAt(
      objection,
      own.plan.losses.map(({ address }) => address),
    );

  const { problem: _problem, ...rest } = own;
  const change = async (
    status: "applying" | "applied" | "failed",
    found?: { sentence: string; addresses: string[] },
  ) => {
    record.stacks[stack.name] = { ...rest, status, ...(found ? { problem: found } : {}) };
    await file.write(record);
  };
  if (own.plan.changes.length > 0) {
    await change("applying");
    try {
      await runner.apply(stack, member.hospital.name);
    } catch (error) {
      if (!(error instanceof TerraformFailure)) throw error;
      // Not this plan's fault, and nothing was changed: whoever changed the state has made the plan worthless.
      const sentence = /saved plan is stale/i.test(error.message)
        ? "Something else has changed this stack since it was planned. The same command plans it again."
        : error.message;
      await change("failed", { sentence, addresses: [...error.addresses] });
      throw stopAt(sentence, error.addresses);
    }
  }
  await change("applied");
  if (!signal.aborted) print(`${stack.name}: ${own.plan.changes.length === 0 ? "nothing to change" : "applied"}.`);
}

/** Changes of a plan that was made again which the one that was agreed to does not have. */
function notAgreedTo(changes: readonly Change[], agreed: readonly Change[]): Change[] {
  const before = new Map(agreed.map(({ address, actions }) => [address, actions.join()]));
  return changes.filter(({ address, actions }) => {
    const then = before.get(address);
    // What was half made is made anew, and an output says what became of it.
    const anew = then === "create" && actions.includes("create");
    return then !== actions.join() && !anew && !address.startsWith("output.");
  });
}

/** What was begun and did not end may be half applied; what lies in the folder may not be what was planned. */
async function mustPlanAgain({ stack }: MemberStack, { record, runner }: ApplyOptions): Promise<boolean> {
  const own = record.stacks[stack.name];
  if (own?.status !== "planned") return true;
  const plan = runner.planFile(stack);
  return !existsSync(plan) || (await sha256Of(plan)) !== own.plan?.sha256;
}
