import type { BucketName } from "./contract";
import type { Logger } from "./logging";
import type { Progress } from "./progress";
import type { NamedStore } from "./stores";
import type { SummaryChange } from "./summary";
import type { Workspace } from "./workspace";

/** What every step of the path works with. */
export interface StepContext {
  readonly workspace: Workspace;
  readonly seed: number;
  readonly log: Logger;
  readonly progress: Progress;
  /** Aborted by Ctrl-C: the step stops at the next safe point and a later run goes on from there. */
  readonly signal: AbortSignal;
}

/** The context of a step that sees some of the buckets only, each with what it does there. */
export type ContextWith<S extends Partial<Record<BucketName, NamedStore>>> = Omit<StepContext, "workspace"> & {
  readonly workspace: Pick<Workspace, "directory" | "warehouse"> & { readonly buckets: Readonly<S> };
};

/** What a step did: a line of the summary. */
export interface StepCounts {
  /** Worked on now. */
  readonly items: number;
  /** Done by an earlier run. */
  readonly skipped: number;
  /** Refused, with a reason. */
  readonly rejected: number;
  /** Sentences for the person who started the step. */
  readonly notes?: readonly string[];
}

/** A step's counts, with what else it changes in the summary of a workspace. */
export interface StepOutcome extends StepCounts {
  readonly summary?: SummaryChange;
}
