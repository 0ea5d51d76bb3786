import { PERCEPTUAL_HASH } from "../imaging";
import { asSplit, LABELS, type Label, type Split } from "../intake";
import { CURRENT_IMAGES, type CurrentImage, type Warehouse } from "../platform/warehouse";
import type { StoredAssignment } from "./assignments";
import { curatedName } from "./curated-object";
import type { CuratedPage } from "./curated-page";
import type { Groupable, Grouping } from "./groups";
import type { ShardRow } from "./shards";

export type { CurrentImage };

/** A current image with the group and split that it is to have, and its perceptual hash by the current one. */
export type GroupedImage = Omit<CurrentImage, "group" | "split" | "phash"> & {
  readonly group: string;
  readonly split: Split;
  readonly phash: string | null;
};

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
const USUAL_COST = 256 * 256;

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

/** The images whose perceptual hash is by another one than the current: their pictures have to be hashed anew. */
export function unhashedImages(
  images: readonly CurrentImage[],
  assignments: ReadonlyMap<string, StoredAssignment>,
): (CuratedPage & { readonly cost: number })[] {
  return images
    .filter((image) => knownHash(image, assignments.get(image.id)) === undefined)
    .map(({ id, sha256, ...image }) => ({ id, object: curatedName(sha256), sha256, cost: decodedBytes(image) }));
}

/**
 * An image's hash by the current perceptual hash, from whoever made it: ingest, or a run that hashed it anew. Hashes by
 * another one are not comparable and count for nothing.
 */
function knownHash(image: CurrentImage, assignment: StoredAssignment | undefined): string | undefined {
  const [first] = [image, assignment].filter((row) => row?.hash === PERCEPTUAL_HASH.id);
  return first?.phash ?? undefined;
}

/**
 * What decides the groups of current images. A scan that is uploaded again keeps its group: its id is the same.
 *
 * @param hashes made anew, by image id
 */
export function groupables(
  images: readonly CurrentImage[],
  assignments: ReadonlyMap<string, StoredAssignment>,
  hashes: ReadonlyMap<string, string>,
): Groupable[] {
  return images.map((image) => {
    const { id, sha256, patient } = image;
    const decided = assignments.get(id);
    return {
      id,
      sha256,
      phash: knownHash(image, decided) ?? hashes.get(id) ?? null,
      compared: decided !== undefined && decided.hash === PERCEPTUAL_HASH.id && !decided.disputed,
      patient,
      givenSplit: asSplit(image.given_split),
      group: decided?.group ?? null,
      split: asSplit(decided?.split),
    };
  });
}

/** The rows with what the grouping says of them. */
export function withGroups<R extends { readonly id: string }>(rows: readonly R[], { assignments }: Grouping) {
  return rows.map((row) => {
    const { group, split } = assignments.get(row.id) as { group: string; split: Split };
    return { ...row, group, split };
  });
}

/**
 * One row a picture: equal pixels under several names give one row, without a label where the names contradict.
 *
 * @param masks names of the lesion masks in the curated bucket by image id
 */
export function onePerPicture(
  grouped: readonly GroupedImage[],
  masks: ReadonlyMap<string, string>,
): { rows: PlannedRow[]; contradicting: number } {
  const pictures = new Map<string, GroupedImage[]>();
  for (const row of grouped) {
    const same = pictures.get(row.sha256);
    if (same) same.push(row);
    else pictures.set(row.sha256, [row]);
  }
  let contradicting = 0;
  const rows = [...pictures.values()].map((same) => {
    const first = same.find((row) => row.duplicate_of === null) ?? (same[0] as GroupedImage);
    const labels = LABELS.filter((label) => same.some((row) => row.label === label));
    if (labels.length > 1) contradicting++;
    const label: Label | null = labels.length === 1 ? (labels[0] as Label) : null;
    const { id, group, split, sha256, phash, source, generation } = first;
    const object = curatedName(sha256);
    const mask = [first, ...same].flatMap((row) => masks.get(row.id) ?? [])[0] ?? null;
    const cost = decodedBytes(first);
    return { id, label, group, split, sha256, phash, source, generation, masked: mask !== null, object, mask, cost };
  });
  return { rows, contradicting };
}
