import { createHash } from "node:crypto";
import sharp from "sharp";
import { decodeScan, encodePng, type GreyImage, perceptualHash, pixelSha256, RECIPE } from "../../runtime/imaging";
import type { Label, Split } from "../../runtime/intake";
import { drawPhantom } from "../../runtime/phantom";
import type { ImageRow } from "../../runtime/platform/warehouse";
import type { Workspace } from "../../runtime/platform/workspace";
import { loadScorer } from "../../runtime/serve/scoring";
import { assignmentRow, imageRow } from "./image-row";

const SIZE = 160;

/** A slice of an imaginary head as a file. */
export function slicePng(
  patient: number,
  slice: number,
  lesion: boolean,
  encode: (image: sharp.Sharp) => sharp.Sharp = (image) => image.png(),
): Promise<Buffer> {
  const { pixels } = drawPhantom({ seed: 15, patient, slice, size: SIZE, lesion });
  return encode(sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 1 } }).toColourspace("b-w")).toBuffer();
}

/** The same with a mass that the bright-spot model sees, where one is given. */
export async function spottedPng(
  patient: number,
  slice: number,
  spot?: { readonly x: number; readonly y: number; readonly radius: number },
): Promise<Buffer> {
  const { pixels } = drawPhantom({ seed: 15, patient, slice, size: SIZE, lesion: false });
  if (spot)
    for (let y = 0; y < SIZE; y++)
      for (let x = 0; x < SIZE; x++) if (Math.hypot(x - spot.x, y - spot.y) <= spot.radius) pixels[y * SIZE + x] = 250;
  return sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toBuffer();
}

/** The same picture for a person: the other way round, and encoded anew. */
export const mirrored = (image: sharp.Sharp): sharp.Sharp => image.flop().jpeg({ quality: 60 });

/** The first page of a file. */
export async function firstPage(file: Buffer): Promise<GreyImage> {
  for await (const page of decodeScan(file)) if ("image" in page) return page.image;
  throw new Error("The file has no page that can be read.");
}

/** A scan as ingest, preprocess and score leave it. */
export interface Known {
  readonly id: string;
  readonly file: Buffer;
  readonly label: Label | null;
  readonly split?: Split;
  /** @default one of its own */
  readonly group?: string;
  readonly patient?: string;
}

/** Puts scans into a workspace: pictures, rows of images and assignments, and a model's features of each. */
export async function storeKnown(
  { buckets, warehouse }: Workspace,
  model: string,
  scans: readonly Known[],
): Promise<void> {
  const scorer = await loadScorer(buckets.models, model, 1);
  const images: ImageRow[] = [];
  for (const { id, file, label, patient = null, ...scan } of scans) {
    const image = await firstPage(file);
    const sha256 = pixelSha256(image);
    const known = (await buckets.curated.stat(`images/${sha256}.png`)) !== undefined;
    if (!known) await buckets.curated.write(`images/${sha256}.png`, await encodePng(image));
    const row = imageRow(id, { label, sha256, phash: perceptualHash(image), patient });
    images.push(row);
    const { group = id, split = "train" } = scan;
    await warehouse.append("assignments", id, [assignmentRow(row, { group, split })]);
    const { features } = await scorer.score(file);
    const by = { sha256, recipe: RECIPE.id, backbone: model };
    await warehouse.append("features_deep", `${model}/${id}`, [
      { id: `${sha256}/${model}`, ...by, features: [...features], extracted_at: "2026-11-27T00:00:00.000Z" },
    ]);
  }
  const name = createHash("sha256").update(images.map(({ id }) => id).join("\n"));
  await warehouse.append("images", `known/${name.digest("hex").slice(0, 20)}`, images);
  await scorer.dispose();
}
