import { type Rule, SEVERITIES } from "./rule";
import { findRule, RULES } from "./rules";
import { isReason, type StackDocument } from "./stack-document";

/** A rule that does not hold somewhere. */
export interface Finding {
  readonly rule: Rule;
  readonly stack: string;
  /** Address of the resource; empty where the stack itself lacks something. */
  readonly address: string;
  readonly problem: string;
  /** Why it is accepted; undefined if it is not. */
  readonly acknowledged: string | undefined;
}

/** Everything that the rules find in a stack, the acknowledged included: the worst first, then by address. */
export function evaluatePolicy(stack: StackDocument, rules: readonly Rule[] = RULES): Finding[] {
  const resources = new Map(stack.resources.map((resource) => [resource.address, resource]));
  const findings = rules.flatMap((rule) =>
    rule.check(stack).map(({ address, problem }) => ({
      rule,
      stack: stack.name,
      address,
      problem,
      acknowledged: [resources.get(address)?.acknowledged[rule.id], stack.acknowledged[rule.id]].find(
        (reason) => reason !== undefined && isReason(reason),
      ),
    })),
  );
  return findings.sort(
    (a, b) =>
      SEVERITIES.indexOf(a.rule.severity) - SEVERITIES.indexOf(b.rule.severity) ||
      a.rule.id.localeCompare(b.rule.id, "en") ||
      a.address.localeCompare(b.address, "en"),
  );
}

/** What must be corrected or acknowledged before the stack can be synthesized. */
export const openFindings = (findings: readonly Finding[]): Finding[] =>
  findings.filter(({ acknowledged }) => acknowledged === undefined);

/** Acknowledgements of rules that there are not: each was meant for a finding that it does not accept. */
export function unknownAcknowledgements(stack: StackDocument): string[] {
  return [{ address: "The stack", acknowledged: stack.acknowledged }, ...stack.resources].flatMap(
    ({ address, acknowledged }) =>
      Object.keys(acknowledged)
        .filter((id) => !findRule(id))
        .map((id) => `${address} acknowledges ${id}, and there is no such rule.`),
  );
}

/** A finding as a sentence. */
export function describeFinding({ rule, address, problem }: Finding): string {
  const mirrored = mirroredNumbers(rule);
  return `${address || "The stack"}: ${problem}. ${rule.remedy} [${rule.id}, ${rule.severity}${mirrored === "none" ? "" : `, ${mirrored}`}]`;
}

/** The checks of others that a rule mirrors: `CKV_GCP_29, CIS 5.2`, or `none`. */
export function mirroredNumbers({ checkov, cis }: Rule): string {
  return [...checkov, ...cis.map((number) => `CIS ${number}`)].join(", ") || "none";
}
