import { damaged, truncated } from "./failures";

/** Of a JPEG stream: ITU-T T.81, B.2.2. */
export interface JpegFrame {
  /** The marker that begins it: 0xc0 baseline, 0xc1 extended, 0xc3 lossless. */
  readonly marker: number;
  /** Bits of a sample. */
  readonly precision: number;
  readonly width: number;
  readonly height: number;
  readonly components: readonly JpegComponent[];
}

export interface JpegComponent {
  readonly id: number;
  readonly across: number;
  readonly down: number;
  readonly quantization: number;
}

export interface JpegScan {
  readonly components: readonly { readonly index: number; readonly dc: number; readonly ac: number }[];
  /** Of the lossless process. */
  readonly predictor: number;
  readonly pointTransform: number;
}

export const SOF = { baseline: 0xc0, extended: 0xc1, lossless: 0xc3 } as const;
const DHT = 0xc4;
const SOI = 0xd8;
export const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DRI = 0xdd;

const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== DHT && marker !== 0xc8 && marker !== 0xcc;
/** Markers without a segment: restarts. */
const isBare = (marker: number) => marker >= 0xd0 && marker <= 0xd8;
/** What may follow 0xff in data, or before a marker; data of JPEG-LS has anything up to 0x7f there. */
const isData = (byte: number | undefined) => byte !== undefined && (byte < 0xc0 || byte === 0xff);

/**
 * The markers of a stream in their order, with what lies in their segments, up to its end, which has none.
 * @throws {RejectedImage} `truncated` or `damaged`
 */
export function* segments(bytes: Buffer): Generator<{ marker: number; start: number; end: number }> {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) throw damaged("a frame is no JPEG stream");
  for (let at = 2; ; ) {
    while (at < bytes.length && (bytes[at] !== 0xff || isData(bytes[at + 1]))) at++;
    const marker = bytes[at + 1];
    if (marker === undefined) return;
    at += 2;
    if (marker === EOI) {
      yield { marker, start: at, end: at };
      return;
    }
    if (isBare(marker)) continue;
    if (at + 2 > bytes.length) throw truncated();
    const end = at + bytes.readUInt16BE(at);
    if (end > bytes.length) throw truncated();
    if (end < at + 2) throw damaged("a segment of its JPEG stream has no length");
    yield { marker, start: at + 2, end };
    at = end;
  }
}

/** What a stream announces. @throws {RejectedImage} */
export function readJpegFrame(bytes: Buffer): JpegFrame {
  for (const { marker, start, end } of segments(bytes)) {
    if (isFrame(marker)) return frameOf(marker, bytes.subarray(start, end));
    if (marker === SOS) break;
  }
  throw damaged("a frame's JPEG stream has no header");
}

function frameOf(marker: number, segment: Buffer): JpegFrame {
  const count = segment[5] ?? 0;
  if (count === 0 || segment.length < 6 + 3 * count) throw damaged("the header of its JPEG stream is too short");
  return {
    marker,
    precision: segment.readUInt8(0),
    height: segment.readUInt16BE(1),
    width: segment.readUInt16BE(3),
    components: Array.from({ length: count }, (_, i) => {
      const [id = 0, sampling = 0, quantization = 0] = segment.subarray(6 + 3 * i);
      return { id, across: sampling >> 4, down: sampling & 15, quantization };
    }),
  };
}

/** Tables of a stream, as they hold for a scan. */
export interface JpegTables {
  readonly dc: readonly (HuffmanTable | undefined)[];
  readonly ac: readonly (HuffmanTable | undefined)[];
  readonly quantization: readonly (Uint16Array | undefined)[];
  /** Units between restarts; 0: none. */
  readonly restart: number;
}

/**
 * Walks a stream and hands out each scan.
 * @param onScan reads a scan whose data begin at the byte given
 */
export function readScans(
  bytes: Buffer,
  onScan: (frame: JpegFrame, scan: JpegScan, tables: JpegTables, at: number) => void,
): void {
  let frame: JpegFrame | undefined;
  let restart = 0;
  const [dc, ac]: (HuffmanTable | undefined)[][] = [[], []];
  const quantization: (Uint16Array | undefined)[] = [];
  let scans = 0;
  for (const { marker, start, end } of segments(bytes)) {
    const segment = bytes.subarray(start, end);
    if (isFrame(marker)) frame ??= frameOf(marker, segment);
    else if (marker === DHT) readHuffmanTables(segment, dc as HuffmanTable[], ac as HuffmanTable[]);
    else if (marker === DQT) readQuantization(segment, quantization);
    else if (marker === DRI && segment.length >= 2) restart = segment.readUInt16BE(0);
    else if (marker === SOS) {
      if (!frame) throw damaged("a scan of its JPEG stream has no header");
      // Each component has one.
      if (++scans > frame.components.length) throw damaged("its JPEG stream has more scans than components");
      onScan(frame, scanOf(segment, frame), { dc: dc ?? [], ac: ac ?? [], quantization, restart }, end);
    }
  }
  if (scans === 0) throw truncated();
}

function scanOf(segment: Buffer, frame: JpegFrame): JpegScan {
  const count = segment[0] ?? 0;
  if (count === 0 || segment.length < 4 + 2 * count) throw damaged("a scan of its JPEG stream is too short");
  const components = Array.from({ length: count }, (_, i) => {
    const [id = 0, tables = 0] = segment.subarray(1 + 2 * i);
    const index = frame.components.findIndex((component) => component.id === id);
    if (index < 0) throw damaged("a scan of its JPEG stream is of no component");
    return { index, dc: tables >> 4, ac: tables & 15 };
  });
  const [predictor = 0, , approximation = 0] = segment.subarray(1 + 2 * count);
  return { components, predictor, pointTransform: approximation & 15 };
}

function readQuantization(segment: Buffer, tables: (Uint16Array | undefined)[]): void {
  for (let at = 0; at < segment.length; ) {
    const head = segment[at++] as number;
    const wide = head >> 4 !== 0;
    if (at + (wide ? 128 : 64) > segment.length) throw damaged("a table of its JPEG stream is too short");
    const start = at;
    tables[head & 15] = Uint16Array.from({ length: 64 }, (_, i) =>
      wide ? segment.readUInt16BE(start + 2 * i) : segment.readUInt8(start + i),
    );
    at += wide ? 128 : 64;
  }
}

function readHuffmanTables(segment: Buffer, dc: HuffmanTable[], ac: HuffmanTable[]): void {
  for (let at = 0; at < segment.length; ) {
    const head = segment[at] as number;
    const counts = segment.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, value) => sum + value, 0);
    if (counts.length < 16 || at + 17 + total > segment.length)
      throw damaged("a table of its JPEG stream is too short");
    (head >> 4 ? ac : dc)[head & 15] = new HuffmanTable(counts, segment.subarray(at + 17, at + 17 + total));
    at += 17 + total;
  }
}

/** Codes by their length: T.81, annex C and figure F.16. */
export class HuffmanTable {
  private readonly largest = new Int32Array(17).fill(-1);
  private readonly offset = new Int32Array(17);

  constructor(
    counts: Uint8Array,
    private readonly symbols: Uint8Array,
  ) {
    let code = 0;
    let first = 0;
    for (let length = 1; length <= 16; length++) {
      const count = counts[length - 1] as number;
      if (count > 0) {
        this.offset[length] = first - code;
        code += count;
        first += count;
        this.largest[length] = code - 1;
      }
      code <<= 1;
    }
  }

  read(bits: BitReader): number {
    let code = 0;
    for (let length = 1; length <= 16; length++) {
      code = (code << 1) | bits.bit();
      if (code <= (this.largest[length] as number))
        return this.symbols[(this.offset[length] as number) + code] as number;
    }
    throw damaged("its JPEG stream has a code that no table has");
  }
}

/** Bits of a scan, the highest of a byte first. Behind the end there are zeros, as many as a byte has; then it is truncated. */
export class BitReader {
  private byte = 0;
  private left = 0;
  private beyond = 0;

  constructor(
    private readonly bytes: Buffer,
    private at: number,
  ) {}

  bit(): number {
    if (this.left === 0) {
      this.byte = this.next();
      this.left = 8;
    }
    return (this.byte >> --this.left) & 1;
  }

  /** 0 to 16 of them. */
  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = (value << 1) | this.bit();
    return value;
  }

  /** A difference of so many bits: T.81, F.2.2.1. */
  signed(size: number): number {
    if (size === 0) return 0;
    const value = this.bits(size);
    return value < 2 ** (size - 1) ? value - 2 ** size + 1 : value;
  }

  private next(): number {
    const byte = this.bytes[this.at];
    const follows = this.bytes[this.at + 1];
    if (byte === undefined || (byte === 0xff && follows !== 0)) {
      if (++this.beyond > 2) throw truncated();
      return 0;
    }
    this.at += byte === 0xff ? 2 : 1;
    return byte;
  }

  /** Goes behind a restart's marker. */
  restart(): void {
    this.left = 0;
    this.beyond = 0;
    const { bytes, at } = this;
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff || marker === undefined || (marker & 0xf8) !== 0xd0)
      throw damaged("its JPEG stream misses a restart");
    this.at += 2;
  }
}
