import type { z } from "zod";
import { type Bindings, bucketEnvironment, type RuntimeContract } from "../../runtime/platform/contract";
import { Token } from "./cdktf";
import { type Places, readerOf } from "./declared-access";
import type { Identity } from "./identity";

/**
 * A process's environment, in the order of its names: its buckets and tables, which follow from the rights that its
 * contract declares, and what is bound by hand. Values that are known while synthesizing are checked by the contract's own schema: the process
 * would refuse them at its start.
 * @throws if a variable is missing, unknown, a bucket's or a table's, or has a value that the process would not accept.
 */
export function bindEnvironment<C extends RuntimeContract>(
  contract: C,
  { buckets, warehouse }: Places,
  identity: Identity,
  bindings: Bindings<C>,
): Record<string, string> {
  const shape = contract.env.shape as Record<string, z.ZodType>;
  const reader = readerOf(contract, identity);
  const derived: Record<string, string> = {
    ...bucketEnvironment(contract, { ...buckets, warehouse }),
    ...(reader ? { WAREHOUSE_READER: reader.address } : {}),
  };
  const byHand = bindings as Readonly<Record<string, string | undefined>>;
  const problems = Object.keys(byHand).flatMap((key) => {
    if (key in derived) return [`${key} follows from the contract's rights and is not bound by hand.`];
    return key in shape ? [] : [`${key} is not in the contract.`];
  });

  const given = { ...byHand, ...derived };
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
