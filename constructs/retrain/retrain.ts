import type { Cloudfunctions2Function } from "@cdktf/provider-google/lib/cloudfunctions2-function";
import { StorageBucketObject } from "@cdktf/provider-google/lib/storage-bucket-object";
import { WorkflowsWorkflow } from "@cdktf/provider-google/lib/workflows-workflow";
import { Construct } from "constructs";
import type { Bindings } from "../../runtime/platform/contract";
import { retrainContract } from "../../runtime/retrain/contract";
import { bindEnvironment } from "../core/binding";
import { type GrantableTables, grantDeclaredAccess } from "../core/declared-access";
import { Identity, runsAs } from "../core/identity";
import { dataClass } from "../core/labels";
import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import { RuntimeBundle } from "../core/runtime-bundle";
import { ScheduledCall } from "../core/scheduled-call";
import { type EventFunction, makeFunction } from "../ingest";
import type { Preprocess } from "../preprocess";
import type { KeyRefs } from "../security";
import type { BucketRefs, SecureBucket } from "../storage";
import type { Train } from "../train";
import { NEVER } from "./config";
import { retrainMonitoring } from "./monitoring";
import { grantSchedule, grantWorkflow } from "./permissions";
import { WORKFLOW_VARIABLES, type WorkflowVariable, workflowSource, workflowText } from "./workflow";
import { workflowProblems } from "./workflow-syntax";

export interface RetrainProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly keys: KeyRefs;
  /** Where code is uploaded. */
  readonly source: SecureBucket;
  /** The environment variables of `runtime/retrain/contract.ts` that are no bucket's and no table's. */
  readonly bindings: Bindings<typeof retrainContract>;
  /** What builds functions of the hospital. */
  readonly functions: Pick<EventFunction, "builder" | "repository">;
  /** The cluster's workflow, which a retraining runs. */
  readonly preprocess: Preprocess;
  /** The template that training machines are made of. */
  readonly train: Train;
  /** Where they are made; each is tried once. */
  readonly zones: readonly string[];
  /** Five fields of cron, in UTC; or `none`. */
  readonly schedule: string;
}

/** Between two looks at a cluster or a machine; the lease lasts ten times as long. */
const POLL_SECONDS = 60;

/**
 * A workflow that retrains: it runs the preprocess workflow and a training machine, and asks a function before and after
 * each step, which keeps the state of the run. It starts at its time, where something is due, or when a person asks.
 */
export class Retrain extends Construct {
  readonly identity: Identity;
  readonly function: Cloudfunctions2Function;
  readonly workflow: WorkflowsWorkflow;
  /** Undefined where the line wants none. */
  readonly call: ScheduledCall | undefined;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: RetrainProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, keys, preprocess, train } = props;
    const places = { buckets, warehouse };
    this.identity = new Identity(this, "identity", {
      hospital,
      role: retrainContract.name,
      description: "Runs the function that keeps the state of retraining",
    });
    const environment = bindEnvironment(retrainContract, places, this.identity, props.bindings);
    grantDeclaredAccess(retrainContract, this.identity, places);

    const bundle = new RuntimeBundle(this, "bundle", retrainContract);
    const code = new StorageBucketObject(this, "source", {
      bucket: props.source.resource.name,
      name: bundle.objectName,
      source: bundle.path,
      contentType: "application/zip",
    });
    this.function = makeFunction(this, {
      ...{ hospital, contract: retrainContract, environment, identity: this.identity, key: keys.data },
      ...{ builder: props.functions.builder, repository: props.functions.repository },
      description: `Keeps the state of retraining, measures and promotes models of ${hospital.name}`,
      code: { bucket: props.source.resource.name, object: code.name },
      maxInstances: 2,
    });

    const starter = new Identity(this, "starter", {
      hospital,
      role: "retrain-flow",
      description: "Runs the workflow that retrains: starts clusters and training machines, and reads no data",
    });
    grantWorkflow(starter, {
      hospital,
      function: this.function,
      machines: { train: train.identity, preprocess: preprocess.identity },
    });
    const { project, region } = hospital;
    const url = this.function.serviceConfig.uri;
    this.workflow = new WorkflowsWorkflow(this, "workflow", {
      project,
      region,
      name: resourceName(hospital, "retrain"),
      description: "Retrains, measures, and promotes a model or not",
      serviceAccount: starter.account.id,
      // Its expressions look like Terraform's, which would read them as its own.
      sourceContents: workflowText().replaceAll("${", () => "$${"),
      cryptoKeyName: keys.data.id,
      callLogLevel: "LOG_ERRORS_ONLY",
      // It holds nothing: a run's state lies in the bucket of reports.
      deletionProtection: false,
      labels: dataClass("code"),
      userEnvVars: {
        STEPS_URL: url,
        STEPS_AUDIENCE: url,
        COMPUTE_URL: `https://compute.googleapis.com/compute/v1/projects/${project}`,
        DATAPROC_URL: "https://dataproc.googleapis.com",
        PREPROCESS_TEMPLATE: `projects/${project}/regions/${region}/workflowTemplates/${preprocess.workflow.template.name}`,
        TRAIN_TEMPLATE: train.template.name,
        MACHINE_PREFIX: train.machinePrefix,
        ZONES: props.zones.join(","),
        POLL_SECONDS: String(POLL_SECONDS),
      } satisfies Readonly<Record<WorkflowVariable, string>>,
      dependsOn: [...keys.data.ready],
    });
    runsAs(this.workflow, starter);
    this.node.addValidation({ validate: () => [...workflowProblems(workflowSource(), WORKFLOW_VARIABLES)] });

    if (props.schedule !== NEVER) {
      const caller = new Identity(this, "schedule", {
        hospital,
        role: "retrain-start",
        description: "Starts the workflow that retrains, and nothing else",
      });
      grantSchedule(caller, hospital);
      this.call = new ScheduledCall(this, "call", {
        hospital,
        name: "retrain",
        description: "Retrains where something is due",
        schedule: props.schedule,
        timeZone: "Etc/UTC",
        paused: false,
        uri: `https://workflowexecutions.googleapis.com/v1/projects/${project}/locations/${region}/workflows/${this.workflow.name}/executions`,
        body: { argument: "{}" },
        identity: caller,
        dependsOn: [this.workflow],
      });
    }
    this.monitoring = retrainMonitoring(resourceName(hospital, "retrain"));
  }
}
