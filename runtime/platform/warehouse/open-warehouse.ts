import { openStore } from "../stores";
import { type BigQueryOptions, BigQueryWarehouse } from "./bigquery/bigquery-warehouse";
import { isDataset } from "./bigquery/uri";
import { ObjectStoreWarehouse } from "./object-store-warehouse";
import type { Warehouse } from "./warehouse";

/**
 * Opens a warehouse by its URI: `bigquery://PROJECT/DATASET`, `gs://BUCKET`, `file:///DIRECTORY`, or a path on this
 * machine. What BigQuery needs is loaded for BigQuery alone, and no request is made before the first row or question.
 *
 * @param options of BigQuery's; files need none
 * @throws {ConfigurationError} for any other
 */
export async function openWarehouse(uri: string, options: BigQueryOptions = {}): Promise<Warehouse> {
  return isDataset(uri) ? new BigQueryWarehouse(uri, options) : new ObjectStoreWarehouse(await openStore(uri));
}
