import { damaged } from "./failures";

/** What the header of a compressed frame announces; it is compared with what the file says before anything is decoded. */
export interface Codestream {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Bits of a sample. */
  readonly precision: number;
  readonly signed: boolean;
}

/** JPEG 2000 and HTJ2K: ISO/IEC 15444-1, A.5.1; the boxes of a JP2 file before it are skipped. @throws {RejectedImage} */
export function readJpeg2000Header(bytes: Buffer): Codestream {
  const start = bytes.indexOf("\xff\x4f\xff\x51", 0, "latin1");
  if (start < 0 || start + 43 > bytes.length) throw damaged("a frame is no JPEG 2000 stream");
  const at = (offset: number) => bytes.readUInt32BE(start + offset);
  const depth = bytes.readUInt8(start + 42);
  return {
    width: at(8) - at(16),
    height: at(12) - at(20),
    components: bytes.readUInt16BE(start + 40),
    precision: (depth & 0x7f) + 1,
    signed: depth >= 0x80,
  };
}

/** JPEG-LS: ISO/IEC 14495-1, C.2.2. @throws {RejectedImage} */
export function readJpegLsHeader(bytes: Buffer): Codestream {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw damaged("a frame is no JPEG-LS stream");
  for (let at = 2; at + 10 <= bytes.length && bytes[at] === 0xff; at += 2 + bytes.readUInt16BE(at + 2)) {
    if (bytes[at + 1] !== 0xf7) continue;
    return {
      precision: bytes.readUInt8(at + 4),
      height: bytes.readUInt16BE(at + 5),
      width: bytes.readUInt16BE(at + 7),
      components: bytes.readUInt8(at + 9),
      signed: false,
    };
  }
  throw damaged("a frame's JPEG-LS stream has no header");
}
