import type { BigqueryTable } from "@cdktf/provider-google/lib/bigquery-table";
import { BigqueryTableIamMember } from "@cdktf/provider-google/lib/bigquery-table-iam-member";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import type { Construct } from "constructs";
import { shortHash } from "../core/naming";

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
