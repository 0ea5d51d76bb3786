import type { GuardLimits } from "../guard";
import type { ImageLimits, RejectionCode } from "../imaging";
import type { Claim } from "./claim";
import type { EngineGate } from "./engine-gate";
import type { ModelMetadata } from "./metadata";
import type { EncodedScan, ScoredScan } from "./score";
import type { Views } from "./views";

/** The network that a pool answers with. */
export interface PoolSetup {
  readonly onnx: Uint8Array;
  readonly views: Views | undefined;
  /** Needed to score files. */
  readonly model?: {
    readonly metadata: ModelMetadata;
    readonly guard: { readonly parameters: Uint8Array; readonly limits: GuardLimits } | undefined;
  };
}

/** What each of its threads is started with. */
export interface WorkerSetup extends PoolSetup {
  readonly gate: EngineGate;
}

export interface AnswerTask {
  /** One channel of the recipe's output, 128 x 128. */
  readonly grey: Uint8Array;
  readonly claim: Claim;
}

export interface ScoreTask {
  readonly bytes: Uint8Array;
  readonly limits: Partial<ImageLimits> | undefined;
  readonly claim: Claim;
}

/** A {@link ScoredScan} or {@link EncodedScan} without classes, which do not pass between threads. */
export type Portable<T extends ScoredScan | EncodedScan> = Omit<T, "rejectedPages"> & {
  readonly rejectedPages: readonly { readonly page: number; readonly code: RejectionCode; readonly message: string }[];
};

export type Outcome<T> =
  | { readonly value: T }
  | { readonly rejected: { readonly code: RejectionCode; readonly message: string } }
  | { readonly unusable: string }
  | { readonly abandoned: true };
