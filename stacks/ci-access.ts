import { IamWorkloadIdentityPool } from "@cdktf/provider-google/lib/iam-workload-identity-pool";
import { IamWorkloadIdentityPoolProvider } from "@cdktf/provider-google/lib/iam-workload-identity-pool-provider";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../constructs/core/cdktf";
import { Identity } from "../constructs/core/identity";
import { projectRole, RELEASE_WATCHER_ROLE, RETRAINER_ROLE, STARTER_ROLE } from "../constructs/core/naming";
import { acknowledge } from "../constructs/policy";
import type { SecureBucket } from "../constructs/storage";
import { CI_DEPLOYER, type Platform } from "./platform-config";

export interface CiAccessProps {
  readonly platform: Platform;
  /** `owner/name` on GitHub. */
  readonly repository: string;
  /** The only project that CI may change. */
  readonly environments: { readonly project: string };
  /** Keeps the states of environments, in their project. */
  readonly states: SecureBucket;
  readonly dependsOn: readonly ITerraformDependable[];
}

export const GITHUB = "https://token.actions.githubusercontent.com";

/** What makes and takes away an environment's resources; none of them reads a scan of a hospital, which lie elsewhere. */
const DEPLOY_ROLES = [
  "roles/artifactregistry.admin",
  "roles/bigquery.dataOwner",
  "roles/cloudfunctions.admin",
  "roles/cloudscheduler.admin",
  "roles/compute.instanceAdmin.v1",
  "roles/compute.networkAdmin",
  "roles/compute.securityAdmin",
  "roles/dataproc.editor",
  "roles/dns.admin",
  "roles/iam.serviceAccountAdmin",
  "roles/logging.configWriter",
  "roles/monitoring.editor",
  "roles/pubsub.admin",
  "roles/run.admin",
  "roles/storage.admin",
  "roles/workflows.editor",
] as const;

/** Why it has them. */
const DEPLOYS = "CI makes and removes whole environments in this project, which holds no patient's data.";

/** The roles on the project that an environment's identities are given: CI may hand out these and no others. */
export const GRANTABLE_PROJECT_ROLES = [
  "roles/bigquery.jobUser",
  // Shows a column that is tagged to whoever may read its table.
  "roles/datacatalog.categoryFineGrainedReader",
  "roles/dataproc.worker",
  "roles/logging.logWriter",
  "roles/monitoring.metricWriter",
  "roles/storage.objectViewer",
  "roles/workflows.invoker",
] as const;

/** The same with the roles that the project has of its own. */
export const grantable = (project: string, roles: readonly string[] = GRANTABLE_PROJECT_ROLES): readonly string[] => [
  ...roles,
  projectRole({ project }, RELEASE_WATCHER_ROLE),
  projectRole({ project }, RETRAINER_ROLE),
  projectRole({ project }, STARTER_ROLE),
];

/** A condition under which these roles may be handed out and no others. https://cloud.google.com/iam/docs/setting-limits-on-granting-roles */
export const grantsOnly = (roles: readonly string[]): string =>
  `api.getAttribute("iam.googleapis.com/modifiedGrantsByRole", []).hasOnly([${roles.map((role) => `"${role}"`).join(", ")}])`;

/**
 * CI's way in, without a key: workflows of one GitHub repository exchange their token for that of one service account,
 * which may deploy to the project of ephemeral environments and to no other.
 */
export class CiAccess extends Construct {
  readonly identity: Identity;
  /** `projects/N/locations/global/workloadIdentityPools/P/providers/G` */
  readonly providerName: string;

  constructor(scope: Construct, id: string, props: CiAccessProps) {
    super(scope, id);
    const { platform, repository, environments } = props;
    const pool = new IamWorkloadIdentityPool(this, "pool", {
      project: platform.project,
      workloadIdentityPoolId: "brain-tumor-ci",
      displayName: "CI",
      description: "Workflows that deploy ephemeral environments",
      disabled: false,
      dependsOn: [...props.dependsOn],
    });
    const provider = new IamWorkloadIdentityPoolProvider(this, "github", {
      project: platform.project,
      workloadIdentityPoolId: pool.workloadIdentityPoolId,
      workloadIdentityPoolProviderId: "github",
      displayName: "GitHub Actions",
      description: `Workflows of ${repository}`,
      disabled: false,
      attributeMapping: {
        "google.subject": "assertion.sub",
        "attribute.repository": "assertion.repository",
        "attribute.ref": "assertion.ref",
      },
      attributeCondition: `assertion.repository == "${repository}"`,
      oidc: { issuerUri: GITHUB },
    });
    this.providerName = provider.name;

    this.identity = new Identity(this, "deployer", {
      hospital: { ...platform, name: CI_DEPLOYER.name },
      role: CI_DEPLOYER.role,
      description: "Deploys and destroys ephemeral environments",
    });
    new ServiceAccountIamMember(this, "github-acts", {
      serviceAccountId: this.identity.account.name,
      role: "roles/iam.workloadIdentityUser",
      member: `principalSet://iam.googleapis.com/projects/${platform.projectNumber}/locations/global/workloadIdentityPools/${pool.workloadIdentityPoolId}/attribute.repository/${repository}`,
    });
    for (const role of DEPLOY_ROLES) {
      const grant = new ProjectIamMember(this, role.slice("roles/".length).replaceAll(".", "-"), {
        project: environments.project,
        role,
        member: this.identity.member,
      });
      if (role === "roles/iam.serviceAccountAdmin") acknowledge(grant, "no-wide-impersonation", DEPLOYS);
      else if (/admin/i.test(role)) acknowledge(grant, "no-admin-role-on-project", DEPLOYS);
    }
    const grants = new ProjectIamMember(this, "grants", {
      project: environments.project,
      role: "roles/resourcemanager.projectIamAdmin",
      member: this.identity.member,
      condition: {
        title: "environment-roles",
        description: "Only the roles that an environment's identities are given",
        expression: grantsOnly(grantable(environments.project)),
      },
    });
    acknowledge(
      grants,
      "no-admin-role-on-project",
      "A condition limits it to the roles of an environment's identities.",
    );
    // roles/storage.admin above opens this bucket too, as it does every bucket of the project: said once more by name, so
    // that the right stays where that role is narrowed.
    props.states.grantWrite(this.identity);
  }
}
