import { DataprocAutoscalingPolicy } from "@cdktf/provider-google/lib/dataproc-autoscaling-policy";
import { DataprocWorkflowTemplate } from "@cdktf/provider-google/lib/dataproc-workflow-template";
import { Construct } from "constructs";
import type { RuntimeContract } from "../../runtime/platform/contract";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName } from "../core/naming";
import type { EncryptionKey } from "../security";
import type { SecureBucket } from "../storage";
import { masterMachineType } from "./machine-type";
import { INSTALLED_BUNDLE, NODE_BINARY } from "./node-packages";

/** https://cloud.google.com/dataproc/docs/concepts/versioning/dataproc-version-clusters */
export type DataprocImage = "2.2-debian12";

export interface PreprocessWorkflowProps {
  readonly hospital: HospitalRef;
  readonly contract: RuntimeContract;
  readonly environment: Readonly<Record<string, string>>;
  readonly identity: Identity;
  readonly key: EncryptionKey;
  readonly staging: SecureBucket;
  readonly temp: SecureBucket;
  /** Self link. */
  readonly subnet: string;
  readonly networkTag: string;
  /** gs:// URI of the script that every node runs first. */
  readonly initializationAction: string;
  /** Attributes of every node. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The limit of autoscaling: Spot workers beside the two that a cluster always has. */
  readonly maxSpotWorkers: number;
  readonly dependsOn: readonly ITerraformDependable[];
}

/** A cluster needs as many. */
const PRIMARY_WORKERS = 2;
const WORKER_MACHINE_TYPE = "n2-standard-4";
const BOOT_DISK = { bootDiskSizeGb: 100, bootDiskType: "pd-balanced" };
/** Starting a cluster and stopping it, beside the work. */
const CLUSTER_OVERHEAD_SECONDS = 1800;

/** The workflow template, whose cluster exists while a workflow runs, and the policy that the cluster grows by. */
export class PreprocessWorkflow extends Construct {
  readonly template: DataprocWorkflowTemplate;
  /** What the names of its clusters begin with. */
  readonly clusterPrefix: string;

  constructor(scope: Construct, id: string, props: PreprocessWorkflowProps) {
    super(scope, id);
    const { hospital, contract, key } = props;
    const { timeoutSeconds } = contract.resources;

    const policy = new DataprocAutoscalingPolicy(this, "autoscaling", {
      project: hospital.project,
      location: hospital.region,
      policyId: resourceName(hospital, contract.name),
      basicAlgorithm: {
        cooldownPeriod: "120s",
        yarnConfig: {
          gracefulDecommissionTimeout: "600s",
          scaleUpFactor: 1,
          scaleDownFactor: 1,
          scaleUpMinWorkerFraction: 0,
          scaleDownMinWorkerFraction: 0,
        },
      },
      workerConfig: { minInstances: PRIMARY_WORKERS, maxInstances: PRIMARY_WORKERS, weight: 1 },
      // Without this block Google answers with one, and every plan would take it away.
      secondaryWorkerConfig: { minInstances: 0, maxInstances: props.maxSpotWorkers, weight: 1 },
    });

    // Google allows 35 characters and appends its own.
    this.clusterPrefix = resourceName(hospital, "prep");
    this.template = new DataprocWorkflowTemplate(this, "template", {
      project: hospital.project,
      location: hospital.region,
      name: resourceName(hospital, contract.name),
      dagTimeout: `${timeoutSeconds}s`,
      encryptionConfig: { kmsKey: key.id },
      // Google gives the same labels to the cluster and to the job.
      labels: dataClass("phi"),
      placement: {
        managedCluster: {
          clusterName: this.clusterPrefix,
          config: {
            stagingBucket: props.staging.resource.name,
            tempBucket: props.temp.resource.name,
            autoscalingConfig: { policy: policy.name },
            encryptionConfig: { gcePdKmsKeyName: key.id },
            endpointConfig: { enableHttpPortAccess: false },
            gceClusterConfig: {
              internalIpOnly: true,
              subnetwork: props.subnet,
              tags: [props.networkTag],
              serviceAccount: props.identity.email,
              serviceAccountScopes: ["https://www.googleapis.com/auth/cloud-platform"],
              shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
              metadata: { ...props.metadata, "enable-oslogin": "TRUE", "block-project-ssh-keys": "TRUE" },
            },
            initializationActions: [{ executableFile: props.initializationAction, executionTimeout: "600s" }],
            masterConfig: {
              numInstances: 1,
              machineType: masterMachineType(contract),
              diskConfig: { ...BOOT_DISK, numLocalSsds: 0 },
            },
            workerConfig: {
              numInstances: PRIMARY_WORKERS,
              machineType: WORKER_MACHINE_TYPE,
              diskConfig: { ...BOOT_DISK, numLocalSsds: 0 },
            },
            secondaryWorkerConfig: {
              numInstances: 0,
              machineType: WORKER_MACHINE_TYPE,
              preemptibility: "SPOT",
              diskConfig: { ...BOOT_DISK, numLocalSsds: 0 },
            },
            softwareConfig: {
              imageVersion: "2.2-debian12" satisfies DataprocImage,
              properties: {
                "dataproc:dataproc.logging.stackdriver.enable": "true",
                "dataproc:dataproc.logging.stackdriver.job.driver.enable": "true",
              },
            },
            // A workflow deletes its cluster; these end one that it left behind.
            lifecycleConfig: {
              idleDeleteTtl: "1800s",
              autoDeleteTtl: `${timeoutSeconds + CLUSTER_OVERHEAD_SECONDS}s`,
            },
          },
        },
      },
      jobs: [{ stepId: contract.name, pigJob: { queryList: { queries: [shellStep(props.environment)] } } }],
      dependsOn: [...props.key.ready, ...props.dependsOn],
    });
  }
}

/** What may stand in a Pig script's `sh` line as it is. */
const PLAIN = /^[A-Za-z0-9_./:@=,+-]*$/;

/** Pig's `sh`, the one kind of Dataproc job that runs a program as it is; it fails when the program does. */
export function shellStep(environment: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(environment).map(([key, value]) => {
    // A comment begins with two hyphens.
    if (!PLAIN.test(value) || value.includes("--"))
      throw new Error(`${key} is "${value}", and a Dataproc step takes letters, digits and _ . / : @ = , + - only.`);
    return `${key}=${value}`;
  });
  return ["sh env", ...pairs, NODE_BINARY, `${INSTALLED_BUNDLE}/index.js`].join(" ");
}
