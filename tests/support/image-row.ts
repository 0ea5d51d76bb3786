import { PERCEPTUAL_HASH } from "../../runtime/imaging";
import type { AssignmentRow, ImageRow } from "../../runtime/platform/warehouse";

/** A row of `images` as ingest would have written it of a scan that it took. */
export function imageRow(id: string, more: Partial<ImageRow> = {}): ImageRow {
  return {
    id,
    source: `Cancer/${id}.png`,
    generation: 1,
    label: "Cancer",
    status: "curated",
    reason: null,
    format: "png",
    width: 256,
    height: 128,
    bytes: 1000,
    sha256: id,
    phash: id,
    patient: null,
    duplicate_of: null,
    ingested_at: "2026-03-04T05:06:07.890Z",
    message: null,
    given_split: null,
    collection: null,
    subtype: null,
    view: null,
    mask: null,
    hash: PERCEPTUAL_HASH.id,
    recipe: PERCEPTUAL_HASH.recipe,
    landed: null,
    study: null,
    series: null,
    instance: null,
    accession: null,
    sequence: null,
    body_part: null,
    scanner: null,
    acquired_on: null,
    ...more,
  };
}

/** The first row of `assignments` of an image that was compared by the current perceptual hash. */
export function assignmentRow(image: ImageRow, more: Pick<AssignmentRow, "group" | "split"> & Partial<AssignmentRow>) {
  return {
    id: image.id,
    recipe: PERCEPTUAL_HASH.recipe,
    hash: PERCEPTUAL_HASH.id,
    phash: image.phash,
    revision: 1,
    assigned_at: "2026-03-04T05:06:07.890Z",
    ...more,
  } satisfies AssignmentRow;
}
