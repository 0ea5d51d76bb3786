import { hashOfRecipe } from "./hash";
import { decodeCurated, pixelSha256 } from "./png";
import { applyRecipeGrey } from "./recipe";

export interface RecipeTask {
  /** The curated PNG. */
  readonly bytes: Uint8Array;
  /** What {@link pixelSha256} must be. */
  readonly sha256: string;
}

/**
 * One curated page to the recipe's pixels, one channel of them: 128 x 128 bytes. Undefined if the page is damaged or is
 * not the expected one.
 */
export async function recipeOfCurated({ bytes, sha256 }: RecipeTask): Promise<Uint8Array | undefined> {
  const image = await decodeCurated(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).catch(
    () => undefined,
  );
  if (!image || pixelSha256(image) !== sha256) return undefined;
  return applyRecipeGrey(image).grey;
}

/** The perceptual hash of one curated page, 64 hex digits; undefined where there are no pixels. */
export async function hashOfCurated(task: RecipeTask): Promise<string | undefined> {
  const grey = await recipeOfCurated(task);
  return grey && hashOfRecipe(grey);
}
