import { open } from "node:fs/promises";
import { DEFAULT_LIMITS, sniffFormat } from "../imaging";
import { checkObjectName, InvalidObjectNameError } from "../platform/stores";
import type { InputFile } from "./input-folder";
import { LABEL_FOLDERS } from "./labels";
import { headerOfFile } from "./landing";
import { contradictions, type Manifest, manifestNotes, patientsKnown } from "./manifest";
import { maskBeside } from "./names";
import type { Input } from "./open-input";

/** Enough to tell what a file is. */
const FIRST_BYTES = 1024;
/** Refused files that are named. */
const NAMED = 20;

/**
 * Looks at a folder as a command that takes it would, and changes nothing. Of every file the first bytes are read, of DICOM the
 * header; whether it can be decoded shows when it is.
 *
 * @returns the report, a line each
 */
export async function checkInput({ folder, manifest }: Input): Promise<string[]> {
  const { files } = folder;
  const scans = files.filter(({ input }) => input.kind === "scan");
  const formats = new Map<string, number>();
  const refused: string[] = [];
  let inHeaders = 0;
  for (const file of files) {
    const found = file.input.kind === "manifest" || file.input.kind === "mask" ? undefined : await lookAt(file);
    if (found === undefined) continue;
    if ("format" in found) {
      formats.set(found.format, (formats.get(found.format) ?? 0) + 1);
      if (found.format === "dicom" && file.input.kind === "scan" && manifest.get(file.object)?.patientId === undefined)
        inHeaders += (await headerOfFile(file))?.header.patientId === undefined ? 0 : 1;
    } else refused.push(`${file.name}: ${found.why}`);
  }
  const known = inHeaders + scans.filter(({ object }) => manifest.get(object)?.patientId !== undefined).length;
  const torn = contradictions(
    manifest,
    files,
    "ingest puts them in quarantine; in evaluate and explain the folder counts.",
  );
  return [
    ...LABEL_FOLDERS.map((label) => countLine(label, scans)),
    `formats: ${[...formats].map(([format, count]) => `${format} ${count}`).join(", ") || "none"}`,
    patientsKnown(known, scans.length),
    maskLine(files, scans, manifest),
    ...folder.notes,
    ...manifestNotes(manifest, files),
    ...(torn === undefined ? [] : [torn]),
    `files that would be refused: ${refused.length}`,
    ...refused.slice(0, NAMED).map((line) => `  ${line}`),
    ...(refused.length > NAMED ? [`  and ${refused.length - NAMED} more`] : []),
  ];
}

function countLine(label: string, scans: readonly InputFile[]): string {
  const own = scans.filter(({ input }) => input.kind === "scan" && input.folder === label);
  const folders = new Set(own.map(({ name }) => name.slice(0, name.indexOf("/"))).filter((name) => name !== label));
  return `${label}: ${own.length} files${folders.size > 0 ? ` (in ${[...folders].join("/, ")}/)` : ""}`;
}

function maskLine(files: readonly InputFile[], scans: readonly InputFile[], manifest: Manifest): string {
  const present = new Set(files.filter(({ input }) => input.kind === "mask").map(({ object }) => object));
  const marked = scans.filter(({ input }) => input.kind === "scan" && input.label !== "Non-Cancer");
  const used = new Set(marked.map(({ object }) => manifest.get(object)?.mask ?? maskBeside(object)));
  const found = marked.filter(({ object }) => present.has(manifest.get(object)?.mask ?? maskBeside(object))).length;
  const idle = [...present].filter((mask) => !used.has(mask));
  const rest = idle.length > 0 ? `; ${idle.length} masks belong to no such scan, ${idle[0]} the first` : "";
  return `lesion masks: for ${found} of ${marked.length} scans outside Non-Cancer${rest}`;
}

async function lookAt(file: InputFile): Promise<{ readonly format: string } | { readonly why: string }> {
  if (file.input.kind === "stray") return { why: file.input.message };
  if (file.size > DEFAULT_LIMITS.bytes)
    return { why: `the file is larger than ${DEFAULT_LIMITS.bytes / 2 ** 20} MiB.` };
  try {
    checkObjectName("landing", file.object);
    const sniffed = sniffFormat(await firstBytes(file.path));
    return sniffed.format === undefined ? { why: `it is ${sniffed.name}, not a scan that can be read.` } : sniffed;
  } catch (error) {
    if (error instanceof InvalidObjectNameError) return { why: error.message };
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    return { why: `it cannot be read (${code}).` };
  }
}

async function firstBytes(path: string | Buffer): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
