import type { BigqueryTable } from "@cdktf/provider-google/lib/bigquery-table";
import { BigqueryTableIamMember } from "@cdktf/provider-google/lib/bigquery-table-iam-member";
import type { ProjectIamCustomRole } from "@cdktf/provider-google/lib/project-iam-custom-role";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import type { Construct } from "constructs";
import { hasPseudonyms, type TableName } from "../../runtime/platform/warehouse";
import type { ITerraformDependable } from "../core/cdktf";
import type { GrantableTables } from "../core/declared-access";
import type { Identity } from "../core/identity";
import { APPENDER_ROLE, datasetId, type HospitalRef, shortHash } from "../core/naming";
import { projectRoleIn } from "../core/project-role";
import { FINE_GRAINED_READER } from "./pseudonym-tag";

/** https://cloud.google.com/bigquery/docs/access-control */
export type TableRole = "roles/bigquery.dataViewer";

/**
 * Every permission on the warehouse is given here, table by table and additively. A view is read with the rights of who
 * asks: a reader needs the tables below it too.
 * @param member such as `group:analysts@example.org`
 */
export function grantReadTable(table: BigqueryTable, member: string): void {
  // A member's name is not a construct's id; its hash is, and keeps its place when another member comes or goes.
  const id = `read-${shortHash(member)}`;
  if (table.node.tryFindChild(id)) return;
  new BigqueryTableIamMember(table, id, {
    project: table.project,
    datasetId: table.datasetId,
    tableId: table.tableId,
    role: "roles/bigquery.dataViewer" satisfies TableRole,
    member,
  });
}

/** Lets a member run queries, which are granted on the whole project only. It reads no more by them than it may. */
export function grantRunJobs(scope: Construct, project: string, member: string): void {
  new ProjectIamMember(scope, `jobs-${shortHash(member)}`, {
    project,
    role: "roles/bigquery.jobUser",
    member,
  });
}

/**
 * The role of whoever adds rows: nothing else than what the Storage Write API asks for. By `updateData` alone rows can only
 * be added; to change or delete one takes a job as well, which is another permission, and which nobody has that has this.
 * https://cloud.google.com/bigquery/docs/write-api#required_permissions
 */
export function appenderRole(
  scope: Construct,
  project: string,
  dependsOn: readonly ITerraformDependable[] = [],
): ProjectIamCustomRole {
  const role = {
    roleId: APPENDER_ROLE,
    title: "Adds rows to tables",
    description: "Adds rows through the Storage Write API; may run no job, so it can neither change nor delete one",
    permissions: ["bigquery.tables.get", "bigquery.tables.updateData"],
  };
  return projectRoleIn(scope, "appender", project, role, dependsOn);
}

export interface NamedTables {
  /**
   * Whether other environments live in the same project: no column of theirs is tagged.
   * @default false
   */
  readonly sharedProject?: boolean;
}

/** A hospital's tables by their names alone: what a stack uses that does not own them. */
export function warehouseFromNames(
  hospital: HospitalRef,
  { sharedProject = false }: NamedTables = {},
): GrantableTables {
  const { project } = hospital;
  const dataset = datasetId(hospital);
  const grant = (grantee: Identity, right: string, table: TableName, role: string): ITerraformDependable => {
    const id = `${right}-${table}`;
    // Capabilities that share an identity may name a table each.
    const known = grantee.node.tryFindChild(id) as BigqueryTableIamMember | undefined;
    const { member } = grantee;
    return (
      known ?? new BigqueryTableIamMember(grantee, id, { project, datasetId: dataset, tableId: table, role, member })
    );
  };
  return {
    uri: `bigquery://${project}/${dataset}`,
    grantAppend: (grantee, tables) =>
      tables.map((table) => grant(grantee, "append", table, `projects/${project}/roles/${APPENDER_ROLE}`)),
    grantAsk: (grantee, tables) => {
      const onProject = (id: string, role: string): ITerraformDependable =>
        (grantee.node.tryFindChild(id) as ProjectIamMember | undefined) ??
        new ProjectIamMember(grantee, id, { project, role, member: grantee.member });
      return [
        onProject("jobs", "roles/bigquery.jobUser"),
        ...(!sharedProject && tables.some(hasPseudonyms) ? [onProject("pseudonyms", FINE_GRAINED_READER)] : []),
        ...tables.map((table) => grant(grantee, "ask", table, "roles/bigquery.dataViewer" satisfies TableRole)),
      ];
    },
  };
}
