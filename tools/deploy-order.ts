import type { SynthesizedStack } from "./synthesized";

/**
 * The order in which `cdktf deploy '*'` takes stacks; `cdktf destroy '*'` takes them the other way round.
 * @throws if stacks wait for each other, or for one that is not there.
 */
export function deployOrder(stacks: readonly Pick<SynthesizedStack, "name" | "dependencies">[]): string[] {
  const byName = new Map(stacks.map((stack) => [stack.name, stack]));
  const order: string[] = [];
  const open = new Set<string>();
  const visit = (name: string, from: string) => {
    if (order.includes(name)) return;
    const stack = byName.get(name);
    if (!stack) throw new Error(`Stack ${from} depends on ${name}, which is not there.`);
    if (open.has(name)) throw new Error(`Stacks wait for each other: ${[...open, name].join(" -> ")}.`);
    open.add(name);
    for (const dependency of [...stack.dependencies].sort()) visit(dependency, name);
    open.delete(name);
    order.push(name);
  };
  for (const name of [...byName.keys()].sort()) visit(name, name);
  return order;
}

/** What is wrong with the dependencies: an app stack waits for its own data stack, the platform
 * for its bootstrap, and nothing crosses hospitals. */
export function orderProblems(stacks: readonly Pick<SynthesizedStack, "name" | "dependencies">[]): string[] {
  const names = new Set(stacks.map(({ name }) => name));
  return stacks.flatMap(({ name, dependencies }) => {
    const own = name === "platform" ? "bootstrap" : name.endsWith("-app") ? name.replace(/-app$/, "-data") : "";
    const allowed = names.has(own) ? [own] : [];
    const problems = dependencies
      .filter((dependency) => !allowed.includes(dependency))
      .map((dependency) => `${name} depends on ${dependency}: it could not be deployed or destroyed alone.`);
    if (allowed.length > 0 && !dependencies.includes(own))
      problems.push(`${name} does not depend on ${own}: both would be deployed at once.`);
    return problems;
  });
}
