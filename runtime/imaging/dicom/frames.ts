import { readRaw } from "../sharp-decoder";
import { CodecThread } from "./codec-thread";
import { type Codestream, readJpeg2000Header, readJpegLsHeader } from "./codestream";
import type { Description, Photometric } from "./description";
import { damaged, truncated, unread } from "./failures";
import { framesOfFragments } from "./fragments";
import { decodeExtended } from "./jpeg-extended";
import { decodeLossless } from "./jpeg-lossless";
import { type JpegFrame, readJpegFrame, SOF } from "./jpeg-stream";
import { nativeFrameBytes, readNative, withoutUnused } from "./native";
import type { DicomFile } from "./parse";
import { readRle } from "./rle";
import type { StoredFrame, StoredValues } from "./stored-frame";
import { TAG } from "./tags";
import type { WasmCodec } from "./wasm-codecs";

/** Hands out the frames of a file. */
export class Frames {
  private readonly encoded: readonly Buffer[] | undefined;
  private readonly native: Buffer | undefined;

  /** @throws {RejectedImage} `truncated`, `damaged` or `unsupported-encoding`, before anything is decoded */
  constructor(
    private readonly file: DicomFile,
    private readonly description: Description,
  ) {
    const { dataSet } = file;
    const { codec, frames } = description;
    const element = [TAG.pixels, TAG.floatPixels, TAG.doublePixels].map((tag) => dataSet.get(tag)).find((it) => it);
    if (!element || element.kind === "items") throw damaged("it has no pixels");
    if (element.kind === "value") {
      if (codec !== "native")
        throw damaged(`its pixels are not encapsulated, and it says that they are ${description.encoding}`);
      this.native = element.value;
      if (Math.ceil(frames * nativeFrameBytes(description)) > element.value.length) throw truncated();
      return;
    }
    if (element.cut) throw truncated();
    const offsets = longs(dataSet.bytes(TAG.extendedOffsets));
    this.encoded = framesOfFragments(element.fragments, frames, offsets);
  }

  /** @param index from 0. @throws {RejectedImage} */
  async read(index: number): Promise<StoredFrame> {
    const { description } = this;
    if (this.native) {
      const { dataSet } = this.file;
      const { bigEndian } = dataSet;
      const pixels = dataSet.get(TAG.pixels);
      const words = pixels?.kind === "value" && pixels.vr === "OW";
      return this.stored(readNative(this.native, index, description, { bigEndian, words }), description);
    }
    const bytes = this.encoded?.[index];
    if (!bytes || bytes.length === 0) throw truncated();
    switch (description.codec) {
      case "native":
        return this.stored(readNative(bytes, 0, description, { bigEndian: false, words: false }), description);
      case "rle":
        return { values: readRle(bytes, description), photometric: description.photometric };
      case "jpeg":
      case "jpeg-lossless":
        return this.jpeg(bytes);
      case "jpeg-ls":
      case "jpeg-2000":
      case "htj2k":
        return this.wasm(bytes, description.codec);
    }
  }

  /** Native samples, those of a pixel side by side, each with its own chroma. */
  private stored(values: StoredValues, { samples, planar, photometric }: Description): StoredFrame {
    if (photometric === "YBR_FULL_422") return { values: spread(values), photometric: "YBR_FULL" };
    return { values: planar ? interleaved(values, samples) : values, photometric };
  }

  private async jpeg(bytes: Buffer): Promise<StoredFrame> {
    const { description } = this;
    const { bitsStored, signed } = description;
    const frame = readJpegFrame(bytes);
    checkSize({ ...frame, components: frame.components.length }, description);
    const photometric = colours(description.photometric);
    if (frame.marker === SOF.lossless) {
      const values = decodeLossless(bytes, frame);
      return { values: asStored(values, frame.precision, description), photometric };
    }
    if (description.codec !== "jpeg") throw unread("another JPEG process than it says");
    if (frame.precision === 8) return { values: await decodeBaseline(bytes, frame), photometric };
    if (frame.marker !== SOF.extended || frame.precision !== 12) throw unread(`JPEG of ${frame.precision} bits`);
    const values = decodeExtended(bytes, frame);
    return { values: signed ? withoutUnused(new Int16Array(values.buffer), bitsStored, true) : values, photometric };
  }

  private async wasm(bytes: Buffer, codec: WasmCodec): Promise<StoredFrame> {
    const { description } = this;
    const { rows, columns, samples } = description;
    const header = codec === "jpeg-ls" ? readJpegLsHeader(bytes) : readJpeg2000Header(bytes);
    checkSize(header, description);
    if (header.precision > 16) throw unread(`compressed samples of ${header.precision} bits`);
    const decoded = await threads.decode(codec, bytes, rows * columns);
    // What a decoder could make nothing of, some hand out as a picture of no size.
    if (decoded.width !== columns || decoded.height !== rows || decoded.components !== samples) throw undecoded();
    const wide = header.precision > 8;
    if (decoded.bytes.length < rows * columns * samples * (wide ? 2 : 1)) throw undecoded();
    const plain = wide ? new Uint16Array(decoded.bytes.buffer) : decoded.bytes;
    const ordered = decoded.planar ? (interleaved(plain, samples) as typeof plain) : plain;
    return { values: asStored(ordered, header.precision, description), photometric: colours(description.photometric) };
  }
}

const threads = new CodecThread();

const undecoded = () => damaged("a frame cannot be decompressed");

/** What JPEG 2000 calls so has become RGB when it was decoded. */
function colours(photometric: Photometric): Photometric {
  if (photometric === "YBR_ICT" || photometric === "YBR_RCT") return "RGB";
  return photometric === "YBR_FULL_422" ? "YBR_FULL" : photometric;
}

function checkSize(
  stream: Pick<Codestream, "width" | "height" | "components">,
  { rows, columns, samples }: Description,
) {
  if (stream.width === columns && stream.height === rows && stream.components === samples) return;
  throw damaged("the stream of a frame has another size than the file says");
}

/** Samples of so many bits, signed as the file says, not as the stream does: streams cannot, or do it wrongly. */
function asStored(values: Uint8Array | Uint16Array, precision: number, { signed }: Description): StoredValues {
  if (!signed) return withoutUnused(values, precision, false);
  const same = values instanceof Uint8Array ? Int8Array : Int16Array;
  return withoutUnused(new same(values.buffer as ArrayBuffer, values.byteOffset, values.length), precision, true);
}

/** Colours as they stand in the stream, which the file tells the meaning of. */
async function decodeBaseline(bytes: Buffer, { width, height, components }: JpegFrame): Promise<Uint8Array> {
  if (components.length !== 1 && components.length !== 3) throw unread(`JPEG of ${components.length} components`);
  const { values, ...raw } = await readRaw(untransformed(bytes), "dicom");
  const channels = components.length;
  if (raw.width !== width || raw.height !== height || raw.channels !== channels || !(values instanceof Uint8Array)) {
    throw damaged("a frame's JPEG stream is not what it says");
  }
  return values;
}

/** Adobe's segment says that colours are not transformed: then a decoder hands them out as they are. */
const ADOBE = Buffer.from("\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00", "latin1");

/** A stream without what applications wrote in it, which would turn, convert or transform it. */
function untransformed(bytes: Buffer): Buffer {
  const parts = [bytes.subarray(0, 2), ADOBE];
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xda) break;
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if ((marker & 0xf0) !== 0xe0) parts.push(bytes.subarray(at, end));
    at = end;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

function interleaved(values: StoredValues, samples: number): StoredValues {
  const pixels = values.length / samples;
  const out = values.slice();
  for (let sample = 0; sample < samples; sample++)
    for (let i = 0; i < pixels; i++) out[i * samples + sample] = values[sample * pixels + i] as number;
  return out;
}

/** Two pixels of luma, then the blue and red chroma of both, as each pixel's own: PS3.3, C.7.6.3.1.2. */
function spread(values: StoredValues): StoredValues {
  const Type = values.constructor as new (length: number) => StoredValues;
  const out = new Type((values.length / 2) * 3);
  for (let i = 0, o = 0; i + 3 < values.length; i += 4)
    for (let pixel = 0; pixel < 2; pixel++) {
      out[o++] = values[i + pixel] as number;
      out[o++] = values[i + 2] as number;
      out[o++] = values[i + 3] as number;
    }
  return out;
}

/** 64-bit numbers (OV); what is too large for a file is a number that no piece begins at. */
function longs(bytes: Buffer | undefined): readonly number[] | undefined {
  if (!bytes || bytes.length < 8) return undefined;
  return Array.from({ length: bytes.length >> 3 }, (_, i) => Number(bytes.readBigUInt64LE(8 * i)));
}
