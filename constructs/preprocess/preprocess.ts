import { ArtifactRegistryRepository } from "@cdktf/provider-google/lib/artifact-registry-repository";
import { StorageBucketObject } from "@cdktf/provider-google/lib/storage-bucket-object";
import { Construct } from "constructs";
import type { Bindings } from "../../runtime/platform/contract";
import { preprocessContract } from "../../runtime/preprocess/contract";
import type { GrantableTables } from "../core/declared-access";
import { Identity } from "../core/identity";
import { dataClass } from "../core/labels";
import type { MonitoringContribution } from "../core/monitoring";
import { bucketName, type HospitalRef, resourceName } from "../core/naming";
import { readScript } from "../core/script";
import type { MachineNetwork } from "../network";
import type { KeyRefs } from "../security";
import { type BucketRefs, SecureBucket } from "../storage";
import { runOnCluster } from "./capability";
import { preprocessMonitoring } from "./monitoring";
import { NODE_PACKAGE, NPM_PACKAGE } from "./node-packages";
import { grantPreprocess } from "./permissions";
import { PreprocessWorkflow } from "./workflow";

export interface PreprocessProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly keys: KeyRefs;
  /** Where code is uploaded. */
  readonly source: SecureBucket;
  /** The environment variables of `runtime/preprocess/contract.ts` that are no bucket's and no table's. */
  readonly bindings: Bindings<typeof preprocessContract>;
  /** Where the nodes run, without external addresses. */
  readonly network: MachineNetwork;
  /** @default 8 */
  readonly maxSpotWorkers?: number;
}

/** The nodes of a cluster talk to each other on every port. */
export const NODE_TAG = "preprocess";

/**
 * A workflow template that starts a Spark cluster, turns everything that is curated into shards, and deletes the cluster.
 * Other capabilities add steps of their own.
 */
export class Preprocess extends Construct {
  readonly identity: Identity;
  readonly workflow: PreprocessWorkflow;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: PreprocessProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, keys, source } = props;

    // What Dataproc would otherwise make by itself, share among clusters, and leave behind.
    const own = (name: "staging" | "temp") =>
      new SecureBucket(this, name, {
        hospital,
        name: bucketName(hospital, name),
        key: keys.data,
        removal: "destroy",
        // What jobs print and Spark's events: no scan, but names of scans.
        dataClass: "metadata",
        noncurrentDays: 1,
        expireAfterDays: 14,
      });
    const staging = own("staging");
    const temp = own("temp");

    const packages = new ArtifactRegistryRepository(this, "packages", {
      project: hospital.project,
      location: hospital.region,
      repositoryId: resourceName(hospital, "npm"),
      description: `npm packages for the clusters of ${hospital.name}, which have no way to the internet`,
      format: "NPM",
      mode: "REMOTE_REPOSITORY",
      remoteRepositoryConfig: { npmRepository: { publicRepository: "NPMJS" } },
      kmsKeyName: keys.data.id,
      labels: dataClass("code"),
      cleanupPolicyDryRun: false,
      dependsOn: [...keys.data.ready],
    });

    this.identity = new Identity(this, "identity", {
      hospital,
      role: preprocessContract.name,
      description: "Runs the nodes of preprocess clusters",
    });
    grantPreprocess(this.identity, { hospital, source, staging, temp, packages });

    const script = readScript("constructs/preprocess/install-runtime.sh");
    const installer = new StorageBucketObject(this, "installer", {
      bucket: source.resource.name,
      name: `${preprocessContract.name}/install-runtime-${script.sha256.slice(0, 16)}.sh`,
      content: script.text,
      contentType: "text/x-shellscript",
    });

    this.workflow = new PreprocessWorkflow(this, "workflow", {
      hospital,
      identity: this.identity,
      key: keys.data,
      source,
      staging,
      temp,
      subnet: props.network.subnet.selfLink,
      networkTags: [props.network.tagOf(NODE_TAG), ...props.network.machineTags],
      initializationAction: `gs://${source.name}/${installer.name}`,
      metadata: {
        "npm-registry": `https://${hospital.region}-npm.pkg.dev/${hospital.project}/${packages.repositoryId}`,
        "node-package": NODE_PACKAGE,
        "npm-package": NPM_PACKAGE,
      },
      maxSpotWorkers: props.maxSpotWorkers ?? 8,
      dependsOn: [...props.network.ready, ...props.network.allowWithin(NODE_TAG)],
    });
    runOnCluster(this, preprocessContract, { buckets, warehouse, source, preprocess: this, bindings: props.bindings });
    this.monitoring = preprocessMonitoring(this.workflow.clusterPrefix);
  }
}
