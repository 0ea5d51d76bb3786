import { StorageBucketObject } from "@cdktf/provider-google/lib/storage-bucket-object";
import type { Construct } from "constructs";
import type { Bindings, RuntimeContract } from "../../runtime/platform/contract";
import { bindEnvironment } from "../core/binding";
import { type GrantableTables, grantDeclaredAccess } from "../core/declared-access";
import type { Identity } from "../core/identity";
import { RuntimeBundle } from "../core/runtime-bundle";
import type { BucketRefs, SecureBucket } from "../storage";
import type { PreprocessWorkflow } from "./workflow";

/** What a capability needs whose steps the workflow runs. */
export interface SparkCapabilityProps<C extends RuntimeContract> {
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  /** Where code is uploaded. */
  readonly source: SecureBucket;
  /** Whose cluster its steps run on, under whose identity. */
  readonly preprocess: { readonly identity: Identity; readonly workflow: PreprocessWorkflow };
  /** The environment variables of its contract that are no bucket's and no table's. */
  readonly bindings: Bindings<C>;
}

/**
 * Makes a contract's drivers steps of the workflow: uploads its code, which every node installs, and gives the cluster's
 * identity what the contract declares.
 *
 * @param scope the capability's construct
 * @param after steps that have to have succeeded. Default: none.
 * @returns what its processes are given
 * @throws if the contract has no driver
 */
export function runOnCluster<C extends RuntimeContract>(
  scope: Construct,
  contract: C,
  { buckets, warehouse, source, preprocess, bindings }: SparkCapabilityProps<C>,
  after: readonly string[] = [],
): Readonly<Record<string, string>> {
  const steps = Object.keys(contract.drivers ?? {});
  if (steps.length === 0) throw new Error(`The contract of ${contract.name} names no driver for Spark.`);
  const places = { buckets, warehouse };
  const environment = bindEnvironment(contract, places, preprocess.identity, bindings);
  grantDeclaredAccess(contract, preprocess.identity, places);

  const bundle = new RuntimeBundle(scope, "bundle", contract);
  const archive = new StorageBucketObject(scope, "archive", {
    bucket: source.resource.name,
    name: bundle.objectName,
    source: bundle.path,
    contentType: "application/zip",
  });
  preprocess.workflow.addRuntime(contract.name, `gs://${source.name}/${archive.name}`);
  for (const step of steps) preprocess.workflow.addStep({ contract, step, environment, after });
  return environment;
}
