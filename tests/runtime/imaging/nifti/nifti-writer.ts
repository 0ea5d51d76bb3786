import { gzipSync } from "node:zlib";

export interface VolumeToWrite {
  /** Voxels along i, j and k, and volumes. */
  readonly size: readonly number[];
  /** 16-bit values, i the fastest. Default {@link drawVolume}. */
  readonly values?: Int16Array;
  readonly spacing?: readonly number[];
  /** Rows of the matrix to the patient's right, front and head, without its last column. Default: its spacing alone. */
  readonly matrix?: readonly (readonly number[])[];
  /** Changes the header after it was written. */
  readonly change?: (header: Buffer) => void;
}

/** A NIfTI-1 file of 16-bit voxels, little endian. */
export function writeNifti({ size, values, spacing = [1, 1, 1], matrix, change }: VolumeToWrite): Buffer {
  const header = Buffer.alloc(352);
  header.writeInt32LE(348, 0);
  header.writeInt16LE(size.length, 40);
  for (let i = 0; i < 7; i++) header.writeInt16LE(size[i] ?? 1, 42 + 2 * i);
  header.writeInt16LE(4, 70);
  header.writeInt16LE(16, 72);
  for (let i = 0; i < 3; i++) header.writeFloatLE(spacing[i] ?? 1, 80 + 4 * i);
  header.writeFloatLE(352, 108);
  header.writeInt16LE(1, 254);
  const rows = matrix ?? [0, 1, 2].map((row) => [0, 1, 2].map((i) => (i === row ? (spacing[i] ?? 1) : 0)));
  rows.forEach((row, r) => {
    row.forEach((value, i) => {
      header.writeFloatLE(value, 280 + 16 * r + 4 * i);
    });
  });
  header.write("n+1\0", 344, "latin1");
  change?.(header);
  const drawn = values ?? drawVolume(size);
  return Buffer.concat([header, Buffer.from(drawn.buffer, drawn.byteOffset, drawn.byteLength)]);
}

/** A ball that grows brighter along every axis, in different steps, in black. */
export function drawVolume(size: readonly number[]): Int16Array {
  const [columns = 1, rows = 1, planes = 1, volumes = 1] = size;
  const values = new Int16Array(columns * rows * planes * volumes);
  for (let at = 0; at < values.length; at++) {
    const [i, j, k] = [at % columns, Math.floor(at / columns) % rows, Math.floor(at / columns / rows) % planes];
    const [x, y, z] = [(2 * i) / columns - 0.9, (2 * j) / rows - 1.1, (2 * k) / planes - 1];
    const inside = x * x + y * y + z * z < 0.5;
    values[at] = inside ? 100 + i + 3 * j + 7 * k + 1000 * Math.floor(at / columns / rows / planes) : 0;
  }
  return values;
}

export const packed = (bytes: Buffer) => gzipSync(bytes);
