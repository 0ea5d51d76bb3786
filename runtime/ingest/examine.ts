import { createHash } from "node:crypto";
import sharp from "sharp";
import { type Box, paintedOver } from "../guard";
import {
  decodeScan,
  encodePng,
  type ImageFormat,
  type ImageLimits,
  perceptualHash,
  pixelSha256,
  RejectedImage,
} from "../imaging";
import {
  classify,
  dicomObject,
  factsOf,
  type InputKind,
  isCalledPicture,
  isDicomObject,
  type Label,
  learntFacts,
  maskBeside,
  namesOfLanded,
  ORIGINAL_NAME,
  objectPseudonym,
  placeOf,
  readLearnt,
  type ScanFacts,
  type ScannedHeader,
  scannedHeader,
  unreadObject,
} from "../intake";
import { referenceOf } from "../platform/names-in-logs";
import { ChecksumMismatchError, checkObjectName, InvalidObjectNameError, type ObjectInfo } from "../platform/stores";
import { BurnedInTextError, type FileTextCheck } from "./burned-in-text";
import type { IngestContext, LookingContext } from "./context";
import type { LandingEvent } from "./event";

// Files are worked on side by side; threads within one image would only compete.
sharp.concurrency(1);

/** Why a file or a page goes to quarantine: a stable code, and a sentence for a person. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

/** Codes that ingest adds to those of imaging. */
export const INGEST_CODES = {
  "outside-label-folders": "The file lies in none of Cancer/, Non-Cancer/ and Unlabelled/.",
  "label-conflict": "manifest.csv gives another label than the folder.",
  "checksum-mismatch": "The stored bytes are not those that were uploaded.",
  "burned-in-text": "The file has text in its pixels, or seems to: it may name the patient.",
  "decoder-failure": "A decoder failed in a way that is not known.",
} as const;

/** What is known of a file beside its pixels. */
export interface Facts extends ScanFacts {
  readonly label: Label | undefined;
  readonly givenSplit: string | undefined;
  readonly collection: string | undefined;
  readonly subtype: string | undefined;
  /** Name below landing. */
  readonly mask: string | undefined;
  /** Why the mask that the manifest names is none; the scan is curated without. */
  readonly maskProblem?: string;
}

export interface ExaminedPage {
  /** See {@link identify}. */
  readonly id: string;
  readonly source: string;
  /** 1 to the number of pages. */
  readonly page: number;
  readonly result:
    | { readonly reason: Reason }
    | {
        readonly width: number;
        readonly height: number;
        readonly sha256: string;
        readonly phash: string;
        /** Where the picture was painted over, because there was text; pixels. */
        readonly blanked: readonly Box[];
        /** The curated file; undefined where none is made, or keeping all pages of the file would take too much memory. */
        readonly png: Buffer | undefined;
      };
}

/** What looking at a landed object gave. Nothing has been written yet. */
export type Examined =
  /** Nothing to do: a side file, an object that is gone, or one whose rows exist already. */
  | { readonly kind: "nothing"; readonly why: "side file" | "gone" | "done"; readonly event: LandingEvent }
  | {
      readonly kind: "scan";
      readonly event: LandingEvent;
      readonly object: ObjectInfo;
      /** What the object is called behind this: its name, or what stands for that. */
      readonly source: string;
      /** Stands for the object's name where `source` is not that. */
      readonly landed: string | undefined;
      readonly format: ImageFormat | undefined;
      readonly facts: Facts;
      /** One for a file that was refused as a whole. */
      readonly pages: readonly ExaminedPage[];
    };

/** Name of the batch that holds an object's rows: the same delivery has the same name, and log lines have it too. */
export function batchName(name: string, generation: number): string {
  return referenceOf(name, generation);
}

/** The id of a page: SHA-256 over source, page and the SHA-256 of the file's bytes. Equal everywhere, at any time. */
export function identify(source: string, page: number, bytesSha256: string): string {
  return createHash("sha256").update(`${page} ${bytesSha256} ${source}`).digest("hex");
}

/**
 * Reads, decodes and hashes an object: the expensive part, which writes nothing and may run beside others of its kind.
 * @throws what the stores throw when they cannot be reached: the event is then to be delivered again.
 */
export async function examine(context: LookingContext, event: LandingEvent): Promise<Examined> {
  const input = classify(event.name);
  if (input.kind === "manifest" || input.kind === "mask") return { kind: "nothing", why: "side file", event };
  if (await context.isDone(event)) return { kind: "nothing", why: "done", event };
  const object = await context.find(event);
  if (!object) return { kind: "nothing", why: "gone", event };

  const read = await readStored(context, object);
  const { facts, conflict } = await gatherFacts(context, object, input, read.scanned);
  const { source, landed } = await callOf(context, object, read);
  const scan = { kind: "scan", event, object, source, landed, facts } as const;
  const identity = landed ?? source;
  const refuse = (reason: Reason): Examined => ({
    ...scan,
    format: undefined,
    pages: [{ id: identify(identity, 1, read.sha256), source, page: 1, result: { reason } }],
  });
  const obstacle = read.obstacle ?? conflict;
  if (obstacle || read.bytes === undefined) return refuse(obstacle ?? tooLarge(object.size, context.limits));
  try {
    const fromDicom = readLearnt(event.name) !== undefined && facts.instance !== undefined;
    return {
      ...scan,
      ...(await decodePages(context, { bytes: read.bytes, sha256: read.sha256, source, identity, fromDicom })),
    };
  } catch (error) {
    return refuse(reasonOf(error));
  }
}

/** A landed object as far as it can be read. */
interface ReadObject {
  /** Undefined where it is not to be decoded. */
  readonly bytes: Buffer | undefined;
  /** SHA-256 of its bytes. Where they cannot be trusted, their stated checksum. */
  readonly sha256: string;
  readonly scanned: ScannedHeader | undefined;
  /** Why it is refused whatever it holds. */
  readonly obstacle?: Reason;
}

/** Of a file that is too large, bytes in which a header is looked for. */
const FIRST_BYTES = 8 * 2 ** 20;

async function readStored(context: LookingContext, object: ObjectInfo): Promise<ReadObject> {
  try {
    if (object.size > context.limits.bytes) {
      const { sha256, first } = await twice(() => hashStored(context, object));
      return { bytes: undefined, sha256, scanned: scannedHeader(first, sha256) };
    }
    const bytes = await readBytes(context, object);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { bytes, sha256, scanned: scannedHeader(bytes, sha256) };
  } catch (error) {
    if (!(error instanceof ChecksumMismatchError)) throw error;
    const obstacle = { code: "checksum-mismatch", message: DAMAGED };
    return { bytes: undefined, sha256: object.crc32c, scanned: undefined, obstacle };
  }
}

/** Does not name the file: its bytes do not say whether its name is a person's. */
const DAMAGED =
  "Its stored bytes are not those that were uploaded: their CRC32C differs. Restore the file, or send it again.";

/** What an object is called behind ingest: a DICOM file by its pseudonyms, whatever it was called where it landed. */
async function callOf(
  context: LookingContext,
  { name }: ObjectInfo,
  { scanned, obstacle, sha256 }: ReadObject,
): Promise<{ readonly source: string; readonly landed: string | undefined }> {
  const asItIs = { source: name, landed: undefined };
  if (scanned === undefined && (obstacle === undefined || isCalledPicture(name))) return asItIs;
  const identities = await context.identities();
  const names = await namesOfLanded(name, scanned?.header ?? { patientId: undefined }, identities);
  const landed = objectPseudonym(name, names);
  if (scanned === undefined) return { source: unreadObject(name, names), landed };
  const place = placeOf(scanned.header, sha256, names);
  return isDicomObject(name, place, sha256) ? asItIs : { source: dicomObject(name, place), landed };
}

/** A file that is to be decoded. */
interface ReadableScan {
  readonly bytes: Buffer;
  /** Of the bytes. */
  readonly sha256: string;
  readonly source: string;
  readonly identity: string;
  /** Whether it is a picture that was taken out of a DICOM file earlier. */
  readonly fromDicom: boolean;
}

async function decodePages(
  context: LookingContext,
  { bytes, sha256: bytesSha256, source: name, identity, fromDicom }: ReadableScan,
) {
  const pages: ExaminedPage[] = [];
  let format: ImageFormat | undefined;
  let text: FileTextCheck | undefined;
  let kept = 0;
  for await (const decoded of decodeScan(bytes, context.limits)) {
    format = decoded.format;
    const { page } = decoded;
    const paged = (of: string) => (decoded.pages > 1 ? `${of}#page=${page}` : of);
    const place = { id: identify(paged(identity), page, bytesSha256), source: paged(name), page };
    if ("rejected" in decoded) {
      pages.push({ ...place, result: { reason: reasonOf(decoded.rejected) } });
      continue;
    }
    // Text in one frame keeps back all: nothing has been curated yet.
    text ??= context.text?.open(bytes, { format, fromDicom });
    const { image, blanked } = (await text?.take(decoded.image, decoded)) ?? { image: decoded.image, blanked: [] };
    const png = context.keepsPages ? await encodePng(image) : undefined;
    const room = png && (kept + png.length <= context.bytesKept || pages.length === 0);
    if (room) kept += png.length;
    pages.push({
      ...place,
      result: {
        width: image.width,
        height: image.height,
        sha256: pixelSha256(image),
        phash: perceptualHash(image),
        blanked,
        png: room ? png : undefined,
      },
    });
  }
  text?.end();
  return { format, pages };
}

/**
 * Decodes a file once more for the pages that were not kept. They are asked for in ascending order, so that the file is
 * gone through once.
 */
export class PageReader {
  private pages: ReturnType<typeof decodeScan> | undefined;

  constructor(
    private readonly context: IngestContext,
    private readonly object: ObjectInfo,
  ) {}

  /** The curated file of a page. @param blanked where it is painted over */
  async encode(page: number, blanked: readonly Box[]): Promise<Buffer> {
    this.pages ??= decodeScan(await readBytes(this.context, this.object), this.context.limits);
    for (;;) {
      const { value, done } = await this.pages.next();
      if (done) throw new Error(`Page ${page} of ${this.object.name} could be decoded before and now cannot.`);
      if (value.page === page && "image" in value) return encodePng(paintedOver(value.image, blanked));
    }
  }

  async close(): Promise<void> {
    await this.pages?.return(undefined);
  }
}

/** Decoders are fed with anything: what they throw concerns the file. */
function reasonOf(error: unknown): Reason {
  if (error instanceof RejectedImage) return { code: error.code, message: error.message };
  if (error instanceof BurnedInTextError) return { code: "burned-in-text", message: error.message };
  const text = error instanceof Error ? error.message : String(error);
  return {
    code: "decoder-failure",
    message: `The file could not be decoded (${text.trim().slice(0, 300)}). Export it again, as PNG if possible.`,
  };
}

function tooLarge(size: number, limits: ImageLimits): Reason {
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20).toLocaleString("en-US")} MiB`;
  return {
    code: "file-too-large",
    message: `The file has ${mebibytes(size)}; at most ${mebibytes(limits.bytes)} are taken. Send one scan a file.`,
  };
}

/** Damage on the way heals when read again; damage in the store does not. */
async function twice<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ChecksumMismatchError)) throw error;
    return work();
  }
}

function readBytes({ landing }: LookingContext, { name, generation }: ObjectInfo): Promise<Buffer> {
  return twice(() => landing.read(name, { generation }));
}

async function hashStored({ landing }: LookingContext, { name, generation }: ObjectInfo) {
  const hash = createHash("sha256");
  const first: Buffer[] = [];
  let kept = 0;
  for await (const chunk of await landing.createReadStream(name, { generation })) {
    hash.update(chunk as Buffer);
    if (kept < FIRST_BYTES) first.push(chunk as Buffer);
    kept += (chunk as Buffer).length;
  }
  return { sha256: hash.digest("hex"), first: Buffer.concat(first) };
}

async function gatherFacts(
  context: LookingContext,
  { name, metadata }: ObjectInfo,
  input: InputKind,
  scanned: ScannedHeader | undefined,
): Promise<{ facts: Facts; conflict: Reason | undefined }> {
  const manifest = await context.manifest();
  const entry = manifest.get(name) ?? manifest.get(metadata[ORIGINAL_NAME] ?? "");
  const folderLabel = input.kind === "scan" ? input.label : undefined;
  const label = folderLabel ?? (input.kind === "scan" ? entry?.label : undefined);
  const known = await factsOf(name, entry, scanned, () => context.identities());
  // A picture that landed because of feedback is of the patient and study of the scan that it was taken from.
  const learnt = readLearnt(name) && !scanned ? learntFacts(metadata) : undefined;
  const facts: Facts = {
    ...known,
    ...learnt,
    ...(known.patient === undefined ? {} : { patient: known.patient }),
    label,
    givenSplit: entry?.split,
    collection: entry?.source ?? learnt?.collection,
    subtype: entry?.subtype,
    ...(input.kind === "scan" ? await findMask(context, name, label, entry?.mask) : { mask: undefined }),
  };
  if (input.kind !== "scan") {
    // The folder of a DICOM file may be called after a patient.
    const message = scanned ? INGEST_CODES["outside-label-folders"] : input.kind === "stray" ? input.message : "";
    return { facts, conflict: { code: "outside-label-folders", message } };
  }
  if (folderLabel && entry?.label && entry.label !== folderLabel) {
    const message = `The file lies in ${folderLabel}/, and manifest.csv says ${entry.label}. Correct one of them and send it again.`;
    return { facts: { ...facts, label: undefined }, conflict: { code: "label-conflict", message } };
  }
  return { facts, conflict: undefined };
}

/** Does not say what was named, which may be anything: logs have this too. */
const NO_NAME = "manifest.csv names it by what is no name below the folder of scans. Write masks/a.png.";

/** The mask that the manifest names, or else the one of the same name. Scans without a tumour have none. */
async function findMask(
  { landing }: LookingContext,
  name: string,
  label: Label | undefined,
  named: string | undefined,
): Promise<Pick<Facts, "mask" | "maskProblem">> {
  if (named !== undefined) return isObjectName(named) ? { mask: named } : { mask: undefined, maskProblem: NO_NAME };
  if (label === "Non-Cancer") return { mask: undefined };
  const mask = maskBeside(name);
  return { mask: (await landing.stat(mask)) ? mask : undefined };
}

function isObjectName(text: string): boolean {
  try {
    checkObjectName("landing", text);
    return true;
  } catch (error) {
    if (error instanceof InvalidObjectNameError) return false;
    throw error;
  }
}
