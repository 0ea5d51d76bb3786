import { openStore } from "../stores";
import { BigQueryWarehouse } from "./bigquery/bigquery-warehouse";
import { isDataset } from "./bigquery/uri";
import { ObjectStoreWarehouse } from "./object-store-warehouse";
import type { Warehouse } from "./warehouse";

export interface OpenWarehouseOptions {
  /** Folder that outlives the process, for the names of its streams; a warehouse of files needs none. @default none */
  readonly streams?: string | undefined;
}

/**
 * Opens a warehouse by its URI: `bigquery://PROJECT/DATASET`, `gs://BUCKET`, `file:///DIRECTORY`, or a path on this
 * machine. What BigQuery needs is loaded for BigQuery alone, and no request is made before the first row or question.
 *
 * @throws {ConfigurationError} for any other
 */
export async function openWarehouse(uri: string, options: OpenWarehouseOptions = {}): Promise<Warehouse> {
  return isDataset(uri) ? new BigQueryWarehouse(uri, options) : new ObjectStoreWarehouse(await openStore(uri));
}
