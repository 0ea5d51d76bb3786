import { decodeScan, readAnsweredFrame, storedPlace } from "../../../../runtime/imaging";
import { makeUpright, upright } from "../../../../runtime/imaging/dicom/geometry";
import { bytesOfSlice, type Elements, mrElements, writeElements, writeFile } from "./dicom-writer";

const AXES = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
] as const;

/** Directions of rows and columns along two different axes, each way: 24. */
const ORIENTATIONS = AXES.flatMap((row) =>
  AXES.filter((column) => column !== row).flatMap((column) =>
    [1, -1].flatMap((s) => [1, -1].map((t) => [...row.map((v) => s * v), ...column.map((v) => t * v)])),
  ),
);
const TILTED = [0.96, 0.28, 0, 0.05, -0.17, -0.98];
const [COLUMNS, ROWS] = [40, 56];
/** Of a coordinate, so that interpolation keeps it. */
const SCALE = 1000;

const name = (cosines: readonly number[]) => cosines.join("\\");

describe.each([1, 2, 0.4, 1.3])("rows that lie %d times as far from each other as columns", (aspect) => {
  test.each([...ORIENTATIONS, TILTED, []].map((cosines) => [name(cosines), cosines] as const))(
    "orientation %s: every pixel of the upright picture has its place in the file",
    (_, cosines) => {
      const place = { ...upright(COLUMNS, ROWS, aspect, cosines), columns: COLUMNS, rows: ROWS };
      const ramp = (coordinate: (i: number) => number) =>
        makeUpright(
          Uint16Array.from({ length: COLUMNS * ROWS }, (_, i) => SCALE * (coordinate(i) + 0.5)),
          COLUMNS,
          ROWS,
          place,
        );
      const columns = ramp((i) => i % COLUMNS);
      const rows = ramp((i) => Math.floor(i / COLUMNS));
      // Outside of the outermost centres there is nothing to interpolate, and their value goes on.
      const inner = (value: number, length: number) => Math.min(length - 0.5, Math.max(0.5, value));
      let worst = 0;
      let outside = 0;
      for (let i = 0; i < columns.length; i++) {
        const { column, row } = storedPlace(place, (i % place.width) + 0.5, Math.floor(i / place.width) + 0.5);
        const across = inner(column, COLUMNS) - (columns[i] as number) / SCALE;
        const down = inner(row, ROWS) - (rows[i] as number) / SCALE;
        worst = Math.max(worst, Math.abs(across), Math.abs(down));
        if (!(column > 0 && column < COLUMNS && row > 0 && row < ROWS)) outside++;
      }
      expect(worst).toBeLessThan(0.002);
      expect(outside).toBe(0);
    },
  );
});

/** A file of several frames (Enhanced MR), each with an orientation and a bright pixel of its own. */
function enhanced(
  frames: readonly { readonly cosines: readonly number[]; readonly bright: readonly [number, number] }[],
) {
  const orientation = (cosines: readonly number[]): Elements => [
    [0x0020_9116, "SQ", [[[0x0020_0037, "DS", cosines.join("\\")]]]],
  ];
  const pixels = frames.map(({ bright: [column, row] }) => {
    const slice = Uint16Array.from({ length: COLUMNS * ROWS }, (_, i) => i % 5);
    slice[row * COLUMNS + column] = 4000;
    return bytesOfSlice(slice);
  });
  return writeFile(
    writeElements([
      ...mrElements(ROWS, COLUMNS, [
        [0x0028_0008, "IS", String(frames.length)],
        [0x0028_0030, "DS", "2\\1"],
        [0x0028_0301, "CS", "NO"],
      ]),
      [0x5200_9230, "SQ", frames.map(({ cosines }) => orientation(cosines))],
      [0x7fe0_0010, "OW", Buffer.concat(pixels)],
    ]),
  );
}

test("of every frame of a file, where it is brightest when upright is where it is brightest in the file", async () => {
  const frames = [...ORIENTATIONS, TILTED].map((cosines, i) => ({ cosines, bright: [3 + i, 50 - i] as const }));
  const bytes = enhanced(frames);
  let seen = 0;
  for await (const decoded of decodeScan(bytes)) {
    if (!("image" in decoded)) throw decoded.rejected;
    const { image, page } = decoded;
    const brightest = image.pixels.indexOf(Math.max(...image.pixels));
    const { place, frames: count, burnedIn } = readAnsweredFrame(bytes, page);
    expect([count, burnedIn]).toEqual([frames.length, "NO"]);
    expect([place.width, place.height]).toEqual([image.width, image.height]);
    const { column, row } = storedPlace(
      place,
      (brightest % image.width) + 0.5,
      Math.floor(brightest / image.width) + 0.5,
    );
    const [x, y] = frames[page - 1]?.bright ?? [0, 0];
    expect(Math.abs(column - (x + 0.5))).toBeLessThan(1);
    expect(Math.abs(row - (y + 0.5))).toBeLessThan(1);
    seen++;
  }
  expect(seen).toBe(frames.length);
});

test("a file that says nothing of frames has no number of them", () => {
  const bytes = writeFile(
    writeElements([...mrElements(ROWS, COLUMNS), [0x7fe0_0010, "OW", Buffer.alloc(2 * ROWS * COLUMNS, 7)]]),
  );
  expect(readAnsweredFrame(bytes, 1)).toEqual({
    frames: undefined,
    burnedIn: undefined,
    place: {
      squared: { width: COLUMNS, height: ROWS },
      transposed: false,
      mirrored: false,
      flipped: false,
      width: COLUMNS,
      height: ROWS,
      columns: COLUMNS,
      rows: ROWS,
    },
  });
});
