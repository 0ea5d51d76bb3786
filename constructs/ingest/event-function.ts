import { ArtifactRegistryRepository } from "@cdktf/provider-google/lib/artifact-registry-repository";
import { ArtifactRegistryRepositoryIamMember } from "@cdktf/provider-google/lib/artifact-registry-repository-iam-member";
import { CloudRunV2ServiceIamMember } from "@cdktf/provider-google/lib/cloud-run-v2-service-iam-member";
import type { Cloudfunctions2Function } from "@cdktf/provider-google/lib/cloudfunctions2-function";
import { ProjectIamMember } from "@cdktf/provider-google/lib/project-iam-member";
import { StorageBucketIamMember } from "@cdktf/provider-google/lib/storage-bucket-iam-member";
import { StorageBucketObject } from "@cdktf/provider-google/lib/storage-bucket-object";
import { Construct } from "constructs";
import type { RuntimeContract } from "../../runtime/platform/contract";
import type { ITerraformDependable } from "../core/cdktf";
import { Identity } from "../core/identity";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName } from "../core/naming";
import { RuntimeBundle } from "../core/runtime-bundle";
import type { Outlet } from "../network";
import type { EncryptionKey } from "../security";
import type { SecureBucket } from "../storage";
import { makeFunction, type SecretRef } from "./make-function";

export interface EventFunctionProps {
  readonly hospital: HospitalRef;
  /** What it does, for whoever reads the console. */
  readonly description: string;
  /** Name, behind the hospital's, of the repository that its image is built into. */
  readonly repository: string;
  readonly contract: RuntimeContract;
  readonly environment: Readonly<Record<string, string>>;
  /** Variables whose values Secret Manager keeps. @default none */
  readonly secrets?: Readonly<Record<string, SecretRef>>;
  /** What all that it sends goes through. @default Google's own network, from where the internet is reached */
  readonly outlet?: Outlet;
  readonly identity: Identity;
  readonly key: EncryptionKey;
  /** Where the code is uploaded. */
  readonly source: SecureBucket;
  readonly maxInstances: number;
}

/** A function that Pub/Sub calls, and what it is built from and with: own source object, own image repository, own build identity. */
export class EventFunction extends Construct {
  readonly resource: Cloudfunctions2Function;
  readonly bundle: RuntimeBundle;
  /** What builds functions of the hospital, and where their images lie. */
  readonly builder: Identity;
  readonly repository: ArtifactRegistryRepository;

  private readonly contract: RuntimeContract;

  constructor(scope: Construct, id: string, props: EventFunctionProps) {
    super(scope, id);
    const { hospital, contract } = props;
    this.contract = contract;
    checkPush(contract);

    this.bundle = new RuntimeBundle(this, "bundle", contract);
    const source = new StorageBucketObject(this, "source", {
      bucket: props.source.resource.name,
      name: this.bundle.objectName,
      source: this.bundle.path,
      contentType: "application/zip",
    });

    const repository = new ArtifactRegistryRepository(this, "repository", {
      project: hospital.project,
      location: hospital.region,
      repositoryId: resourceName(hospital, props.repository),
      description: `Images that Cloud Functions builds for ${hospital.name}`,
      format: "DOCKER",
      mode: "STANDARD_REPOSITORY",
      kmsKeyName: props.key.id,
      labels: dataClass("code"),
      cleanupPolicyDryRun: false,
      cleanupPolicies: [
        { id: "delete-old", action: "DELETE", condition: { tagState: "ANY", olderThan: "2592000s" } },
        { id: "keep-recent", action: "KEEP", mostRecentVersions: { keepCount: 5 } },
      ],
      dependsOn: [...props.key.ready],
    });

    const builder = new Identity(this, "builder", {
      hospital,
      role: `${contract.name}-build`,
      description: `Builds the ${contract.name} function's image`,
    });
    grantBuild(builder, { hospital, repository, source: props.source });

    this.builder = builder;
    this.repository = repository;
    this.resource = makeFunction(this, {
      ...props,
      code: { bucket: props.source.resource.name, object: source.name },
      builder,
      repository,
    });
  }

  /** `https://...run.app` */
  get uri(): string {
    return this.resource.serviceConfig.uri;
  }

  /** Lets an identity call the function. */
  grantInvoke(grantee: Identity): readonly ITerraformDependable[] {
    const member = new CloudRunV2ServiceIamMember(grantee, `invoke-${this.contract.name}`, {
      project: this.resource.project,
      location: this.resource.location,
      // A function of the second generation is a Cloud Run service of the same name.
      name: this.resource.name,
      role: "roles/run.invoker",
      member: grantee.member,
    });
    return [member];
  }
}

/** The least that a build identity needs. https://cloud.google.com/functions/docs/securing/build-custom-sa */
function grantBuild(
  builder: Identity,
  props: {
    readonly hospital: HospitalRef;
    readonly repository: ArtifactRegistryRepository;
    readonly source: SecureBucket;
  },
): void {
  const { hospital, repository, source } = props;
  new ProjectIamMember(builder, "log", {
    project: hospital.project,
    role: "roles/logging.logWriter",
    member: builder.member,
  });
  new ArtifactRegistryRepositoryIamMember(builder, "push", {
    project: hospital.project,
    location: hospital.region,
    repository: repository.name,
    role: "roles/artifactregistry.writer",
    member: builder.member,
  });
  new StorageBucketIamMember(builder, "source", {
    bucket: source.resource.name,
    role: "roles/storage.objectViewer",
    member: builder.member,
  });
  // Cloud Functions copies the code into a bucket that it makes itself: no other bucket of the project is opened.
  new ProjectIamMember(builder, "staged-source", {
    project: hospital.project,
    role: "roles/storage.objectViewer",
    member: builder.member,
    condition: {
      title: "function-sources",
      description: "Only what Cloud Functions stages for a build",
      expression: `resource.name.startsWith("projects/_/buckets/gcf-v2-sources-${hospital.projectNumber}-${hospital.region}")`,
    },
  });
}

/** A push is answered within ten minutes or delivered again. https://cloud.google.com/pubsub/docs/push */
export const MAX_ACK_SECONDS = 600;

function checkPush({ name, resources }: RuntimeContract): void {
  if (resources.timeoutSeconds > MAX_ACK_SECONDS)
    throw new Error(
      `The contract of ${name} asks for ${resources.timeoutSeconds} seconds: a Pub/Sub push is delivered again after ${MAX_ACK_SECONDS}.`,
    );
}
