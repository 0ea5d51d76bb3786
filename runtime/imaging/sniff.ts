import { isDicom } from "./dicom";
import { isNifti } from "./nifti";
import type { ImageFormat } from "./types";

export type Sniffed =
  | { readonly format: ImageFormat }
  /** What the bytes are instead, as a noun for a sentence: "a GIF animation or picture". */
  | { readonly format: undefined; readonly name: string };

const other = (name: string): Sniffed => ({ format: undefined, name });

/** Tells a file's format from its first bytes; its name and content type prove nothing. */
export function sniffFormat(bytes: Uint8Array): Sniffed {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (offset: number, text: string) =>
    b.subarray(offset, offset + text.length).equals(Buffer.from(text, "latin1"));
  if (b.length === 0) return other("an empty file");
  // First, because the 128 bytes before the mark are free, and some writers make them look like a TIFF (DICOM PS3.10, 7.1).
  if (isDicom(b)) return { format: "dicom" };
  if (isNifti(b)) return { format: "nifti" };
  if (at(0, "\xff\xd8\xff")) return { format: "jpeg" };
  if (at(0, "\x89PNG\r\n\x1a\n")) return { format: "png" };
  if (at(0, "II*\0") || at(0, "MM\0*") || at(0, "II+\0") || at(0, "MM\0+")) return { format: "tiff" };
  if (at(0, "RIFF") && at(8, "WEBP")) return { format: "webp" };
  if (at(0, "BM") && isBmp(b)) return { format: "bmp" };

  if (at(0, "GIF8")) return other("a GIF picture");
  if (at(0, "%PDF")) return other("a PDF document");
  if (at(0, "PK\x03\x04") || at(0, "PK\x05\x06")) return other("a ZIP archive (or an Office document)");
  if (at(0, "\x1f\x8b")) return other(at(0, "\x1f\x8b\x08") ? "a gzip-compressed file" : "a compressed file");
  if (at(0, "BZh")) return other("a bzip2-compressed file");
  if (at(0, "\xfd7zXZ\0")) return other("an xz-compressed file");
  if (at(0, "7z\xbc\xaf\x27\x1c")) return other("a 7-Zip archive");
  if (at(0, "Rar!")) return other("a RAR archive");
  if (at(257, "ustar")) return other("a tar archive");
  if (at(4, "ftyp")) return other(nameOfContainer(b.toString("latin1", 8, 12)));
  if (at(0, "\0\0\0\x0cjP  ") || at(0, "\xff\x4f\xff\x51")) return other("a JPEG 2000 picture");
  if (at(0, "\0\0\0\x0cJXL ") || at(0, "\xff\x0a")) return other("a JPEG XL picture");
  if (at(0, "8BPS")) return other("a Photoshop document");
  if (at(0, "\0\0\x01\0")) return other("a Windows icon");
  if (at(0, "\x93NUMPY")) return other("a NumPy array");
  if (at(0, "\x89HDF")) return other("an HDF5 file");
  if (at(0, "SIMPLE  =")) return other("a FITS image");
  if (/^P[1-7]\s/.test(b.toString("latin1", 0, 3))) return other("a Netpbm picture");
  if (at(0, "\x7fELF") || at(0, "MZ")) return other("a program");
  if (at(0, "RIFF")) return other("a sound or video file");
  return other(nameOfText(b) ?? "a file of no known picture format");
}

function isBmp(b: Buffer): boolean {
  return b.length < 18 || [12, 16, 40, 52, 56, 64, 108, 124].includes(b.readUInt32LE(14));
}

function nameOfContainer(brand: string): string {
  if (/^avi[fs]$/.test(brand)) return "an AVIF picture";
  if (/^(hei[cxms]|he[vi][cxms]|mif1|msf1)$/.test(brand)) return "a HEIC picture";
  if (/^(jp2|jpx)/.test(brand)) return "a JPEG 2000 picture";
  return "a video file";
}

/** Names what people put where a picture should be, when the first kilobyte reads as text. */
function nameOfText(b: Buffer): string | undefined {
  const head = b.subarray(0, 1024);
  const wide = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
  if (!wide && head.some((byte) => byte < 9 || (byte > 13 && byte < 32 && byte !== 27))) return undefined;
  const text = head
    .toString(wide ? "utf16le" : "utf8")
    .replace(/^\uFEFF/, "")
    .trimStart()
    .toLowerCase();
  if (!wide && text.includes("\ufffd") && b.length > 4 && (text.match(/\ufffd/g)?.length ?? 0) > 2) return undefined;
  if (text.startsWith("<svg") || /^<\?xml[\s\S]*<svg/.test(text) || /^<!doctype svg/.test(text))
    return "an SVG drawing";
  if (/^<(!doctype html|html|head|body)/.test(text)) return "a web page (HTML)";
  if (text.startsWith("<?xml")) return "an XML document";
  if (/^[[{]/.test(text)) return "a JSON or text file";
  return "a text file";
}
