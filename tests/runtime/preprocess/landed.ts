import { createHash } from "node:crypto";
import { encodePng, type GreyImage, perceptualHash, pixelSha256 } from "../../../runtime/imaging";
import type { AssignmentRow, ImageRow } from "../../../runtime/platform/warehouse";
import type { Workspace } from "../../../runtime/platform/workspace";
import { assignmentRow, imageRow } from "../../support/image-row";

/** What ingest would have written of one scan. */
export async function land(...scan: Parameters<typeof landPicture>): Promise<ImageRow> {
  const row = await landPicture(...scan);
  const [space, name] = scan;
  await space.warehouse.append("images", `${name.replaceAll("/", "-")}-${row.generation}`, [row]);
  return row;
}

/** Its picture alone: whoever lands many adds their rows at once. */
export async function landPicture(
  space: Workspace,
  name: string,
  image: GreyImage,
  facts: Partial<ImageRow> = {},
): Promise<ImageRow> {
  const sha256 = pixelSha256(image);
  const generation = facts.generation ?? 1;
  const row = imageRow(createHash("sha256").update(`${name} ${sha256}`).digest("hex"), {
    source: name,
    generation,
    label: name.startsWith("Cancer/") ? "Cancer" : name.startsWith("Non-Cancer/") ? "Non-Cancer" : null,
    width: image.width,
    height: image.height,
    sha256,
    phash: perceptualHash(image),
    ...facts,
  });
  await space.buckets.curated.write(`images/${sha256}.png`, await encodePng(image));
  return row;
}

/** What an earlier run would have written of an image. */
export async function assign(
  space: Workspace,
  image: ImageRow,
  given: Pick<AssignmentRow, "group" | "split"> & Partial<AssignmentRow>,
): Promise<void> {
  const row = assignmentRow(image, given);
  await space.warehouse.append("assignments", `${image.id}-${row.revision}`, [row]);
}
