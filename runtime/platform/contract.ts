import type { z } from "zod";
import type { TableName } from "./warehouse/tables";

/** Buckets of one hospital: folders of a local workspace, `<project>-<hospital>-<bucket>` in the cloud. */
export const BUCKETS = ["landing", "curated", "quarantine", "processed", "models", "reports", "warehouse"] as const;
export type BucketName = (typeof BUCKETS)[number];

/**
 * What a runtime capability needs from its surroundings: the one source of truth for the construct that deploys it, for
 * the process itself and for the test that holds the two together.
 */
export interface RuntimeContract<Env extends z.ZodObject = z.ZodObject> {
  /** The folder's name under runtime/ and constructs/. */
  readonly name: string;
  /** Source file, from the repository's root, that the bundle starts at. */
  readonly entry: string;
  /** Source files of the worker threads that it starts; each stands beside the entry under its own name. @default none */
  readonly workers?: readonly string[];
  /** npm packages that nothing imports by name and that have to be installed all the same. @default none */
  readonly packages?: readonly string[];
  /** PySpark drivers that distribute it, by step, from the repository's root. @default none */
  readonly drivers?: Readonly<Record<string, string>>;
  /** Exported function or script that the platform calls. */
  readonly target: string;
  /** Every environment variable the process reads. */
  readonly env: Env;
  /** Buckets whose objects it reads. */
  readonly reads: readonly BucketName[];
  /** Buckets it adds objects to and never overwrites. */
  readonly creates: readonly BucketName[];
  /** Buckets in which it also replaces or deletes. */
  readonly writes: readonly BucketName[];
  /** Tables it appends rows to. */
  readonly appends: readonly TableName[];
  /** HTTP paths it answers for probes; null for a process that listens to nothing. */
  readonly health: { readonly startup: string; readonly liveness: string } | null;
  readonly resources: {
    /** Gibibytes. */
    readonly memoryGiB: number;
    readonly cpu: number;
    readonly timeoutSeconds: number;
  };
}

/** Keeps the literal types of a contract while checking its shape. */
export function defineContract<Env extends z.ZodObject, const C extends RuntimeContract<Env>>(contract: C): C {
  return contract;
}

/** What a construct must bind: each environment variable without a default, spelt right, and nothing else. */
export type Bindings<C extends RuntimeContract> = {
  readonly [K in keyof z.input<C["env"]> as undefined extends z.input<C["env"]>[K] ? never : K]: string;
} & {
  readonly [K in keyof z.input<C["env"]> as undefined extends z.input<C["env"]>[K] ? K : never]?: string;
};
