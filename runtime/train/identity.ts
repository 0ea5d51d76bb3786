import { createHash } from "node:crypto";
import { version_core as engine } from "@tensorflow/tfjs-core";
import { DESCRIPTOR, GUARD_FIT } from "../guard";
import { RECIPE } from "../imaging";
import { DECISION, viewsOf } from "../model";
import { identityOf } from "../platform/identity";
import type { Backend } from "../tensorflow/backend-names";
import { PARAMETERS, STAGES, STATISTICS, VIEWS } from "./architecture";
import { AUGMENTATION } from "./augment";
import { SCHEDULE, type TrainingConfiguration } from "./configuration";
import { EPSILON } from "./gradients/batch-norm";
import { LESIONS } from "./lesions";
import { OPTIMIZER } from "./optimizer";
import { PLANTING } from "./planting";
import { PREDICTED } from "./replica";
import { THREADS } from "./replica-pool";
import { CHECKED_AS } from "./trainer";

const RULES = {
  /** Grows when other weights come out without a parameter changing; tests/runtime/train/identity.test.ts tells. */
  version: 1,
  /** Filters, their first values, and the map, from stage to stage. */
  architecture: { stages: STAGES, parameters: PARAMETERS, statistics: STATISTICS, normalizationEpsilon: EPSILON },
  augmentation: AUGMENTATION,
  planting: PLANTING,
  lesions: LESIONS,
  optimizer: OPTIMIZER,
  schedule: SCHEDULE,
  /** What the trained network is shown, and what it is shown to compare epochs. */
  views: viewsOf(VIEWS),
  checkedAs: viewsOf(CHECKED_AS),
  /** Sums are of parts: how many, and of how many images, decides their last bits. */
  threads: THREADS,
  predicted: PREDICTED,
} as const;

/** How networks are trained; part of a model's id. */
export const TRAINING = { id: identityOf("t", RULES), ...RULES } as const;

/** What a model is made of beside the program. */
export interface ModelSource {
  /** Digest of the labelled images, see data.ts. */
  readonly dataset: string;
  /** Whether all of them are drawn: such a model gets no guard. */
  readonly synthetic: boolean;
  readonly configuration: TrainingConfiguration;
  readonly backend: Backend;
}

/** Names of the ways in which this program makes models. */
export const MADE_BY = {
  recipe: RECIPE.id,
  training: TRAINING.id,
  decision: DECISION.id,
  descriptor: DESCRIPTOR.id,
  guard: GUARD_FIT.id,
  engine: `tfjs-${engine}`,
} as const;

/** Names a model by all that decides its weights, its decisions and its guard: what has the same id is the same model. */
export function modelId({ dataset, synthetic, configuration, backend }: ModelSource, madeBy = MADE_BY): string {
  const identity = JSON.stringify({ madeBy, dataset, synthetic, configuration, backend });
  return `cnn-${createHash("sha256").update(identity).digest("hex").slice(0, 12)}`;
}
