import { ProjectIamAuditConfig } from "@cdktf/provider-google/lib/project-iam-audit-config";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";

/** https://cloud.google.com/logging/docs/audit/configure-data-access */
export type AuditLogType = "ADMIN_READ" | "DATA_READ" | "DATA_WRITE";
export const AUDIT_LOG_TYPES: readonly AuditLogType[] = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"];

/** Every service of a project writes down who read and who changed what. Nobody is exempt. */
export class AuditConfig extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly project: string;
      /** @default none */
      readonly dependsOn?: readonly ITerraformDependable[];
    },
  ) {
    super(scope, id);
    new ProjectIamAuditConfig(this, "all-services", {
      project: props.project,
      service: "allServices",
      auditLogConfig: AUDIT_LOG_TYPES.map((logType) => ({ logType })),
      dependsOn: [...(props.dependsOn ?? [])],
    });
  }
}
