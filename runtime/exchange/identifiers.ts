import { createHash } from "node:crypto";

/**
 * The UUID that follows from names (RFC 9562, version 8: the first bits of a SHA-256): the same names give the same one,
 * so that a report that is made, or arrives, twice is one.
 */
export function uuidOf(...names: readonly string[]): string {
  const bytes = createHash("sha256").update(names.join("\0")).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The same as a UID of DICOM: PS3.5, B.2. */
export function uidOf(...names: readonly string[]): string {
  return `2.25.${BigInt(`0x${uuidOf(...names).replaceAll("-", "")}`)}`;
}
