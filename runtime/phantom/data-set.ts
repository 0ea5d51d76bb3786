import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { LABELS, type Label } from "../intake";
import { onDisk } from "../platform/disk";
import { type Progress, silentProgress } from "../platform/progress";
import { mixSeed, uniform } from "../platform/random";
import { drawPhantom, type PhantomSlice } from "./draw";

/** Collection name in the manifest: whoever reads it knows that nothing here was ever a patient. */
export const PHANTOM_COLLECTION = "synthetic-phantom";

const PATIENTS = 48;
const SLICES_PER_PATIENT = 7;

interface Entry {
  readonly path: string;
  readonly label: Label;
  readonly patient: string;
  readonly content: Buffer;
}

/** Files of a drawn folder that are no scans, whatever its manifest says of the others. */
export const NOT_SCANS = {
  half: "Cancer/half a scan.png",
  text: "Non-Cancer/report.png",
  stray: "notes.txt",
} as const;

/**
 * Draws a folder in the layout that hospitals are asked for: `Cancer/`, `Non-Cancer/` and `manifest.csv`, several slices
 * a patient, as PNG, JPEG and 16-bit TIFF, and three files that are not scans, to show what becomes of those. A folder
 * that is complete already is left as it is.
 *
 * @param options.patients imaginary heads, seven slices each
 * @param options.progress advances by a scan
 * @param options.beside whether it is to lie beside phantoms of another seed, in names of its own
 * @returns the folder: `<directory>/seed-<seed>`
 */
export async function drawPhantomFolder(
  directory: string,
  seed: number,
  {
    patients = PATIENTS,
    beside = false,
    progress = silentProgress,
  }: { readonly patients?: number; readonly beside?: boolean; readonly progress?: Progress } = {},
): Promise<string> {
  const folder = join(directory, `seed-${seed}`);
  if (await exists(folder)) return folder;
  const unfinished = `${folder}.unfinished-${process.pid}-${randomBytes(4).toString("hex")}`;
  await removeUnfinished(directory);

  const entries: Entry[] = [];
  progress.start(patients * SLICES_PER_PATIENT);
  for (let patient = 0; patient < patients; patient++) {
    for (let slice = 0; slice < SLICES_PER_PATIENT; slice++) {
      entries.push(await drawEntry(seed, patient, slice, beside ? `seed-${seed}-` : ""));
      progress.advance();
    }
  }
  progress.finish();
  for (const { path, content } of [...entries, ...(beside ? [] : notScans(entries))]) {
    const target = join(unfinished, path);
    await onDisk(target, async () => {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
    });
  }
  const rows = entries.map(({ path, label, patient }) => [path, label, patient, PHANTOM_COLLECTION].join(","));
  const manifest = join(unfinished, "manifest.csv");
  await onDisk(manifest, () => writeFile(manifest, `${["path,label,patient_id,source", ...rows].join("\n")}\n`));
  try {
    await rename(unfinished, folder);
  } catch (error) {
    // Another process drew the same ones meanwhile.
    if (!(await exists(folder))) throw error;
    await rm(unfinished, { recursive: true });
  }
  return folder;
}

/** Removes what a process that is no more began to draw. */
async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const unfinished = /\.unfinished(?:-(\d+).*)?$/.exec(name);
    if (unfinished && !isAlive(Number(unfinished[1] ?? 0))) {
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (pid === 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function drawEntry(seed: number, patient: number, slice: number, prefix: string): Promise<Entry> {
  const random = uniform(mixSeed(seed, patient, slice, 3));
  // Slices with and without a mass come from the same patients, so the head itself says nothing.
  const lesion = (patient + slice) % 2 === 0;
  const size = 144 + 16 * Math.floor(random() * 6);
  const position = (slice / (SLICES_PER_PATIENT - 1)) * 1.4 - 0.7;
  const drawn = drawPhantom({ seed, patient, slice: position, size, lesion });
  const label = LABELS[lesion ? 0 : 1];
  const { extension, content } = await encode(drawn, random());
  const name = `${prefix}phantom-${String(patient + 1).padStart(2, "0")}`;
  return {
    path: `${label}/${name}-slice-${slice + 1}.${extension}`,
    label,
    patient: name,
    content,
  };
}

/** The encoding is drawn without regard to the label: it must not give it away. */
async function encode(drawn: PhantomSlice, chance: number): Promise<{ extension: string; content: Buffer }> {
  const image = sharp(drawn.pixels, { raw: { width: drawn.size, height: drawn.size, channels: 1 } });
  if (chance < 0.5) return { extension: "png", content: await image.toColourspace("b-w").png().toBuffer() };
  if (chance < 0.85)
    return { extension: "jpg", content: await image.toColourspace("b-w").jpeg({ quality: 92 }).toBuffer() };
  // Twelve bits in sixteen, as scanners store them.
  const deep = Uint16Array.from(drawn.pixels, (grey) => grey * 16);
  const content = await sharp(deep, { raw: { width: drawn.size, height: drawn.size, channels: 1 } })
    .toColourspace("grey16")
    .tiff({ compression: "deflate" })
    .toBuffer();
  return { extension: "tif", content };
}

function notScans(entries: readonly Entry[]): Pick<Entry, "path" | "content">[] {
  const scan = entries.find(({ path }) => path.endsWith(".png"))?.content ?? Buffer.alloc(0);
  return [
    { path: NOT_SCANS.half, content: scan.subarray(0, Math.floor(scan.length / 2)) },
    { path: NOT_SCANS.text, content: Buffer.from("A text that somebody named like a picture.\n") },
    { path: NOT_SCANS.stray, content: Buffer.from("Outside the label folders.\n") },
  ];
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
