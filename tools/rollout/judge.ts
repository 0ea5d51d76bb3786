import {
  describeFinding,
  evaluatePolicy,
  openFindings,
  stackDocument,
  unknownAcknowledgements,
} from "../../constructs/policy";
import { ConfigurationError } from "../../runtime/platform/config";
import { estimate, type PriceFile, TIER_USE } from "../cost";
import { stateLosses } from "../plan-guard";
import type { Json, SynthesizedStack } from "../synthesized";
import type { Change, StackPlan } from "./record";

/** What is known of a plan once it is made: addresses, actions and numbers, never a value. */
export function judgePlan(
  plan: Json,
  stack: SynthesizedStack,
  { prices, tier }: { readonly prices: PriceFile; readonly tier: string },
): Omit<StackPlan, "sha256" | "seconds"> {
  const document = stackDocument(stack.name, stack.json);
  const findings = evaluatePolicy(document);
  const open = openFindings(findings);
  return {
    changes: changesIn(plan),
    losses: stateLosses(plan).map(({ address, action }) => ({ address, actions: [], action })),
    findings: [...open.map(describeFinding), ...unknownAcknowledgements(document)],
    acknowledged: findings.length - open.length,
    cost: costDifference(plan, prices, tier),
  };
}

/** What a plan would do: resources, and outputs, which have no address of their own. */
export function changesIn(plan: Json): Change[] {
  const resources = (plan.resource_changes ?? []) as { address: string; mode: string; change: { actions: string[] } }[];
  const outputs = Object.entries((plan.output_changes ?? {}) as Record<string, { actions: string[] }>);
  return [
    ...resources
      .filter(({ mode }) => mode === "managed")
      .map(({ address, change }) => ({ address, actions: change.actions })),
    ...outputs.map(([name, { actions }]) => ({ address: `output.${name}`, actions })),
  ].filter(({ actions }) => actions.some((action) => action !== "no-op"));
}

/** Null where a price is not known, such as that of a machine that an older plan had. */
function costDifference(plan: Json, prices: PriceFile, tier: string): StackPlan["cost"] {
  const use = TIER_USE[tier] ?? { scansPerMonth: 0, trainingsPerMonth: 0 };
  const costs = (values: unknown) => {
    const stack = asStack(values);
    const items = Object.keys(stack.json.resource as Json).length > 0 ? estimate([stack], prices, use) : [];
    return {
      monthly: items.reduce((total, { monthly }) => total + monthly, 0),
      perThousandScans: items.reduce((total, item) => total + item.perThousandScans, 0),
    };
  };
  try {
    const before = costs((plan.prior_state as Json | undefined)?.values);
    const after = costs(plan.planned_values);
    return {
      monthly: after.monthly - before.monthly,
      perThousandScans: after.perThousandScans - before.perThousandScans,
    };
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}

interface Values {
  readonly root_module?: { readonly resources?: { mode: string; type: string; name: string; values: Json }[] };
}

/** The resources of a state, in the form of a synthesized stack. */
function asStack(values: unknown): SynthesizedStack {
  const resource: Record<string, Record<string, Json>> = {};
  for (const { mode, type, name, values: config } of (values as Values | undefined)?.root_module?.resources ?? [])
    if (mode === "managed") resource[type] = { ...resource[type], [name]: config };
  return { name: "plan", json: { resource }, folder: "", dependencies: [] };
}
