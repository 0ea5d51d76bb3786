/** How the pixels of a frame are stored. */
export type Codec = "native" | "rle" | "jpeg" | "jpeg-lossless" | "jpeg-ls" | "jpeg-2000" | "htj2k";

export const TRANSFER_SYNTAX = {
  implicit: "1.2.840.10008.1.2",
  explicit: "1.2.840.10008.1.2.1",
  deflated: "1.2.840.10008.1.2.1.99",
  bigEndian: "1.2.840.10008.1.2.2",
} as const;

interface TransferSyntax {
  readonly name: string;
  /** Undefined where it is not read. */
  readonly codec: Codec | undefined;
  /** Whether what is read may differ from what was scanned. */
  readonly lossy?: boolean;
}

const JPEG = "1.2.840.10008.1.2.4";

/** DICOM PS3.6, table A-1. */
const SYNTAXES: Readonly<Record<string, TransferSyntax>> = {
  [TRANSFER_SYNTAX.implicit]: { name: "Implicit VR Little Endian", codec: "native" },
  [TRANSFER_SYNTAX.explicit]: { name: "Explicit VR Little Endian", codec: "native" },
  "1.2.840.10008.1.2.1.98": { name: "Encapsulated Uncompressed Explicit VR Little Endian", codec: "native" },
  [TRANSFER_SYNTAX.deflated]: { name: "Deflated Explicit VR Little Endian", codec: "native" },
  [TRANSFER_SYNTAX.bigEndian]: { name: "Explicit VR Big Endian", codec: "native" },
  "1.2.840.10008.1.2.5": { name: "RLE Lossless", codec: "rle" },
  [`${JPEG}.50`]: { name: "JPEG Baseline (Process 1)", codec: "jpeg", lossy: true },
  [`${JPEG}.51`]: { name: "JPEG Extended (Process 2 and 4)", codec: "jpeg", lossy: true },
  [`${JPEG}.57`]: { name: "JPEG Lossless, Non-Hierarchical (Process 14)", codec: "jpeg-lossless" },
  [`${JPEG}.70`]: { name: "JPEG Lossless, Non-Hierarchical, First-Order Prediction", codec: "jpeg-lossless" },
  [`${JPEG}.80`]: { name: "JPEG-LS Lossless", codec: "jpeg-ls" },
  [`${JPEG}.81`]: { name: "JPEG-LS Near-Lossless", codec: "jpeg-ls" },
  [`${JPEG}.90`]: { name: "JPEG 2000 (Lossless Only)", codec: "jpeg-2000" },
  [`${JPEG}.91`]: { name: "JPEG 2000", codec: "jpeg-2000", lossy: true },
  [`${JPEG}.201`]: { name: "High-Throughput JPEG 2000 (Lossless Only)", codec: "htj2k" },
  [`${JPEG}.202`]: { name: "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)", codec: "htj2k" },
  [`${JPEG}.203`]: { name: "High-Throughput JPEG 2000", codec: "htj2k", lossy: true },
  "1.2.840.10008.1.2.8.1": { name: "Deflated Image Frame Compression", codec: undefined },
  "1.2.840.10008.1.20": { name: "Papyrus 3 Implicit VR Little Endian", codec: undefined },
  [`${JPEG}.52`]: { name: "JPEG Extended (Process 3 and 5)", codec: undefined },
  [`${JPEG}.53`]: { name: "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)", codec: undefined },
  [`${JPEG}.55`]: { name: "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)", codec: undefined },
  [`${JPEG}.92`]: { name: "JPEG 2000 Part 2 Multi-component (Lossless Only)", codec: undefined },
  [`${JPEG}.93`]: { name: "JPEG 2000 Part 2 Multi-component", codec: undefined },
  [`${JPEG}.94`]: { name: "JPIP Referenced", codec: undefined },
  [`${JPEG}.95`]: { name: "JPIP Referenced Deflate", codec: undefined },
  [`${JPEG}.100`]: { name: "MPEG2 Main Profile / Main Level", codec: undefined },
  [`${JPEG}.101`]: { name: "MPEG2 Main Profile / High Level", codec: undefined },
  [`${JPEG}.102`]: { name: "MPEG-4 AVC/H.264 High Profile", codec: undefined },
  [`${JPEG}.103`]: { name: "MPEG-4 AVC/H.264 BD-compatible High Profile", codec: undefined },
  [`${JPEG}.107`]: { name: "HEVC/H.265 Main Profile", codec: undefined },
  [`${JPEG}.108`]: { name: "HEVC/H.265 Main 10 Profile", codec: undefined },
  [`${JPEG}.110`]: { name: "JPEG XL Lossless", codec: undefined },
  [`${JPEG}.111`]: { name: "JPEG XL Recompression", codec: undefined },
  [`${JPEG}.112`]: { name: "JPEG XL", codec: undefined },
};

/** UIDs of those that are read. */
export const READ_TRANSFER_SYNTAXES: readonly string[] = Object.entries(SYNTAXES)
  .filter(([, { codec }]) => codec !== undefined)
  .map(([uid]) => uid);

/**
 * @param uid undefined where a file does not say it: its pixels are then stored as they are
 */
export function transferSyntaxOf(uid: string | undefined): TransferSyntax {
  if (uid === undefined) return { name: "no transfer syntax", codec: "native" };
  const known = SYNTAXES[uid];
  if (known) return known;
  // Whatever else stands there is nobody's to repeat.
  return {
    name: /^[0-9.]{1,64}$/.test(uid) ? `transfer syntax ${uid}` : "a transfer syntax of no known name",
    codec: undefined,
  };
}
