import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onDisk } from "../platform/disk";
import { PIXELS } from "./components";

/** It has no name any more when it is written. */
const SPOOL = `The temporary file of pixels in ${tmpdir()}`;

/**
 * Images that are read again and again, outside of the heap: one channel each in a temporary file, which has no name as
 * soon as it is open and is gone with the process however that ends.
 */
export class PixelSpool {
  private count = 0;

  private constructor(private readonly file: FileHandle) {}

  static async open(): Promise<PixelSpool> {
    const folder = await mkdtemp(join(tmpdir(), "features-"));
    try {
      return new PixelSpool(await open(join(folder, "pixels"), "w+", 0o600));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  get images(): number {
    return this.count;
  }

  /** @param pixels 16,384 values of 0 to 255 */
  async add(pixels: Uint8Array): Promise<void> {
    await onDisk(SPOOL, () => this.file.write(pixels, 0, PIXELS, this.count * PIXELS));
    this.count++;
  }

  /** All images in the order in which they came, at most `size` at a time. A block is overwritten by the next one. */
  async *blocks(size: number): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(size, this.count) * PIXELS);
    for (let start = 0; start < this.count; start += size) {
      const wanted = Math.min(size, this.count - start) * PIXELS;
      for (let held = 0; held < wanted; ) {
        const { bytesRead } = await this.file.read(buffer, held, wanted - held, start * PIXELS + held);
        if (bytesRead === 0) throw new Error("The temporary file of pixels was cut short.");
        held += bytesRead;
      }
      yield buffer.subarray(0, wanted);
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
