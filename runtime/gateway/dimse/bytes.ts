/** What a peer sent breaks the protocol: the association is aborted with this reason. DICOM PS3.8, 9.3.8. */
export class ProtocolError extends Error {
  constructor(
    message: string,
    readonly reason: AbortReason = ABORT.invalidParameter,
  ) {
    super(message);
    this.name = "ProtocolError";
  }
}

export const ABORT = { unrecognized: 1, unexpected: 2, unexpectedParameter: 5, invalidParameter: 6 } as const;
export type AbortReason = (typeof ABORT)[keyof typeof ABORT];

/** Reads fields one after the other, none of them past the end. */
export class FieldReader {
  at = 0;

  constructor(
    private readonly bytes: Buffer,
    /** What is read, as in "an item". */
    private readonly what: string,
  ) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw new ProtocolError(`${this.what} ends before what it says that it holds`);
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  rest(): Buffer {
    return this.take(this.bytes.length - this.at);
  }

  uint8(): number {
    return this.take(1).readUInt8();
  }

  /** Of the upper layer, whose numbers are big endian. */
  uint16(): number {
    return this.take(2).readUInt16BE();
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
