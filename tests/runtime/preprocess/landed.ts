import { createHash } from "node:crypto";
import { encodePng, type GreyImage, perceptualHash, pixelSha256 } from "../../../runtime/imaging";
import type { ImageRow } from "../../../runtime/platform/warehouse/tables";
import type { Workspace } from "../../../runtime/platform/workspace";

/** What ingest would have written of one scan. */
export async function land(
  space: Workspace,
  name: string,
  image: GreyImage,
  facts: Partial<ImageRow> = {},
): Promise<ImageRow> {
  const sha256 = pixelSha256(image);
  const generation = facts.generation ?? 1;
  const row: ImageRow = {
    id: createHash("sha256").update(`${name} ${sha256}`).digest("hex"),
    source: name,
    generation,
    label: name.startsWith("Cancer/") ? "Cancer" : name.startsWith("Non-Cancer/") ? "Non-Cancer" : null,
    status: "curated",
    reason: null,
    format: "png",
    width: image.width,
    height: image.height,
    bytes: 1,
    sha256,
    phash: perceptualHash(image),
    group: null,
    patient: null,
    duplicate_of: null,
    ingested_at: "2026-01-01T00:00:00.000Z",
    message: null,
    split: null,
    given_split: null,
    collection: null,
    subtype: null,
    view: null,
    mask: null,
    ...facts,
  };
  await space.buckets.curated.write(`images/${sha256}.png`, await encodePng(image));
  await space.warehouse.append("images", `${name.replaceAll("/", "-")}-${generation}`, [row]);
  return row;
}
