import { availableParallelism } from "node:os";
import { createProgress } from "../../runtime/platform/progress";
import { Interruption } from "../child";
import { readPrices } from "../cost";
import { inParallel } from "../pool";
import { judgePlan } from "./judge";
import type { MemberStack } from "./members";
import type { RecordFile, RolloutRecord, StackRecord } from "./record";
import type { Review } from "./report";
import { digestOf, type StackRunner, sha256Of, TerraformFailure } from "./stack-runner";

/** The most that Terraform and the provider of one stack were seen to hold together (bench rollout), with some to spare. */
const MIB_A_PLAN = 400;

/** As many plans at once as there are cores, and as the memory that is free holds. */
export function defaultParallelism(cores = availableParallelism(), freeBytes = process.availableMemory()): number {
  return Math.max(1, Math.min(cores, Math.floor((freeBytes / 2 ** 20) * (0.8 / MIB_A_PLAN))));
}

/**
 * A record of these stacks in which what was planned before, and has not changed since, is planned still.
 *
 * @param before the record of a plan that was interrupted; undefined to plan everything
 */
export function openRecord(
  stacks: readonly MemberStack[],
  source: RolloutRecord["source"],
  before: RolloutRecord | undefined,
): RolloutRecord {
  const records = stacks.map(({ member, part, stack }): [string, StackRecord] => {
    const digest = digestOf(stack);
    const known = before?.stacks[stack.name];
    if (known?.status === "planned" && known.digest === digest && known.wave === member.wave)
      return [stack.name, known];
    return [stack.name, { hospital: member.hospital.name, wave: member.wave, part, digest, status: "open" }];
  });
  return { version: 1, source, planned: false, stacks: Object.fromEntries(records), passed: [] };
}

/** Plans what is open, and writes each plan down when it is there. @throws {Interruption} */
export async function planAll(
  stacks: readonly MemberStack[],
  record: RolloutRecord,
  file: RecordFile,
  runner: StackRunner,
  parallel: number,
): Promise<void> {
  const open = stacks.filter(({ stack }) => record.stacks[stack.name]?.status !== "planned");
  const progress = createProgress("plan");
  progress.start(stacks.length, stacks.length - open.length);
  try {
    // Data stacks first would leave hospitals half planned for longest; the pair of one stands together.
    await inParallel(open, parallel, async (each) => {
      await planStack(each, record, runner);
      await file.write(record);
      progress.advance(1, each.stack.name);
    });
  } finally {
    progress.finish();
  }
  record.planned = true;
  await file.write(record);
}

/** Plans one stack and judges the plan; a failure is written down, for the others go on. @throws {Interruption} */
export async function planStack(
  { member, stack }: MemberStack,
  record: RolloutRecord,
  runner: StackRunner,
): Promise<void> {
  const own = record.stacks[stack.name];
  if (!own) throw new Error(`${stack.name} is not in the record of this roll-out.`);
  const { plan: before, problem: _problem, ...rest } = own;
  const begun = performance.now();
  try {
    const plan = await runner.plan(stack, member.hospital.name);
    const judged = judgePlan(plan, stack, { prices: readPrices(), tier: member.hospital.tier });
    const sha256 = await sha256Of(runner.planFile(stack));
    const seconds = Math.round((performance.now() - begun) / 100) / 10;
    record.stacks[stack.name] = { ...rest, status: "planned", plan: { ...judged, sha256, seconds } };
  } catch (error) {
    if (error instanceof Interruption) throw error;
    const addresses = error instanceof TerraformFailure ? error.addresses : [];
    const sentence = error instanceof Error ? error.message : String(error);
    const problem = { sentence, addresses: [...addresses] };
    // What was planned, and may be half applied, is still what was agreed to.
    record.stacks[stack.name] = { ...rest, ...(before ? { plan: before } : {}), status: "failed", problem };
  }
}

/** Why a stack may not be applied as it was planned, a sentence each. */
export function objections(
  name: string,
  { plan, problem }: StackRecord,
  allowed: ReadonlySet<string>,
  reviewed?: Review,
): string[] {
  if (!plan)
    return [`${name} could not be planned${problem?.addresses.length ? ` (${problem.addresses.join(", ")})` : ""}.`];
  const lost = plan.losses.filter(({ address }) => !allowed.has(`${name}:${address}`));
  const expected = reviewed?.stacks[name]?.plan?.changes.map(key);
  const unexpected = expected ? plan.changes.filter((change) => !expected.includes(key(change))) : [];
  return [
    ...lost.map(
      ({ address, action }) =>
        `${name} would ${action} ${address}, which holds state or serves; if that is meant: --allow ${name}:${address}`,
    ),
    ...plan.findings.map((finding) => `${name}: ${finding}`),
    ...unexpected.map(
      ({ address, actions }) =>
        `${name} would ${actions.join(" and ")} ${address}, which the plan that was reviewed would not.`,
    ),
    ...(reviewed && !expected ? [`${name} is not in the plan that was reviewed.`] : []),
  ];
}

const key = ({ address, actions }: { readonly address: string; readonly actions: readonly string[] }) =>
  `${actions.join()} ${address}`;
