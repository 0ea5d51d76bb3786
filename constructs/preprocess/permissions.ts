import type { ArtifactRegistryRepository } from "@cdktf/provider-google/lib/artifact-registry-repository";
import { ArtifactRegistryRepositoryIamMember } from "@cdktf/provider-google/lib/artifact-registry-repository-iam-member";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { preprocessContract } from "../../runtime/preprocess/contract";
import type { ITerraformDependable } from "../core/cdktf";
import { grantDeclaredAccess } from "../core/declared-access";
import type { Identity } from "../core/identity";
import type { HospitalRef } from "../core/naming";
import type { BucketRefs, SecureBucket } from "../storage";

export interface PreprocessPermissions {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  /** Where the bundle and the initialization action lie. */
  readonly source: SecureBucket;
  readonly staging: SecureBucket;
  readonly temp: SecureBucket;
  readonly packages: ArtifactRegistryRepository;
}

/** Everything that the identity of the cluster's nodes may do. A cluster does not start without what is returned. */
export function grantPreprocess(identity: Identity, props: PreprocessPermissions): ITerraformDependable[] {
  const { hospital, buckets, source, staging, temp, packages } = props;
  grantDeclaredAccess(preprocessContract, identity, buckets);
  source.grantRead(identity);
  staging.grantWrite(identity);
  temp.grantWrite(identity);
  return [
    new ArtifactRegistryRepositoryIamMember(identity, "packages", {
      project: hospital.project,
      location: hospital.region,
      repository: packages.name,
      role: "roles/artifactregistry.reader",
      member: identity.member,
    }),
    // The role of Dataproc's nodes also opens every bucket of the project: the condition leaves it the cluster's own.
    new ProjectIamMember(identity, "dataproc-worker", {
      project: hospital.project,
      role: "roles/dataproc.worker",
      member: identity.member,
      condition: {
        title: "own-buckets",
        description: "Of all buckets, only the cluster's staging and temporary ones",
        expression: [
          '(resource.type != "storage.googleapis.com/Bucket" && resource.type != "storage.googleapis.com/Object")',
          `resource.name.startsWith("projects/_/buckets/${staging.name}")`,
          `resource.name.startsWith("projects/_/buckets/${temp.name}")`,
        ].join(" || "),
      },
    }),
  ];
}
