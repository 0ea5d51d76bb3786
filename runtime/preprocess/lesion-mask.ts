import { readCuratedObject } from "../dataset";
import { applyRecipeGrey, applyRecipeToMask, decodeCurated, type GreyImage } from "../imaging";
import type { ReadableStore } from "../platform/stores";

/**
 * A lesion mask where the recipe puts the page's pixels: 128 x 128 shares of lesion, 0 to 255. Null where one of the two
 * files cannot be read or they do not belong together: an image is used without its mask rather than not at all.
 *
 * @param object the page in the curated bucket
 * @param mask its mask in the curated bucket
 */
export async function makeMask(curated: ReadableStore, object: string, mask: string): Promise<Uint8Array | null> {
  const page = await decoded(curated, object);
  const lesion = await decoded(curated, mask);
  if (!page || !lesion || page.width !== lesion.width || page.height !== lesion.height) return null;
  return applyRecipeToMask(lesion, applyRecipeGrey(page).geometry);
}

async function decoded(curated: ReadableStore, name: string): Promise<GreyImage | undefined> {
  const bytes = await readCuratedObject(curated, name);
  return "reason" in bytes ? undefined : decodeCurated(bytes).catch(() => undefined);
}
