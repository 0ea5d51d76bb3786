import { randomBytes } from "node:crypto";
import { constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, link, rename, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { EMPTY_MANIFEST, type Input, type InputFile, LANDED_NAMES, readInputFolder, readManifest } from "../intake";
import { NOT_SCANS, PHANTOM_COLLECTION } from "../phantom";
import { ConfigurationError } from "../platform/config";
import { onDisk } from "../platform/disk";
import { isWithin, realPlace } from "../platform/places";
import { PHANTOM_WORKSPACE } from "../platform/workspace";

/*
 * A workspace is one set of scans: its model learns from all of them. `workspace.json` names the folders that were put in,
 * and a command that would put in others is refused unless the person says that it is meant so.
 */

/** Whose presence makes a folder a workspace. */
export const WORKSPACE_FILE = "workspace.json";
/** Folder of drawn phantoms in a workspace. */
export const PHANTOMS = "phantoms";

const entrySchema = z.object({
  /** Real path; relative where it lies in the workspace, which may be moved; null: not known, of an earlier version. */
  folder: z.string().nullable(),
  /** Of phantoms: what they were drawn with. */
  seed: z.number().int().optional(),
  /** Of the last command that put it in. */
  limit: z.number().int().optional(),
  /** ISO 8601: when it was first put in; null: not known. */
  at: z.string().nullable(),
});
type Entry = z.infer<typeof entrySchema>;

const dataSchema = z.object({
  /** Whether all of it is drawn phantoms; if not, nothing is. */
  drawn: z.boolean(),
  data: z.array(entrySchema),
});
/** `workspace.json` */
export type WorkspaceData = z.infer<typeof dataSchema>;

/** What a command is about to put in. */
export interface Source {
  readonly folder: string;
  readonly drawn: boolean;
  readonly seed?: number;
  readonly limit?: number;
  /** Bytes of its files by their names below landing. */
  readonly files?: ReadonlyMap<string, number>;
}

/** A person's folder as a source. One whose manifest says that its scans are drawn is phantoms, wherever it lies. */
export function folderSource(out: string, { folder, manifest }: Input, limit: number | undefined): Source {
  const real = realPlace(folder.directory);
  const drawn = [...manifest.values()].some(({ source }) => source === PHANTOM_COLLECTION);
  return {
    folder: isWithin(real, out) ? relative(realPlace(out), real).replaceAll(sep, "/") : real,
    drawn,
    files: new Map(folder.files.map(({ object, size }) => [object, size])),
    ...(limit === undefined ? {} : { limit }),
  };
}

/** The phantoms that `demo` draws into the workspace itself. */
export function phantomSource(seed: number, limit: number | undefined): Source {
  return { folder: `${PHANTOMS}/seed-${seed}`, drawn: true, seed, ...(limit === undefined ? {} : { limit }) };
}

/** The seed of the first phantoms that were drawn into a workspace. */
export async function phantomSeed(out: string): Promise<number | undefined> {
  return (await readWorkspaceData(out))?.data.find(({ seed }) => seed !== undefined)?.seed;
}

/**
 * What a workspace was made of; undefined where nothing was put in yet. Of one from before `workspace.json` was kept, what
 * can be told from what has landed.
 *
 * @param source what is to be put in: if all that has landed is there, it is where that came from
 * @throws {ConfigurationError} if it cannot be read, or holds phantoms and scans together
 */
export async function readWorkspaceData(out: string, source?: Source): Promise<WorkspaceData | undefined> {
  const path = join(out, WORKSPACE_FILE);
  if (!existsSync(path)) return adopt(out, source);
  try {
    return dataSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new ConfigurationError("The workspace", [
      `${path} cannot be read (${why}). Remove it: the next npm run demo or ingest writes it anew.`,
    ]);
  }
}

/** Why a workspace does not take what is to be put in, and what to do: a sentence or undefined. */
export function refusal(
  out: string,
  known: WorkspaceData | undefined,
  source: Source,
  add: boolean,
): string | undefined {
  if (known === undefined) return undefined;
  const name = describe(source);
  const other = "Give another workspace with --out DIR";
  if (known.drawn !== source.drawn) {
    return known.drawn
      ? `--out ${out} holds drawn phantoms, and ${name} holds scans: they never share a workspace. ${other}, or delete the phantoms'.`
      : `--out ${out} holds scans, and drawn phantoms never share a workspace with them. ${other}; npm run demo draws into ${PHANTOM_WORKSPACE} without one.`;
  }
  if (add || known.data.some(({ folder }) => folder === source.folder)) return undefined;
  const there = known.data.map(describe).join(" and ");
  const both = "or repeat the command with --add, and one model learns from all of them";
  if (known.drawn) return `--out ${out} holds ${there}, not ${name}. ${other}; ${both}.`;
  return `--out ${out} holds the scans of ${there}, not those of ${name}. ${other}; ${both}. --add is right too if the folder was moved or renamed: what is there already is not taken twice.`;
}

/**
 * Writes down what is to be put in, before it is, in the workspace's folder, which is there. Of two processes that claim a
 * new workspace one is the first, and the other sees what that one wrote.
 *
 * @throws {ConfigurationError} if the workspace does not take it
 */
export async function claimWorkspace(out: string, source: Source, add: boolean): Promise<void> {
  const root = resolve(out);
  const path = join(root, WORKSPACE_FILE);
  for (;;) {
    const isThere = existsSync(path);
    const known = await readWorkspaceData(root, source);
    const problem = refusal(out, known, source, add);
    if (problem !== undefined) throw new ConfigurationError("The workspace", [problem]);
    const claimed = withSource(known, source);
    if (isThere && JSON.stringify(claimed) === JSON.stringify(known)) return;
    const next = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`;
    try {
      await onDisk(path, () => writeFile(next, `${JSON.stringify(claimed, null, 2)}\n`));
      if (await takePlace(next, path, isThere)) return;
    } finally {
      await rm(next, { force: true });
    }
  }
}

/**
 * Puts a written file in its place: where there is none yet, only if no other process is faster. Of two that add at once
 * one entry may be lost, whose folder then needs --add again; whether a workspace is drawn never changes.
 */
async function takePlace(next: string, path: string, isThere: boolean): Promise<boolean> {
  if (isThere) {
    await rename(next, path);
    return true;
  }
  try {
    // Some file systems know no hard links.
    await link(next, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw error;
      return copyFile(next, path, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function withSource(known: WorkspaceData | undefined, { folder, drawn, seed, limit }: Source): WorkspaceData {
  const data = known?.data ?? [];
  const earlier = data.find((entry) => entry.folder === folder);
  const entry: Entry = {
    folder,
    ...(seed === undefined ? {} : { seed }),
    ...(limit === undefined ? {} : { limit }),
    at: earlier ? earlier.at : new Date().toISOString(),
  };
  if (earlier === undefined) return { drawn, data: [...data, entry] };
  return { drawn, data: data.map((other) => (other === earlier ? entry : other)) };
}

function describe({ folder, seed }: Pick<Entry, "folder" | "seed">): string {
  if (seed !== undefined) return `phantoms of seed ${seed}`;
  return folder ?? "a folder that an earlier version did not write down (not all of them are in the one given)";
}

/** What a workspace from before was made of. */
async function adopt(out: string, source: Source | undefined): Promise<WorkspaceData | undefined> {
  const { drawn, scans } = await lookAtLanded(join(out, "landing"));
  if (drawn.length > 0 && scans.length > 0) {
    throw new ConfigurationError("The workspace", [
      `--out ${out} holds ${drawn.length} drawn phantoms and ${scans.length} scans together, which an earlier version let happen: what was learnt from both is worth nothing. Delete it, or give another with --out DIR.`,
    ]);
  }
  if (drawn.length > 0) return { drawn: true, data: phantomsIn(out) };
  if (scans.length === 0) return undefined;
  const isAtHand = source?.files && scans.every(({ object, size }) => source.files?.get(object) === size);
  return { drawn: false, data: [{ folder: isAtHand ? source.folder : null, at: null }] };
}

async function lookAtLanded(landing: string): Promise<Record<"drawn" | "scans", readonly InputFile[]>> {
  if (!existsSync(landing)) return { drawn: [], scans: [] };
  const { files } = readInputFolder(landing, LANDED_NAMES);
  const manifest = await readManifest(files, LANDED_NAMES).catch((error) => {
    // What is wrong with it ingest says. Drawn ones have nothing wrong.
    if (error instanceof ConfigurationError) return EMPTY_MANIFEST;
    throw error;
  });
  const isDrawn = ({ object }: InputFile) => manifest.get(object)?.source === PHANTOM_COLLECTION;
  const drawn = files.filter(isDrawn);
  const beside = new Set<string>(drawn.length > 0 ? Object.values(NOT_SCANS) : []);
  const scans = files.filter((file) => file.input.kind === "scan" && !isDrawn(file) && !beside.has(file.object));
  return { drawn, scans };
}

function phantomsIn(out: string): Entry[] {
  const folder = join(out, PHANTOMS);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const seeds = names.flatMap((name) => /^seed-(\d+)$/.exec(name)?.[1] ?? []);
  if (seeds.length === 0) return [{ folder: null, at: null }];
  return seeds.map((seed) => ({ folder: `${PHANTOMS}/seed-${seed}`, seed: Number(seed), at: null }));
}
