import { damaged } from "../dicom/failures";
import { type Encoding, LONG } from "../dicom/walk";

/** Bytes of a value that are copied; longer ones are kept where they lie. */
const COPIED = 4096;
const [SMALLEST, LARGEST] = [256, 65_536];

/** Bytes that grow at their end. */
export class Chunks {
  private readonly whole: Buffer[] = [];
  private chunk = Buffer.alloc(0);
  private used = 0;

  add(bytes: Buffer): void {
    if (bytes.length > COPIED) {
      this.close();
      this.whole.push(bytes);
      return;
    }
    if (this.used + bytes.length > this.chunk.length) {
      const size = Math.min(LARGEST, Math.max(SMALLEST, 2 * this.chunk.length, bytes.length));
      this.close();
      this.chunk = Buffer.alloc(size);
    }
    bytes.copy(this.chunk, this.used);
    this.used += bytes.length;
  }

  parts(): readonly Buffer[] {
    this.close();
    return this.whole;
  }

  private close(): void {
    if (this.used > 0) this.whole.push(this.chunk.subarray(0, this.used));
    this.chunk = this.chunk.subarray(this.used);
    this.used = 0;
  }
}

const ITEM = 0xfffe_e000;
const END_OF_ITEM = 0xfffe_e00d;
const END_OF_SEQUENCE = 0xfffe_e0dd;
const UNDEFINED_LENGTH = 0xffff_ffff;
const LONGEST_SHORT = 0xffff;

/** Value representations that are filled up with a zero byte; the others with a space. */
const ZERO_FILLED: ReadonlySet<string> = new Set(["UI", "OB", "UN"]);

/** Writes elements in an encoding: PS3.5, 7. Sequences and items end by a mark, so that nothing is written twice. */
export class ElementWriter {
  constructor(private readonly encoding: Encoding) {}

  element(to: Chunks, tag: number, vr: string, value: Buffer): void {
    const odd = value.length % 2;
    const length = value.length + odd;
    // PS3.5, 6.2.2: what is too long for its representation has none.
    const written = this.encoding.explicit && !LONG.has(vr) && length > LONGEST_SHORT ? "UN" : vr;
    if (length >= UNDEFINED_LENGTH) throw damaged("a value is too long");
    to.add(this.head(tag, written, length));
    to.add(value);
    if (odd) to.add(Buffer.from(ZERO_FILLED.has(vr) ? "\0" : " "));
  }

  text(to: Chunks, tag: number, vr: string, text: string): void {
    this.element(to, tag, vr, Buffer.from(text));
  }

  sequence(to: Chunks, tag: number): void {
    to.add(this.head(tag, "SQ", UNDEFINED_LENGTH));
  }

  item(to: Chunks): void {
    to.add(this.mark(ITEM, UNDEFINED_LENGTH));
  }

  endItem(to: Chunks): void {
    to.add(this.mark(END_OF_ITEM, 0));
  }

  endSequence(to: Chunks): void {
    to.add(this.mark(END_OF_SEQUENCE, 0));
  }

  /** Encapsulated pixels: the offset table, then the fragments. */
  fragments(to: Chunks, tag: number, fragments: readonly Buffer[]): void {
    to.add(this.head(tag, "OB", UNDEFINED_LENGTH));
    for (const fragment of fragments) {
      const odd = fragment.length % 2;
      to.add(this.mark(ITEM, fragment.length + odd));
      to.add(fragment);
      if (odd) to.add(Buffer.alloc(1));
    }
    this.endSequence(to);
  }

  private head(tag: number, vr: string, length: number): Buffer {
    if (!this.encoding.explicit) return this.mark(tag, length);
    const long = LONG.has(vr);
    const head = Buffer.alloc(long ? 12 : 8);
    this.tag(head, tag);
    head.write(vr, 4, "latin1");
    if (long) this.uint32(head, 8, length);
    else this.uint16(head, 6, length);
    return head;
  }

  /** A head without a value representation. */
  private mark(tag: number, length: number): Buffer {
    const head = Buffer.alloc(8);
    this.tag(head, tag);
    this.uint32(head, 4, length);
    return head;
  }

  private tag(head: Buffer, tag: number): void {
    // Group and element are two numbers, each in its own order.
    this.uint16(head, 0, Math.floor(tag / 0x1_0000));
    this.uint16(head, 2, tag % 0x1_0000);
  }

  private uint16(head: Buffer, at: number, value: number): void {
    if (this.encoding.bigEndian) head.writeUInt16BE(value, at);
    else head.writeUInt16LE(value, at);
  }

  private uint32(head: Buffer, at: number, value: number): void {
    if (this.encoding.bigEndian) head.writeUInt32BE(value, at);
    else head.writeUInt32LE(value, at);
  }
}
