/** Cells of the longest side of the grid on which an outline is drawn at first. */
const FINEST = 256;
/** Characters of an outline: where a finer grid takes more, as of noise, a coarser one is taken. */
const LONGEST = 6000;
const COARSEST = 16;

/** The outline of a lesion on a picture. */
export interface Outline {
  /** Size of the picture that the path is drawn on, pixels. */
  readonly width: number;
  readonly height: number;
  /** `d` of an SVG path, in pixels of the picture; of bounded length. */
  readonly path: string;
}

/**
 * The border of what is set in a mask.
 *
 * @param mask row by row, 0 outside
 * @returns undefined where nothing is set
 */
export function outlineOf(mask: Uint8Array, width: number, height: number): Outline | undefined {
  if (!mask.some((value) => value > 0)) return undefined;
  const longest = Math.max(width, height);
  for (let side = Math.min(FINEST, longest); ; side = Math.ceil(side / 2)) {
    const scale = longest / side;
    const path = borderPath(reduced(mask, width, height, scale), scale);
    if (path.length <= LONGEST || side <= COARSEST) return { width, height, path };
  }
}

interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly set: Uint8Array;
}

/** A cell is set where half of it is, or, of a mask too thin for that, any of it. */
function reduced(mask: Uint8Array, width: number, height: number, scale: number): Grid {
  const [columns, rows] = [Math.ceil(width / scale), Math.ceil(height / scale)];
  const inside = new Uint32Array(columns * rows);
  const all = new Uint32Array(columns * rows);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / scale) * columns;
    for (let x = 0; x < width; x++) {
      const cell = row + Math.floor(x / scale);
      (all[cell] as number)++;
      if (mask[y * width + x]) (inside[cell] as number)++;
    }
  }
  const half = Uint8Array.from(inside, (n, cell) => (n > 0 && 2 * n >= (all[cell] as number) ? 1 : 0));
  return { columns, rows, set: half.includes(1) ? half : Uint8Array.from(inside, (n) => (n > 0 ? 1 : 0)) };
}

type Point = readonly [x: number, y: number];

/**
 * Every set cell's sides that face an unset one, clockwise, joined to loops. A loop goes through the middles of the
 * sides, which cuts its corners: cells are no shape of a lesion.
 */
function borderPath({ columns, rows, set }: Grid, scale: number): string {
  const isSet = (x: number, y: number) => x >= 0 && y >= 0 && x < columns && y < rows && set[y * columns + x] === 1;
  const from = new Map<number, Point[]>();
  const key = ([x, y]: Point) => y * (columns + 1) + x;
  const add = (start: Point, end: Point) => {
    const ends = from.get(key(start));
    if (ends) ends.push(end);
    else from.set(key(start), [end]);
  };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      if (!isSet(x, y)) continue;
      if (!isSet(x, y - 1)) add([x, y], [x + 1, y]);
      if (!isSet(x + 1, y)) add([x + 1, y], [x + 1, y + 1]);
      if (!isSet(x, y + 1)) add([x + 1, y + 1], [x, y + 1]);
      if (!isSet(x - 1, y)) add([x, y + 1], [x, y]);
    }
  }
  const loops: string[] = [];
  for (const [start, ends] of from) {
    // As many sides end in a corner as begin there, so a walk comes back to where it began.
    for (let end = ends.pop(); end; end = ends.pop()) {
      let at: Point = [start % (columns + 1), Math.floor(start / (columns + 1))];
      const middles: Point[] = [];
      for (let next: Point | undefined = end; next; next = from.get(key(at))?.pop()) {
        middles.push([(at[0] + next[0]) / 2, (at[1] + next[1]) / 2]);
        at = next;
      }
      loops.push(loopPath(middles, scale));
    }
  }
  return loops.join("");
}

/** Points in the middle of a straight run are left out. */
function loopPath(points: readonly Point[], scale: number): string {
  const corners = points.filter((point, i) => {
    const before = points[(i + points.length - 1) % points.length] as Point;
    const after = points[(i + 1) % points.length] as Point;
    return (point[0] - before[0]) * (after[1] - point[1]) !== (point[1] - before[1]) * (after[0] - point[0]);
  });
  const number = (value: number) => String(Number((value * scale).toFixed(1)));
  return `M${corners.map(([x, y]) => `${number(x)} ${number(y)}`).join("L")}Z`;
}
