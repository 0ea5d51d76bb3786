import { constants, inflateRawSync } from "node:zlib";
import { megabytes } from "../limits";
import { RejectedImage } from "../rejected";
import { DataSet } from "./data-set";
import { damaged, truncated } from "./failures";
import { PICTURE_ELEMENTS, PIXELS, TAG, type WantedElements } from "./tags";
import { TRANSFER_SYNTAX } from "./transfer-syntaxes";

/** What a file may ask for. A real one has a thousandth of it. */
const MOST_ELEMENTS = 1_000_000;
const DEEPEST = 64;
/** Of a deflated data set, bytes. Some MiB of such a file can stand for all the memory that there is. */
const MOST_INFLATED = 64 * 2 ** 20;

/** Bytes before the mark of a file that has them: DICOM PS3.10, 7.1. */
const PREAMBLE = 128;
const MARK = "DICM";

const ITEM = 0xfffe_e000;
const END_OF_ITEM = 0xfffe_e00d;
const END_OF_SEQUENCE = 0xfffe_e0dd;
const UNDEFINED_LENGTH = 0xffff_ffff;

/** Value representations whose length has 32 bits: PS3.5, 7.1.2. */
const LONG: ReadonlySet<string> = new Set("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" "));
const SHORT: ReadonlySet<string> = new Set("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split(" "));

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
  const meta = new DataSet(false);
  let transferSyntax: string | undefined;
  let dataSet = new DataSet(false);
  try {
    const start = startOf(bytes);
    if (start === undefined) throw damaged("it has neither the mark of a DICOM file nor a first element");
    const first = new Walker(bytes, start, { bigEndian: false, explicit: true }, wanted);
    first.walk(meta, (tag) => tag > 0x0002_ffff);
    transferSyntax = meta.text(TAG.transferSyntax);
    const deflated = transferSyntax === TRANSFER_SYNTAX.deflated;
    const rest = deflated ? inflate(bytes.subarray(first.at)) : bytes;
    const at = deflated ? 0 : first.at;
    const encoding = encodingOf(rest, at, transferSyntax);
    dataSet = new DataSet(encoding.bigEndian);
    new Walker(rest, at, encoding, wanted).walk(dataSet);
    return { transferSyntax, meta, dataSet };
  } catch (error) {
    if (!(error instanceof RejectedImage)) throw error;
    return { transferSyntax, meta, dataSet, failure: error };
  }
}

function inflate(bytes: Buffer): Buffer {
  try {
    // One that ends early is read as far as it goes.
    return inflateRawSync(bytes, { maxOutputLength: MOST_INFLATED, finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw damaged(`it cannot be inflated, or to more than ${megabytes(MOST_INFLATED)}`, { cause: error });
  }
}

interface Encoding {
  readonly bigEndian: boolean;
  /** Whether value representations are written out. */
  readonly explicit: boolean;
}

/** Files say one thing and do another, so whether representations are written is seen at the first element, as pydicom does. */
function encodingOf(bytes: Buffer, at: number, transferSyntax: string | undefined): Encoding {
  const explicit = bytes.length >= at + 6 ? isRepresentation(bytes, at + 4) : false;
  if (transferSyntax !== undefined) return { explicit, bigEndian: transferSyntax === TRANSFER_SYNTAX.bigEndian };
  return { explicit, bigEndian: explicit && bytes.readUInt16LE(at) >= 0x0400 };
}

const isCapital = (byte: number | undefined) => byte !== undefined && byte >= 0x41 && byte <= 0x5a;

function isRepresentation(bytes: Buffer, at: number): boolean {
  return isCapital(bytes[at]) && isCapital(bytes[at + 1]);
}

/** Where the walk stands: among the items of a sequence, or among elements. What is not kept is walked to find its end. */
type Level = { readonly end: number; readonly explicit: boolean } & (
  | { readonly kind: "items"; readonly items: DataSet[] | undefined }
  | { readonly kind: "elements"; readonly dataSet: DataSet | undefined }
);

class Walker {
  private readonly bigEndian: boolean;
  private readonly explicit: boolean;
  private elements = 0;

  constructor(
    private readonly bytes: Buffer,
    /** Byte that is read next. */
    public at: number,
    { bigEndian, explicit }: Encoding,
    private readonly wanted: WantedElements,
  ) {
    this.bigEndian = bigEndian;
    this.explicit = explicit;
  }

  /** Reads elements into `dataSet`, up to the pixels, the end, or a tag that `stop` holds for. */
  walk(dataSet: DataSet, stop: (tag: number) => boolean = () => false): void {
    const levels: Level[] = [{ kind: "elements", end: this.bytes.length, explicit: this.explicit, dataSet }];
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      if (this.at + 8 > level.end) {
        this.at = level.end;
        levels.pop();
        continue;
      }
      if (++this.elements > MOST_ELEMENTS)
        throw damaged(`it has more than ${MOST_ELEMENTS.toLocaleString("en-US")} elements`);
      const next = level.kind === "items" ? this.item(level) : this.element(level, levels.length === 1, stop);
      if (next === "stop") return;
      if (next === "up") levels.pop();
      else if (next) {
        levels.push(next);
        if (levels.length > 2 * DEEPEST) throw damaged(`its sequences are nested more than ${DEEPEST} deep`);
      }
    }
  }

  private item(level: Level & { kind: "items" }): Level | "up" {
    const tag = this.tag();
    const length = this.uint32(this.at + 4);
    if (tag !== ITEM) {
      // Whoever forgot the end of a sequence goes on with an element.
      if (tag === END_OF_SEQUENCE) this.at += 8;
      else if (tag !== END_OF_ITEM) return "up";
      else this.at += 8;
      return "up";
    }
    this.at += 8;
    const dataSet = level.items && new DataSet(this.bigEndian);
    if (dataSet) level.items?.push(dataSet);
    const end = length === UNDEFINED_LENGTH ? level.end : Math.min(level.end, this.at + length);
    return { kind: "elements", end, explicit: level.explicit, dataSet };
  }

  private element(
    level: Level & { kind: "elements" },
    outermost: boolean,
    stop: (tag: number) => boolean,
  ): Level | "up" | "stop" | undefined {
    const tag = this.tag();
    if (tag === END_OF_ITEM || tag === END_OF_SEQUENCE || tag === ITEM) {
      // The end of the sequence is for the level above; at the outermost, neither means anything.
      if (tag === END_OF_ITEM || outermost) this.at += 8;
      return outermost ? undefined : "up";
    }
    if (outermost && stop(tag)) return "stop";
    const { vr, length, start } = this.header(level.explicit);
    const undefinedLength = length === UNDEFINED_LENGTH;
    const end = undefinedLength ? level.end : Math.min(level.end, start + length);
    this.at = start;
    const kept = this.wanted.kept.has(tag) ? level.dataSet : undefined;
    if (PIXELS.has(tag)) {
      if (!outermost) {
        if (undefinedLength) return { kind: "items", end, explicit: level.explicit, items: undefined };
        this.at = end;
        return undefined;
      }
      if (undefinedLength) kept?.set(tag, { kind: "fragments", ...this.fragments(level.end) });
      else kept?.set(tag, { kind: "value", vr, value: this.bytes.subarray(start, end) });
      return "stop";
    }
    const looked = kept !== undefined && this.wanted.sequences.has(tag);
    if (looked || undefinedLength) {
      const items: DataSet[] | undefined = looked ? [] : undefined;
      if (items) kept?.set(tag, { kind: "items", items });
      // PS3.5, 6.2.2: a sequence of unknown representation is written as implicit.
      return { kind: "items", end, explicit: level.explicit && vr !== "UN", items };
    }
    kept?.set(tag, { kind: "value", vr, value: this.bytes.subarray(start, end) });
    this.at = end;
    return undefined;
  }

  private header(explicit: boolean): { vr: string | undefined; length: number; start: number } {
    const { at } = this;
    // One element of a file that is explicit may be written as implicit.
    if (!explicit || !isRepresentation(this.bytes, at + 4)) {
      return { vr: undefined, length: this.uint32(at + 4), start: at + 8 };
    }
    const vr = this.bytes.toString("latin1", at + 4, at + 6);
    if (!LONG.has(vr)) return { vr, length: this.uint16(at + 6), start: at + 8 };
    if (at + 12 > this.bytes.length) throw truncated();
    return { vr, length: this.uint32(at + 8), start: at + 12 };
  }

  /** The values of the items of encapsulated pixels, up to their end or the file's. */
  private fragments(end: number): { fragments: readonly Buffer[]; cut: boolean } {
    const fragments: Buffer[] = [];
    let cut = false;
    while (this.at + 8 <= end && this.tag() === ITEM) {
      if (++this.elements > MOST_ELEMENTS) throw damaged("its pixels lie in too many pieces");
      const start = this.at + 8;
      const whole = start + this.uint32(this.at + 4);
      cut ||= whole > end;
      this.at = Math.min(end, whole);
      fragments.push(this.bytes.subarray(start, this.at));
    }
    return { fragments, cut };
  }

  private tag(): number {
    return this.uint16(this.at) * 0x1_0000 + this.uint16(this.at + 2);
  }

  private uint16(at: number): number {
    return this.bigEndian ? this.bytes.readUInt16BE(at) : this.bytes.readUInt16LE(at);
  }

  private uint32(at: number): number {
    return this.bigEndian ? this.bytes.readUInt32BE(at) : this.bytes.readUInt32LE(at);
  }
}
