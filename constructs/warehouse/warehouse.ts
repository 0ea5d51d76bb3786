import { BigqueryDataset } from "@cdktf/provider-google/lib/bigquery-dataset";
import { BigqueryTable } from "@cdktf/provider-google/lib/bigquery-table";
import { Construct } from "constructs";
import { LAYOUTS, TABLE_NAMES, type TableName, tableSchema, VIEWS } from "../../runtime/platform/warehouse";
import type { ITerraformDependable } from "../core/cdktf";
import { dataClass } from "../core/labels";
import { datasetId, type HospitalRef } from "../core/naming";
import { type Removal, removalPolicy } from "../core/removal";
import type { EncryptionKey } from "../security";
import { PseudonymTag } from "./pseudonym-tag";
import { appenderRole, grantReadTable, grantRunJobs } from "./table-grants";

export interface WarehouseProps {
  readonly hospital: HospitalRef;
  readonly key: EncryptionKey;
  readonly removal: Removal;
  /**
   * IAM members that may read all of it.
   * @default nobody but the project's owners
   */
  readonly readers?: readonly string[];
  /**
   * Whether other environments live in the same project and somebody else owns the grants on it and its roles: readers then
   * run their queries by a right from there, and no column is tagged, as what would let the processes see it is such a grant.
   * @default false
   */
  readonly sharedProject?: boolean;
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** 7 days in which what a table held at any moment can be asked for. */
const TIME_TRAVEL_HOURS = "168";

/** The hospital's BigQuery dataset: the tables of `runtime/platform/warehouse/tables.ts`, and views over them. */
export class Warehouse extends Construct {
  readonly dataset: BigqueryDataset;
  readonly tables: Readonly<Record<TableName, BigqueryTable>>;

  constructor(scope: Construct, id: string, props: WarehouseProps) {
    super(scope, id);
    const { hospital, key } = props;
    const { project } = hospital;
    const removal = removalPolicy(props.removal);

    this.dataset = new BigqueryDataset(this, "dataset", {
      project,
      datasetId: datasetId(hospital),
      friendlyName: `Brain tumour service of ${hospital.name}`,
      description: "What landed, what became of it, and every answer that was given",
      location: hospital.region,
      defaultEncryptionConfiguration: { kmsKeyName: key.id },
      maxTimeTravelHours: TIME_TRAVEL_HOURS,
      isCaseInsensitive: false,
      deleteContentsOnDestroy: removal.forceDestroy,
      // In place of BigQuery's own default, which lets every editor and viewer of the project in.
      access: [{ role: "OWNER", specialGroup: "projectOwners" }],
      labels: dataClass("phi"),
      dependsOn: [...key.ready, ...(props.dependsOn ?? [])],
      ...removal.lifecycle,
    });
    this.dataset.overrideLogicalId("warehouse");

    const tag = props.sharedProject
      ? undefined
      : new PseudonymTag(this, "tag", { hospital, dependsOn: props.dependsOn ?? [] });
    this.tables = Object.fromEntries(
      TABLE_NAMES.map((name) => [name, this.createTable(name, props, tag)]),
    ) as unknown as Record<TableName, BigqueryTable>;

    // Once a project, as a role that was deleted keeps its name for a week.
    if (!props.sharedProject) appenderRole(this, project, props.dependsOn);

    const views: BigqueryTable[] = [];
    for (const { name, description, query } of VIEWS) {
      const view = new BigqueryTable(this, name, {
        project,
        datasetId: this.dataset.datasetId,
        tableId: name,
        description,
        deletionProtection: removal.deletionProtection,
        view: { query: query(`${project}.${datasetId(hospital)}`), useLegacySql: false },
        labels: dataClass("phi"),
        // BigQuery checks the query when the view is made; a view may stand on one before it.
        dependsOn: [...Object.values(this.tables), ...views],
        // A view holds nothing to encrypt, and some answers name the dataset's key all the same.
        lifecycle: { ignoreChanges: ["encryption_configuration"] },
      });
      view.overrideLogicalId(name);
      views.push(view);
    }
    const readers = new Set(props.readers ?? []);
    for (const table of [...Object.values(this.tables), ...views])
      for (const reader of readers) grantReadTable(table, reader);
    if (!props.sharedProject) for (const reader of readers) grantRunJobs(this, project, reader);
    for (const reader of readers) tag?.grantMasked(reader);
  }

  private createTable(
    name: TableName,
    { hospital, key, removal }: WarehouseProps,
    tag: PseudonymTag | undefined,
  ): BigqueryTable {
    const layout = LAYOUTS[name];
    const policy = removalPolicy(removal);
    const table = new BigqueryTable(this, name, {
      project: hospital.project,
      datasetId: this.dataset.datasetId,
      tableId: name,
      description: layout.description,
      schema: tableSchema(name, tag && { pseudonym: tag.name }),
      ...(layout.partition
        ? { timePartitioning: { type: layout.partition.granularity, field: layout.partition.by } }
        : {}),
      ...(layout.requirePartitionFilter ? { requirePartitionFilter: true } : {}),
      clustering: [...layout.clusterBy],
      // Also where the dataset says so: without it, a second plan replaces the table.
      encryptionConfiguration: { kmsKeyName: key.id },
      deletionProtection: policy.deletionProtection,
      labels: dataClass("phi"),
      ...policy.lifecycle,
    });
    table.overrideLogicalId(name);
    return table;
  }
}
