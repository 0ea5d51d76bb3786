import { z } from "zod";
import committed from "../../change-plan.json";
import { ConfigurationError } from "../platform/config";

const share = z.number().min(0).max(1);
const probability = z.number().gt(0).lt(1);

/** Who may make a change: whatever runs by itself, only a person who asks for it by the model's name, or nobody. */
const by = z.enum(["program", "person", "nobody"]);

const planSchema = z.strictObject({
  /** Grows with every change of the plan; every record names it. */
  version: z.number().int().min(1),
  /** What of a model may differ from the one before. */
  modifications: z.strictObject({
    weights: z.strictObject({ by }),
    /** `least`: training images, as a share of the champion's. Fewer need a person. */
    trainingData: z.strictObject({ by, least: share }),
    /** `within`: how far the threshold may move, in probability. Farther needs a person. */
    threshold: z.strictObject({ by, within: share }),
    /** The network's parameters and the views that it is shown. */
    architecture: z.strictObject({ by }),
    /** How pixels are made: another recipe is another product. */
    recipe: z.strictObject({ by }),
  }),
  /** How a challenger is shown to be better. */
  comparison: z.strictObject({
    /** Chance, over all comparisons against one test set, that any challenger that is not better is promoted. */
    budget: probability,
    /** Comparisons against one test set; then new scans are needed. */
    most: z.number().int().min(1).max(1000),
    /** Share of a test set's groups that must be new for its comparisons to be counted anew. */
    renewal: probability,
    /** Groups below which nothing is tested; a smaller collection is judged together with the others that are too small. */
    leastGroups: z.number().int().min(10),
    /**
     * In no collection may the AUC be lower by `margin`: shown at one-sided `confidence` for each. Nor on the frozen
     * reference set: shown there at a level of the budget, which every comparison against it has a share of.
     */
    collections: z.strictObject({ margin: probability, confidence: z.number().min(0.5).lt(1) }),
  }),
  /** How a model that the comparison lets through comes to answer everybody: by shares, each shown to do no harm. */
  canary: z.strictObject({
    /** Percent of requests that it answers, step by step, before it answers all. The first is the most to begin with. */
    shares: z
      .array(z.int().min(1).max(99))
      .min(1)
      .refine((shares) => shares.every((share, i) => share > (shares[i - 1] ?? 0)), "each is more than the one before"),
    /** Of each thing that is said of it, however often one looks. */
    confidence: z.number().min(0.5).lt(1),
    /** Share of scans on which it decides as the stable model does: at least `least`. */
    agreement: z.strictObject({ least: share }),
    /** Share of answers that the server fails to give: at most that of the stable model and `margin`. */
    errors: z.strictObject({ margin: probability }),
    /** At most a `share` of its answers takes longer than `times` what 95 of 100 of the stable model's take. */
    latency: z.strictObject({ times: z.number().min(1), share: probability }),
  }),
  /** Roles that are told of a change. */
  told: z.array(z.enum(["viewer", "clinician", "admin"])).min(1),
});

/**
 * What may change without a person, within which bounds, by which measurement, and who is told: `change-plan.json`,
 * mapped to the sections of FDA's guidance in docs/change-plan.md.
 */
export type ChangePlan = Readonly<z.infer<typeof planSchema>>;

/** What a change can be outside of, as it is named to whoever asked for it. */
export type Clause =
  | `modifications.${keyof ChangePlan["modifications"]}`
  | "comparison.budget"
  | "comparison.collections"
  | "comparison.reference"
  | "comparison.superiority"
  | `canary.${Exclude<keyof ChangePlan["canary"], "confidence"> | "labels"}`;

/**
 * A change plan.
 *
 * @param text JSON
 * @throws {ConfigurationError} with all that is wrong with it
 */
export function readChangePlan(text: string): ChangePlan {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new ConfigurationError("The change plan", [`It is not JSON: ${(error as Error).message}`]);
  }
  const { data, error } = planSchema.safeParse(content);
  const problems = (error?.issues ?? []).map(({ path, message }) => `${path.join(".") || "It"}: ${message}.`);
  if (data === undefined) throw new ConfigurationError("The change plan", problems);
  return data;
}

let plan: ChangePlan | undefined;

/** The plan that this program was built with. @throws {ConfigurationError} */
export function changePlan(): ChangePlan {
  plan ??= readChangePlan(JSON.stringify(committed));
  return plan;
}
