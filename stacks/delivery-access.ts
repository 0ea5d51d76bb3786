import { ArtifactRegistryRepositoryIamMember } from "@cdktf/provider-google/lib/artifact-registry-repository-iam-member";
import { IamWorkloadIdentityPool } from "@cdktf/provider-google/lib/iam-workload-identity-pool";
import { IamWorkloadIdentityPoolProvider } from "@cdktf/provider-google/lib/iam-workload-identity-pool-provider";
import { ProjectIamCustomRole } from "@cdktf/provider-google/lib/project-iam-custom-role";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { StorageBucketIamMember } from "@cdktf/provider-google/lib/storage-bucket-iam-member";
import { Construct } from "constructs";
import { dependable, type ITerraformDependable } from "../constructs/core/cdktf";
import { Identity } from "../constructs/core/identity";
import { acknowledge } from "../constructs/policy";
import type { SecureBucket } from "../constructs/storage";
import { GITHUB, GRANTABLE_PROJECT_ROLES, grantable, grantsOnly } from "./ci-access";
import type { Hospital } from "./config";
import {
  DELIVERY_ENVIRONMENT,
  DELIVERY_POOL,
  DELIVERY_PROVIDER,
  type DeliveryPurpose,
  deliveryJobs,
  deliveryMember,
  POLICY_READER,
} from "./delivery-names";
import { deployPermissions, POLICY_READER_PERMISSIONS, planPermissions } from "./delivery-permissions";
import { auditArchiveName, IMAGE_REPOSITORY, logArchiveName, type Platform, stateBucketName } from "./platform-config";

export interface DeliveryFederationProps {
  readonly platform: Platform;
  /** `owner/name` on GitHub. */
  readonly repository: string;
  readonly dependsOn: readonly ITerraformDependable[];
}

/**
 * The way in for workflows that plan and deploy hospitals, apart from that of pull requests: a token of a branch, a pull
 * request or a fork is no token of this pool. A job inside the protected environment is there to deploy, any other to plan.
 */
export class DeliveryFederation extends Construct {
  constructor(scope: Construct, id: string, { platform, repository, dependsOn }: DeliveryFederationProps) {
    super(scope, id);
    const pool = new IamWorkloadIdentityPool(this, "pool", {
      project: platform.project,
      workloadIdentityPoolId: DELIVERY_POOL,
      displayName: "Delivery",
      description: "Workflows of the main branch that plan and deploy hospitals",
      disabled: false,
      dependsOn: [...dependsOn],
    });
    // Subjects have other forms in newer repositories, and can be customized: what they are made of is checked by itself.
    // https://docs.github.com/en/actions/reference/security/oidc
    new IamWorkloadIdentityPoolProvider(this, "github", {
      project: platform.project,
      workloadIdentityPoolId: pool.workloadIdentityPoolId,
      workloadIdentityPoolProviderId: DELIVERY_PROVIDER,
      displayName: "GitHub Actions",
      description: `Workflows of the main branch of ${repository}`,
      disabled: false,
      attributeMapping: {
        "google.subject": "assertion.sub",
        "attribute.purpose": `has(assertion.environment) && assertion.environment == "${DELIVERY_ENVIRONMENT}" ? "deploy" : "plan"`,
      },
      // Of pull_request_target the ref is main's too, and the code may be anybody's.
      attributeCondition: [
        `assertion.repository == "${repository}"`,
        'assertion.ref == "refs/heads/main"',
        'assertion.event_name in ["push", "schedule", "workflow_dispatch"]',
      ].join(" && "),
      oidc: { issuerUri: GITHUB },
    });
  }
}

/**
 * Lets those who manage grants on what is the platform's read these grants, and nothing else.
 * It stands in the platform stack, and is named by {@link POLICY_READER}.
 */
export function addPolicyReader(scope: Construct, { project }: Pick<Platform, "project">): void {
  new ProjectIamCustomRole(scope, "policy-reader", {
    project,
    roleId: POLICY_READER,
    title: "Reads who may use a bucket or a repository",
    description: "For the identities that plan and deploy hospitals",
    stage: "GA",
    permissions: [...POLICY_READER_PERMISSIONS],
  });
}

const PERMISSIONS: Readonly<Record<DeliveryPurpose, (hospital: Hospital) => readonly string[]>> = {
  plan: planPermissions,
  deploy: deployPermissions,
};

/** Without the one with which a scan could be read: whoever needs that is given it by a person. */
export const DEPLOY_GRANTS: readonly string[] = GRANTABLE_PROJECT_ROLES.filter(
  (role) => role !== "roles/storage.objectViewer",
);

export interface DeliveryAccessProps {
  readonly hospital: Hospital;
  readonly platform: Platform;
  readonly dependsOn: readonly ITerraformDependable[];
}

/**
 * Two identities of a hospital, in its own project, for workflows of the main branch: one plans, and can change nothing
 * and read no scan; one deploys, from inside the protected environment.
 */
export class DeliveryAccess extends Construct {
  constructor(scope: Construct, id: string, { hospital, platform, dependsOn }: DeliveryAccessProps) {
    super(scope, id);
    const { project } = hospital;
    const identities = (["plan", "deploy"] as const).map((purpose) => {
      const identity = new Identity(this, purpose, {
        // Nobody deploys as these.
        hospital: { ...hospital, deployer: undefined },
        role: purpose,
        description: purpose === "plan" ? "Plans changes; reads no scan" : "Deploys what was planned",
      });
      const ready = dependsOn.map(dependable);
      identity.account.dependsOn = ready;
      new ServiceAccountIamMember(identity, "github-acts", {
        serviceAccountId: identity.account.name,
        role: "roles/iam.workloadIdentityUser",
        member: deliveryJobs(platform, purpose),
      });
      const role = new ProjectIamCustomRole(identity, "role", {
        project,
        roleId: purpose === "plan" ? "brainTumorPlan" : "brainTumorDeploy",
        title: purpose === "plan" ? "Plans a hospital's stacks" : "Deploys a hospital's stacks",
        description: "Of the resources that the stacks have, and nothing of what lies in them",
        stage: "GA",
        permissions: [...PERMISSIONS[purpose](hospital)],
      });
      role.dependsOn = ready;
      new ProjectIamMember(identity, "terraform", { project, role: role.name, member: identity.member });
      this.addPlatformAccess(identity, purpose, hospital, platform);
      return identity;
    });
    const [, deploy] = identities;
    if (deploy) this.letGrant(deploy, project);
  }

  /** The roles that a hospital's own identities are given on its project. */
  private letGrant(identity: Identity, project: string): void {
    const grants = new ProjectIamMember(identity, "grants", {
      project,
      role: "roles/resourcemanager.projectIamAdmin",
      member: identity.member,
      condition: {
        title: "hospital-roles",
        description: "Only the roles that the hospital's identities are given",
        expression: grantsOnly(grantable(project, DEPLOY_GRANTS)),
      },
    });
    acknowledge(grants, "no-admin-role-on-project", "A condition limits it to the roles of the hospital's identities.");
  }

  /** Its own states, and who may use what the stacks use of the platform's; it can change none of these grants. */
  private addPlatformAccess(
    identity: Identity,
    purpose: DeliveryPurpose,
    hospital: Hospital,
    platform: Platform,
  ): void {
    const { member } = identity;
    const policyReader = `projects/${platform.project}/roles/${POLICY_READER}`;
    const images = { project: platform.project, location: platform.region, repository: IMAGE_REPOSITORY, member };
    new ArtifactRegistryRepositoryIamMember(identity, "image-grants", { ...images, role: policyReader });
    // Cloud Run looks at an image as whoever deploys it.
    if (purpose === "deploy")
      new ArtifactRegistryRepositoryIamMember(identity, "images", { ...images, role: "roles/artifactregistry.reader" });
    new StorageBucketIamMember(identity, "archive-grants", {
      bucket: logArchiveName(platform),
      role: policyReader,
      member,
    });
    new StorageBucketIamMember(identity, "audit-archive-grants", {
      bucket: auditArchiveName(platform),
      role: policyReader,
      member,
    });
    // A bucket of somebody else's is opened by them: docs/operations.md.
    const bucket = stateBucketName(platform);
    if (hospital.stateBucket !== bucket) return;
    new StorageBucketIamMember(identity, "state-grants", { bucket, role: policyReader, member });
    const folders = ["data", "app"].map((part) => `${hospital.name}-${part}/`);
    new StorageBucketIamMember(identity, "state", {
      bucket,
      role: purpose === "plan" ? "roles/storage.objectViewer" : "roles/storage.objectUser",
      member,
      condition: {
        title: `states of ${hospital.name}`,
        description: "Objects below the prefixes of its two stacks, and lists of them",
        expression: folders
          .flatMap((folder) => [
            `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${folder}")`,
            // Terraform lists a prefix to know its workspaces, and a list is a right on the bucket.
            `api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("${folder}")`,
          ])
          .join(" || "),
      },
    });
  }
}

/** Objects that Terraform makes lie in the bucket of code, which the app stack has: it lets the two identities in. */
export function letDeliveryIntoCode(scope: Construct, hospital: Hospital, source: SecureBucket): void {
  for (const purpose of ["plan", "deploy"] as const)
    new StorageBucketIamMember(scope, `source-${purpose}`, {
      bucket: source.resource.name,
      role: purpose === "plan" ? "roles/storage.objectViewer" : "roles/storage.objectUser",
      member: deliveryMember(hospital, purpose),
    });
}
