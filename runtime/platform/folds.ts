/**
 * Deals groups out to folds of nearly equal size: whole groups in turn to the fold with the fewest members, the largest
 * groups first. It draws nothing by chance: the same groups give the same folds, in whatever order they come.
 *
 * @param groups what each member belongs to
 * @returns the fold of each member, from 0; fewer folds than asked for where there are fewer groups
 */
export function foldsOfGroups(groups: readonly string[], folds: number): Uint8Array {
  const sizes = new Map<string, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const filled = new Array<number>(Math.min(folds, sizes.size)).fill(0);
  const foldOf = new Map<string, number>();
  for (const [group, size] of [...sizes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))) {
    const fold = filled.indexOf(Math.min(...filled));
    foldOf.set(group, fold);
    filled[fold] = (filled[fold] as number) + size;
  }
  return Uint8Array.from(groups, (group) => foldOf.get(group) as number);
}
