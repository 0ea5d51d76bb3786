/** Writes lossless JPEG streams (ITU-T T.81, annex H) of one component, to have every predictor read by others too. */
export function writeLosslessJpeg(
  samples: Uint16Array,
  { width, height, precision, predictor }: { width: number; height: number; precision: number; predictor: number },
  { restartRows = 0 } = {},
): Buffer {
  const parts: Buffer[] = [Buffer.from([0xff, 0xd8])];
  const segment = (marker: number, body: readonly number[]) =>
    parts.push(Buffer.from([0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body]));
  segment(0xc3, [precision, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0]);
  // Codes of 5 bits for the sizes 0 to 16.
  segment(0xc4, [0, 0, 0, 0, 0, 17, ...new Array<number>(11).fill(0), ...Array.from({ length: 17 }, (_, i) => i)]);
  if (restartRows > 0) segment(0xdd, [(restartRows * width) >> 8, (restartRows * width) & 255]);
  segment(0xda, [1, 1, 0, predictor, 0, 0]);
  let bits = new BitWriter();
  for (let y = 0, restarts = 0, first = 0; y < height; y++) {
    if (restartRows > 0 && y > 0 && y % restartRows === 0) {
      parts.push(bits.end(), Buffer.from([0xff, 0xd0 + (restarts++ % 8)]));
      bits = new BitWriter();
      first = y;
    }
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const [a = 0, b = 0, c = 0] = [samples[at - 1], samples[at - width], samples[at - width - 1]];
      const predicted =
        y === first ? (x === 0 ? 1 << (precision - 1) : a) : x === 0 ? b : PREDICTORS[predictor]?.(a, b, c);
      bits.difference((((samples[at] as number) - (predicted as number) + 32_768) & 0xffff) - 32_768);
    }
  }
  return Buffer.concat([...parts, bits.end(), Buffer.from([0xff, 0xd9])]);
}

const PREDICTORS: readonly ((a: number, b: number, c: number) => number)[] = [
  () => 0,
  (a) => a,
  (_, b) => b,
  (_, __, c) => c,
  (a, b, c) => a + b - c,
  (a, b, c) => a + ((b - c) >> 1),
  (a, b, c) => b + ((a - c) >> 1),
  (a, b) => (a + b) >> 1,
];

class BitWriter {
  private readonly bytes: number[] = [];
  private byte = 0;
  private used = 0;

  difference(value: number): void {
    const size = value === -32_768 ? 16 : Math.floor(Math.log2(Math.abs(value) || 0.5)) + 1;
    this.write(size, 5);
    if (size > 0 && size < 16) this.write(value < 0 ? value + 2 ** size - 1 : value, size);
  }

  private write(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) {
      this.byte = (this.byte << 1) | ((value >> bit) & 1);
      if (++this.used === 8) this.flush();
    }
  }

  private flush(): void {
    this.bytes.push(this.byte, ...(this.byte === 0xff ? [0] : []));
    this.byte = 0;
    this.used = 0;
  }

  end(): Buffer {
    while (this.used > 0) {
      this.byte = (this.byte << 1) | 1;
      if (++this.used === 8) this.flush();
    }
    return Buffer.from(this.bytes);
  }
}
