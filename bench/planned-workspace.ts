import { createHash } from "node:crypto";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { splitOfNewGroup } from "../runtime/dataset";
import { PERCEPTUAL_HASH } from "../runtime/imaging";
import { uniform } from "../runtime/platform/random";
import { flipped, HASH_BYTES } from "./grouping-once";

/** Rows of a file: what ingest of a backlog and preprocess write are of this order. */
const BATCH = 100_000;
const AT = "2026-03-04T05:06:07.890Z";

/** What {@link writeTables} planted. */
export interface Planted {
  readonly images: number;
  /** Groups that there have to be once the new images are grouped. */
  readonly groups: number;
}

/**
 * Writes the tables of a hospital with so many images, of which the last ones are new: of each two known images one is
 * another version of the other, and every second new one is another version of a known one.
 */
export async function writeTables(directory: string, images: number, fresh: number, seed: number): Promise<Planted> {
  const random = uniform(seed);
  const folder = (table: string) => join(directory, "warehouse", table);
  for (const table of ["images", "assignments"]) mkdirSync(folder(table), { recursive: true });
  const known = images - fresh;
  /** One of each two known ones, of which new ones are versions: as many as are needed, far between. */
  const originals: Buffer[] = [];
  const every = Math.max(1, Math.floor(known / Math.max(1, fresh)));
  let groups = 0;
  let hash: Buffer = Buffer.alloc(HASH_BYTES);
  let group = "";
  for (let start = 0; start < images; start += BATCH) {
    const number = String(start / BATCH).padStart(6, "0");
    const rows = createWriteStream(join(folder("images"), `bench-${number}.jsonl`));
    const assigned =
      start < known ? createWriteStream(join(folder("assignments"), `bench-${number}.jsonl`)) : undefined;
    for (let i = start; i < Math.min(images, start + BATCH); i++) {
      const id = createHash("sha256").update(`${seed} ${i}`).digest("hex");
      const isNew = i >= known;
      const original = isNew && i % 2 === 1 ? originals[Math.floor((i - known) / 2)] : undefined;
      if (original) hash = flipped(original, random);
      else if (!isNew && i % 2 === 1) hash = flipped(hash, random);
      else {
        hash = Buffer.from(Array.from({ length: HASH_BYTES }, () => 256 * random()));
        group = id;
        groups++;
      }
      if (!isNew && i % 2 === 0 && i % every === 0) originals.push(hash);
      const phash = hash.toString("hex");
      await put(rows, imageLine(id, i, phash));
      if (!isNew && assigned) await put(assigned, assignmentLine(id, group, phash));
    }
    rows.end();
    assigned?.end();
    await finished(rows);
    if (assigned) await finished(assigned);
  }
  return { images, groups };
}

async function put(stream: NodeJS.WritableStream, line: string): Promise<void> {
  if (!stream.write(line)) await new Promise((resolve) => stream.once("drain", resolve));
}

/** A row as ingest writes it; quicker than by way of an object. */
function imageLine(id: string, number: number, phash: string): string {
  const label = number % 3 === 0 ? "Cancer" : "Non-Cancer";
  return `{"id":"${id}","source":"${label}/series-${number % 997}/slice-${number}.png","generation":1,"label":"${label}","status":"curated","reason":null,"format":"png","width":256,"height":256,"bytes":41234,"sha256":"${id}","phash":"${phash}","patient":null,"duplicate_of":null,"ingested_at":"${AT}","message":null,"given_split":null,"collection":null,"subtype":null,"view":null,"mask":null,"hash":"${PERCEPTUAL_HASH.id}","recipe":"${PERCEPTUAL_HASH.recipe}"}\n`;
}

function assignmentLine(id: string, group: string, phash: string): string {
  return `{"id":"${id}","group":"${group}","split":"${splitOfNewGroup(group)}","recipe":"${PERCEPTUAL_HASH.recipe}","hash":"${PERCEPTUAL_HASH.id}","phash":"${phash}","revision":1,"assigned_at":"${AT}"}\n`;
}
