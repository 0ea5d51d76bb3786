const TYPE = { short: 3, long: 4, undefined: 7 } as const;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 12;
const INLINE_BYTES = 4;

/** The fields of one directory, written as a classic TIFF file without pixels. */
export class Fields {
  private readonly fields = new Map<number, { type: number; count: number; data: Buffer }>();

  constructor(private readonly littleEndian: boolean) {}

  shorts(tag: number, values: readonly number[]): void {
    this.put(tag, TYPE.short, 2, values, (data, value, at) =>
      this.littleEndian ? data.writeUInt16LE(value, at) : data.writeUInt16BE(value, at),
    );
  }

  longs(tag: number, values: readonly number[]): void {
    this.put(tag, TYPE.long, 4, values, (data, value, at) =>
      this.littleEndian ? data.writeUInt32LE(value, at) : data.writeUInt32BE(value, at),
    );
  }

  /** Nothing where there is nothing. */
  bytes(tag: number, data: Buffer | undefined): void {
    if (data && data.length > 0) this.fields.set(tag, { type: TYPE.undefined, count: data.length, data });
  }

  encode(): Buffer {
    const sorted = [...this.fields].sort(([a], [b]) => a - b);
    const directoryBytes = 2 + ENTRY_BYTES * sorted.length + 4;
    const head = Buffer.alloc(HEADER_BYTES + directoryBytes);
    const short = (value: number, at: number) =>
      this.littleEndian ? head.writeUInt16LE(value, at) : head.writeUInt16BE(value, at);
    const long = (value: number, at: number) =>
      this.littleEndian ? head.writeUInt32LE(value, at) : head.writeUInt32BE(value, at);
    head.write(this.littleEndian ? "II" : "MM", "latin1");
    short(42, 2);
    long(HEADER_BYTES, 4);
    short(sorted.length, HEADER_BYTES);
    const outside: Buffer[] = [];
    let end = head.length;
    sorted.forEach(([tag, { type, count, data }], index) => {
      const at = HEADER_BYTES + 2 + index * ENTRY_BYTES;
      short(tag, at);
      short(type, at + 2);
      long(count, at + 4);
      if (data.length <= INLINE_BYTES) {
        data.copy(head, at + 8);
        return;
      }
      long(end, at + 8);
      // Values begin at even places.
      outside.push(data, Buffer.alloc(data.length % 2));
      end += data.length + (data.length % 2);
    });
    return Buffer.concat([head, ...outside]);
  }

  private put(
    tag: number,
    type: number,
    size: number,
    values: readonly number[],
    write: (data: Buffer, value: number, at: number) => void,
  ): void {
    const data = Buffer.alloc(size * values.length);
    for (const [index, value] of values.entries()) write(data, value, size * index);
    this.fields.set(tag, { type, count: values.length, data });
  }
}
