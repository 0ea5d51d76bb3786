import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { DEFAULT_LIMITS } from "../imaging";
import {
  type Input,
  type InputFile,
  identitiesUnder,
  type Label,
  LOCAL_PSEUDONYM_KEY,
  MANIFEST,
  openPseudonymiser,
} from "../intake";
import { parseEnv } from "../platform/config";
import type { Progress } from "../platform/progress";
import { checkObjectName, InvalidObjectNameError, type ObjectInfo } from "../platform/stores";
import { BurnedInTextCheck } from "./burned-in-text";
import type { LandingStore, LookingContext } from "./context";
import { ingestContract } from "./contract";
import { type Examined, examine, type Reason } from "./examine";
import { inOrder } from "./in-order";
import { BYTES_IN_FLIGHT } from "./ingest-all";

/** What ingest would make of a file of a person's folder. */
export interface LookedAt {
  /** As it is called there. */
  readonly name: string;
  readonly label: Label | undefined;
  /** Undefined where nothing of it can be read. */
  readonly format: string | undefined;
  readonly hasPatient: boolean;
  /** Why it, or which of its pages, goes to quarantine. */
  readonly refused: readonly { readonly page: number | undefined; readonly reason: Reason }[];
  /** SHA-256 of the pixels of each page that is taken. */
  readonly pictures: readonly string[];
  /** How many of these are painted over, because text was found. */
  readonly blanked: number;
}

const SIDE_BY_SIDE = 3;

/**
 * Reads, decodes and judges every file of a folder with the code that ingests it, and changes nothing: neither a workspace
 * nor a bucket is needed.
 *
 * @returns a finding a file, side files left out, in the folder's order
 */
export async function lookThrough(
  { folder, manifest }: Input,
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<readonly LookedAt[]> {
  const { BURNED_IN_TEXT } = parseEnv(ingestContract.env.pick({ BURNED_IN_TEXT: true }));
  const text = BurnedInTextCheck.of(BURNED_IN_TEXT);
  const identities = identitiesUnder(openPseudonymiser(process.env.PSEUDONYM_KEY ?? LOCAL_PSEUDONYM_KEY));
  identities.catch(() => undefined);
  const landing = new FolderAsLanding(folder.files);
  const context: LookingContext = {
    landing,
    identities: () => identities,
    manifest: async () => manifest,
    find: ({ name }) => landing.stat(name),
    isDone: async () => false,
    text,
    limits: DEFAULT_LIMITS,
    bytesKept: 0,
    keepsPages: false,
  };
  const files = folder.files.filter(({ input }) => input.kind !== "mask" && input.kind !== "manifest");
  const found: LookedAt[] = [];
  progress.start(files.length);
  try {
    const looked = inOrder(files, (file) => lookAt(context, file), {
      concurrency: SIDE_BY_SIDE,
      weight: ({ size }) => size,
      capacity: BYTES_IN_FLIGHT,
      signal,
    });
    for await (const one of looked) {
      found.push(one);
      progress.advance();
    }
  } finally {
    await text?.close();
    progress.finish();
  }
  signal.throwIfAborted();
  return found;
}

async function lookAt(context: LookingContext, file: InputFile): Promise<LookedAt> {
  const label = file.input.kind === "scan" ? file.input.label : undefined;
  const refused = (code: string, message: string): LookedAt => ({
    ...{ name: file.name, label, format: undefined, hasPatient: false, pictures: [], blanked: 0 },
    refused: [{ page: undefined, reason: { code, message } }],
  });
  try {
    checkObjectName("landing", file.object);
    const examined = await examine(context, { bucket: "landing", name: file.object, generation: GENERATION });
    return examined.kind === "scan"
      ? findingOf(file, examined)
      : refused("unreadable", "It cannot be read: it was taken away meanwhile.");
  } catch (error) {
    if (error instanceof InvalidObjectNameError) return refused("bad-name", error.message);
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    return refused("unreadable", `It cannot be read (${code}).`);
  }
}

function findingOf({ name }: InputFile, { facts, format, pages }: Examined & { readonly kind: "scan" }): LookedAt {
  const pictures: string[] = [];
  let blanked = 0;
  const refused: { page: number | undefined; reason: Reason }[] = [];
  for (const { page, result } of pages)
    if ("reason" in result) refused.push({ page: pages.length > 1 ? page : undefined, reason: result.reason });
    else {
      pictures.push(result.sha256);
      if (result.blanked.length > 0) blanked++;
    }
  return { name, label: facts.label, format, hasPatient: facts.patient !== undefined, refused, pictures, blanked };
}

/** Every file has one. */
const GENERATION = 1;

/** A person's folder as if all of it had landed; what it would be called there then, it is not. */
class FolderAsLanding implements LandingStore {
  private readonly files: ReadonlyMap<string, InputFile>;

  constructor(files: readonly InputFile[]) {
    this.files = new Map(files.filter(({ object }) => object !== MANIFEST).map((file) => [file.object, file]));
  }

  async stat(name: string): Promise<ObjectInfo | undefined> {
    const file = this.files.get(name);
    if (!file) return undefined;
    const { size } = file;
    return { name, size, generation: GENERATION, crc32c: "", contentType: undefined, metadata: {}, updated: "" };
  }

  read(name: string): Promise<Buffer> {
    return readFile(this.pathOf(name));
  }

  async createReadStream(name: string) {
    return createReadStream(this.pathOf(name));
  }

  private pathOf(name: string): string | Buffer {
    const file = this.files.get(name);
    if (!file) throw new Error(`${name} is none of the files that were looked at.`);
    return file.path;
  }
}
