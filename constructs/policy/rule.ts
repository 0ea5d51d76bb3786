import type { ResourceDocument, StackDocument } from "./stack-document";

export const SEVERITIES = ["critical", "high", "medium", "low"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What is wrong, and where. */
export interface Problem {
  /** Address of the resource; empty where the stack itself lacks something. */
  readonly address: string;
  /** A clause: "versioning is off". */
  readonly problem: string;
}

/** What must hold in every synthesized stack. A pure function of its JSON. */
export interface Rule {
  /** Stable: acknowledgements name it. */
  readonly id: string;
  readonly severity: Severity;
  /** What must hold, as a sentence. */
  readonly title: string;
  /** Checks of Checkov that it mirrors; empty where there is none. https://www.checkov.io/5.Policy%20Index/terraform.html */
  readonly checkov: readonly string[];
  /**
   * Recommendations of the CIS Google Cloud Platform Foundation Benchmark 3.0.0 that it mirrors (4.0.0 has the same
   * numbers); empty where there is none.
   */
  readonly cis: readonly string[];
  /** What to do about a finding, as a sentence. */
  readonly remedy: string;
  readonly check: (stack: StackDocument) => readonly Problem[];
}

type RuleText = Omit<Rule, "check">;

/**
 * A rule that looks at one resource at a time.
 * @param types Terraform types, or a pattern of them
 * @param problem what is wrong with a resource; undefined if nothing is
 */
export function resourceRule(
  text: RuleText,
  types: readonly string[] | RegExp,
  problem: (resource: ResourceDocument) => string | undefined,
): Rule {
  const listed = new Set(Array.isArray(types) ? types : []);
  const concerns = (type: string) => (types instanceof RegExp ? types.test(type) : listed.has(type));
  return {
    ...text,
    check: ({ resources }) =>
      resources.flatMap((resource) => {
        if (!concerns(resource.type)) return [];
        const found = problem(resource);
        return found === undefined ? [] : [{ address: resource.address, problem: found }];
      }),
  };
}

/**
 * A rule over a whole stack.
 * @param problem what the stack lacks; undefined if nothing
 */
export function stackRule(text: RuleText, problem: (stack: StackDocument) => string | undefined): Rule {
  return {
    ...text,
    check: (stack) => {
      const found = problem(stack);
      return found === undefined ? [] : [{ address: "", problem: found }];
    },
  };
}
