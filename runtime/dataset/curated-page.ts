import { RECIPE, type RecipeTask, recipeOfCurated } from "../imaging";
import { type Frame, frame } from "../platform/framed";
import type { ReadableStore } from "../platform/stores";
import { differs, readCuratedObject } from "./curated-object";
import type { Rejection } from "./rejects";

const PLANE = RECIPE.side ** 2;

/** Where a page lies in the curated bucket, and the SHA-256 of what it shows. */
export interface CuratedPlace {
  readonly object: string;
  readonly sha256: string;
}

/** The curated page of an image. */
export interface CuratedPage extends CuratedPlace {
  readonly id: string;
}

/**
 * The recipe's pixels of a curated page, one channel of them (128 x 128 bytes), or what is wrong with this one page.
 * Anything else is thrown.
 */
export function curatedPixels(curated: ReadableStore, page: CuratedPlace): Promise<Uint8Array | Rejection> {
  return madeOfCurated(curated, page, recipeOfCurated);
}

/**
 * What is made of a curated page, or what is wrong with this one page. Anything else is thrown.
 *
 * @param make gives nothing where the page is damaged or is not the expected one
 */
export async function madeOfCurated<T>(
  curated: ReadableStore,
  { object, sha256 }: CuratedPlace,
  make: (task: RecipeTask) => Promise<T | undefined>,
): Promise<T | Rejection> {
  const bytes = await readCuratedObject(curated, object);
  if ("reason" in bytes) return bytes;
  return (await make({ bytes, sha256 })) ?? differs(object);
}

/** How a page's pixels are answered to spark/pixels.py. */
export function pixelsAnswer(made: Uint8Array | Rejection): Frame {
  return "reason" in made ? frame({ rejection: made }) : frame({}, made);
}

/**
 * One channel of each image by its key, as spark/pixels.py sends them back.
 * @param payload the images' 128 x 128 bytes, in the order of the keys
 * @throws if there are more bytes or fewer
 */
export function planesByKey(keys: readonly string[], payload: Uint8Array): Map<string, Uint8Array> {
  if (payload.length !== keys.length * PLANE)
    throw new Error(`The pixels of ${keys.length} images have ${keys.length * PLANE} bytes, not ${payload.length}.`);
  return new Map(keys.map((key, index) => [key, payload.subarray(index * PLANE, (index + 1) * PLANE)]));
}
