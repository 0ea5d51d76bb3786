import { createHash } from "node:crypto";
import { version_core as engine } from "@tensorflow/tfjs-core";
import type { BackboneManifest } from "../backbone";
import { DESCRIPTOR, GUARD_FIT } from "../guard";
import { RECIPE } from "../imaging";
import { DECISION, viewsOf } from "../model";
import { identityOf } from "../platform/identity";
import { type Backend, EXPORT } from "../tensorflow";
import { PARAMETERS, STAGES, STATISTICS, VIEWS } from "./architecture";
import { AUGMENTATION } from "./augment";
import { SCHEDULE, type TrainingConfiguration } from "./configuration";
import { DISTILLATION } from "./distillation";
import { EPSILON } from "./gradients/batch-norm";
import { LESIONS } from "./lesions";
import { OPTIMIZER } from "./optimizer";
import { PLANTING } from "./planting";
import { PREDICTED } from "./replica";
import { THREADS } from "./replica-pool";
import { SERVED, TEACHER_EXPORT } from "./teacher/export";
import { TEACHER } from "./teacher/network";
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

/** How a backbone becomes a teacher, and how a pupil learns of it; beside {@link TRAINING}, which both go by. */
export const TEACHING = { id: identityOf("f", TEACHER), ...TEACHER } as const;
export const PUPIL = { id: identityOf("d", DISTILLATION), ...DISTILLATION } as const;
/** How a teacher is served itself. */
export const SERVING = { id: identityOf("s", SERVED), ...SERVED } as const;

/** What a model is made of beside the program. */
export interface ModelSource {
  /** Digest of the labelled images, see data.ts. */
  readonly dataset: string;
  /** Whether all of them are drawn: such a model gets no guard. */
  readonly synthetic: boolean;
  readonly configuration: TrainingConfiguration;
  readonly backend: Backend;
  /** Absent where it learns of labels and masks alone. */
  readonly teacher?: {
    readonly id: string;
    /** Digest of the unlabelled images of the training split. */
    readonly unlabelled: string;
  };
}

/** What a teacher is made of beside the program. */
export interface TeacherSource extends Omit<ModelSource, "teacher"> {
  readonly backbone: Pick<BackboneManifest, "sha256" | "input" | "features">;
}

/** Names of the ways in which this program makes models. */
export const MADE_BY = {
  recipe: RECIPE.id,
  training: TRAINING.id,
  decision: DECISION.id,
  descriptor: DESCRIPTOR.id,
  guard: GUARD_FIT.id,
  export: EXPORT.id,
  engine: `tfjs-${engine}`,
} as const;

/** The same of a teacher, and of a pupil beside them. */
export const MADE_BY_TEACHING = {
  recipe: RECIPE.id,
  training: TRAINING.id,
  teaching: TEACHING.id,
  engine: `tfjs-${engine}`,
} as const;
export const MADE_BY_PUPIL = { ...MADE_BY, distillation: PUPIL.id } as const;

/** The same of a teacher that is a model itself. */
export const MADE_BY_SERVING = {
  ...MADE_BY,
  export: TEACHER_EXPORT,
  teaching: TEACHING.id,
  serving: SERVING.id,
} as const;

/** Names a model by all that decides its weights, its decisions, its guard and its maps: what has the same id is the same model. */
export function modelId(
  { dataset, synthetic, configuration, backend, teacher }: ModelSource,
  madeBy: Readonly<Record<string, string>> = teacher ? MADE_BY_PUPIL : MADE_BY,
): string {
  // Without a teacher the name is what it was before there were any.
  return `cnn-${digestOf({ madeBy, dataset, synthetic, configuration, backend, ...(teacher ? { teacher } : {}) })}`;
}

/**
 * Names a teacher as a model, by all that decides its weights, its decisions and its guard.
 *
 * @param source the teacher's own
 * @param backend on which it answered for the validation images
 */
export function servedId(
  source: TeacherSource,
  backend: Backend,
  madeBy: Readonly<Record<string, string>> = MADE_BY_SERVING,
): string {
  return `tuned-${digestOf({ madeBy, teacher: source, backend })}`;
}

/** Names a teacher by all that decides its weights. */
export function teacherId(
  { dataset, synthetic, configuration, backend, backbone }: TeacherSource,
  madeBy: Readonly<Record<string, string>> = MADE_BY_TEACHING,
): string {
  return `teacher-${digestOf({ madeBy, dataset, synthetic, configuration, backend, backbone })}`;
}

const digestOf = (source: object) => createHash("sha256").update(JSON.stringify(source)).digest("hex").slice(0, 12);
