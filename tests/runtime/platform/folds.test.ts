import { foldsOfGroups } from "../../../runtime/platform/folds";

describe("folds of groups", () => {
  const groups = Array.from({ length: 60 }, (_, i) => `g${Math.floor(Math.sqrt(3 * i))}`);

  it("keep a group whole and are of nearly equal size", () => {
    const folds = foldsOfGroups(groups, 5);
    const sizes = [0, 1, 2, 3, 4].map((fold) => folds.filter((of) => of === fold).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(60);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(2);
    const foldOf = new Map(groups.map((group, i) => [group, folds[i]]));
    groups.forEach((group, i) => {
      expect(folds[i]).toBe(foldOf.get(group));
    });
  });

  it("do not depend on the order, and are no more than there are groups", () => {
    expect(foldsOfGroups(groups.toReversed(), 5)).toEqual(foldsOfGroups(groups, 5).toReversed());
    expect([...foldsOfGroups(["a", "b", "a"], 5)]).toEqual([0, 1, 0]);
    expect(foldsOfGroups([], 5)).toHaveLength(0);
  });
});
