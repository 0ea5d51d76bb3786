import { z } from "zod";
import { bucketUri } from "./environment";
import type { TableName } from "./warehouse";

/** Buckets of one hospital: folders of a local workspace, `<project>-<hospital>-<bucket>` in the cloud. */
export const BUCKETS = ["landing", "curated", "quarantine", "processed", "models", "reports", "warehouse"] as const;
export type BucketName = (typeof BUCKETS)[number];

/** What lies in each: completes "Set it to the bucket ...". */
const CONTENTS: Readonly<Record<BucketName, string>> = {
  landing: "in which scans land",
  curated: "of decoded, de-identified scans",
  quarantine: "of what was refused",
  processed: "of the recipe's pixels",
  models: "of models and what belongs to them",
  reports: "of evaluation reports and of what is kept of answers",
  warehouse: "that holds the tables",
};

/** Where the rows of a table lie in the warehouse bucket. */
export const tableFolder = (table: TableName): string => `${table}/`;

/** The environment variable by which a process is told where a bucket is. */
export type BucketVariable<B extends BucketName = BucketName> = `${Uppercase<B>}_BUCKET`;

export function bucketVariable<B extends BucketName>(bucket: B): BucketVariable<B> {
  return `${bucket.toUpperCase() as Uppercase<B>}_BUCKET`;
}

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
  /** Whether it serves the dashboard, whose built files then lie in `web/` beside the entry. @default false */
  readonly dashboard?: boolean;
  /** PySpark drivers that distribute it, by step, from the repository's root. @default none */
  readonly drivers?: Readonly<Record<string, string>>;
  /** Exported function or script that the platform calls. */
  readonly target: string;
  /** Every environment variable the process reads; those of its buckets come from what it does with them. */
  readonly env: Env;
  /** Buckets whose objects it reads. */
  readonly reads: readonly BucketName[];
  /** Buckets it adds objects to and never overwrites. */
  readonly creates: readonly BucketName[];
  /** Buckets in which it also replaces or deletes. */
  readonly writes: readonly BucketName[];
  /** Tables it appends rows to. */
  readonly appends: readonly TableName[];
  /** Single objects that it writes and replaces, by bucket, in buckets that it does not write. @default none */
  readonly replaces?: Readonly<Partial<Record<BucketName, readonly string[]>>>;
  /** HTTP paths it answers for probes; null for a process that listens to nothing. */
  readonly health: { readonly startup: string; readonly liveness: string } | null;
  readonly resources: {
    /** Gibibytes. */
    readonly memoryGiB: number;
    readonly cpu: number;
    readonly timeoutSeconds: number;
  };
}

/** The buckets that a contract has a right on. Rows of a table lie in the warehouse. */
export type BucketsOf<C extends Rights> =
  | C["reads"][number]
  | C["creates"][number]
  | C["writes"][number]
  | (C["appends"] extends readonly [] ? never : "warehouse")
  | ReplacedIn<C>;

/** What a contract says of buckets. */
export type Rights = Pick<RuntimeContract, "reads" | "creates" | "writes" | "appends" | "replaces">;

/** The buckets in which a contract replaces single objects. */
export type ReplacedIn<C extends Rights> = C extends { readonly replaces: infer R } ? keyof R & BucketName : never;

/** The same at run time, in the order of {@link BUCKETS}. */
export function bucketsOf<C extends Rights>(contract: C): readonly BucketsOf<C>[] {
  const { reads, creates, writes, appends, replaces = {} } = contract;
  const used = new Set<BucketName>([...reads, ...creates, ...writes, ...(Object.keys(replaces) as BucketName[])]);
  if (appends.length > 0) used.add("warehouse");
  return BUCKETS.filter((bucket): bucket is BucketsOf<C> => used.has(bucket));
}

type BucketShape<B extends BucketName> = { readonly [K in B as BucketVariable<K>]: ReturnType<typeof bucketUri> };

/** A contract as it is declared, with the variables of its buckets. */
export type DefinedContract<C extends RuntimeContract> = Omit<C, "env"> & {
  readonly env: z.ZodObject<C["env"]["shape"] & BucketShape<BucketsOf<C>>>;
};

/**
 * A contract out of what its author declares: the literal types are kept, and each bucket that it has a right on gets its
 * variable, so that rights and environment cannot disagree.
 *
 * @throws if a bucket's variable is declared by hand
 */
export function defineContract<const C extends RuntimeContract>(declared: C): DefinedContract<C> {
  const variables = new Set<string>(BUCKETS.map(bucketVariable));
  const byHand = Object.keys(declared.env.shape).filter((key) => variables.has(key));
  if (byHand.length > 0)
    throw new Error(
      `The contract of ${declared.name} names ${byHand.join(", ")}: its rights on buckets say that already.`,
    );
  const buckets = bucketsOf(declared).map((bucket) => [bucketVariable(bucket), bucketUri(CONTENTS[bucket])]);
  const env = z.object({ ...Object.fromEntries(buckets), ...declared.env.shape });
  // The compiler cannot compute a shape whose keys depend on C.
  return { ...declared, env } as unknown as DefinedContract<C>;
}

/** The variables of a contract's buckets with their URIs. */
export function bucketEnvironment(
  contract: RuntimeContract,
  buckets: Readonly<Record<BucketName, { readonly uri: string }>>,
): Record<string, string> {
  return Object.fromEntries(bucketsOf(contract).map((bucket) => [bucketVariable(bucket), buckets[bucket].uri]));
}

/**
 * What is bound by hand: each environment variable that is no bucket's and has no default, spelt right, and nothing else.
 */
export type Bindings<C extends RuntimeContract> = {
  readonly [K in Own<C> as undefined extends z.input<C["env"]>[K] ? never : K]: string;
} & {
  readonly [K in Own<C> as undefined extends z.input<C["env"]>[K] ? K : never]?: string;
};

type Own<C extends RuntimeContract> = Exclude<keyof z.input<C["env"]>, BucketVariable>;
