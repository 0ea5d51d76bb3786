import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawPhantomFolder } from "../runtime/phantom";
import { openWorkspace } from "../runtime/platform/workspace";
import { measureTree } from "./process-tree";
import { CLI } from "./runs";

/** One image as a listing names it; see runtime/preprocess/listing.ts. */
interface ListedImage {
  readonly id: string;
  readonly source: string;
  readonly generation: number;
  readonly label: string | null;
  readonly sha256: string;
  readonly phash: string;
  readonly hash: string | null;
  readonly patient: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly object: string;
}

/** Makes a workspace with curated images: those of a folder, or phantoms. Gives what was ingested. */
export async function ingestInto(directory: string, data: string | undefined, seed: number): Promise<void> {
  const folder = data ?? (await drawPhantomFolder(join(directory, "phantoms"), seed));
  await measureTree(process.execPath, [CLI, "ingest", "--data", folder, "--out", directory]);
}

/** The curated images of a workspace, each picture once, in the order of their ids. */
export async function curatedImages(directory: string): Promise<ListedImage[]> {
  const workspace = await openWorkspace(directory);
  try {
    const rows = await workspace.warehouse.rows("images");
    return rows
      .map(({ row }) => row)
      .filter(({ status, duplicate_of }) => status === "curated" && duplicate_of === null)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, source, generation, label, sha256, phash, hash, patient, width, height }) => ({
        ...{ id, source, generation, label, hash, patient, width, height },
        sha256: sha256 as string,
        phash: phash as string,
        object: `images/${sha256}.png`,
      }));
  } finally {
    await workspace.close();
  }
}

/** Names the images again and again under new names, until there are as many lines as asked for. */
export function writeListing(file: string, images: readonly ListedImage[], lines: number): void {
  const text: string[] = [];
  for (let line = 0; line < lines; line++) {
    const image = images[line % images.length] as ListedImage;
    const round = Math.floor(line / images.length);
    const again = round === 0 ? {} : { id: hash(`${image.id}#${round}`), source: nameAgain(image.source, round) };
    text.push(JSON.stringify({ ...image, ...again }));
  }
  writeFileSync(file, `${text.join("\n")}\n`);
}

function nameAgain(source: string, round: number): string {
  const slash = source.lastIndexOf("/") + 1;
  return `${source.slice(0, slash)}copy-${round}-${source.slice(slash)}`;
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** An empty workspace that shares the curated images of another. */
export function emptyWorkspace(directory: string, curated: string): string {
  mkdirSync(directory, { recursive: true });
  symlinkSync(curated, join(directory, "curated"));
  return directory;
}
