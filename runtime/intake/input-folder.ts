import { createHash } from "node:crypto";
import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { ConfigurationError, listed } from "../platform/config";
import { compareNames } from "../platform/stores";
import { LABEL_FOLDERS } from "./labels";
import {
  ANY_CASE,
  classify,
  type FolderNames,
  fold,
  type InputKind,
  isKnownFolder,
  landedName,
  lookAlike,
} from "./names";

/** A file of an input folder. */
export interface InputFile {
  /** Path relative to the folder, with slashes, as it stands there. */
  readonly name: string;
  /** The name it has as an object below landing: `Cancer/a.png`, also where it lies in `CANCER/`. */
  readonly object: string;
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
  /** Where label folders that are links lead to. */
  readonly linked: readonly string[];
  /** What was passed over, and why: a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Lists the regular files below a directory. Symbolic links to files are followed, and so is one that stands for a
 * label folder; a link to another directory is not, lest it lead around in circles or across the disk. Control
 * characters and bytes that are no UTF-8 are written as `%0A` in the name.
 * @param names what its folders stand for
 * @throws {ConfigurationError} if the directory cannot be read.
 */
export function readInputFolder(directory: string, names: FolderNames = ANY_CASE): InputFolder {
  const files: InputFile[] = [];
  const linked: string[] = [];
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
        const object = landedName(name, names);
        files.push({
          name,
          object,
          path: Buffer.from(utf8).equals(path) ? utf8 : path,
          size: stat.size,
          input: classify(object),
        });
      } else if (!stat.isDirectory()) notes.push(`${name} is no regular file; it was passed over.`);
      else if (entry.isDirectory()) visit(path, `${name}/`);
      else if (prefix === "" && isKnownFolder(name, names)) {
        linked.push(realpathSync.native(path));
        visit(path, `${name}/`);
      } else notes.push(`${name} is a link to a folder; it was passed over. Copy the folder, or give its own path.`);
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
  return { directory, files, linked, notes: notes.sort() };
}

/**
 * Refuses a directory without any label folder: it is most likely the wrong one, and all of it would be uploaded. Refuses
 * files that would land under one name too: one of them would be lost.
 * @throws {ConfigurationError}
 */
export function requireLabelFolders(folder: InputFolder): void {
  const problems = sharedNames(folder.files);
  if (!folder.files.some(({ input }) => input.kind === "scan")) {
    const first = folder.files.find(({ input }) => input.kind === "stray")?.input;
    const why = first?.kind === "stray" ? ` ${first.message}` : "";
    problems.push(`it has no scan in Cancer/, Non-Cancer/ or Unlabelled/.${why}${suggestedLabels(folder.files)}`);
  }
  if (problems.length > 0) throw new ConfigurationError(`The input folder ${folder.directory}`, listed(problems));
}

/**
 * Refuses names of `--labels` that no folder has while there are folders whose label is not known: a mistyped one would
 * lose a whole class.
 * @throws {ConfigurationError}
 */
export function requireNamedFolders(folder: InputFolder, names: FolderNames): void {
  const uppermost = uppermostFolders(folder.files);
  const strays = uppermost.filter((name) => !isKnownFolder(name, names));
  const there = uppermost.map(fold);
  const absent = [...names.keys()].filter((name) => !ANY_CASE.has(name) && !there.includes(name));
  if (absent.length === 0 || strays.length === 0) return;
  throw new ConfigurationError("--labels", [
    `${absent.map((name) => `${name}/`).join(", ")} is not in ${folder.directory}; there ${strays.length === 1 ? "is" : "are"} ${strays.map((name) => `${name}/`).join(", ")}, whose label is not known.`,
  ]);
}

function sharedNames(files: readonly InputFile[]): string[] {
  const first = new Map<string, string>();
  const problems: string[] = [];
  for (const { name, object } of files) {
    const other = first.get(object);
    if (other === undefined) first.set(object, name);
    else problems.push(`${other} and ${name} would both become ${object}. Give one of them another name.`);
  }
  return problems;
}

/** Names of the folders right below the input folder that hold a file. */
function uppermostFolders(files: readonly InputFile[]): string[] {
  return [...new Set(files.flatMap(({ name }) => (name.includes("/") ? [name.slice(0, name.indexOf("/"))] : [])))];
}

/** The option that would make label folders of those there are. */
function suggestedLabels(files: readonly InputFile[]): string {
  const pairs = uppermostFolders(files).flatMap((folder) => {
    const meant = lookAlike(folder);
    return meant && !/[,=]/.test(folder) ? [`${folder}=${meant}`] : [];
  });
  return pairs.length === 0 ? "" : ` Perhaps: --labels "${pairs.join(",")}".`;
}

const SLASH = Buffer.from("/");

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
