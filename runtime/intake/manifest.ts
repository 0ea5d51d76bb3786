import { readFile } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { ConfigurationError, listed } from "../platform/config";
import type { InputFile } from "./input-folder";
import { LABELS, type Label } from "./labels";
import { MANIFEST_TABLE, misspelt, reviewColumns, shortened } from "./manifest-columns";
import { type Problem, readTable } from "./manifest-table";
import { type FolderNames, LANDED_NAMES, labelOf, landedName, MANIFEST, maskBeside } from "./names";
import { asSplit, SPLITS, type Split } from "./splits";

/** A row of `manifest.csv`. What a row does not say is undefined. */
export interface ManifestEntry {
  /** Object name below landing. */
  readonly path: string;
  readonly label: Label | undefined;
  readonly patientId: string | undefined;
  readonly source: string | undefined;
  readonly subtype: string | undefined;
  readonly view: string | undefined;
  /** Object name below landing, if it is one: a mask that cannot be used costs its scan nothing else. */
  readonly mask: string | undefined;
  readonly split: Split | undefined;
}

/** Entries by path. */
export interface Manifest extends ReadonlyMap<string, ManifestEntry> {
  /** Columns that mean nothing here. */
  readonly ignored: readonly string[];
}

export const EMPTY_MANIFEST: Manifest = Object.assign(new Map<string, ManifestEntry>(), { ignored: [] });

/** Characters of a cell. */
const LONGEST_CELL = 1024;

/**
 * Reads `manifest.csv`: a header line with `path` and any of `label, patient_id, source, subtype, view, mask, split`,
 * in any order; other columns are ignored, unless they look like one of these. See {@link readTable} for what a table may
 * look like.
 * @param names what folders and labels stand for that the cells name
 * @throws {ConfigurationError} that lists the bad rows with their line numbers.
 */
export function parseManifest(content: Buffer | string, names: FolderNames = LANDED_NAMES): Manifest {
  const table = readTable(content);
  const { problems: unusable, ignored } = reviewColumns(table.header);
  if (unusable.length > 0) {
    throw new ConfigurationError(MANIFEST, listed(unusable.map((text) => `line 1: ${text}`)));
  }
  const problems: Problem[] = [...table.problems];
  const entries = new Map<string, ManifestEntry>();
  for (const { line, row } of table.rows) {
    const problem = (text: string) => problems.push({ line, text });
    const said = (column: string) => row[column]?.trim() || undefined;
    const path = canonical(said("path") ?? "", names);
    if (path === "") {
      problem("path is empty.");
      continue;
    }
    if (path.startsWith("/") || /^[A-Za-z]:\//.test(path) || path.split("/").includes("..")) {
      problem(`path is "${shortened(path)}"; write it relative to the folder that holds ${MANIFEST}.`);
    }
    for (const column of ["path", "patient_id", "source", "subtype", "view"]) {
      const length = said(column)?.length ?? 0;
      if (length > LONGEST_CELL) problem(`${column} has ${length} characters; at most ${LONGEST_CELL} are taken.`);
    }
    const given = said("label");
    const label = given === undefined ? undefined : labelOf(given, names);
    if (label === null) problem(`label is "${shortened(given ?? "")}"; write ${LABELS.join(" or ")}, or nothing.`);
    const split = asSplit(said("split"));
    if (said("split") !== undefined && split === null) {
      problem(`split is "${shortened(said("split") ?? "")}"; write ${SPLITS.join(", ")}, or nothing.`);
    }
    const mask = said("mask");
    const entry: ManifestEntry = {
      path,
      label: label ?? undefined,
      patientId: said("patient_id"),
      source: said("source"),
      subtype: said("subtype"),
      view: said("view"),
      mask: mask && canonical(mask, names),
      split: split ?? undefined,
    };
    const before = entries.get(path);
    if (before && JSON.stringify(before) !== JSON.stringify(entry)) {
      problem(`${shortened(path)} stands here a second time, and says something else.`);
    }
    entries.set(path, entry);
  }
  if (problems.length > 0) {
    problems.sort((a, b) => a.line - b.line);
    throw new ConfigurationError(MANIFEST, listed(problems.map(({ line, text }) => `line ${line}: ${text}`)));
  }
  return Object.assign(entries, { ignored });
}

/**
 * The manifest among a folder's files.
 * @throws {ConfigurationError} where it cannot be used
 */
export async function readManifest(files: readonly InputFile[], names: FolderNames): Promise<Manifest> {
  const file = files.find(({ input }) => input.kind === "manifest");
  return file ? parseManifest(await readFile(file.path), names) : EMPTY_MANIFEST;
}

/** What of a folder's manifest reaches no scan, or was not meant for this, in sentences. */
export function manifestNotes(
  manifest: Manifest,
  files: readonly InputFile[],
  isThere: (object: string) => boolean = () => false,
): string[] {
  const objects = new Set(files.map(({ object }) => object));
  const lost = (paths: readonly string[]) => paths.filter((path) => !objects.has(path) && !isThere(path));
  const rows = lost([...manifest.keys()]);
  const masks = lost([...new Set([...manifest.values()].flatMap(({ mask }) => mask ?? []))]);
  const notes: string[] = [];
  if (manifest.ignored.length > 0) {
    const columns = manifest.ignored.map(shortened).slice(0, 20).join(", ");
    notes.push(`${MANIFEST}: columns that mean nothing here are ignored: ${columns}.`);
  }
  if (rows[0] !== undefined) {
    notes.push(
      `${MANIFEST} names ${rows.length} of its ${manifest.size} files in vain, ${shortened(rows[0])} the first: there is no such file. Paths are relative to the folder, such as Cancer/a.png.`,
    );
  }
  if (masks[0] !== undefined) {
    notes.push(
      `${MANIFEST} names ${masks.length} lesion masks in vain, ${shortened(masks[0])} the first: their scans are used without. Paths are relative to the folder, such as masks/a.png.`,
    );
  }
  return notes;
}

/** Scans of which folder and manifest say different labels: a sentence, which ends with what becomes of them. */
export function contradictions(manifest: Manifest, files: readonly InputFile[], outcome: string): string | undefined {
  const scans = files.filter(({ input }) => input.kind === "scan");
  const torn = scans.flatMap(({ name, object, input }) => {
    const said = manifest.get(object)?.label;
    const label = input.kind === "scan" ? input.label : undefined;
    return label !== undefined && said !== undefined && said !== label ? [{ name, said, label }] : [];
  });
  const [first] = torn;
  if (first === undefined) return undefined;
  return `${MANIFEST} contradicts the folder about ${torn.length} of ${scans.length} scans, ${first.name} the first (the folder says ${first.label}, the manifest ${first.said}): ${outcome}`;
}

/** How many images' patients are known, as a sentence. */
export function patientsKnown(known: number, images: number): string {
  const line = `patients known for ${known} of ${images} images`;
  return known === images
    ? `${line}.`
    : `${line}. Of the others, slices of one patient count as strangers: name patients in the column patient_id of ${MANIFEST}.`;
}

/**
 * A manifest that says what both say; of a path in both, what `later` says. Later uploads add rows this way and take
 * none away. Columns of the earlier one that no manifest may have any more are left behind.
 */
export function mergeManifests(earlier: Buffer, later: Buffer): Buffer {
  const [before, after] = [readTable(earlier), readTable(later)];
  const usable = before.header.filter((column) => misspelt(column, before.header, MANIFEST_TABLE) === undefined);
  const columns = [...new Set([...usable, ...after.header])];
  const rows = new Map<string, Readonly<Record<string, string>>>();
  for (const { row } of [...before.rows, ...after.rows]) rows.set(normalise(row.path?.trim() ?? ""), row);
  return asCsv(columns, [...rows.values()]);
}

/** A manifest without some of its rows; the same bytes where there is none of them. */
export function withoutRows(content: Buffer, isGone: (path: string, patientId: string) => boolean): Buffer {
  const { header, rows } = readTable(content);
  const left = rows.filter(({ row }) => !isGone(normalise(row.path?.trim() ?? ""), row.patient_id?.trim() ?? ""));
  return left.length === rows.length
    ? content
    : asCsv(
        header,
        left.map(({ row }) => row),
      );
}

/**
 * A person's manifest as it is kept below landing: the same bytes where nothing has to be put differently.
 *
 * @param renamed objects of files that are called otherwise there, by the name that they would have had
 */
export function landedManifest(
  content: Buffer,
  names: FolderNames,
  renamed: ReadonlyMap<string, string> = new Map(),
): Buffer {
  const { header, rows, plain } = readTable(content);
  let changed = !plain;
  const landed = rows.map(({ row }) => {
    const cells: Record<string, string> = { ...row };
    const put = (column: string, given: string, wanted: string) => {
      if (wanted === given) return;
      changed = true;
      cells[column] = wanted;
    };
    for (const column of ["path", "mask"]) {
      const cell = normalise(cells[column]?.trim() ?? "");
      put(column, cell, landedName(cell, names));
    }
    const path = canonical(cells.path?.trim() ?? "", names);
    const object = renamed.get(path);
    if (object !== undefined) {
      put("path", path, object);
      if (cells.mask?.trim()) put("mask", cells.mask, maskBeside(object));
    }
    const label = cells.label?.trim() ?? "";
    if (label !== "") put("label", label, labelOf(label, names) ?? "");
    return cells;
  });
  return changed ? asCsv(header, landed) : content;
}

function asCsv(columns: readonly string[], rows: readonly Readonly<Record<string, string>>[]): Buffer {
  return Buffer.from(stringify([columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))]));
}

function canonical(path: string, names: FolderNames): string {
  return landedName(normalise(path), names);
}

function normalise(path: string): string {
  return path.replaceAll("\\", "/").replace(/^(\.\/)+/, "");
}
