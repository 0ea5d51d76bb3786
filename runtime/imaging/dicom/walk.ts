import { damaged, truncated } from "./failures";
import { PIXELS } from "./tags";

/** What a file may ask for. A real one has a thousandth of it. */
const MOST_ELEMENTS = 250_000;
const DEEPEST = 64;

const ITEM = 0xfffe_e000;
const END_OF_ITEM = 0xfffe_e00d;
const END_OF_SEQUENCE = 0xfffe_e0dd;
const UNDEFINED_LENGTH = 0xffff_ffff;

/** Value representations whose length has 32 bits: PS3.5, 7.1.2. */
export const LONG: ReadonlySet<string> = new Set("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" "));
export const SHORT: ReadonlySet<string> = new Set(
  "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split(" "),
);

export interface Encoding {
  readonly bigEndian: boolean;
  /** Whether value representations are written out. */
  readonly explicit: boolean;
}

/** What a walk tells of a data set of type D, and of a sequence of type S, as it comes to them. */
export interface Visitor<D extends object, S extends object> {
  /** Whether the walk ends before the first pixels of the outermost data set, once they are told of. */
  readonly endsAtPixels: boolean;
  /**
   * What is wanted of an element: what is returned for its items, its value, or nothing.
   * @param vr undefined where the file does not say it
   */
  enter(dataSet: D, tag: number, vr: string | undefined): S | "value" | "nothing";
  /** @param cut whether the value would reach further than what it lies in */
  value(dataSet: D, tag: number, vr: string | undefined, value: Buffer, cut: boolean): void;
  /** Encapsulated pixels of the outermost data set: the offset table, then the fragments. */
  fragments(dataSet: D, tag: number, fragments: readonly Buffer[], cut: boolean): void;
  /** An item begins. */
  item(sequence: S): D;
  /** An item ends, or the outermost data set. */
  leave?(dataSet: D): void;
  leaveSequence?(sequence: S): void;
}

/** Where the walk stands: among the items of a sequence, or among elements. What is not wanted is walked to find its end. */
type Level<D, S> = { readonly end: number; readonly explicit: boolean } & (
  | { readonly kind: "items"; readonly sequence: S | undefined; readonly undefinedLength: boolean }
  | { readonly kind: "elements"; readonly dataSet: D | undefined }
);

/** Walks the elements of a file, iteratively and with limits on elements and nesting. */
export class Walker {
  private readonly bigEndian: boolean;
  private readonly explicit: boolean;
  private elements = 0;

  constructor(
    private readonly bytes: Buffer,
    /** Byte that is read next. */
    public at: number,
    { bigEndian, explicit }: Encoding,
  ) {
    this.bigEndian = bigEndian;
    this.explicit = explicit;
  }

  /**
   * Tells of the elements up to the end, the pixels, or an outermost tag that `stop` holds for.
   * @throws {RejectedImage} `damaged` or `truncated`
   */
  walk<D extends object, S extends object>(
    visitor: Visitor<D, S>,
    outermost: D,
    stop: (tag: number) => boolean = () => false,
  ): void {
    const levels: Level<D, S>[] = [
      { kind: "elements", end: this.bytes.length, explicit: this.explicit, dataSet: outermost },
    ];
    const up = () => {
      const level = levels.pop();
      if (level?.kind === "elements" && level.dataSet) visitor.leave?.(level.dataSet);
      if (level?.kind !== "items") return;
      // What is left of it are no items.
      if (!level.undefinedLength) this.at = level.end;
      if (level.sequence) visitor.leaveSequence?.(level.sequence);
    };
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      if (this.at + 8 > level.end) {
        this.at = level.end;
        up();
        continue;
      }
      if (++this.elements > MOST_ELEMENTS)
        throw damaged(`it has more than ${MOST_ELEMENTS.toLocaleString("en-US")} elements`);
      const next =
        level.kind === "items"
          ? this.item(level, visitor)
          : this.element(level, visitor, levels.length === 1 ? stop : undefined);
      if (next === "stop") return;
      if (next === "up") up();
      else if (next) {
        levels.push(next);
        if (levels.length > 2 * DEEPEST) throw damaged(`its sequences are nested more than ${DEEPEST} deep`);
      }
    }
  }

  private item<D extends object, S extends object>(
    { sequence, end: last, explicit }: Level<D, S> & { kind: "items" },
    visitor: Visitor<D, S>,
  ): Level<D, S> | "up" {
    const tag = this.tag();
    const length = this.uint32(this.at + 4);
    if (tag !== ITEM) {
      // Whoever forgot the end of a sequence goes on with an element.
      if (tag === END_OF_SEQUENCE || tag === END_OF_ITEM) this.at += 8;
      return "up";
    }
    this.at += 8;
    const end = length === UNDEFINED_LENGTH ? last : Math.min(last, this.at + length);
    return { kind: "elements", end, explicit, dataSet: sequence && visitor.item(sequence) };
  }

  /** @param stop of the outermost level alone */
  private element<D extends object, S extends object>(
    { dataSet, end: last, explicit }: Level<D, S> & { kind: "elements" },
    visitor: Visitor<D, S>,
    stop: ((tag: number) => boolean) | undefined,
  ): Level<D, S> | "up" | "stop" | undefined {
    const outermost = stop !== undefined;
    const tag = this.tag();
    if (tag === END_OF_ITEM || tag === END_OF_SEQUENCE || tag === ITEM) {
      // The end of the sequence is for the level above; at the outermost, neither means anything.
      if (tag === END_OF_ITEM || outermost) this.at += 8;
      return outermost ? undefined : "up";
    }
    if (stop?.(tag)) return "stop";
    const { vr, length, start } = this.header(explicit);
    const undefinedLength = length === UNDEFINED_LENGTH;
    const end = undefinedLength ? last : Math.min(last, start + length);
    const cut = !undefinedLength && start + length > last;
    this.at = start;
    const pixels = PIXELS.has(tag);
    const wanted = dataSet && (outermost || !pixels) ? visitor.enter(dataSet, tag, vr) : "nothing";
    if (pixels && outermost && undefinedLength) {
      const { fragments, cut: within } = this.fragments(last);
      if (dataSet && wanted !== "nothing") visitor.fragments(dataSet, tag, fragments, within);
    } else if (undefinedLength || typeof wanted === "object") {
      const sequence = typeof wanted === "object" ? wanted : undefined;
      // PS3.5, 6.2.2: a sequence of unknown representation is written as implicit.
      return { kind: "items", end, explicit: explicit && vr !== "UN", sequence, undefinedLength };
    } else {
      if (dataSet && wanted === "value") visitor.value(dataSet, tag, vr, this.bytes.subarray(start, end), cut);
      this.at = end;
    }
    return pixels && outermost && visitor.endsAtPixels ? "stop" : undefined;
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

const isCapital = (byte: number | undefined) => byte !== undefined && byte >= 0x41 && byte <= 0x5a;

export function isRepresentation(bytes: Buffer, at: number): boolean {
  return isCapital(bytes[at]) && isCapital(bytes[at + 1]);
}
