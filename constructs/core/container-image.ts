import { ArtifactRegistryRepositoryIamMember } from "@cdktf/provider-google/lib/artifact-registry-repository-iam-member";
import type { Construct } from "constructs";
import { z } from "zod";
import type { ITerraformDependable } from "./cdktf";

/** `REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`, a project possibly being `domain.com:project`. */
const REPOSITORY_IMAGE =
  /^([a-z][a-z0-9-]*)-docker\.pkg\.dev\/([a-z][a-z0-9.:-]{4,60})\/([a-z][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9._/-]*)$/;
const SHA256 = /^[0-9a-f]{64}$/;

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hex digits");

/** An image that was pushed. */
export const lockedImageSchema = z.strictObject({
  /** `REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`, without tag and digest. */
  image: z.string().regex(REPOSITORY_IMAGE, "must be REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME"),
  /** What the registry answered to the push. */
  digest: digestSchema,
  /** Hash of the bundle in the image; see runtime-bundle.ts. */
  bundle: z.string().regex(SHA256, "must be 64 hex digits"),
  /** Hashes of the files that say what is in the image and how it came about; `npm run image` writes them. */
  sbom: digestSchema.optional(),
  provenance: digestSchema.optional(),
});
export type LockedImage = z.infer<typeof lockedImageSchema>;

/** An image by its digest. */
export class ContainerImage {
  /** `IMAGE@sha256:...` */
  readonly uri: string;
  /** Hash of the bundle in it. */
  readonly bundle: string;
  /** Host of the registry, for a client that signs in to it. */
  readonly host: string;
  private readonly location: string;
  private readonly project: string;
  private readonly repository: string;

  constructor(locked: LockedImage) {
    const [, location = "", project = "", repository = ""] = REPOSITORY_IMAGE.exec(locked.image) ?? [];
    this.uri = `${locked.image}@${locked.digest}`;
    this.bundle = locked.bundle;
    this.host = `${location}-docker.pkg.dev`;
    this.location = location;
    this.project = project;
    this.repository = repository;
  }

  /** Lets a member pull from the image's repository, which usually is the platform's. @returns what a consumer waits for */
  grantPull(scope: Construct, id: string, member: string): readonly ITerraformDependable[] {
    const grant = new ArtifactRegistryRepositoryIamMember(scope, id, {
      project: this.project,
      location: this.location,
      repository: this.repository,
      role: "roles/artifactregistry.reader",
      member,
    });
    return [grant];
  }
}
