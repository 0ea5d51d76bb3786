import type { ArtifactRegistryRepository } from "@cdktf/provider-google/lib/artifact-registry-repository";
import { ArtifactRegistryRepositoryIamMember } from "@cdktf/provider-google/lib/artifact-registry-repository-iam-member";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import type { Identity } from "../core/identity";
import type { HospitalRef } from "../core/naming";
import type { SecureBucket } from "../storage";

export interface PreprocessPermissions {
  readonly hospital: HospitalRef;
  /** Where the bundle and the initialization action lie. */
  readonly source: SecureBucket;
  readonly staging: SecureBucket;
  readonly temp: SecureBucket;
  readonly packages: ArtifactRegistryRepository;
}

/** What the identity of the cluster's nodes may do beside what the contracts of its steps declare. */
export function grantPreprocess(identity: Identity, props: PreprocessPermissions): void {
  const { hospital, source, staging, temp, packages } = props;
  source.grantRead(identity);
  staging.grantWrite(identity);
  temp.grantWrite(identity);
  new ArtifactRegistryRepositoryIamMember(identity, "packages", {
    project: hospital.project,
    location: hospital.region,
    repository: packages.name,
    role: "roles/artifactregistry.reader",
    member: identity.member,
  });
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
  });
}
