import { DataprocAutoscalingPolicy } from "@cdktf/provider-google/lib/dataproc-autoscaling-policy";
import {
  DataprocWorkflowTemplate,
  type DataprocWorkflowTemplateJobs,
} from "@cdktf/provider-google/lib/dataproc-workflow-template";
import { Construct } from "constructs";
import { sparkSubmission } from "../../runtime/platform/spark-submission";
import { type ITerraformDependable, Lazy } from "../core/cdktf";
import { type Identity, runsAs } from "../core/identity";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName } from "../core/naming";
import type { EncryptionKey } from "../security";
import type { SecureBucket } from "../storage";
import { masterMachineType } from "./machine-type";
import { installedEntry, NODE_BINARY } from "./node-packages";
import { SparkFiles } from "./spark-files";
import { sparkProperties, WORKER_MACHINE_TYPE } from "./spark-properties";
import { driverResources, longestSeconds, type WorkflowStep } from "./steps";

/** https://cloud.google.com/dataproc/docs/concepts/versioning/dataproc-version-clusters */
export type DataprocImage = "2.2-debian12";

export interface PreprocessWorkflowProps {
  readonly hospital: HospitalRef;
  readonly identity: Identity;
  readonly key: EncryptionKey;
  /** Where code is uploaded. */
  readonly source: SecureBucket;
  readonly staging: SecureBucket;
  readonly temp: SecureBucket;
  /** Self link. */
  readonly subnet: string;
  readonly networkTags: readonly string[];
  /** gs:// URI of the script that every node runs first. */
  readonly initializationAction: string;
  /** Attributes of every node, beside the bundles that it installs. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The limit of autoscaling: Spot workers beside the two that a cluster always has. */
  readonly maxSpotWorkers: number;
  readonly dependsOn: readonly ITerraformDependable[];
}

/** A cluster needs as many. */
const PRIMARY_WORKERS = 2;
const BOOT_DISK = { bootDiskSizeGb: 100, bootDiskType: "pd-balanced" };
/** Starting a cluster and stopping it, beside the work. */
const CLUSTER_OVERHEAD_SECONDS = 1800;

/** Longer than any stage: a worker that is no longer needed keeps what was shuffled to it until the step has ended. */
const DECOMMISSION_SECONDS = 3600;

/**
 * The workflow template, whose cluster exists while a workflow runs, and the policy that the cluster grows by. Capabilities
 * add their code and their steps; those run on one cluster, under one identity.
 */
export class PreprocessWorkflow extends Construct {
  readonly template: DataprocWorkflowTemplate;
  /** What the names of its clusters begin with. */
  readonly clusterPrefix: string;
  private readonly steps: WorkflowStep[] = [];
  private readonly bundles = new Map<string, string>();
  private readonly jobs: DataprocWorkflowTemplateJobs[] = [];
  private readonly files: SparkFiles;

  constructor(scope: Construct, id: string, props: PreprocessWorkflowProps) {
    super(scope, id);
    const { hospital, key } = props;
    this.files = new SparkFiles(this, "files", { source: props.source });

    const policy = new DataprocAutoscalingPolicy(this, "autoscaling", {
      project: hospital.project,
      location: hospital.region,
      policyId: resourceName(hospital, "preprocess"),
      basicAlgorithm: {
        cooldownPeriod: "120s",
        yarnConfig: {
          gracefulDecommissionTimeout: `${DECOMMISSION_SECONDS}s`,
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
      name: resourceName(hospital, "preprocess"),
      dagTimeout: Lazy.stringValue({ produce: () => `${longestSeconds(this.steps)}s` }),
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
            // Without an endpointConfig there is no way in from the web. One that says so reads back as nothing, and would
            // have every plan replace the template.
            gceClusterConfig: {
              internalIpOnly: true,
              subnetwork: props.subnet,
              tags: [...props.networkTags],
              serviceAccount: props.identity.email,
              serviceAccountScopes: ["https://www.googleapis.com/auth/cloud-platform"],
              shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
              metadata: {
                ...props.metadata,
                "runtime-bundles": Lazy.stringValue({
                  produce: () => [...this.bundles].map(([name, uri]) => `${name}=${uri}`).join(" "),
                }),
                "enable-oslogin": "TRUE",
                "block-project-ssh-keys": "TRUE",
              },
            },
            initializationActions: [{ executableFile: props.initializationAction, executionTimeout: "600s" }],
            masterConfig: {
              numInstances: 1,
              machineType: Lazy.stringValue({ produce: () => masterMachineType(driverResources(this.steps)) }),
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
                // What a step's driver cannot lose does not run on a Spot worker.
                "dataproc:am.primary_only": "true",
                "dataproc:dataproc.logging.stackdriver.enable": "true",
                "dataproc:dataproc.logging.stackdriver.job.driver.enable": "true",
              },
            },
            // A workflow deletes its cluster; these end one that it left behind.
            lifecycleConfig: {
              idleDeleteTtl: "1800s",
              autoDeleteTtl: Lazy.stringValue({
                produce: () => `${longestSeconds(this.steps) + CLUSTER_OVERHEAD_SECONDS}s`,
              }),
            },
          },
        },
      },
      jobs: [],
      dependsOn: [...props.key.ready, ...props.dependsOn],
    });
    runsAs(this.template, props.identity);
    this.node.addValidation({
      validate: () => (this.steps.length === 0 ? [`The workflow of ${hospital.name} has no steps.`] : []),
    });
  }

  /** Has every node install a capability's code. @param bundle gs:// URI */
  addRuntime(capability: string, bundle: string): void {
    this.bundles.set(capability, bundle);
  }

  /**
   * Has the workflow run a step, once those that it waits for have succeeded.
   * @throws if its capability's code is not on the nodes, or a step that it waits for was not added before
   */
  addStep(added: WorkflowStep): void {
    const { contract, step, environment, after = [] } = added;
    const known = this.steps.map((other) => other.step);
    if (known.includes(step)) throw new Error(`The workflow has a step "${step}" already.`);
    if (!this.bundles.has(contract.name))
      throw new Error(`The step "${step}" needs the code of ${contract.name}: call addRuntime first.`);
    const missing = after.filter((name) => !known.includes(name));
    if (missing.length > 0)
      throw new Error(`The step "${step}" waits for ${missing.join(", ")}: add what it waits for before.`);
    this.steps.push(added);

    const runtime = installedEntry(contract.name);
    const submission = sparkSubmission(contract, step, { environment, node: NODE_BINARY, runtime });
    const job: DataprocWorkflowTemplateJobs = {
      stepId: step,
      ...(after.length > 0 ? { prerequisiteStepIds: [...after] } : {}),
      pysparkJob: {
        mainPythonFileUri: this.files.uri(submission.driver),
        pythonFileUris: submission.modules.map((path) => this.files.uri(path)),
        args: [...submission.arguments],
        properties: sparkProperties(contract),
      },
    };
    this.jobs.push(job);
    this.template.putJobs(this.jobs);
  }
}
