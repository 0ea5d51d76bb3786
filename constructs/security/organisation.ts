import { AccessContextManagerServicePerimeterResource } from "@cdktf/provider-google/lib/access-context-manager-service-perimeter-resource";
import { OrgPolicyPolicy, type OrgPolicyPolicySpecRules } from "@cdktf/provider-google/lib/org-policy-policy";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { HospitalRef } from "../core/naming";

export interface OrganisationProps {
  readonly hospital: Pick<HospitalRef, "projectNumber" | "region">;
  /** Full name of a perimeter that the project joins. @default none */
  readonly perimeter?: string | undefined;
  /** @default false */
  readonly orgPolicies?: boolean;
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

const ENFORCED: OrgPolicyPolicySpecRules = { enforce: "TRUE" };
const NOTHING: OrgPolicyPolicySpecRules = { denyAll: "TRUE" };
const only = (...allowedValues: string[]): OrgPolicyPolicySpecRules => ({ values: { allowedValues } });

/**
 * What the stacks do anyway, and what nobody can do otherwise then, with a console or another tool.
 * https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints
 */
const constraints = (region: string): Readonly<Record<string, OrgPolicyPolicySpecRules>> => ({
  "storage.publicAccessPrevention": ENFORCED,
  "storage.uniformBucketLevelAccess": ENFORCED,
  "iam.disableServiceAccountKeyCreation": ENFORCED,
  "iam.disableServiceAccountKeyUpload": ENFORCED,
  "iam.automaticIamGrantsForDefaultServiceAccounts": ENFORCED,
  "compute.requireOsLogin": ENFORCED,
  "compute.requireShieldedVm": ENFORCED,
  "compute.disableSerialPortAccess": ENFORCED,
  "compute.vmExternalIpAccess": NOTHING,
  "compute.vmCanIpForward": NOTHING,
  "run.allowedIngress": only("internal", "internal-and-cloud-load-balancing"),
  "cloudfunctions.allowedIngressSettings": only("ALLOW_INTERNAL_ONLY"),
  "gcp.resourceLocations": only(`in:${region}-locations`),
});

/** The APIs that a hospital needs beside the others for what its line says. */
export function organisationServices({
  perimeter,
  orgPolicies,
}: Pick<OrganisationProps, "perimeter" | "orgPolicies">): readonly string[] {
  return [
    ...(perimeter ? ["accesscontextmanager.googleapis.com"] : []),
    ...(orgPolicies ? ["orgpolicy.googleapis.com"] : []),
  ];
}

/** The project's place in its organisation: a perimeter around it, and policies over it. */
export class Organisation extends Construct {
  constructor(scope: Construct, id: string, props: OrganisationProps) {
    super(scope, id);
    const { hospital, perimeter } = props;
    const dependsOn = [...(props.dependsOn ?? [])];
    // Both APIs answer with the project's number.
    const project = `projects/${hospital.projectNumber}`;
    if (props.orgPolicies)
      for (const [constraint, rule] of Object.entries(constraints(hospital.region)))
        new OrgPolicyPolicy(this, constraint, {
          name: `${project}/policies/${constraint}`,
          parent: project,
          spec: { rules: [rule] },
          dependsOn,
        });
    if (perimeter)
      new AccessContextManagerServicePerimeterResource(this, "perimeter", {
        perimeterName: perimeter,
        resource: project,
        dependsOn,
      });
  }
}
