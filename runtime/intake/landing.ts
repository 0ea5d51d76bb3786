import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { isDicom } from "../imaging";
import { type ScannedHeader, scannedHeader } from "./facts";
import type { Identities } from "./identities";
import type { InputFile } from "./input-folder";
import type { Manifest } from "./manifest";
import { maskBeside } from "./names";
import { dicomObject, GATEWAY_FOLDER, otherDicomObject, placeOf } from "./scan-names";

/** A file, and an object that it is to become. */
export interface Landing {
  readonly file: InputFile;
  /** Name below landing. */
  readonly object: string;
  /** The name for it where the other is another file's of the same instance. */
  readonly otherwise?: string;
  /** Whether it is no longer called as in its folder. */
  readonly renamed: boolean;
}

/** What lands under which name. */
export interface LandingPlan {
  readonly landings: readonly Landing[];
  /** The objects of files that are called otherwise, by the name that they would have had. */
  readonly renamed: ReadonlyMap<string, string>;
}

/**
 * Decides what files are called below landing. A DICOM file is called by pseudonyms of its UIDs, because people call such
 * files after patients, and its lesion mask is called as it is. Of several files of one instance the first in the folder's
 * order has that name, and the others a part of their content's hash behind it; those of equal bytes are one.
 *
 * @param files scans, strays and masks
 * @param identities asked where there is a DICOM file
 */
export async function planLanding(
  files: readonly InputFile[],
  manifest: Manifest,
  identities: () => Promise<Identities>,
  onFile: () => void = () => undefined,
): Promise<LandingPlan> {
  const landings: Landing[] = [];
  const renamed = new Map<string, string>();
  const owners = new Map<string, string>();
  /** What masks are called beside renamed scans, by their own name. */
  const masks = new Map<string, string[]>();
  /** Masks that other scans may use. */
  const kept = new Set<string>();
  for (const file of files.filter(({ input }) => input.kind !== "mask")) {
    onFile();
    const mask = manifest.get(file.object)?.mask ?? maskBeside(file.object);
    const scanned = await headerOfFile(file);
    if (scanned === undefined) {
      kept.add(mask);
      landings.push({ file, object: file.object, renamed: false });
      continue;
    }
    const names = await (await identities()).of(scanned.header.patientId);
    const place = placeOf(scanned.header, scanned.sha256, names);
    const called = outsideGateway(file.object);
    const plain = dicomObject(called, place);
    const otherwise = otherDicomObject(called, place, scanned.sha256);
    const owner = owners.get(plain) ?? scanned.sha256;
    owners.set(plain, owner);
    const object = owner === scanned.sha256 ? plain : otherwise;
    renamed.set(file.object, object);
    landings.push({ file, object, otherwise, renamed: true });
    masks.set(mask, [...(masks.get(mask) ?? []), maskBeside(object)]);
  }
  const sent = files.flatMap((file): Landing[] => {
    if (file.input.kind !== "mask") return [];
    const others = [...new Set(masks.get(file.object) ?? [])];
    const own = others.length === 0 || kept.has(file.object) ? [{ file, object: file.object, renamed: false }] : [];
    return [...own, ...others.map((object) => ({ file, object, renamed: true }))];
  });
  return { landings: [...sent, ...landings], renamed };
}

/** A folder of the gateway's name in somebody's data is not the gateway's: nothing in it is taken for a pseudonym. */
const outsideGateway = (object: string): string =>
  object.startsWith(GATEWAY_FOLDER) ? object.replace(GATEWAY_FOLDER, "Unlabelled/") : object;

/** Enough to tell whether a file is DICOM. */
const FIRST_BYTES = 1024;
/** In which a header is looked for: what is larger is no slice, and is not decoded either. */
const MOST_BYTES = 256 * 2 ** 20;

/** @returns undefined for what is no DICOM file, or cannot be read: that is said where it is sent */
export async function headerOfFile({
  path,
  size,
}: Pick<InputFile, "path" | "size">): Promise<ScannedHeader | undefined> {
  try {
    const handle = await open(path, "r");
    try {
      const first = await readStart(handle, Math.min(size, FIRST_BYTES));
      if (!isDicom(first)) return undefined;
      if (size <= MOST_BYTES) return scannedHeader(await readFile(path));
      return scannedHeader(await readStart(handle, LARGE_START), await sha256OfFile(path));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return undefined;
  }
}

/** Of a file that is too large to be read: as much as ingest reads of it. */
const LARGE_START = 8 * 2 ** 20;

async function readStart(handle: Awaited<ReturnType<typeof open>>, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

async function sha256OfFile(path: string | Buffer): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
