import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../constructs/core/repository";
import { QUARANTINE, SIGNALS } from "../../runtime/monitor/signals";
import { PATIENCE, WATCHES } from "../../runtime/monitor/watches";
import { withTierStacks } from "../../tools/tiers";
import { PROD, synthesize } from "./synthesize";

interface Policy {
  readonly display_name: string;
  readonly documentation: { readonly content: string };
}

/** Every alert by its name without the hospital's: of every tier, and of a hospital with all that a line may switch on. */
const policies = [
  ...withTierStacks(undefined, (stacks) => stacks.map(({ name, json }) => ({ name, json }))),
  ...[...synthesize([{ ...PROD, pacs: "healthcare-api" }]).stacks].map(([name, { json }]) => ({ name, json })),
].flatMap(({ name, json }) => {
  const hospital = name.replace(/-(?:app|data)$/, "");
  const found = (json.resource as Record<string, Record<string, Policy>>).google_monitoring_alert_policy ?? {};
  return Object.values(found).map((policy) => [policy.display_name.slice(hospital.length + 1), policy] as const);
});

const text = readFileSync(join(repositoryRoot(), "docs", "runbooks.md"), "utf8");
const sections = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [title = "", ...lines] = section.split("\n");
      return title.split(", ").map((name): [string, string] => [name, lines.join("\n").trim()]);
    }),
);

test("no alert is without a section of the runbooks, which its text names, and no section without an alert", () => {
  expect(policies.length).toBeGreaterThan(40);
  const missing = policies.filter(
    ([name, { documentation }]) =>
      (sections.get(name) ?? "").length < 80 ||
      !documentation.content.endsWith(`\n\nRunbook: docs/runbooks.md, ${name}.`),
  );
  expect(missing.map(([name]) => name)).toEqual([]);
  const known = new Set(policies.map(([name]) => name));
  expect([...sections.keys()].filter((name) => !known.has(name))).toEqual([]);
});

test("what monitoring tells of has an alert with its own words, and the runbook its numbers", () => {
  for (const { name, title, advice } of SIGNALS) {
    const [, policy] = policies.find(([alert]) => alert === `monitor-${name}`) ?? [];
    expect(policy?.documentation.content).toContain(advice);
    expect(JSON.stringify(policy)).toContain(title);
  }
  for (const watch of WATCHES) expect(sections.get(`monitor-alarm-${watch}`)).toContain(`${PATIENCE[watch]} days`);
  expect(QUARANTINE).toEqual({ share: 1 / 5, pages: 20 });
  expect(sections.get("monitor-quarantine")).toContain("a fifth of a day's pages, of twenty or more");
});
