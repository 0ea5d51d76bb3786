import { ConfigurationError } from "../../runtime/platform/config";
import { type Hospital, type HospitalContext, parseHospitals } from "../../stacks/config";
import { byWave } from "../../stacks/waves";
import type { SynthesizedStack } from "../synthesized";

/** Data first: what works on it comes after. */
export const PARTS = ["data", "app"] as const;
export type Part = (typeof PARTS)[number];

/** A hospital that is rolled out, with its two stacks. */
export interface Member {
  readonly hospital: Hospital;
  readonly wave: number;
  readonly stacks: Readonly<Record<Part, SynthesizedStack>>;
}

export interface MemberStack {
  readonly member: Member;
  readonly part: Part;
  readonly stack: SynthesizedStack;
}

/**
 * The hospitals of a roll-out, the first wave first; of one wave in the order of their lines.
 *
 * @param lines as they are written
 * @param wave this one alone
 * @throws {ConfigurationError} if a line is wrong, a stack is missing, or nobody is in the wave
 */
export function membersOf(
  lines: unknown,
  stacks: readonly SynthesizedStack[],
  context: HospitalContext & { readonly subject: string; readonly wave?: number | undefined },
): Member[] {
  const { subject, wave } = context;
  const waves = byWave(parseHospitals(lines, subject, context));
  if (wave !== undefined && !waves.has(wave))
    throw new ConfigurationError("The command line", [
      `--wave is ${wave}, and no hospital is in it; there are ${[...waves.keys()].join(", ") || "none"}.`,
    ]);
  const byName = new Map(stacks.map((stack) => [stack.name, stack]));
  const missing: string[] = [];
  const find = (name: string): SynthesizedStack => {
    const stack = byName.get(name);
    if (!stack) missing.push(name);
    return stack as SynthesizedStack;
  };
  const members = [...waves]
    .filter(([number]) => wave === undefined || number === wave)
    .flatMap(([number, hospitals]) =>
      hospitals.map((hospital) => ({
        hospital,
        wave: number,
        stacks: { data: find(`${hospital.name}-data`), app: find(`${hospital.name}-app`) },
      })),
    );
  if (missing.length > 0)
    throw new ConfigurationError("The folder of synthesized stacks", [
      `It has no ${missing.join(", ")}: synthesize the same hospitals that are rolled out.`,
    ]);
  if (members.length === 0)
    throw new ConfigurationError(subject, ["No hospital is in a wave: ephemeral environments are not rolled out."]);
  return members;
}

/** Every stack of some hospitals: the data stacks of a hospital before its app stack. */
export const stacksOf = (members: readonly Member[]): MemberStack[] =>
  members.flatMap((member) => PARTS.map((part) => ({ member, part, stack: member.stacks[part] })));
