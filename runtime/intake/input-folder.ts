import { createHash } from "node:crypto";
import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { ConfigurationError } from "../platform/config";
import { compareNames } from "../platform/stores";
import { LABEL_FOLDERS, LABELS, type Label } from "./labels";
import { asSplit, SPLITS, type Split } from "./splits";

/** The table beside the label folders that says more about the scans. */
export const MANIFEST = "manifest.csv";
const MASKS = "masks/";

/** Where the lesion mask of a scan lies unless the manifest says otherwise: `masks/<the scan's name, without ending>.png`. */
export function maskBeside(scan: string): string {
  const stem = scan.slice(scan.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
  return `${MASKS}${stem}.png`;
}

/** What a path below an input folder, or an object's name below landing, stands for. */
export type InputKind =
  /** `label` is undefined below `Unlabelled/`. */
  | { readonly kind: "scan"; readonly folder: (typeof LABEL_FOLDERS)[number]; readonly label: Label | undefined }
  /** Never a scan and never quarantined. */
  | { readonly kind: "manifest" | "mask" }
  /** Quarantined; `message` says why, and what was perhaps meant. */
  | { readonly kind: "stray"; readonly message: string };

/** @param path relative, with slashes. */
export function classify(path: string): InputKind {
  if (path === MANIFEST) return { kind: "manifest" };
  if (path.startsWith(MASKS)) return { kind: "mask" };
  const slash = path.indexOf("/");
  const folder = LABEL_FOLDERS.find((name) => name === path.slice(0, slash));
  if (folder) return { kind: "scan", folder, label: LABELS.find((label) => label === folder) };
  return { kind: "stray", message: strayMessage(slash < 0 ? undefined : path.slice(0, slash)) };
}

const ALLOWED = "Scans belong in Cancer/, Non-Cancer/ or Unlabelled/.";

const LOOK_ALIKES: Readonly<Record<string, (typeof LABEL_FOLDERS)[number]>> = {
  cancer: "Cancer",
  cancers: "Cancer",
  cancerous: "Cancer",
  tumor: "Cancer",
  tumour: "Cancer",
  yes: "Cancer",
  noncancer: "Non-Cancer",
  noncancerous: "Non-Cancer",
  nocancer: "Non-Cancer",
  notumor: "Non-Cancer",
  notumour: "Non-Cancer",
  normal: "Non-Cancer",
  healthy: "Non-Cancer",
  no: "Non-Cancer",
  unlabelled: "Unlabelled",
  unlabeled: "Unlabelled",
  unlabel: "Unlabelled",
  unknown: "Unlabelled",
};

function strayMessage(folder: string | undefined): string {
  if (folder === undefined) return `The file lies outside the label folders, so its label is not known. ${ALLOWED}`;
  const meant = LOOK_ALIKES[folder.toLowerCase().replace(/[^a-z]/g, "")];
  const hint = meant ? `Did you mean ${meant}/? ` : "";
  return `The folder ${folder}/ is none of the label folders. ${hint}${ALLOWED}`;
}

/** A file of an input folder. */
export interface InputFile {
  /** Path relative to the folder, with slashes: the name it has as an object below landing. */
  readonly name: string;
  /** Path to open. A buffer where the name is not valid UTF-8. */
  readonly path: string | Buffer;
  /** Bytes. */
  readonly size: number;
  readonly input: InputKind;
}

export interface InputFolder {
  readonly directory: string;
  /** In ascending order of the UTF-8 bytes of the name. */
  readonly files: readonly InputFile[];
  /** What was passed over, and why: a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Lists the regular files below a directory. Symbolic links to files are followed, and so is one that stands for a
 * label folder; a link to another directory is not, lest it lead around in circles or across the disk. Control
 * characters and bytes that are no UTF-8 are written as `%0A` in the name.
 * @throws {ConfigurationError} if the directory cannot be read.
 */
export function readInputFolder(directory: string): InputFolder {
  const files: InputFile[] = [];
  const notes: string[] = [];
  const visit = (folder: Buffer, prefix: string) => {
    for (const entry of readdirSync(folder, {
      withFileTypes: true,
      encoding: "buffer",
    }) as unknown as Dirent<Buffer>[]) {
      const path = Buffer.concat([folder, SLASH, entry.name]);
      const name = prefix + nameOf(entry.name);
      const stat = inspect(path);
      if (stat === undefined) notes.push(`${name} is a link to nothing, or may not be looked at; it was passed over.`);
      else if (stat.isFile()) {
        const utf8 = path.toString();
        files.push({
          name,
          path: Buffer.from(utf8).equals(path) ? utf8 : path,
          size: stat.size,
          input: classify(name),
        });
      } else if (!stat.isDirectory()) notes.push(`${name} is no regular file; it was passed over.`);
      else if (entry.isDirectory() || (prefix === "" && isKnownFolder(name))) visit(path, `${name}/`);
      else notes.push(`${name} is a link to a folder; it was passed over. Copy the folder, or give its own path.`);
    }
  };
  try {
    visit(Buffer.from(realpathSync(directory)), "");
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    const why = { ENOENT: "it does not exist", ENOTDIR: "it is no directory", EACCES: "it may not be read" }[
      code ?? ""
    ];
    if (!why) throw error;
    throw new ConfigurationError(`The input folder ${directory}`, [`${path ?? directory}: ${why}.`]);
  }
  files.sort((a, b) => compareNames(a.name, b.name));
  return { directory, files, notes: notes.sort() };
}

/**
 * Refuses a directory without any label folder: it is most likely the wrong one, and all of it would be uploaded.
 * @throws {ConfigurationError}
 */
export function requireLabelFolders(folder: InputFolder): void {
  if (folder.files.some(({ input }) => input.kind === "scan")) return;
  const first = folder.files.find(({ input }) => input.kind === "stray")?.input;
  throw new ConfigurationError(`The input folder ${folder.directory}`, [
    `it has no scan in Cancer/, Non-Cancer/ or Unlabelled/.${first?.kind === "stray" ? ` ${first.message}` : ""}`,
  ]);
}

const SLASH = Buffer.from("/");

function isKnownFolder(name: string): boolean {
  return (LABEL_FOLDERS as readonly string[]).includes(name) || `${name}/` === MASKS;
}

function inspect(path: Buffer): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function nameOf(bytes: Buffer): string {
  const text = bytes.toString();
  const isText = Buffer.from(text).equals(bytes);
  const percent = (character: string) =>
    `%${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(2, "0")}`;
  if (!isText) return bytes.toString("latin1").replace(/[^ -~]/g, percent);
  return text.replace(/\p{Cc}/gu, (character) => (character <= "\u007f" ? percent(character) : character));
}

/**
 * Picks `limit` scans, as many of each label folder as there are. The choice depends on the names alone: the same
 * folder gives the same scans on every machine, and a larger limit keeps what a smaller one chose.
 */
export function pickScans<F extends { readonly name: string; readonly input: InputKind }>(
  files: readonly F[],
  limit: number,
): F[] {
  const queues = LABEL_FOLDERS.map((folder) =>
    files
      .filter(({ input }) => input.kind === "scan" && input.folder === folder)
      .map((file) => ({ file, key: createHash("sha256").update(file.name).digest("hex") }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ file }) => file),
  );
  const picked: F[] = [];
  for (let round = 0; picked.length < limit && queues.some((queue) => queue.length > round); round++) {
    for (const queue of queues) {
      const next = queue[round];
      if (next && picked.length < limit) picked.push(next);
    }
  }
  return picked.sort((a, b) => compareNames(a.name, b.name));
}

/** A row of `manifest.csv`. What a row does not say is undefined. */
export interface ManifestEntry {
  readonly path: string;
  readonly label: Label | undefined;
  readonly patientId: string | undefined;
  readonly source: string | undefined;
  readonly subtype: string | undefined;
  readonly view: string | undefined;
  /** Object name below landing. */
  readonly mask: string | undefined;
  readonly split: Split | undefined;
}

/** Entries by path. */
export type Manifest = ReadonlyMap<string, ManifestEntry>;

export const EMPTY_MANIFEST: Manifest = new Map();

/**
 * Reads `manifest.csv`: a header line with `path` and any of `label, patient_id, source, subtype, view, mask, split`,
 * in any order; other columns are ignored. A byte order mark and either line ending are fine.
 * @throws {ConfigurationError} that lists every bad row with its line number.
 */
export function parseManifest(content: Buffer | string): Manifest {
  const { header, rows, problems } = readTable(content);
  if (header.length > 0 && !header.includes("path")) {
    throw new ConfigurationError(MANIFEST, [
      `line 1: there is no column "path"; the columns are ${header.join(", ")}.`,
    ]);
  }
  const entries = new Map<string, ManifestEntry>();
  for (const { line, row } of rows) {
    const said = (column: string) => row[column]?.trim() || undefined;
    const problem = (text: string) => problems.push({ line, text });
    const path = normalise(said("path") ?? "");
    const label = said("label");
    const given = said("split");
    const mask = said("mask");
    if (path === "") {
      problem("path is empty.");
      continue;
    }
    if (path.startsWith("/") || path.split("/").includes("..")) {
      problem(`path is "${path}"; write it relative to the folder that holds ${MANIFEST}.`);
    }
    if (label !== undefined && !isLabel(label))
      problem(`label is "${label}"; write ${LABELS.join(" or ")}, or nothing.`);
    const split = asSplit(given);
    if (given !== undefined && split === null) problem(`split is "${given}"; write ${SPLITS.join(", ")}, or nothing.`);
    const entry: ManifestEntry = {
      path,
      label: isLabel(label) ? label : undefined,
      patientId: said("patient_id"),
      source: said("source"),
      subtype: said("subtype"),
      view: said("view"),
      mask: mask && normalise(mask),
      split: split ?? undefined,
    };
    const before = entries.get(path);
    if (before && JSON.stringify(before) !== JSON.stringify(entry)) {
      problem(`${path} stands here a second time, and says something else.`);
    }
    entries.set(path, entry);
  }
  if (problems.length > 0) {
    problems.sort((a, b) => a.line - b.line);
    throw new ConfigurationError(
      MANIFEST,
      problems.map(({ line, text }) => `line ${line}: ${text}`),
    );
  }
  return entries;
}

/** A sentence where a manifest names files that are not there, so that what it says of them reaches no scan. */
export function unmatchedRows(manifest: Manifest, isThere: (path: string) => boolean): string | undefined {
  const lost = [...manifest.keys()].filter((path) => !isThere(path));
  const [first] = lost;
  if (first === undefined) return undefined;
  return `${MANIFEST} names ${lost.length} of its ${manifest.size} files in vain, ${first} the first: there is no such file. Paths are relative to the folder, such as Cancer/a.png.`;
}

type Problem = { readonly line: number; readonly text: string };

type ManifestTable = {
  readonly header: readonly string[];
  /** `line` is where the row ends. */
  readonly rows: readonly { readonly line: number; readonly row: Readonly<Record<string, string>> }[];
  readonly problems: Problem[];
};

function readTable(content: Buffer | string): ManifestTable {
  const text = (typeof content === "string" ? content : content.toString("utf8")).replace(/^\uFEFF/, "");
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parse(text, {
      info: true,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as { record: string[]; info: { lines: number } }[];
  } catch (error) {
    throw new ConfigurationError(MANIFEST, [`${(error as Error).message.replace(/\.?$/, ".")}`]);
  }
  const [first, ...rest] = records;
  const header = (first?.record ?? []).map((column) => column.trim());
  const problems: Problem[] = [];
  const rows = [];
  for (const { record, info } of rest) {
    if (record.every((cell) => cell.trim() === "")) continue;
    // Spreadsheets leave empty cells at the end.
    if (record.slice(header.length).some((cell) => cell.trim() !== "")) {
      problems.push({
        line: info.lines,
        text: `there are ${record.length} cells under ${header.length} columns.`,
      });
    }
    rows.push({
      line: info.lines,
      row: Object.fromEntries(header.map((column, i) => [column, record[i] ?? ""])),
    });
  }
  return { header, rows, problems };
}

/**
 * A manifest that says what both say; of a path in both, what `later` says. Later uploads add rows this way and take
 * none away.
 */
export function mergeManifests(earlier: Buffer, later: Buffer): Buffer {
  const [before, after] = [readTable(earlier), readTable(later)];
  const columns = [...new Set([...before.header, ...after.header])];
  const rows = new Map<string, Readonly<Record<string, string>>>();
  for (const { row } of [...before.rows, ...after.rows]) rows.set(normalise(row.path?.trim() ?? ""), row);
  const table = [columns, ...[...rows.values()].map((row) => columns.map((column) => row[column] ?? ""))];
  return Buffer.from(stringify(table));
}

function normalise(path: string): string {
  return path.replaceAll("\\", "/").replace(/^(\.\/)+/, "");
}

function isLabel(text: string | undefined): text is Label {
  return (LABELS as readonly (string | undefined)[]).includes(text);
}

/**
 * The manifest among a folder's files. One that cannot be read counts as none, and `problem` says why: it costs what it
 * would have told, not the work.
 */
export async function readManifest(
  files: readonly InputFile[],
): Promise<{ readonly manifest: Manifest; readonly problem: string | undefined }> {
  const file = files.find(({ input }) => input.kind === "manifest");
  if (!file) return { manifest: EMPTY_MANIFEST, problem: undefined };
  try {
    return { manifest: parseManifest(await readFile(file.path)), problem: undefined };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { manifest: EMPTY_MANIFEST, problem: error.message };
  }
}
