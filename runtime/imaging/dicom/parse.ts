import { constants, inflateRawSync } from "node:zlib";
import { megabytes } from "../limits";
import { RejectedImage } from "../rejected";
import { DataSet } from "./data-set";
import { damaged } from "./failures";
import { PICTURE_ELEMENTS, TAG, type WantedElements } from "./tags";
import { TRANSFER_SYNTAX } from "./transfer-syntaxes";
import { type Encoding, isRepresentation, SHORT, type Visitor, Walker } from "./walk";

/** Of a deflated data set, bytes. Some MiB of such a file can stand for all the memory that there is. */
const MOST_INFLATED = 64 * 2 ** 20;

/** Bytes before the mark of a file that has them: DICOM PS3.10, 7.1. */
const PREAMBLE = 128;
const MARK = "DICM";

export interface DicomFile {
  /** UID; undefined where the file does not say it, and Implicit or Explicit was found by looking. */
  readonly transferSyntax: string | undefined;
  /** Of group 2. */
  readonly meta: DataSet;
  readonly dataSet: DataSet;
}

/**
 * Whether bytes are a DICOM file: by its mark, or, where a file was written without, by a first element that no other
 * format has there.
 */
export function isDicom(bytes: Buffer): boolean {
  return startOf(bytes) !== undefined;
}

function startOf(bytes: Buffer): number | undefined {
  if (bytes.toString("latin1", PREAMBLE, PREAMBLE + MARK.length) === MARK) return PREAMBLE + MARK.length;
  return isFirstElement(bytes) ? 0 : undefined;
}

/** Longest value of what comes first in a bare data set: a group's length, a character set, a UID. */
const LONGEST_FIRST = 256;

function isFirstElement(bytes: Buffer): boolean {
  if (bytes.length < 12) return false;
  const [group, element] = [bytes.readUInt16LE(0), bytes.readUInt16LE(2)];
  const vr = bytes.toString("latin1", 4, 6);
  if (SHORT.has(vr))
    return ((group === 2 || group === 8) && element <= 0x18) || (group === 0x0800 && (element & 0xff) === 0);
  if (vr === "OB") return group === 2 && element === 1;
  return group === 8 && element <= 0x18 && bytes.readUInt32LE(4) <= LONGEST_FIRST;
}

/**
 * Reads the elements of a file that are looked at, iteratively and with limits: on elements, on nesting, and, of a deflated
 * file, on bytes. What lies behind the pixels is not read. Values that reach past the end are cut there: whoever needs
 * them finds too little.
 *
 * @throws {RejectedImage} `damaged` or `truncated`
 */
export function parseDicom(bytes: Buffer): DicomFile {
  const { failure, ...file } = parseAsFar(bytes, PICTURE_ELEMENTS);
  if (failure) throw failure;
  return file;
}

/** Like {@link parseDicom}, of the elements that are wanted, and with what was read where the file cannot be read on. */
export function parseAsFar(bytes: Buffer, wanted: WantedElements): DicomFile & { readonly failure?: RejectedImage } {
  let meta = new DataSet(false);
  let transferSyntax: string | undefined;
  let dataSet = new DataSet(false);
  try {
    const begun = beginFile(bytes, wanted);
    ({ meta, transferSyntax } = begun);
    dataSet = new DataSet(begun.encoding.bigEndian);
    begun.walker().walk(new Keeper(wanted), dataSet);
    return { transferSyntax, meta, dataSet };
  } catch (error) {
    if (!(error instanceof RejectedImage)) throw error;
    return { transferSyntax, meta, dataSet, failure: error };
  }
}

/** A file of which group 2 was read. */
export interface BegunFile extends Pick<DicomFile, "transferSyntax" | "meta"> {
  /** As it is written, whatever the transfer syntax says. */
  readonly encoding: Encoding;
  /** Walks the data set from its beginning. */
  readonly walker: () => Walker;
}

/** @throws {RejectedImage} `damaged` or `truncated` */
export function beginFile(bytes: Buffer, wanted: WantedElements): BegunFile {
  const start = startOf(bytes);
  if (start === undefined) throw damaged("it has neither the mark of a DICOM file nor a first element");
  const meta = new DataSet(false);
  const first = new Walker(bytes, start, { bigEndian: false, explicit: true });
  first.walk(new Keeper(wanted), meta, (tag) => tag > 0x0002_ffff);
  const transferSyntax = meta.text(TAG.transferSyntax);
  const deflated = transferSyntax === TRANSFER_SYNTAX.deflated;
  const rest = deflated ? inflate(bytes.subarray(first.at)) : bytes;
  const at = deflated ? 0 : first.at;
  const encoding = encodingOf(rest, at, transferSyntax);
  return { transferSyntax, meta, encoding, walker: () => new Walker(rest, at, encoding) };
}

/** The elements that are wanted. @throws {RejectedImage} `damaged` or `truncated` */
export function readOn({ transferSyntax, meta, encoding, walker }: BegunFile, wanted: WantedElements): DicomFile {
  const dataSet = new DataSet(encoding.bigEndian);
  walker().walk(new Keeper(wanted), dataSet);
  return { transferSyntax, meta, dataSet };
}

/** Keeps the elements that are wanted. */
class Keeper implements Visitor<DataSet, SequenceItems> {
  readonly endsAtPixels = true;

  constructor(private readonly wanted: WantedElements) {}

  enter(dataSet: DataSet, tag: number): SequenceItems | "value" | "nothing" {
    if (!this.wanted.kept.has(tag)) return "nothing";
    if (!this.wanted.sequences.has(tag)) return "value";
    const items: DataSet[] = [];
    dataSet.set(tag, { kind: "items", items });
    return { items, bigEndian: dataSet.bigEndian };
  }

  item({ items, bigEndian }: SequenceItems): DataSet {
    const item = new DataSet(bigEndian);
    items.push(item);
    return item;
  }

  value(dataSet: DataSet, tag: number, vr: string | undefined, value: Buffer): void {
    dataSet.set(tag, { kind: "value", vr, value });
  }

  fragments(dataSet: DataSet, tag: number, fragments: readonly Buffer[], cut: boolean): void {
    dataSet.set(tag, { kind: "fragments", fragments, cut });
  }
}

interface SequenceItems {
  readonly items: DataSet[];
  readonly bigEndian: boolean;
}

function inflate(bytes: Buffer): Buffer {
  try {
    // One that ends early is read as far as it goes.
    return inflateRawSync(bytes, { maxOutputLength: MOST_INFLATED, finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw damaged(`it cannot be inflated, or to more than ${megabytes(MOST_INFLATED)}`, { cause: error });
  }
}

/** Files say one thing and do another, so whether representations are written is seen at the first element, as pydicom does. */
function encodingOf(bytes: Buffer, at: number, transferSyntax: string | undefined): Encoding {
  const explicit = bytes.length >= at + 6 ? isRepresentation(bytes, at + 4) : false;
  if (transferSyntax !== undefined) return { explicit, bigEndian: transferSyntax === TRANSFER_SYNTAX.bigEndian };
  return { explicit, bigEndian: explicit && bytes.readUInt16LE(at) >= 0x0400 };
}
