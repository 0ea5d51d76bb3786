import { RejectedImage } from "./rejected";

const MEBIBYTE = 2 ** 20;

/** What is refused before anything is decoded. */
export interface ImageLimits {
  /** Bytes of the file. */
  readonly bytes: number;
  /** Pixels of a page. */
  readonly pixels: number;
  /** Pixels of all pages of a file. */
  readonly totalPixels: number;
  /** Bytes of a page's samples once decoded. */
  readonly decodedBytes: number;
  /** Bytes that decoding one page may take in all, with what the decoder keeps beside the samples. */
  readonly workingBytes: number;
  readonly pages: number;
  /** Shortest side, pixels. */
  readonly minimumSide: number;
}

export const DEFAULT_LIMITS: ImageLimits = {
  bytes: 256 * MEBIBYTE,
  pixels: 50_000_000,
  totalPixels: 2_000_000_000,
  decodedBytes: 192 * MEBIBYTE,
  workingBytes: 512 * MEBIBYTE,
  pages: 1000,
  minimumSide: 32,
};

/** What a page's header announces. */
export interface PageHeader {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly bytesPerSample: number;
  /** Bytes a sample that the decoder keeps beside the result, e.g. the coefficients of a progressive JPEG. */
  readonly extraBytesPerSample: number;
}

/** Bytes that decoding the page takes: samples, one copy for orientation, what the decoder keeps, the grey result. */
export function workingBytes(page: PageHeader): number {
  const samples = page.width * page.height * page.channels;
  return samples * (page.bytesPerSample + page.extraBytesPerSample) + page.width * page.height * 2;
}

/** @throws {RejectedImage} `damaged`, `too-small` or `too-many-pixels`. */
export function checkPage(page: PageHeader, limits: ImageLimits): void {
  const { width, height } = page;
  const size = `${count(width)} x ${count(height)} pixels`;
  if (!(width > 0 && height > 0)) {
    throw new RejectedImage("damaged", `The file says that the picture is ${size} in size. Export it again.`);
  }
  if (width * height > limits.pixels) {
    throw new RejectedImage(
      "too-many-pixels",
      `The picture has ${size}; at most ${count(limits.pixels)} pixels are taken. Export it in a smaller size.`,
    );
  }
  if (Math.min(width, height) < limits.minimumSide) {
    throw new RejectedImage(
      "too-small",
      `The picture has ${size}; each side must have at least ${limits.minimumSide}. Send the scan in its original size.`,
    );
  }
  const decoded = width * height * page.channels * page.bytesPerSample;
  if (decoded > limits.decodedBytes || workingBytes(page) > limits.workingBytes) {
    const [needed, allowed] =
      decoded > limits.decodedBytes ? [decoded, limits.decodedBytes] : [workingBytes(page), limits.workingBytes];
    throw new RejectedImage(
      "too-many-pixels",
      `Decoding the picture (${size}, ${page.channels} channels) would take ${megabytes(needed)}; at most ` +
        `${megabytes(allowed)} are allowed. Export it as 8-bit grey or in a smaller size.`,
    );
  }
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function megabytes(bytes: number): string {
  return `${count(Math.ceil(bytes / MEBIBYTE))} MiB`;
}

/**
 * Lets decoders run side by side as long as what they need together stays below a budget, so that a folder of large
 * scans takes longer and not more memory.
 */
export class MemoryBudget {
  private taken = 0;
  private readonly waiting: { bytes: number; go: () => void }[] = [];

  constructor(private readonly capacity: number) {}

  /** Runs `work` when `bytes` are free. More than the whole budget is let through alone. */
  async with<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const needed = Math.min(bytes, this.capacity);
    if (this.waiting.length > 0 || this.taken + needed > this.capacity) {
      await new Promise<void>((go) => this.waiting.push({ bytes: needed, go }));
    } else {
      this.taken += needed;
    }
    try {
      return await work();
    } finally {
      this.taken -= needed;
      this.letIn();
    }
  }

  private letIn(): void {
    let next = this.waiting[0];
    while (next && this.taken + next.bytes <= this.capacity) {
      this.taken += next.bytes;
      this.waiting.shift();
      next.go();
      next = this.waiting[0];
    }
  }
}
