import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  type FolderNames,
  type Identities,
  type Input,
  type InputFile,
  type Landing,
  LOCAL_PSEUDONYM_KEY,
  landedManifest,
  MANIFEST,
  manifestNotes,
  maskBeside,
  mergeManifests,
  ORIGINAL_NAME,
  openIdentities,
  openInput,
  pickScans,
  planLanding,
} from "../intake";
import { ConfigurationError } from "../platform/config";
import { type Progress, silentProgress } from "../platform/progress";
import type { StepCounts } from "../platform/step";
import {
  ChecksumMismatchError,
  crc32cOf,
  crc32cOfFile,
  InvalidObjectNameError,
  type ObjectStore,
  PreconditionFailedError,
} from "../platform/stores";

export interface UploadOptions {
  /** The input folder. */
  readonly data: string;
  /** The landing bucket. */
  readonly store: ObjectStore;
  /** At most this many scans, see {@link pickScans}, with their masks; default all files. */
  readonly limit?: number;
  /** What its folders stand for; default: label folders in any case. */
  readonly names?: FolderNames;
  /** Key of the names that DICOM files get, the one of ingest. Default: `PSEUDONYM_KEY`; in a folder, else the laptop's. */
  readonly pseudonymKey?: string;
  readonly signal?: AbortSignal;
  readonly progress?: Progress;
  /** Files sent side by side. Default 4. */
  readonly concurrency?: number;
}

/** What an upload did. `rejected` counts the files that were refused; each has its sentence in `refused`. */
export interface UploadCounts extends StepCounts {
  readonly refused: readonly string[];
  /** Bytes sent. */
  readonly bytes: number;
}

/** Files from this size on are streamed, which Google Cloud Storage receives in pieces that can be repeated. */
const STREAMED_BYTES = 8 * 2 ** 20;

/**
 * Sends an input folder to a landing bucket: the manifest first, since ingest reads it with every scan, then the masks,
 * then the scans. Every object is created with its CRC32C and on the condition that there is none of that name. What is
 * there already with equal content is skipped, so an upload that was cut short goes on where it stopped; what is there
 * with other content is refused, and the rest goes on. DICOM files are called by pseudonyms, see {@link planLanding}.
 * @throws {ConfigurationError} for a folder or a manifest that cannot be used.
 */
export async function uploadFolder(options: UploadOptions): Promise<UploadCounts> {
  const { store, signal, progress = silentProgress } = options;
  const input = await openInput(options.data, options.names);
  const { folder } = input;
  const { manifest, rest } = selectFiles(input, options.limit);
  const present = new Map<string, { size: number; crc32c: string }>();
  const renamed = new Map<string, string>();
  for await (const { name, size, crc32c, metadata } of store.listAll()) {
    present.set(name, { size, crc32c });
    const original = metadata[ORIGINAL_NAME];
    if (original !== undefined) renamed.set(original, name);
  }
  let identities: Promise<Identities> | undefined;
  const open = () => {
    identities ??= openIdentities(options.pseudonymKey ?? process.env.PSEUDONYM_KEY ?? ownKey(store));
    return identities;
  };
  progress.start(rest.length);
  const plan = await planLanding(rest, input.manifest, open, () => {
    signal?.throwIfAborted();
    progress.advance();
  });
  for (const [original, name] of plan.renamed) renamed.set(original, name);

  const counts = { items: 0, skipped: 0, bytes: 0 };
  const refused: string[] = [];
  const note = (outcome: Outcome) => {
    if (outcome.kind === "refused") refused.push(outcome.why);
    else if (outcome.kind === "skipped") counts.skipped++;
    else {
      counts.items++;
      counts.bytes += outcome.bytes;
    }
    progress.advance();
  };

  const { landings } = plan;
  progress.start(landings.length + (manifest ? 1 : 0));
  if (manifest) note(await sendManifest(store, landedManifest(await readFile(manifest.path), input.names, renamed)));
  for (const some of [landings.filter(({ file }) => isMask(file)), landings.filter(({ file }) => !isMask(file))]) {
    const queue = some.values();
    let failed = false;
    const worker = async () => {
      try {
        // The workers share one iterator: each takes the next file.
        for (const landing of queue) {
          if (failed || signal?.aborted) return;
          note(await sendFile(store, landing, present));
        }
      } catch (error) {
        failed = true;
        throw error;
      }
    };
    await Promise.all(Array.from({ length: options.concurrency ?? 4 }, worker));
  }
  progress.finish();
  signal?.throwIfAborted();
  refused.sort();
  const told = manifestNotes(input.manifest, folder.files, (object) => present.has(renamed.get(object) ?? object));
  return { ...counts, rejected: refused.length, refused, notes: [...folder.notes, ...told, ...refused] };
}

/** @throws {ConfigurationError} for a hospital's bucket: names of another key would be others than ingest gives */
function ownKey({ uri }: ObjectStore): string {
  if (!uri.startsWith("gs://")) return LOCAL_PSEUDONYM_KEY;
  throw new ConfigurationError("The environment", [
    "PSEUDONYM_KEY is not set. DICOM files are called by pseudonyms below landing: name the hospital's key, gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N, which ingest uses.",
  ]);
}

type Outcome =
  | { readonly kind: "sent"; readonly bytes: number }
  | { readonly kind: "skipped" }
  | { readonly kind: "refused"; readonly why: string };

const isMask = (file: InputFile) => file.input.kind === "mask";

function selectFiles({ folder, manifest: entries }: Input, limit: number | undefined) {
  const manifest = folder.files.find(({ input }) => input.kind === "manifest");
  const others = folder.files.filter((file) => file !== manifest);
  if (limit === undefined) return { manifest, rest: others };

  const scans = pickScans(others, limit);
  const masks = new Set(scans.flatMap(({ object }) => [entries.get(object)?.mask ?? "", maskBeside(object)]));
  return { manifest, rest: [...others.filter((file) => isMask(file) && masks.has(file.object)), ...scans] };
}

async function sendFile(
  store: ObjectStore,
  { file, object, otherwise, renamed }: Landing,
  present: ReadonlyMap<string, { size: number; crc32c: string }>,
): Promise<Outcome> {
  try {
    const small = file.size < STREAMED_BYTES;
    const bytes = small ? await readFile(file.path) : undefined;
    const { crc32c, size } = bytes ? { crc32c: crc32cOf(bytes), size: bytes.length } : await crc32cOfFile(file.path);
    const isSame = (other: { size: number; crc32c: string } | undefined) =>
      other?.size === size && other.crc32c === crc32c;
    // An earlier version sent it under its own name.
    if (renamed && isSame(present.get(file.object))) return { kind: "skipped" };
    const metadata = renamed ? { metadata: { [ORIGINAL_NAME]: file.object } } : {};
    for (const name of [object, ...(otherwise === undefined || otherwise === object ? [] : [otherwise])]) {
      const known = present.get(name);
      if (isSame(known)) return { kind: "skipped" };
      if (known) continue;
      try {
        const content = bytes ?? createReadStream(file.path);
        await store.write(name, content, { ifGenerationMatch: 0, crc32c, ...metadata });
        return { kind: "sent", bytes: size };
      } catch (error) {
        // Somebody else's upload, or an earlier attempt of this one whose answer was lost.
        const other = error instanceof PreconditionFailedError ? await store.stat(name) : undefined;
        if (!other) throw error;
        if (isSame(other)) return { kind: "skipped" };
      }
    }
    return { kind: "refused", why: overwriting(store, file) };
  } catch (error) {
    if (error instanceof InvalidObjectNameError) return { kind: "refused", why: error.message };
    if (error instanceof ChecksumMismatchError) {
      return { kind: "refused", why: `${file.name} changed while it was being sent. Send it again.` };
    }
    const { code } = error as NodeJS.ErrnoException;
    if ((code === "ENOENT" || code === "EACCES" || code === "EPERM") && (error as NodeJS.ErrnoException).path) {
      return { kind: "refused", why: `${file.name} cannot be read (${code}).` };
    }
    throw error;
  }
}

function overwriting(store: ObjectStore, file: InputFile): string {
  return `${file.object} is in ${store.uri} already, with other content. It was not overwritten: give one of them another name.`;
}

/** A later manifest adds to the one that is there: rows of scans that were sent before stay. */
async function sendManifest(store: ObjectStore, later: Buffer): Promise<Outcome> {
  for (;;) {
    const object = await store.stat(MANIFEST);
    const earlier = object ? await store.read(MANIFEST, { generation: object.generation }) : undefined;
    if (earlier?.equals(later)) return { kind: "skipped" };
    const content = earlier ? mergeManifests(earlier, later) : later;
    if (earlier?.equals(content)) return { kind: "skipped" };
    try {
      const ifGenerationMatch = object?.generation ?? 0;
      await store.write(MANIFEST, content, { ifGenerationMatch, crc32c: crc32cOf(content), contentType: "text/csv" });
      return { kind: "sent", bytes: content.length };
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
    }
  }
}
