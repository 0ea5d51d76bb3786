import { ConfigurationError } from "../platform/config";
import { BUCKETS } from "../platform/contract";
import { erasable, openStore } from "../platform/stores";
import { BigQueryRows, BigQueryWarehouse } from "../platform/warehouse";
import type { Workspace } from "../platform/workspace";
import { type ErasableTables, HospitalTables, TableFiles } from "./tables";

/** Where something is forgotten: a workspace, or a hospital's buckets and dataset. */
export interface Place extends Pick<Workspace, "buckets" | "warehouse" | "close"> {
  /** @default the lines of files in the bucket of the warehouse */
  readonly tables?: ErasableTables;
}

/** A hospital's name and project, as they stand in its line. */
export interface HospitalName {
  readonly project: string;
  readonly name: string;
}

/** A hospital's buckets and tables, by the naming contract. Makes no request. @throws {ConfigurationError} */
export async function openHospital({ project, name }: HospitalName, signal: AbortSignal): Promise<Place> {
  if (![project, name].every((part) => /^[a-z][a-z0-9-]{0,28}[a-z0-9]$/.test(part)))
    throw new ConfigurationError("The hospital", [
      `"${project}" and "${name}" are to be its project and its name, as in its line.`,
    ]);
  const opened = await Promise.all(
    BUCKETS.map(async (bucket) => [bucket, await openStore(`gs://${project}-${name}-${bucket}`)] as const),
  );
  const buckets = Object.fromEntries(opened) as Workspace["buckets"];
  const uri = `bigquery://${project}/brain_tumor_${name.replaceAll("-", "_")}`;
  const warehouse = new BigQueryWarehouse(uri);
  const files = new TableFiles(erasable(buckets.warehouse), signal);
  return {
    buckets,
    warehouse,
    tables: new HospitalTables(new BigQueryRows(uri), files),
    close: () => warehouse.close(),
  };
}
