import { ODD_HOSPITALS } from "../../tools/odd-hospitals";
import { madeByOthers } from "../../tools/stack-check";
import { type Json, withScratch } from "../../tools/synthesized";
import { differences, removals } from "../../tools/terraform";
import { TIER_HOSPITALS, tierStacks } from "../../tools/tiers";
import { verifyTerraform } from "../../tools/verify-terraform";
import { captureOutput } from "../support/captured-output";

const printed = captureOutput();

test.each([
  [["--only", "nobody"], "--only names nobody, and there is no such hospital; there are prod, test, gpu-"],
  [["--jobs", "many"], '--jobs is "many"; it must be a whole number from 1 to 99.'],
  [["--hospitals", "/nowhere.json"], "The file /nowhere.json does not exist"],
])("%j is wrong usage", async (args, sentence) => {
  expect(await verifyTerraform(args)).toBe(2);
  expect(printed()).toContain(sentence);
});

describe("a second plan", () => {
  const plan = (change: Json) => ({ resource_changes: [{ address: "x.a", mode: "managed", change }] });

  test("that has nothing to do has no difference", () => {
    expect(differences(plan({ actions: ["no-op"], before: { a: 1 }, after: { a: 1 } }))).toEqual([]);
  });

  test("says each value before and after, what forces a replacement, and no secret", () => {
    const change = {
      actions: ["delete", "create"],
      before: { labels: { a: "x" }, password: "p", same: [1] },
      after: { labels: { a: "y" }, password: "q", same: [1], id: null },
      after_unknown: { id: true },
      before_sensitive: { password: true },
      after_sensitive: {},
      replace_paths: [["labels", "a"]],
    };
    expect(differences(plan(change))).toEqual([
      'x.a: delete and create because of labels.a: labels.a "x" -> "y"; password (sensitive) -> (sensitive); id nothing -> known after apply.',
    ]);
    expect(removals(plan(change))).toEqual(["x.a: the plan would delete and create it."]);
    expect(removals(plan({ actions: ["update"], before: {}, after: {} }))).toEqual([]);
  });

  test("tells of outputs too", () => {
    expect(differences({ output_changes: { uri: { actions: ["update"] }, same: { actions: ["no-op"] } } })).toEqual([
      "output uri: changes.",
    ]);
  });
});

describe("the odd hospitals", () => {
  const stacks = withScratch((scratch) =>
    tierStacks(scratch, { lines: [...TIER_HOSPITALS, ...ODD_HOSPITALS] }).map((stack) => structuredClone(stack)),
  );

  test("are twelve, beside one of every tier, and are synthesized", () => {
    expect(ODD_HOSPITALS.length).toBeGreaterThanOrEqual(12);
    expect(stacks).toHaveLength(2 + 2 * (ODD_HOSPITALS.length + 3));
  });

  test("use nothing that nobody makes but what their lines name", () => {
    const lines = JSON.stringify(ODD_HOSPITALS);
    const names = madeByOthers(stacks).map((name) => name.slice(name.lastIndexOf("/") + 1));
    const secrets = ["ca", "certificate", "client", "key", "signing-key"].map((name) => `delivery-${name}`);
    expect(new Set(names)).toEqual(new Set(["audits", "data", "pseudonyms", "hospitals", ...secrets]));
    for (const name of names) expect(lines).toContain(name);
  });

  test("without the platform are given what is the platform's", () => {
    const alone = stacks.filter(({ name }) => name === "prod-data");
    expect(madeByOthers(alone)).toContain("storage/b/example-platform-platform-log-archive");
  });
});
