import type { RuntimeContract } from "./contract";

/** Modules that every driver imports, from the repository's root. */
const SHARED_MODULES = [
  "spark/arguments.py",
  "spark/partitions.py",
  "spark/pixels.py",
  "spark/runtime_process.py",
  "spark/session.py",
  "spark/supervision.py",
] as const;

/** Where a driver's runtime is found on every machine of the cluster. */
export interface SparkPlacement {
  /** The environment of the contract, which the driver hands to the runtime's processes. */
  readonly environment: Readonly<Record<string, string>>;
  /** Node's binary. */
  readonly node: string;
  /** The entry of the capability's runtime, as JavaScript. */
  readonly runtime: string;
}

/** What is submitted to Spark for one step, whoever submits it. */
export interface SparkSubmission {
  /** The driver, from the repository's root. */
  readonly driver: string;
  /** Modules that are shipped with it, from the repository's root. */
  readonly modules: readonly string[];
  readonly arguments: readonly string[];
}

/**
 * The one place that says how a driver is called: the Dataproc workflow template and `npm run spark` both ask here.
 * @throws if the contract has no such step
 */
export function sparkSubmission(contract: RuntimeContract, step: string, placement: SparkPlacement): SparkSubmission {
  const driver = contract.drivers?.[step] ?? contract.driversOnRequest?.[step];
  if (driver === undefined) throw new Error(`The contract of ${contract.name} has no Spark step "${step}".`);
  const { environment, node, runtime } = placement;
  const pairs = Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    driver,
    modules: SHARED_MODULES,
    arguments: ["--node", node, "--runtime", runtime, ...pairs.flatMap(([key, value]) => ["--env", `${key}=${value}`])],
  };
}
