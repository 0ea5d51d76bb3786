import type { CloudRunV2Service } from "@cdktf/provider-google/lib/cloud-run-v2-service";
import { CloudRunV2ServiceIamMember } from "@cdktf/provider-google/lib/cloud-run-v2-service-iam-member";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Construct } from "constructs";
import type { TableName } from "../../runtime/platform/warehouse";
import type { ITerraformDependable } from "../core/cdktf";
import type { ContainerImage } from "../core/container-image";
import type { Places } from "../core/declared-access";
import { Identity } from "../core/identity";
import { type HospitalRef, projectRole, RELEASE_WATCHER_ROLE, RELEASER_ROLE, shortHash } from "../core/naming";
import { projectRoleIn } from "../core/project-role";

/** Changes the service, and sees of what revisions it is made: granted on the service. */
const CHANGES = ["run.revisions.get", "run.services.get", "run.services.update"] as const;
/** Sees whether a change is done, and counts of requests: there is no smaller place than the project to grant these on. */
const LOOKS = ["monitoring.timeSeries.list", "run.operations.get"] as const;

/** By what a canary is judged. */
const ASKED: readonly TableName[] = ["shadows", "predictions", "feedback", "images", "assignments"];

/** The project's own roles for a canary. */
export function releaserRoles(
  scope: Construct,
  project: string,
  dependsOn: readonly ITerraformDependable[] = [],
): void {
  const changes = {
    roleId: RELEASER_ROLE,
    title: "Shares a service's requests among its revisions",
    description: "Makes revisions of a Cloud Run service and gives them shares; deletes and invokes none",
    permissions: CHANGES,
  };
  projectRoleIn(scope, "releaser", project, changes, dependsOn);
  const looks = {
    roleId: RELEASE_WATCHER_ROLE,
    title: "Looks at what came of a release",
    description: "Sees whether changes of Cloud Run are done, and numbers of Cloud Monitoring",
    permissions: LOOKS,
  };
  projectRoleIn(scope, "release-watcher", project, looks, dependsOn);
}

export interface ReleaseProps {
  readonly hospital: HospitalRef;
  readonly service: CloudRunV2Service;
  /** What the service runs as: whoever makes a revision has to be allowed to act as that. */
  readonly runner: Identity;
  readonly image: ContainerImage;
  readonly places: Places;
  /** IAM members who may act as it. */
  readonly releasers: readonly string[];
}

/**
 * The identity by which people try a model out (`npm run models -- canary`): it gives the service's revisions their shares,
 * moves the pointer to the current model by the change plan's rule, and sees of scans what was answered. Nothing runs as it.
 */
export class Release extends Construct {
  readonly identity: Identity;

  constructor(scope: Construct, id: string, props: ReleaseProps) {
    super(scope, id);
    const { hospital, service, runner, image, places, releasers } = props;
    this.identity = new Identity(this, "identity", {
      hospital: { ...hospital, deployer: undefined },
      role: "release",
      description: "Tries models out on a share of the requests, for people",
    });
    const { member, account } = this.identity;
    new CloudRunV2ServiceIamMember(this.identity, "shares", {
      project: service.project,
      location: service.location,
      name: service.name,
      role: projectRole(hospital, RELEASER_ROLE),
      member,
    });
    new ProjectIamMember(this.identity, "looks", {
      project: hospital.project,
      role: projectRole(hospital, RELEASE_WATCHER_ROLE),
      member,
    });
    new ServiceAccountIamMember(this.identity, "as-serve", {
      serviceAccountId: runner.account.name,
      role: "roles/iam.serviceAccountUser",
      member,
    });
    // Cloud Run takes an image from nobody who may not read it.
    image.grantPull(this.identity, "release-pulls", member);

    const { models, reports } = places.buckets;
    models.grantRead(this.identity);
    models.grantAppend(this.identity, ["canaries/", "comparisons/", "history/"]);
    models.grantReplace(this.identity, ["canary.json", "current.json"]);
    reports.grantRead(this.identity);
    places.warehouse.grantAppend(this.identity, ["audit"]);
    places.warehouse.grantAsk(this.identity.reader, ASKED);

    for (const releaser of releasers)
      new ServiceAccountIamMember(this.identity, `acts-${shortHash(releaser)}`, {
        serviceAccountId: account.name,
        role: "roles/iam.serviceAccountTokenCreator",
        member: releaser,
      });
  }
}
