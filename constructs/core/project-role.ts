import { ProjectIamCustomRole } from "@cdktf/provider-google/lib/project-iam-custom-role";
import type { Construct } from "constructs";
import { dependable, type ITerraformDependable } from "./cdktf";

export interface ProjectRoleProps {
  readonly roleId: string;
  readonly title: string;
  readonly description: string;
  readonly permissions: readonly string[];
}

/**
 * A role of a project's own, once a project: one that was deleted keeps its name for a week. It belongs to the stack that a
 * person deploys, as who deploys the others may make no roles.
 */
export function projectRoleIn(
  scope: Construct,
  id: string,
  project: string,
  { permissions, ...props }: ProjectRoleProps,
  dependsOn: readonly ITerraformDependable[],
): ProjectIamCustomRole {
  const role = new ProjectIamCustomRole(scope, id, { project, ...props, permissions: [...permissions], stage: "GA" });
  role.dependsOn = dependsOn.map(dependable);
  return role;
}
