import type { DataprocWorkflowTemplate } from "@cdktf/provider-google/lib/dataproc-workflow-template";
import type { ProjectIamCustomRole } from "@cdktf/provider-google/lib/project-iam-custom-role";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { longestGapDays } from "../core/cron";
import { Identity } from "../core/identity";
import type { MonitoringContribution } from "../core/monitoring";
import { type HospitalRef, projectRole, resourceName, STARTER_ROLE } from "../core/naming";
import { projectRoleIn } from "../core/project-role";
import { ScheduledCall } from "../core/scheduled-call";
import { NEVER, type ScheduleOf } from "./config";
import { scheduleMonitoring } from "./monitoring";

export interface ScheduleProps extends Pick<ScheduleOf, "daily" | "timeZone"> {
  readonly hospital: HospitalRef;
  /** Whether nothing starts until somebody resumes it. */
  readonly paused: boolean;
  /** What is started, and as whom its machines run. */
  readonly preprocess: {
    readonly identity: Identity;
    readonly workflow: { readonly template: DataprocWorkflowTemplate };
  };
}

const NAME = "daily";

/**
 * Starts the workflow at its time, as an identity that may do that and nothing else. A run that is still at work is not
 * joined by another: each start carries the same tag, and Dataproc runs no two workflows of one tag at the same time.
 * https://cloud.google.com/dataproc/docs/reference/rest/v1/projects.regions.workflowTemplates/instantiate
 */
export class Schedule extends Construct {
  /** Undefined where the line wants none. */
  readonly call: ScheduledCall | undefined;
  /** How many days may pass between two runs; undefined where nothing starts by itself. */
  readonly gapDays: number | undefined;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: ScheduleProps) {
    super(scope, id);
    const { hospital, preprocess, daily, timeZone, paused } = props;
    const template = preprocess.workflow.template;
    if (daily === NEVER) {
      this.monitoring = { logMetrics: [], alerts: [], charts: [] };
      return;
    }
    const identity = new Identity(this, "identity", {
      hospital,
      role: "schedule",
      description: "Starts the workflow of the day, and nothing else",
    });
    new ProjectIamMember(identity, "start", {
      project: hospital.project,
      role: projectRole(hospital, STARTER_ROLE),
      member: identity.member,
    });
    // Dataproc makes machines for nobody who may not act as what they run as.
    new ServiceAccountIamMember(identity, "machines", {
      serviceAccountId: preprocess.identity.account.name,
      role: "roles/iam.serviceAccountUser",
      member: identity.member,
    });
    this.call = new ScheduledCall(this, "call", {
      hospital,
      name: NAME,
      description: "Preprocesses, scores and watches what is new",
      schedule: daily,
      timeZone,
      paused,
      uri: `https://dataproc.googleapis.com/v1/projects/${hospital.project}/regions/${hospital.region}/workflowTemplates/${template.name}:instantiate`,
      // Of 40 characters at most; a hospital's name has 30.
      body: { requestId: resourceName(hospital, NAME) },
      identity,
      dependsOn: [template],
    });
    this.gapDays = paused ? undefined : longestGapDays(daily);
    this.monitoring = scheduleMonitoring(hospital, NAME);
  }
}

/** The role of what starts workflows: no other permission of Dataproc. */
export function starterRole(
  scope: Construct,
  project: string,
  dependsOn: readonly ITerraformDependable[] = [],
): ProjectIamCustomRole {
  const role = {
    roleId: STARTER_ROLE,
    title: "Starts workflows",
    description: "Starts the workflow templates of the project; it can neither change nor cancel one",
    permissions: ["dataproc.workflowTemplates.instantiate"],
  };
  return projectRoleIn(scope, "starter", project, role, dependsOn);
}
