import { constants, createGunzip, gunzipSync } from "node:zlib";
import { damaged, truncated } from "./failures";

/** Compressed bytes in which the header stands. They can inflate to a mebibyte at most. */
const FIRST_BYTES = 1024;

/** A gzip file's first bytes, unpacked as far as they go; undefined where it is none. */
export function unpackedHead(bytes: Buffer): Buffer | undefined {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return undefined;
  try {
    return gunzipSync(bytes.subarray(0, FIRST_BYTES), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return undefined;
  }
}

/** Bytes behind the last voxel that are no contradiction: some writers pad. */
const MOST_BEHIND = 2 ** 20;

/**
 * Unpacks a file in another thread, into no more memory than its header asks for.
 *
 * @param length bytes that are needed, from the beginning
 * @throws {RejectedImage} `truncated` or `damaged`
 */
export async function unpack(bytes: Buffer, length: number): Promise<Buffer> {
  // Memory that is never written to is never taken, so a header that lies costs nothing.
  const out = Buffer.allocUnsafeSlow(length);
  let at = 0;
  const gunzip = createGunzip({ chunkSize: 2 ** 18 });
  gunzip.end(bytes);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      if (at < length) chunk.copy(out, at);
      at += chunk.length;
      if (at > length + MOST_BEHIND) throw damaged("it unpacks to more than its header says");
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "Z_BUF_ERROR") throw truncated();
    if (code?.startsWith("Z_")) throw damaged("it cannot be unpacked", { cause: error });
    throw error;
  }
  if (at < length) throw truncated();
  return out;
}
