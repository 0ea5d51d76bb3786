import { BigqueryTableIamMember } from "@cdktf/provider-google/lib/bigquery-table-iam-member";
import { HealthcareDicomStoreIamMember } from "@cdktf/provider-google/lib/healthcare-dicom-store-iam-member";
import { HealthcareFhirStoreIamMember } from "@cdktf/provider-google/lib/healthcare-fhir-store-iam-member";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import type { StorageBucketIamMember } from "@cdktf/provider-google/lib/storage-bucket-iam-member";
import { Construct } from "constructs";
import type { BucketName } from "../../runtime/platform/contract";
import type { ITerraformDependable } from "../core/cdktf";
import { Identity } from "../core/identity";
import { type HospitalRef, shortHash } from "../core/naming";
import { projectRoleIn } from "../core/project-role";
import type { PacsStores } from "../pacs";
import { acknowledge } from "../policy";
import type { PseudonymKeyRef } from "../security";
import type { SecureBucket } from "../storage";
import { FINE_GRAINED_READER, type Warehouse } from "../warehouse";

export interface ErasureProps {
  readonly hospital: HospitalRef;
  readonly buckets: Readonly<Record<BucketName, SecureBucket>>;
  readonly warehouse: Warehouse;
  readonly pseudonymKey: PseudonymKeyRef;
  /** The hospital's stores in the Cloud Healthcare API. @default it has none */
  readonly pacs?: Pick<PacsStores, "refs" | "ready"> | undefined;
  /** Who may act as it. */
  readonly erasers: readonly string[];
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

const ERASES = "Rows of a patient who is to be forgotten go too; nothing runs as this identity.";

/** What is looked at and kept: models name what they learnt from by a hash, and no scan lies in them. */
const READ_ONLY: readonly BucketName[] = ["models"];

/**
 * The identity that erases: the only one of the stacks that may delete scans and change rows. Nothing runs as it, and no
 * process may act as it; people may who are named.
 */
export class Erasure extends Construct {
  readonly identity: Identity;

  constructor(scope: Construct, id: string, props: ErasureProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, pseudonymKey, pacs, erasers, dependsOn = [] } = props;
    const { project } = hospital;
    this.identity = new Identity(this, "identity", {
      // Nothing is deployed as it.
      hospital: { ...hospital, deployer: undefined },
      role: "forget",
      description: "Erases patients and scans; nothing runs as it",
    });
    const { member } = this.identity;
    for (const [name, bucket] of Object.entries(buckets) as [BucketName, SecureBucket][])
      if (READ_ONLY.includes(name)) bucket.grantRead(this.identity);
      else {
        const [grant] = bucket.grantWrite(this.identity);
        if (name === "warehouse") acknowledge(grant as StorageBucketIamMember, "warehouse-append-only", ERASES);
      }
    pseudonymKey.grantSign(this.identity);

    const eraser = {
      roleId: "brainTumorEraser",
      title: "Erases rows of tables",
      description: "Reads, changes and deletes rows; makes, changes and shares no table",
      permissions: ["bigquery.tables.get", "bigquery.tables.getData", "bigquery.tables.updateData"],
    };
    const role = projectRoleIn(this, "eraser", project, eraser, dependsOn);
    for (const [name, { datasetId, tableId }] of Object.entries(warehouse.tables))
      new BigqueryTableIamMember(this.identity, `erase-${name}`, {
        project,
        datasetId,
        tableId,
        role: role.name,
        member,
      });
    for (const [grant, granted] of [
      ["jobs", "roles/bigquery.jobUser"],
      ["pseudonyms", FINE_GRAINED_READER],
    ] as const)
      new ProjectIamMember(this.identity, grant, { project, role: granted, member });

    if (pacs) this.eraseStores(project, pacs, dependsOn);

    for (const eraser of erasers)
      new ServiceAccountIamMember(this.identity, `acts-${shortHash(eraser)}`, {
        serviceAccountId: this.identity.account.name,
        role: "roles/iam.serviceAccountTokenCreator",
        member: eraser,
      });
  }

  private eraseStores(
    project: string,
    { refs, ready }: Pick<PacsStores, "refs" | "ready">,
    dependsOn: readonly ITerraformDependable[],
  ): void {
    const { member } = this.identity;
    const dicom = projectRoleIn(this, "dicom-eraser", project, DICOM_ERASER, dependsOn);
    const fhir = projectRoleIn(this, "result-eraser", project, RESULT_ERASER, dependsOn);
    const after = [...ready];
    new HealthcareDicomStoreIamMember(this.identity, "erase-dicom", {
      dicomStoreId: refs.dicomStore,
      role: dicom.name,
      member,
      dependsOn: after,
    });
    new HealthcareFhirStoreIamMember(this.identity, "erase-fhir", {
      fhirStoreId: refs.fhirStore,
      role: fhir.name,
      member,
      dependsOn: after,
    });
  }
}

/** https://cloud.google.com/healthcare-api/docs/access-control */
const DICOM_ERASER = {
  roleId: "brainTumorDicomEraser",
  title: "Erases from a DICOM store",
  description: "Searches and deletes instances; adds and exports none",
  permissions: ["healthcare.dicomStores.dicomWebDelete", "healthcare.dicomStores.dicomWebRead"],
};
const RESULT_ERASER = {
  roleId: "brainTumorResultEraser",
  title: "Erases from a FHIR store",
  description: "Searches resources, deletes them and purges their earlier versions; creates and changes none",
  permissions: [
    "healthcare.fhirResources.delete",
    "healthcare.fhirResources.purge",
    "healthcare.fhirStores.searchResources",
  ],
};
