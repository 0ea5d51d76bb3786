import { CURRENT_IMAGES, type CurrentImage, type Warehouse } from "../platform/warehouse";
import type { ShardRow } from "./shards";

export type { CurrentImage };

/** A row of a shard that is to be, with where its pixels come from. */
export interface PlannedRow extends ShardRow {
  /** Name in the curated bucket. */
  readonly object: string;
  /** Name of its lesion mask in the curated bucket. */
  readonly mask: string | null;
  /** Bytes of its decoded pixels, about: what it costs to make. */
  readonly cost: number;
}

/** A slice of 256 x 256: what an image is taken for whose size is not known. */
export const USUAL_COST = 256 * 256;

/** Bytes of an image's decoded pixels, about. */
export function decodedBytes({
  width,
  height,
}: {
  width?: number | null | undefined;
  height?: number | null | undefined;
}): number {
  return width && height ? width * height : USUAL_COST;
}

/**
 * The images that a data set is made of, ascending by id: every page that is curated in the newest generation of its
 * object. What is the newest is defined in `platform/warehouse/definitions.ts`, for every engine.
 */
export function currentImages(warehouse: Warehouse): Promise<readonly CurrentImage[]> {
  return warehouse.ask(CURRENT_IMAGES, {});
}
