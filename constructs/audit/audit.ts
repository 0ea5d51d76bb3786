import { CloudRunV2Job } from "@cdktf/provider-google/lib/cloud-run-v2-job";
import { CloudRunV2JobIamMember } from "@cdktf/provider-google/lib/cloud-run-v2-job-iam-member";
import { Construct } from "constructs";
import { auditContract } from "../../runtime/audit/contract";
import type { Bindings } from "../../runtime/platform/contract";
import { bindEnvironment } from "../core/binding";
import type { ContainerImage } from "../core/container-image";
import { type GrantableTables, grantDeclaredAccess } from "../core/declared-access";
import { Identity, runsAs } from "../core/identity";
import { dataClass } from "../core/labels";
import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, resourceName } from "../core/naming";
import { ScheduledCall } from "../core/scheduled-call";
import { NEVER } from "../schedule";
import type { AuditKeyRef, EncryptionKey } from "../security";
import { allowFolder, type BucketRefs } from "../storage";
import { auditMonitoring } from "./monitoring";

export interface AuditProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly keys: { readonly data: EncryptionKey; readonly audit: AuditKeyRef };
  /** That of the prediction service: the sealer is in it. */
  readonly image: ContainerImage;
  /** Name of the bucket, in another project, in which each hospital has a folder of its own. */
  readonly archive: string;
  /** Times by cron; `none`: when a person starts it. */
  readonly sealing: string;
  readonly timeZone: string;
  /** The environment variables of `runtime/audit/contract.ts` that are no bucket's and no table's, without key and archive. */
  readonly bindings: Omit<Bindings<typeof auditContract>, "AUDIT_KEY" | "AUDIT_ARCHIVE">;
}

const SCHEDULE = "seal";

/**
 * The job that makes leaves of a signed log out of the rows of answers, acts and feedback, and the call that starts it. What
 * runs it asks the tables, changes none, and adds to the archive what nobody of the hospital's project can take away.
 */
export class Audit extends Construct {
  readonly identity: Identity;
  readonly job: CloudRunV2Job;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: AuditProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, keys, image, archive } = props;
    const { memoryGiB, cpu, timeoutSeconds } = auditContract.resources;
    this.identity = new Identity(this, "identity", {
      hospital,
      role: auditContract.name,
      description: "Seals the log of answers and acts; changes no row",
    });
    const places = { buckets, warehouse };
    const folder = `${hospital.name}/`;
    const environment = bindEnvironment(auditContract, places, this.identity, {
      AUDIT_KEY: keys.audit.uri,
      AUDIT_ARCHIVE: `gs://${archive}/${hospital.name}`,
      ...props.bindings,
    });
    grantDeclaredAccess(auditContract, this.identity, places);
    keys.audit.grantSign(this.identity);
    allowFolder(this.identity, archive, folder);

    const name = resourceName(hospital, auditContract.name);
    this.job = new CloudRunV2Job(this, "job", {
      project: hospital.project,
      location: hospital.region,
      name,
      launchStage: "GA",
      deletionProtection: false,
      labels: dataClass("phi"),
      template: {
        taskCount: 1,
        parallelism: 1,
        template: {
          serviceAccount: this.identity.email,
          encryptionKey: keys.data.id,
          executionEnvironment: "EXECUTION_ENVIRONMENT_GEN2",
          timeout: `${timeoutSeconds}s`,
          // What it did not do, the next one does.
          maxRetries: 1,
          containers: [
            {
              image: image.uri,
              command: ["node", "sealer.js"],
              resources: { limits: { cpu: String(cpu), memory: `${memoryGiB}Gi` } },
              env: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
            },
          ],
        },
      },
      dependsOn: [...keys.data.ready],
    });
    runsAs(this.job, this.identity);
    this.monitoring = auditMonitoring(hospital, name, props.sealing === NEVER ? undefined : props.sealing);
    if (props.sealing !== NEVER) this.start(props);
  }

  private start({ hospital, sealing, timeZone }: AuditProps): void {
    const starter = new Identity(this, "starter", {
      hospital,
      role: "audit-start",
      description: "Starts the sealer, and nothing else",
    });
    new CloudRunV2JobIamMember(starter, "run", {
      project: hospital.project,
      location: hospital.region,
      name: this.job.name,
      role: "roles/run.invoker",
      member: starter.member,
    });
    new ScheduledCall(this, "call", {
      hospital,
      name: SCHEDULE,
      description: "Seals the log of answers and acts",
      schedule: sealing,
      timeZone,
      paused: false,
      uri: `https://run.googleapis.com/v2/projects/${hospital.project}/locations/${hospital.region}/jobs/${this.job.name}:run`,
      identity: starter,
    });
  }
}
