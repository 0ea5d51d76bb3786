import { ConfigurationError } from "../platform/config";
import { BUCKETS } from "../platform/contract";
import { HealthcareClient, healthcareStores } from "../platform/healthcare";
import { erasable, openStore } from "../platform/stores";
import { BigQueryRows, BigQueryWarehouse } from "../platform/warehouse";
import type { Workspace } from "../platform/workspace";
import { ErasableDicomStore } from "./dicom-store";
import { ErasableFhirStore } from "./fhir-store";
import { type ErasableTables, HospitalTables, TableFiles } from "./tables";

/** Where something is forgotten: a workspace, or a hospital's buckets and dataset. */
export interface Place extends Pick<Workspace, "buckets" | "warehouse" | "close"> {
  /** @default the lines of files in the bucket of the warehouse */
  readonly tables?: ErasableTables;
  /** The hospital's stores in the Cloud Healthcare API. @default none is reached */
  readonly stores?: { readonly dicom: ErasableDicomStore; readonly fhir: ErasableFhirStore };
}

/** A hospital's name and project, as they stand in its line. */
export interface HospitalName {
  readonly project: string;
  readonly name: string;
  /** Of its line, where it has stores in the Cloud Healthcare API (`pacs`). @default they are not reached */
  readonly region?: string | undefined;
}

/** A hospital's buckets, tables and stores, by the naming contract. Makes no request. @throws {ConfigurationError} */
export async function openHospital({ project, name, region }: HospitalName, signal: AbortSignal): Promise<Place> {
  if (![project, name].every((part) => /^[a-z][a-z0-9-]{0,28}[a-z0-9]$/.test(part)))
    throw new ConfigurationError("The hospital", [
      `"${project}" and "${name}" are to be its project and its name, as in its line.`,
    ]);
  if (region !== undefined && !/^[a-z]+-[a-z]+[0-9]{1,2}$/.test(region))
    throw new ConfigurationError("The hospital", [`"${region}" is to be its region, as in its line.`]);
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
    ...(region === undefined ? {} : { stores: storesOf({ project, name, region }, signal) }),
    close: () => warehouse.close(),
  };
}

function storesOf(hospital: Required<HospitalName> & { readonly region: string }, signal: AbortSignal) {
  const client = new HealthcareClient(process.env.HEALTHCARE_API_ENDPOINT);
  const { dicom, fhir } = healthcareStores(hospital);
  return {
    dicom: new ErasableDicomStore(client, dicom, signal),
    fhir: new ErasableFhirStore(client, fhir, signal),
  };
}
