import { setImmediate } from "node:timers/promises";
import type { NiftiHeader } from "./header";
import type { Triple } from "./orientation";

type Grey = Uint8Array | Uint16Array;

/** Where a slice's pixels lie in a volume: along rows, along columns, and from slice to slice. */
export interface Cut {
  readonly across: number;
  readonly row: number;
  readonly column: number;
}

/** The lowest and the highest of some voxels that are numbers. */
interface Range {
  low: number;
  high: number;
  /** Whether others are none. */
  odd: boolean;
}

/** Voxels that are looked at before others have their turn. */
const VOXELS_A_TURN = 2 ** 22;

/** The first volume of a file, cut into slices. */
export class Volume {
  private constructor(
    private readonly view: DataView,
    private readonly header: NiftiHeader,
    private readonly cut: Cut,
    private readonly whole: Range & { readonly exact: boolean },
    private readonly slices: readonly Range[],
  ) {}

  /** Looks at every voxel once: slices are shown by what the whole volume holds. */
  static async open(bytes: Buffer, header: NiftiHeader, cut: Cut): Promise<Volume> {
    const { offset, size, type, littleEndian } = header;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const slices = Array.from(
      { length: size[cut.across] as number },
      (): Range => ({ low: Infinity, high: -Infinity, odd: false }),
    );
    const place = [0, 0, 0];
    const [columns, rows, planes] = size;
    let [at, exact, left] = [offset, true, VOXELS_A_TURN];
    for (let k = 0; k < planes; k++)
      for (let j = 0; j < rows; j++) {
        place[2] = k;
        place[1] = j;
        for (let i = 0; i < columns; i++, at += type.bytes) {
          place[0] = i;
          const slice = slices[place[cut.across] as number] as Range;
          const value = type.read(view, at, littleEndian);
          if (!Number.isFinite(value)) {
            slice.odd = true;
            continue;
          }
          if (value < slice.low) slice.low = value;
          if (value > slice.high) slice.high = value;
          if (exact && !Number.isInteger(value)) exact = false;
        }
        left -= columns;
        if (left > 0) continue;
        left = VOXELS_A_TURN;
        await setImmediate();
      }
    const low = slices.reduce((least, slice) => Math.min(least, slice.low), Infinity);
    const high = slices.reduce((most, slice) => Math.max(most, slice.high), -Infinity);
    const odd = slices.some((slice) => slice.odd);
    const measured = low <= high ? { low, high } : { low: 0, high: 0 };
    const fits = exact && measured.high - Math.min(0, measured.low) <= 65_535;
    return new Volume(view, header, cut, { ...measured, odd, exact: fits }, slices);
  }

  /** Slices from the first to the last that shows something, from 0; none where no slice does. */
  get shown(): { readonly first: number; readonly last: number } | undefined {
    const grey = this.greys();
    const shows = ({ low, high, odd }: Range) =>
      low <= high && (grey(low) !== grey(high) || (odd && grey(Number.NaN) !== grey(high)));
    const first = this.slices.findIndex(shows);
    return first < 0 ? undefined : { first, last: this.slices.findLastIndex(shows) };
  }

  /** Grey values of a slice, row by row as they lie in the file. */
  read(slice: number): Grey {
    const { view, cut, header } = this;
    const { size, type, offset, littleEndian } = header;
    const steps: Triple<number> = [type.bytes, size[0] * type.bytes, size[0] * size[1] * type.bytes];
    const [columns, rows] = [size[cut.row] as number, size[cut.column] as number];
    const [right, down] = [steps[cut.row] as number, steps[cut.column] as number];
    const start = offset + slice * (steps[cut.across] as number);
    const grey = this.greys();
    const out = type.bytes === 1 ? new Uint8Array(rows * columns) : new Uint16Array(rows * columns);
    for (let y = 0, to = 0; y < rows; y++)
      for (let x = 0, at = start + y * down; x < columns; x++, at += right)
        out[to++] = grey(type.read(view, at, littleEndian));
    return out;
  }

  /**
   * What becomes of a value, one rule for all slices. By the header's window where it has one. Else values are kept whole, those below
   * zero lifted, as in every format; what does not fit 16 bits is scaled from the volume's lowest and highest. Falling slopes turn it round.
   */
  private greys(): (value: number) => number {
    const { slope, intercept, window, type } = this.header;
    const { low, high, exact } = this.whole;
    const white = type.bytes === 1 ? 255 : 65_535;
    const rises = slope > 0;
    if (window) {
      const wide = window.high - window.low;
      const lowest = rises ? low : high;
      return (value) => {
        const measured = (Number.isFinite(value) ? value : lowest) * slope + intercept;
        return Math.floor(Math.min(1, Math.max(0, (measured - window.low) / wide)) * white + 0.5);
      };
    }
    const lift = Math.min(0, low);
    const scale = high > low ? 65_535 / (high - low) : 0;
    const darkest = rises ? low : high;
    return (value) => {
      const given = Number.isFinite(value) ? value : darkest;
      const turned = rises ? given : high - given + low;
      return exact ? turned - lift : Math.floor((turned - low) * scale + 0.5);
    };
  }
}
