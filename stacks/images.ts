import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { lockedImageSchema } from "../constructs/core/container-image";
import { isCheckout, repositoryRoot } from "../constructs/core/repository";
import { ConfigurationError } from "../runtime/platform/config";
import type { RuntimeContract } from "../runtime/platform/contract";
import { serveContract } from "../runtime/serve/contract";
import { trainContract } from "../runtime/train/contract";
import type { Hospital } from "./config";
import { imageRepository, type PlatformLine } from "./platform-config";

/** What runs as a container, by the name of its image: `images/<name>` has the Dockerfile. */
export const IMAGE_CONTRACTS = {
  serve: serveContract,
  train: trainContract,
} as const satisfies Record<string, RuntimeContract>;
export type ImageName = keyof typeof IMAGE_CONTRACTS;
export const IMAGES = Object.keys(IMAGE_CONTRACTS) as readonly ImageName[];

const lockSchema = z.strictObject({
  version: z.literal(1),
  images: z.partialRecord(z.enum(IMAGES), lockedImageSchema),
});
/** The images that were pushed. `npm run image` writes it; none is committed. */
export type ImageLock = z.infer<typeof lockSchema>;

export const IMAGE_LOCK = "images.lock.json";
/** Folder beside it: what each image is made of (CycloneDX) and how it came about (in-toto). */
export const ATTESTATIONS = "attestations";

/** Where images.lock.json lies: in a checkout, or where an app that has the package is run. */
const lockFolder = () => (isCheckout() ? repositoryRoot() : process.cwd());

/** What was not pushed yet, or whose lock file is gone. */
export const missingImages = ({ images }: ImageLock): ImageName[] => IMAGES.filter((name) => !images[name]);

/** What a synth would leave out although a line requires it: a sentence for every image of every such hospital. */
export function imageProblems(hospitals: readonly Pick<Hospital, "name" | "images">[], lock: ImageLock): string[] {
  return hospitals
    .filter(({ images }) => images === "required")
    .flatMap(({ name }) =>
      missingImages(lock).map(
        (image) =>
          `Hospital "${name}": "images" is "required", and ${IMAGE_LOCK} has no image "${image}", so that the next deploy would take away what runs it. Bring the file back from your repository's history, or push the image again: npm run image -- ${image}. To let it go, write "optional".`,
      ),
    );
}

/** The lock with images that do not exist for those that are missing: to look at what they will bring, never to deploy. */
export function withStandIns(lock: ImageLock, platform: Pick<PlatformLine, "project" | "region">): ImageLock {
  const nothing = "0".repeat(64);
  const standIns = missingImages(lock).map((name) => [
    name,
    { image: `${imageRepository(platform)}/${name}`, digest: `sha256:${nothing}`, bundle: nothing },
  ]);
  return { ...lock, images: { ...lock.images, ...Object.fromEntries(standIns) } };
}

/**
 * Reads the lock file of a folder; without one there is no image.
 * @throws {ConfigurationError} if it is damaged or was written by hand.
 */
export function readImageLock(folder: string = lockFolder()): ImageLock {
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

const [FIRST, ...OTHERS] = IMAGES;
const REPAIR = `Delete the file and run npm run image -- ${FIRST}, and the same for ${OTHERS.join(", ")}.`;
