import { unread } from "./failures";

/** How a frame becomes the picture that is looked at: its pixels made square, then turned and mirrored. */
export interface Upright {
  /** Size of the frame with square pixels. */
  readonly squared: { readonly width: number; readonly height: number };
  /** Whether rows become columns. */
  readonly transposed: boolean;
  /** Whether the picture is mirrored afterwards, left to right and top to bottom. */
  readonly mirrored: boolean;
  readonly flipped: boolean;
  /** Size of the result. */
  readonly width: number;
  readonly height: number;
}

/** Below it, pixels count as square. */
const SQUARE = 0.01;
/** How many times as long as the other one side of a pixel may be. */
export const LONGEST_PIXEL = 16;

/**
 * The picture as radiologists look at it: axial from below with the patient's right at the left and the front above; coronal from
 * the front, head up; sagittal from the left, head up and the face at the left. Slices that lie between are taken for the nearest.
 *
 * @param rowsToColumns how far rows lie from each other, as a share of how far columns do
 * @param cosines directions of a row and of a column in the patient (PS3.3, C.7.6.2.1.1); fewer than six: not known
 * @throws {RejectedImage} `unsupported-encoding` where pixels are no longer pixels
 */
export function upright(width: number, height: number, rowsToColumns: number, cosines: readonly number[]): Upright {
  if (Math.max(rowsToColumns, 1 / rowsToColumns) > LONGEST_PIXEL) {
    throw unread(`pixels of which one side is more than ${LONGEST_PIXEL} times as long as the other`);
  }
  const oblong = Math.abs(rowsToColumns - 1) > SQUARE;
  const squared = {
    width: oblong && rowsToColumns < 1 ? Math.round(width / rowsToColumns) : width,
    height: oblong && rowsToColumns > 1 ? Math.round(height * rowsToColumns) : height,
  };
  const turned = turnOf(cosines);
  const size = turned.transposed ? { width: squared.height, height: squared.width } : squared;
  return { squared, ...turned, ...size };
}

/** Axes of the patient: to the left, to the back, to the head. Which way the picture goes right and down, by the axis across. */
const DISPLAY: readonly (readonly [right: Direction, down: Direction])[] = [
  [
    { axis: 1, sign: 1 },
    { axis: 2, sign: -1 },
  ],
  [
    { axis: 0, sign: 1 },
    { axis: 2, sign: -1 },
  ],
  [
    { axis: 0, sign: 1 },
    { axis: 1, sign: 1 },
  ],
];

interface Direction {
  readonly axis: number;
  readonly sign: number;
}

/** By the axis across. */
const VIEWS = ["sagittal", "coronal", "axial"] as const;
export type View = (typeof VIEWS)[number];

/** How a slice lies in the patient, by the axis that it is the most across; undefined where the file does not say it. */
export function viewOf(cosines: readonly number[]): View | undefined {
  const plane = planeOf(cosines);
  return plane && VIEWS[plane.normal];
}

interface Plane {
  readonly across: Direction;
  readonly along: Direction;
  /** Axis that is neither's. */
  readonly normal: number;
}

function planeOf(cosines: readonly number[]): Plane | undefined {
  const across = mainDirection(cosines.slice(0, 3));
  const along = mainDirection(cosines.slice(3, 6));
  if (!across || !along || across.axis === along.axis) return undefined;
  return { across, along, normal: 3 - across.axis - along.axis };
}

function turnOf(cosines: readonly number[]): Pick<Upright, "transposed" | "mirrored" | "flipped"> {
  const plane = planeOf(cosines);
  if (!plane) return { transposed: false, mirrored: false, flipped: false };
  const { across, along } = plane;
  const [right, down] = DISPLAY[plane.normal] as readonly [Direction, Direction];
  const transposed = across.axis !== right.axis;
  const [rightwards, downwards] = transposed ? [along, across] : [across, along];
  return { transposed, mirrored: rightwards.sign !== right.sign, flipped: downwards.sign !== down.sign };
}

function mainDirection(cosines: readonly number[]): Direction | undefined {
  const largest = Math.max(...cosines.map(Math.abs));
  if (cosines.length < 3 || !(largest > 0.5)) return undefined;
  const axis = cosines.findIndex((value) => Math.abs(value) === largest);
  return { axis, sign: Math.sign(cosines[axis] as number) };
}

/** Where a frame is stored, and how it became upright: what turns a place in the picture back into one in the file. */
export interface StoredFramePlace extends Upright {
  /** Size of the frame as it is stored. */
  readonly columns: number;
  readonly rows: number;
}

/**
 * The place in stored pixels of a place in the upright picture. Both reach from 0, the outer edge of the first pixel, to
 * the picture's width and height (PS3.3, C.18.6): the middle of pixel n is n + 0.5.
 */
export function storedPlace(frame: StoredFramePlace, x: number, y: number): { column: number; row: number } {
  const { squared, transposed, mirrored, flipped, width, height, columns, rows } = frame;
  const across = mirrored ? width - x : x;
  const down = flipped ? height - y : y;
  const [column, row] = transposed ? [down, across] : [across, down];
  return { column: (column * columns) / squared.width, row: (row * rows) / squared.height };
}

type Grey = Uint8Array | Uint16Array;

/** The pixels of the upright picture, row by row. */
export function makeUpright(pixels: Grey, width: number, height: number, place: Upright): Grey {
  const { squared } = place;
  const wide = stretch(pixels, { length: width, lines: height, step: 1, next: width }, squared.width);
  const high = stretch(wide, { length: height, lines: squared.width, step: squared.width, next: 1 }, squared.height);
  return turned(high, place);
}

interface Lines {
  /** Pixels of a line, and how many lines there are. */
  readonly length: number;
  readonly lines: number;
  /** How far the next pixel of a line lies, and the next line. */
  readonly step: number;
  readonly next: number;
}

/** Lines of another length, by linear interpolation between the centres of pixels, in integers. */
function stretch(pixels: Grey, { length, lines, step, next }: Lines, longer: number): Grey {
  if (longer === length) return pixels;
  const out = pixels instanceof Uint8Array ? new Uint8Array(lines * longer) : new Uint16Array(lines * longer);
  const [outStep, outNext] = step === 1 ? [1, longer] : [step, 1];
  const whole = 2 * longer;
  for (let i = 0; i < longer; i++) {
    const place = Math.min((length - 1) * whole, Math.max(0, (2 * i + 1) * length - longer));
    const from = Math.floor(place / whole);
    const to = Math.min(length - 1, from + 1);
    const share = place - from * whole;
    for (let line = 0; line < lines; line++) {
      const at = line * next;
      const a = pixels[at + from * step] as number;
      const b = pixels[at + to * step] as number;
      out[line * outNext + i * outStep] = Math.floor((a * (whole - share) + b * share + longer) / whole);
    }
  }
  return out;
}

function turned(pixels: Grey, { squared, transposed, mirrored, flipped, width, height }: Upright): Grey {
  if (!transposed && !mirrored && !flipped) return pixels;
  const out = pixels instanceof Uint8Array ? new Uint8Array(pixels.length) : new Uint16Array(pixels.length);
  for (let y = 0, i = 0; y < squared.height; y++)
    for (let x = 0; x < squared.width; x++, i++) {
      const [column, row] = transposed ? [y, x] : [x, y];
      const to = (flipped ? height - 1 - row : row) * width + (mirrored ? width - 1 - column : column);
      out[to] = pixels[i] as number;
    }
  return out;
}
