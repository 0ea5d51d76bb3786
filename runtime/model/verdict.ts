import { z } from "zod";
import type { Metric } from "../platform/metric";
import type { ModelMetadata } from "./metadata";

/** Why a model is not fit for use: a stable code each. */
export type VerdictReason =
  | "phantoms"
  | "no-better-than-chance"
  | "few-groups"
  | "no-guard"
  | "few-epochs"
  | "not-evaluated";

/** What stands before every number of a model. As it is stored: a later program may know further codes. */
export const verdictSchema = z.object({
  /** Whether no reason against using it was found. Never leave for diagnosis. */
  fit: z.boolean(),
  /** All of it for a person, the reasons included. */
  sentence: z.string(),
  /** See {@link VerdictReason}; empty where `fit` is true, and only there. */
  reasons: z.array(z.string()).readonly(),
});
export type Verdict = Readonly<z.infer<typeof verdictSchema>>;

/** Groups of test images below which an interval over groups means little. */
export const LEAST_GROUPS = 20;
/** Steps of the optimiser, of a batch each, below which a network has learnt nothing. */
export const LEAST_STEPS = 180;
/** A third of the trainer's default: with fewer, the schedule has hardly begun to cool. */
const LEAST_EPOCHS = 20;
/** The same of a network that had learnt from other pictures before, whose default are ten. */
const LEAST_EPOCHS_FINE_TUNED = 4;
/** What the default 60 epochs of some 2,000 images come to: from here on, few epochs of many images are enough. */
const ENOUGH_STEPS = 3600;

/** The verdict on a model of which no measurement is known. */
export const NOT_EVALUATED: Verdict = unfit([
  [
    "not-evaluated",
    "no evaluation of it is recorded. Run npm run train again: a model that is there already is only evaluated",
  ],
]);

/**
 * Whether a model is fit for use, by its metadata and by one measurement of it. Each of these makes it unfit: it learnt
 * from drawn phantoms; the 95 % interval of its AUC reaches down to 0.5, or it has no AUC; it was measured on fewer than
 * 20 groups; it has no input guard; its weights have had fewer than 180 steps, or fewer than 20 epochs (a fine-tuned
 * network: 4) and 3,600 steps.
 *
 * @param measured AUC and number of independent groups, of the test split or of a folder
 */
export function verdictOf(
  measured: { readonly auc: Metric; readonly groups: number },
  metadata: Pick<ModelMetadata, "synthetic" | "guard" | "epochs" | "configuration" | "counts" | "fineTuned">,
): Verdict {
  const { auc, groups } = measured;
  const found: [VerdictReason, string][] = [];
  if (metadata.synthetic) {
    found.push([
      "phantoms",
      "it learnt from synthetic images (drawn phantoms), so its numbers say nothing of patients",
    ]);
  }
  if (auc.value === null) {
    found.push(["no-better-than-chance", `it is not shown to be better than chance (no AUC: ${clause(auc.reason)})`]);
  } else if (auc.low <= 0.5) {
    found.push(["no-better-than-chance", `it is not shown to be better than chance (${aucText(auc)}; chance is 0.5)`]);
  }
  if (groups < LEAST_GROUPS) {
    const least = `${LEAST_GROUPS} are the least`;
    found.push(["few-groups", `it was measured on ${count(groups, "independent group")} only, and ${least}`]);
  }
  if (!metadata.guard) found.push(["no-guard", "it has no input guard, so it answers for any picture"]);
  const learnt = trainingOf(metadata);
  if (learnt && tooShort(learnt, metadata.fineTuned ? LEAST_EPOCHS_FINE_TUNED : LEAST_EPOCHS)) {
    const steps = learnt.steps === null ? "" : ` (${count(learnt.steps, "step")})`;
    found.push(["few-epochs", `it was trained for ${count(learnt.epochs, "epoch")}${steps} only`]);
  }
  if (found.length > 0) return unfit(found);
  const sentence = `Fit for research: ${aucText(auc)} on ${groups} independent groups, and no reason against it was found.`;
  return { fit: true, sentence, reasons: [] };
}

function unfit(found: readonly (readonly [VerdictReason, string])[]): Verdict {
  const sentence = `Not fit for use: ${found.map(([, why]) => why).join("; ")}.`;
  return { fit: false, sentence, reasons: found.map(([code]) => code) };
}

/** How long a model has learnt, as far as its metadata says it. */
function trainingOf({ epochs, configuration, counts }: Pick<ModelMetadata, "epochs" | "configuration" | "counts">) {
  const { epochs: asked, batch } = configuration;
  const had = epochs ?? asked;
  if (typeof had !== "number") return undefined;
  return { epochs: had, steps: typeof batch === "number" ? had * Math.max(1, Math.floor(counts.train / batch)) : null };
}

function tooShort(
  { epochs, steps }: { readonly epochs: number; readonly steps: number | null },
  leastEpochs: number,
): boolean {
  if (steps !== null && steps < LEAST_STEPS) return true;
  return epochs < leastEpochs && (steps === null || steps < ENOUGH_STEPS);
}

function aucText(auc: Metric): string {
  if (auc.value === null) return "no AUC";
  return `AUC ${auc.value.toFixed(3)}, 95 % interval ${auc.low.toFixed(3)} to ${auc.high.toFixed(3)}`;
}

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** A sentence within a sentence. */
const clause = (sentence: string) => `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, "")}`;
