import { table } from "../table";
import type { Change, RolloutRecord, StackRecord } from "./record";

const KINDS = ["create", "update", "replace", "delete"] as const;

/** How many of each kind of change. */
function counts(changes: readonly Change[]): Readonly<Record<(typeof KINDS)[number], number>> {
  const found = { create: 0, update: 0, replace: 0, delete: 0 };
  for (const { actions } of changes) {
    const both = actions.includes("create") && actions.includes("delete");
    if (both) found.replace++;
    else if (actions.includes("create")) found.create++;
    else if (actions.includes("update")) found.update++;
    else if (actions.some((action) => action === "delete" || action === "forget")) found.delete++;
  }
  return found;
}

const money = (plan: StackRecord["plan"]) =>
  plan?.cost ? `${plan.cost.monthly < 0 ? "" : "+"}${plan.cost.monthly.toFixed(2)}` : "?";

/** What a roll-out would do, or has done, for a terminal. */
export function recordTable({ stacks }: RolloutRecord): string {
  return table(
    [
      { title: "WAVE", width: 4, align: "right" },
      { title: "STACK", width: 40 },
      ...KINDS.map((kind) => ({ title: kind.toUpperCase(), width: 8, align: "right" as const })),
      { title: "USD A MONTH", width: 11, align: "right" },
      { title: "STATUS", width: 12 },
    ],
    Object.entries(stacks).map(([name, { wave, plan, status }]) => {
      const found = counts(plan?.changes ?? []);
      return [`${wave}`, name, ...KINDS.map((kind) => (plan ? `${found[kind]}` : "-")), money(plan), status];
    }),
  );
}

/** What of a record may be shown to anybody: addresses, actions and numbers. Errors and findings may quote values. */
export function reviewOf({ stacks }: RolloutRecord) {
  return {
    stacks: Object.fromEntries(
      Object.entries(stacks).map(([name, { hospital, wave, part, status, plan, problem }]) => [
        name,
        {
          hospital,
          wave,
          part,
          status,
          ...(plan
            ? { plan: { changes: plan.changes, losses: plan.losses, findings: plan.findings.length, cost: plan.cost } }
            : {}),
          ...(problem ? { failedAt: problem.addresses } : {}),
        },
      ]),
    ),
  };
}
export type Review = ReturnType<typeof reviewOf>;

/** GitHub takes 65,536 characters in a comment. */
const MOST_CHARACTERS = 60_000;

/**
 * What a roll-out would do, in Markdown, for a comment or an issue. Stacks that change alike stand together, so that a
 * hundred hospitals can be read.
 */
export function reviewMarkdown(review: Review, title: string): string {
  const all = Object.entries(review.stacks);
  const changed = all.filter(([, { plan }]) => (plan?.changes.length ?? 0) > 0);
  const failed = all.filter(([, { failedAt, plan }]) => failedAt && !plan);
  const unchanged = all.length - changed.length - failed.length;
  const lines = [`### ${title}`, ""];
  for (const [name, { failedAt = [] }] of failed)
    lines.push(
      `- **${name} could not be planned**${failedAt.length > 0 ? `: ${failedAt.map(code).join(", ")}` : ""}. The log of the run says why.`,
    );
  for (const [name, { plan }] of all) {
    for (const { action, address } of plan?.losses ?? [])
      lines.push(`- **${name} would ${action} ${code(address)}**, which holds state or serves.`);
    if (plan && plan.findings > 0)
      lines.push(`- **${name} has ${plan.findings} open findings** of the policy: \`npm run policy\`.`);
  }
  const difference = all.reduce((sum, [, { plan }]) => sum + (plan?.cost?.monthly ?? 0), 0);
  lines.push(
    "",
    `${all.length} stacks: ${changed.length} change, ${unchanged} do not, ${failed.length} could not be planned. Cost: ${difference < 0 ? "" : "+"}${difference.toFixed(2)} USD a month.`,
    "",
  );
  const groups = new Map<string, string[]>();
  for (const [name, { plan }] of changed) {
    const key = (plan?.changes ?? [])
      .map(({ address, actions }) => `- ${actions.join(" and ")} ${code(address)}`)
      .join("\n");
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  for (const [changes, names] of groups)
    lines.push(
      `<details><summary>${names.length > 1 ? `${names.length} stacks alike: ` : ""}${names.join(", ")}</summary>`,
      "",
      changes,
      "",
      "</details>",
      "",
    );
  const text = `${lines.join("\n").trim()}\n`;
  if (text.length <= MOST_CHARACTERS) return text;
  return `${text.slice(0, MOST_CHARACTERS).replace(/\n[^\n]*$/, "")}\n\nThe rest is in the artifact of the run.\n`;
}

/** An address as code, whatever stands in it. */
const code = (address: string) => `\`${address.replace(/[`\r\n<>|]/g, "?")}\``;
