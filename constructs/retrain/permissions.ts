import { CloudRunV2ServiceIamMember } from "@cdktf/provider-google/lib/cloud-run-v2-service-iam-member";
import type { Cloudfunctions2Function } from "@cdktf/provider-google/lib/cloudfunctions2-function";
import type { ProjectIamCustomRole } from "@cdktf/provider-google/lib/project-iam-custom-role";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import type { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";
import { type HospitalRef, projectRole, RETRAINER_ROLE } from "../core/naming";
import { projectRoleIn } from "../core/project-role";

/** What the workflow asks of Google beside its own function: a cluster's workflow, and one machine at a time. */
const PERMISSIONS = [
  "compute.disks.create",
  "compute.instances.create",
  "compute.instances.delete",
  "compute.instances.get",
  "compute.instances.setLabels",
  "compute.instances.setMetadata",
  "compute.instances.setServiceAccount",
  "compute.instances.setTags",
  "compute.instanceTemplates.get",
  "compute.instanceTemplates.useReadOnly",
  "compute.subnetworks.use",
  "compute.zoneOperations.get",
  "dataproc.operations.get",
  "dataproc.workflowTemplates.instantiate",
] as const;

/** The role of the workflow's identity. */
export function retrainerRole(
  scope: Construct,
  project: string,
  dependsOn: readonly ITerraformDependable[] = [],
): ProjectIamCustomRole {
  const role = {
    roleId: RETRAINER_ROLE,
    title: "Starts what a retraining needs",
    description: "Starts workflows of Dataproc, and makes and deletes training machines",
    permissions: PERMISSIONS,
  };
  return projectRoleIn(scope, "retrainer", project, role, dependsOn);
}

export interface WorkflowRights {
  readonly hospital: HospitalRef;
  readonly function: Cloudfunctions2Function;
  /** What training machines and the nodes of clusters run as: who makes them has to be allowed to act as that. */
  readonly machines: Readonly<Record<string, Identity>>;
}

/**
 * Everything that the identity of the workflow may do. It reads no scan, no row and no model itself; what it makes machines of
 * does, and whoever can change the workflow decides what they run.
 */
export function grantWorkflow(identity: Identity, { hospital, function: called, machines }: WorkflowRights): void {
  new ProjectIamMember(identity, "start", {
    project: hospital.project,
    role: projectRole(hospital, RETRAINER_ROLE),
    member: identity.member,
  });
  // Nobody writes logs for a workflow, and entries are granted on the project only.
  new ProjectIamMember(identity, "log", {
    project: hospital.project,
    role: "roles/logging.logWriter",
    member: identity.member,
  });
  new CloudRunV2ServiceIamMember(identity, "ask", {
    project: called.project,
    location: called.location,
    // A function of the second generation is a Cloud Run service of the same name.
    name: called.name,
    role: "roles/run.invoker",
    member: identity.member,
  });
  for (const [name, machine] of Object.entries(machines))
    new ServiceAccountIamMember(identity, `as-${name}`, {
      serviceAccountId: machine.account.name,
      role: "roles/iam.serviceAccountUser",
      member: identity.member,
    });
}

/** The one thing that the schedule may do. Executions of a workflow are granted on the project only. */
export function grantSchedule(identity: Identity, hospital: HospitalRef): void {
  new ProjectIamMember(identity, "start", {
    project: hospital.project,
    role: "roles/workflows.invoker",
    member: identity.member,
  });
}
