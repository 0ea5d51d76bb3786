import { BigqueryDatapolicyDataPolicy } from "@cdktf/provider-google/lib/bigquery-datapolicy-data-policy";
import { BigqueryDatapolicyDataPolicyIamMember } from "@cdktf/provider-google/lib/bigquery-datapolicy-data-policy-iam-member";
import { DataCatalogPolicyTag } from "@cdktf/provider-google/lib/data-catalog-policy-tag";
import { DataCatalogTaxonomy } from "@cdktf/provider-google/lib/data-catalog-taxonomy";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { datasetId, type HospitalRef, shortHash } from "../core/naming";

export interface PseudonymTagProps {
  readonly hospital: HospitalRef;
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** Who sees the value of a tagged column, and not what it is masked by. */
export const FINE_GRAINED_READER = "roles/datacatalog.categoryFineGrainedReader";

/**
 * The policy tag of columns that stand for a person. Whoever may read a table and is given nothing by it is refused such a
 * column; analysts see a hash of it, by which rows can be counted and joined, and which is in no other table and no log.
 * https://cloud.google.com/bigquery/docs/column-level-security-intro
 */
export class PseudonymTag extends Construct {
  /** `projects/P/locations/L/taxonomies/T/policyTags/G` */
  readonly name: string;
  private readonly masked: BigqueryDatapolicyDataPolicy;

  constructor(scope: Construct, id: string, { hospital, dependsOn = [] }: PseudonymTagProps) {
    super(scope, id);
    const { project, region } = hospital;
    const taxonomy = new DataCatalogTaxonomy(this, "taxonomy", {
      project,
      region,
      displayName: `brain-tumor-${hospital.name}`,
      description: `What may be seen of the tables of ${hospital.name}`,
      activatedPolicyTypes: ["FINE_GRAINED_ACCESS_CONTROL"],
      dependsOn: [...dependsOn],
    });
    const tag = new DataCatalogPolicyTag(this, "pseudonym", {
      taxonomy: taxonomy.id,
      displayName: "Pseudonym",
      description: "Stands for a person: the same person has the same under the hospital's key",
    });
    this.name = tag.name;
    this.masked = new BigqueryDatapolicyDataPolicy(this, "masked", {
      project,
      location: region,
      dataPolicyId: `${datasetId(hospital)}_pseudonym`,
      policyTag: tag.name,
      dataPolicyType: "DATA_MASKING_POLICY",
      dataMaskingPolicy: { predefinedExpression: "SHA256" },
    });
  }

  /** Lets a member see the column masked. */
  grantMasked(member: string): void {
    new BigqueryDatapolicyDataPolicyIamMember(this, `masked-${shortHash(member)}`, {
      project: this.masked.project,
      location: this.masked.location,
      dataPolicyId: this.masked.dataPolicyId,
      role: "roles/bigquerydatapolicy.maskedReader",
      member,
    });
  }
}
