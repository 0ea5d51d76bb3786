import { createReadStream } from "node:fs";
import { Transform, type TransformCallback } from "node:stream";
import type * as Native from "@node-rs/crc32";

/** Loaded with the first bytes: whoever reads a contract alone needs no native code. */
let native: typeof Native | undefined;
function crc32c(content: Uint8Array, sum?: number): number {
  native ??= require("@node-rs/crc32") as typeof Native;
  return native.crc32c(content, sum);
}

/** CRC32C as Google Cloud Storage writes it: base64 of the big-endian 32-bit value. */
export function encodeCrc32c(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes.toString("base64");
}

export function crc32cOf(content: Uint8Array): string {
  return encodeCrc32c(crc32c(content));
}

/** CRC32C and size of a file, read in pieces. */
export async function crc32cOfFile(path: string | Buffer): Promise<{ crc32c: string; size: number }> {
  const sum = new Crc32cStream();
  for await (const chunk of createReadStream(path)) sum.add(chunk);
  return { crc32c: sum.value, size: sum.size };
}

/** Passes bytes through, counting and summing them. */
export class Crc32cStream extends Transform {
  size = 0;
  private sum = 0;

  /** @param verify called at the end, before the last byte is let go; an error it throws ends the stream. */
  constructor(private readonly verify?: (crc32c: string) => void) {
    super();
  }

  get value(): string {
    return encodeCrc32c(this.sum);
  }

  add(chunk: Uint8Array): void {
    this.sum = crc32c(chunk, this.sum);
    this.size += chunk.length;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.add(chunk);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    try {
      this.verify?.(this.value);
      done();
    } catch (error) {
      done(error as Error);
    }
  }
}
