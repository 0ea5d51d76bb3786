import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ArtifactRegistryRepositoryIamMember } from "@cdktf/provider-google/lib/artifact-registry-repository-iam-member";
import type { Construct } from "constructs";
import { z } from "zod";
import { ConfigurationError } from "../../runtime/platform/config";
import type { RuntimeContract } from "../../runtime/platform/contract";
import { serveContract } from "../../runtime/serve/contract";
import { trainContract } from "../../runtime/train/contract";
import type { ITerraformDependable } from "./cdktf";
import { repositoryRoot } from "./repository";

/** Capabilities that run as a container: `images/<name>` has their Dockerfile. */
export const IMAGES = ["serve", "train"] as const;
export type ImageName = (typeof IMAGES)[number];
/** What runs in each. */
export const IMAGE_CONTRACTS: Readonly<Record<ImageName, RuntimeContract>> = {
  serve: serveContract,
  train: trainContract,
};

/** `REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`, a project possibly being `domain.com:project`. */
const REPOSITORY_IMAGE =
  /^([a-z][a-z0-9-]*)-docker\.pkg\.dev\/([a-z][a-z0-9.:-]{4,60})\/([a-z][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9._/-]*)$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** One entry of `images.lock.json`. */
const lockedImageSchema = z.strictObject({
  /** `REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`, without tag and digest. */
  image: z.string().regex(REPOSITORY_IMAGE, "must be REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME"),
  /** What the registry answered to the push. */
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hex digits"),
  /** Hash of the bundle in the image; see runtime-bundle.ts. */
  bundle: z.string().regex(SHA256, "must be 64 hex digits"),
});
export type LockedImage = z.infer<typeof lockedImageSchema>;

const lockSchema = z.strictObject({
  version: z.literal(1),
  images: z.partialRecord(z.enum(IMAGES), lockedImageSchema),
});
/** The images that were pushed. `npm run image` writes it; none is committed. */
export type ImageLock = z.infer<typeof lockSchema>;

export const IMAGE_LOCK = "images.lock.json";

/**
 * Reads the lock file of a folder; without one there is no image.
 * @throws {ConfigurationError} if it is damaged or was written by hand.
 */
export function readImageLock(folder: string = repositoryRoot()): ImageLock {
  const file = join(folder, IMAGE_LOCK);
  if (!existsSync(file)) return { version: 1, images: {} };
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigurationError(IMAGE_LOCK, [`it is not JSON (${(error as Error).message}). ${REPAIR}`]);
  }
  const parsed = lockSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new ConfigurationError(
    IMAGE_LOCK,
    parsed.error.issues.map((issue) => `${issue.path.join(".") || "it"}: ${issue.message}. ${REPAIR}`),
  );
}

const REPAIR = "Delete the file and run npm run image -- serve, and the same for train.";

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

  /** Lets a member pull from the image's repository, which usually is the platform's. */
  grantPull(scope: Construct, id: string, member: string): ITerraformDependable {
    return new ArtifactRegistryRepositoryIamMember(scope, id, {
      project: this.project,
      location: this.location,
      repository: this.repository,
      role: "roles/artifactregistry.reader",
      member,
    });
  }
}
