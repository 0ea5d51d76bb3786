import type { ModelMetadata } from "../model";
import type { ChangePlan, Clause } from "./change-plan";

/** Who asks for a change: what runs by itself, or a person who names the model. */
export type Asker = "program" | "person";

/** What a model is, as far as the plan bounds it. */
type Facts = Pick<ModelMetadata, "id" | "recipe" | "parameters" | "views" | "threshold" | "counts">;

/** A change that the plan does not let through. */
export interface OutsidePlan {
  readonly clause: Clause;
  /** A sentence. */
  readonly reason: string;
}

/** The first change from the champion to the challenger that is outside the plan; undefined where all are within. */
export function outsidePlan(
  challenger: Facts,
  champion: Facts,
  { modifications }: Pick<ChangePlan, "modifications">,
  asker: Asker,
): OutsidePlan | undefined {
  const { weights, trainingData, threshold, architecture, recipe } = modifications;
  const trained = challenger.counts.train / Math.max(1, champion.counts.train);
  const moved = Math.abs(challenger.threshold - champion.threshold);
  const found: readonly (readonly [keyof typeof modifications, (typeof weights)["by"] | undefined, string])[] = [
    [
      "recipe",
      challenger.recipe === champion.recipe ? undefined : recipe.by,
      `its pixels are made by ${challenger.recipe}, the champion's by ${champion.recipe}`,
    ],
    [
      "architecture",
      challenger.parameters === champion.parameters && challenger.views === champion.views
        ? undefined
        : architecture.by,
      `it has ${networkOf(challenger)}, the champion ${networkOf(champion)}`,
    ],
    [
      "trainingData",
      trained < trainingData.least ? beyond(trainingData.by) : trainingData.by,
      `it learnt from ${challenger.counts.train} images, the champion from ${champion.counts.train}, and the least without a person are ${trainingData.least} of these`,
    ],
    [
      "threshold",
      moved === 0 ? undefined : moved > threshold.within ? beyond(threshold.by) : threshold.by,
      `its threshold is ${challenger.threshold.toFixed(3)}, the champion's ${champion.threshold.toFixed(3)}, and without a person it may move by ${threshold.within}`,
    ],
    ["weights", weights.by, "its weights are others"],
  ];
  for (const [name, by, what] of found) {
    if (by === undefined || by === "program" || (by === "person" && asker === "person")) continue;
    const clause: Clause = `modifications.${name}`;
    const who =
      by === "nobody"
        ? "nobody may make this change"
        : `only a person may make this change: npm run models -- promote ${challenger.id}`;
    return { clause, reason: `${challenger.id} is outside the change plan (${clause}): ${what}; ${who}.` };
  }
  return undefined;
}

/** Who may go beyond a bound that holds for who is named. */
const beyond = (by: ChangePlan["modifications"]["weights"]["by"]) => (by === "program" ? "person" : by);

const networkOf = ({ parameters, views = "plain" }: Facts) => `${parameters} parameters and views ${views}`;
