import { z } from "zod";
import { bucketUri, warehouseVariables } from "./environment";
import type { TableName } from "./warehouse";

/** Buckets of one hospital: folders of a local workspace, `<project>-<hospital>-<bucket>` in the cloud. */
export const BUCKETS = ["landing", "curated", "quarantine", "processed", "models", "reports", "warehouse"] as const;
export type BucketName = (typeof BUCKETS)[number];
/** Buckets that contracts name. Of the warehouse they name tables, which may lie elsewhere than in its bucket. */
export type ContractBucket = Exclude<BucketName, "warehouse">;

/** What lies in each: completes "Set it to the bucket ...". */
const CONTENTS: Readonly<Record<ContractBucket, string>> = {
  landing: "in which scans land",
  curated: "of decoded, de-identified scans",
  quarantine: "of what was refused",
  processed: "of the recipe's pixels",
  models: "of models and what belongs to them",
  reports: "of evaluation reports and of what is kept of answers",
};
const CONTRACT_BUCKETS = Object.keys(CONTENTS) as readonly ContractBucket[];

/** The environment variable by which a process is told where a bucket is. */
export type BucketVariable<B extends ContractBucket = ContractBucket> = `${Uppercase<B>}_BUCKET`;

export function bucketVariable<B extends ContractBucket>(bucket: B): BucketVariable<B> {
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
  /** The same of steps that the workflow runs where a hospital's line asks for them. @default none */
  readonly driversOnRequest?: Readonly<Record<string, string>>;
  /** Exported function or script that the platform calls. */
  readonly target: string;
  /** Every environment variable the process reads; those of its buckets and tables come from what it does with them. */
  readonly env: Env;
  /** Buckets whose objects it reads, and tables that it asks. */
  readonly reads: readonly (ContractBucket | TableName)[];
  /** Buckets it adds objects to and never overwrites. */
  readonly creates: readonly ContractBucket[];
  /** The same below some folders alone, by bucket, in buckets that it does not create in. @default none */
  readonly createsBelow?: Readonly<Partial<Record<ContractBucket, Folders>>>;
  /** Buckets in which it also replaces or deletes. */
  readonly writes: readonly ContractBucket[];
  /** Tables it appends rows to. */
  readonly appends: readonly TableName[];
  /**
   * Single objects that it writes and replaces, and folders (with a slash at its end) in which it does so with all, by
   * bucket, in buckets that it does not write. @default none
   */
  readonly replaces?: Readonly<Partial<Record<ContractBucket, readonly string[]>>>;
  /** HTTP paths it answers for probes; null for a process that listens to nothing. */
  readonly health: { readonly startup: string; readonly liveness: string } | null;
  readonly resources: {
    /** Gibibytes. */
    readonly memoryGiB: number;
    readonly cpu: number;
    readonly timeoutSeconds: number;
  };
}

/** Some folders of a bucket, each with a slash at its end. */
export interface Folders {
  readonly folders: readonly string[];
  /** Folders below these that are left out. @default none */
  readonly except?: readonly string[];
}

/** The buckets that a contract has a right on. */
export type BucketsOf<C extends Rights> =
  | Extract<C["reads"][number], ContractBucket>
  | C["creates"][number]
  | CreatedBelow<C>
  | C["writes"][number]
  | ReplacedIn<C>;

/** What a contract says of buckets and tables. */
export type Rights = Pick<RuntimeContract, "reads" | "creates" | "createsBelow" | "writes" | "appends" | "replaces">;

/** The buckets in which a contract replaces single objects or folders. */
export type ReplacedIn<C extends Rights> = C extends { readonly replaces: infer R } ? keyof R & ContractBucket : never;

/** The buckets in which a contract creates below some folders. */
export type CreatedBelow<C extends Rights> = C extends { readonly createsBelow: infer R }
  ? keyof R & ContractBucket
  : never;

/** {@link BucketsOf} at run time, in the order of {@link BUCKETS}. */
export function bucketsOf<C extends Rights>(contract: C): readonly BucketsOf<C>[] {
  const { reads, creates, createsBelow = {}, writes, replaces = {} } = contract;
  const used = new Set<string>([
    ...reads,
    ...creates,
    ...Object.keys(createsBelow),
    ...writes,
    ...Object.keys(replaces),
  ]);
  return CONTRACT_BUCKETS.filter((bucket): bucket is BucketsOf<C> => used.has(bucket));
}

/** The buckets that a contract reads. */
export const bucketsRead = ({ reads }: Pick<Rights, "reads">): readonly ContractBucket[] => reads.filter(isBucket);

/** The tables that a contract asks. */
export const tablesRead = ({ reads }: Pick<Rights, "reads">): readonly TableName[] =>
  reads.filter((one): one is TableName => !isBucket(one));

const isBucket = (one: ContractBucket | TableName): one is ContractBucket => one in CONTENTS;

/** Whether a contract has a right on any table. */
export const usesTables = (contract: Pick<Rights, "reads" | "appends">): boolean =>
  contract.appends.length > 0 || tablesRead(contract).length > 0;

/**
 * Whether the tables are asked as another account than the one that adds rows. Who may add to a table in BigQuery may
 * change it too, by a job; so who adds runs none.
 */
export const asksAsAnother = (contract: Pick<Rights, "reads" | "appends">): boolean =>
  contract.appends.length > 0 && tablesRead(contract).length > 0;

type WarehouseShape<C extends Rights> = [C["appends"][number] | Extract<C["reads"][number], TableName>] extends [never]
  ? unknown
  : typeof warehouseVariables;

type BucketShape<B extends ContractBucket> = { readonly [K in B as BucketVariable<K>]: ReturnType<typeof bucketUri> };

/** A contract as it is declared, with the variables of its buckets and tables. */
export type DefinedContract<C extends RuntimeContract> = Omit<C, "env"> & {
  readonly env: z.ZodObject<C["env"]["shape"] & BucketShape<BucketsOf<C>> & WarehouseShape<C>>;
};

/**
 * A contract out of what its author declares: the literal types are kept, and each bucket that it has a right on gets its
 * variable, and the tables theirs, so that rights and environment cannot disagree.
 *
 * @throws if such a variable is declared by hand
 */
export function defineContract<const C extends RuntimeContract>(declared: C): DefinedContract<C> {
  const variables = new Set<string>([...CONTRACT_BUCKETS.map(bucketVariable), ...Object.keys(warehouseVariables)]);
  const byHand = Object.keys(declared.env.shape).filter((key) => variables.has(key));
  if (byHand.length > 0)
    throw new Error(
      `The contract of ${declared.name} names ${byHand.join(", ")}: its rights on buckets and tables say that already.`,
    );
  const buckets = bucketsOf(declared).map((bucket) => [bucketVariable(bucket), bucketUri(CONTENTS[bucket])]);
  const tables = usesTables(declared) ? warehouseVariables : {};
  const env = z.object({ ...Object.fromEntries(buckets), ...tables, ...declared.env.shape });
  // The compiler cannot compute a shape whose keys depend on C.
  return { ...declared, env } as unknown as DefinedContract<C>;
}

/** The variables of a contract's buckets and of its tables with their URIs. */
export function bucketEnvironment(
  contract: RuntimeContract,
  places: Readonly<Record<BucketName, { readonly uri: string }>>,
): Record<string, string> {
  const variables = bucketsOf(contract).map((bucket) => [bucketVariable(bucket), places[bucket].uri]);
  return {
    ...Object.fromEntries(variables),
    ...(usesTables(contract) ? { WAREHOUSE: places.warehouse.uri } : {}),
  };
}

/**
 * What is bound by hand: each environment variable that is no bucket's and no table's and has no default, spelt right, and nothing else.
 */
export type Bindings<C extends RuntimeContract> = {
  readonly [K in Own<C> as undefined extends z.input<C["env"]>[K] ? never : K]: string;
} & {
  readonly [K in Own<C> as undefined extends z.input<C["env"]>[K] ? K : never]?: string;
};

type Own<C extends RuntimeContract> = Exclude<
  keyof z.input<C["env"]>,
  BucketVariable | keyof typeof warehouseVariables
>;
