import type { z } from "zod";
import type { Bindings, RuntimeContract } from "../../runtime/platform/contract";
import { Token } from "./cdktf";

/**
 * A process's environment, from the bindings of its contract, in the order of their names. Values that are known while
 * synthesizing are checked by the contract's own schema: the process would refuse them at its start.
 * @throws if a variable is missing, unknown, or has a value that the process would not accept.
 */
export function bindEnvironment<C extends RuntimeContract>(contract: C, bindings: Bindings<C>): Record<string, string> {
  const shape = contract.env.shape as Record<string, z.ZodType>;
  const given = bindings as Readonly<Record<string, string | undefined>>;
  const problems = Object.keys(given)
    .filter((key) => !(key in shape))
    .map((key) => `${key} is not in the contract.`);

  const environment: Record<string, string> = {};
  for (const key of Object.keys(shape).sort()) {
    const value = given[key];
    if (value !== undefined) environment[key] = value;
    if (value !== undefined && Token.isUnresolved(value)) continue;
    const parsed = shape[key]?.safeParse(value);
    if (!parsed || parsed.success) continue;
    const why = parsed.error.issues.map((issue) => issue.message).join("; ");
    problems.push(value === undefined ? `${key} is not bound.` : `${key} is "${value}": ${why}`);
  }
  if (problems.length > 0)
    throw new Error(
      `The bindings of ${contract.name} do not fit runtime/${contract.name}/contract.ts: ${problems.join(" ")}`,
    );
  return environment;
}
