/** Decoders in WebAssembly, each loaded when it is first needed. They run in a thread of their own: see {@link CodecThread}. */
export type WasmCodec = "jpeg-ls" | "jpeg-2000" | "htj2k";

export interface DecodedStream {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Of a sample. */
  readonly bits: number;
  /** Samples of 1 byte, or of 2 (little-endian) where they have more than 8 bits. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether each component has a plane of its own. */
  readonly planar: boolean;
}

/** What the packages have in common; they bring no types. */
interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  /** JPEG-LS alone: 0 where each component has a plane of its own. */
  getInterleaveMode?(): number;
  delete(): void;
}

type Module = Readonly<Record<string, new () => Decoder>>;
type Factory = (options: object) => Promise<Module>;

const modules = new Map<WasmCodec, Promise<Module>>();

/** What decoders say of damage goes nowhere: their errors say it. */
const SILENT = { print: () => undefined, printErr: () => undefined };

function load(codec: WasmCodec): Promise<Module> {
  switch (codec) {
    case "jpeg-ls":
      return (require("@cornerstonejs/codec-charls/decodewasmjs") as Factory)(SILENT);
    case "jpeg-2000":
      return (require("@cornerstonejs/codec-openjpeg/decodewasmjs") as Factory)(SILENT);
    case "htj2k":
      return (require("@cornerstonejs/codec-openjph") as Factory)(SILENT);
  }
}

const CLASSES: Readonly<Record<WasmCodec, string>> = {
  "jpeg-ls": "JpegLSDecoder",
  "jpeg-2000": "J2KDecoder",
  htj2k: "HTJ2KDecoder",
};

/** @throws whatever the decoder throws; it is loaded anew for the next stream, because its memory may be in any state */
export async function decodeStream(codec: WasmCodec, stream: Uint8Array): Promise<DecodedStream> {
  try {
    const loaded = modules.get(codec) ?? load(codec);
    modules.set(codec, loaded);
    const Class = (await loaded)[CLASSES[codec]] as new () => Decoder;
    const decoder = new Class();
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
    const decoded = {
      width,
      height,
      components: componentCount,
      bits: bitsPerSample,
      bytes: Uint8Array.from(decoder.getDecodedBuffer()),
      planar: componentCount > 1 && decoder.getInterleaveMode?.() === 0,
    };
    decoder.delete();
    return decoded;
  } catch (error) {
    modules.delete(codec);
    throw error;
  }
}
