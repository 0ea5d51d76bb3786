import { normal, uniform } from "../../../runtime/platform/random";
import { EUCLIDEAN, FeatureSpace } from "../../../runtime/similar";

const draw = normal(uniform(15));
const rows = (count: number, width: number, scale: (i: number) => number = () => 1) =>
  Array.from({ length: count }, () => Float32Array.from({ length: width }, (_, i) => scale(i) * draw()));
const everyRow = () => true;

/** By the book: cosine, sort all. */
function byTheBook(learnt: readonly Float32Array[], asked: Float32Array): { row: number; similarity: number }[] {
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  return learnt
    .map((other, row) => ({
      row,
      similarity: dot(asked, other) / Math.sqrt(dot(asked, asked) * dot(other, other)),
    }))
    .sort((a, b) => b.similarity - a.similarity);
}

test("gives the nearest by the cosine, as comparing with all by the book does", () => {
  const scale = (i: number) => 10 ** (i % 5);
  const learnt = rows(300, 16, scale);
  const space = FeatureSpace.of(learnt);
  expect([space.size, space.width]).toEqual([300, 16]);
  for (const asked of rows(20, 16, scale)) {
    const wanted = byTheBook(learnt, asked).slice(0, 12);
    const found = space.nearest(asked, 12, everyRow);
    expect(found.map(({ row }) => row)).toEqual(wanted.map(({ row }) => row));
    found.forEach(({ similarity }, i) => {
      expect(similarity).toBeCloseTo(wanted[i]?.similarity as number, 5);
    });
    const odd = wanted.filter(({ row }) => row % 2 === 1).slice(0, 3);
    expect(
      space
        .nearest(asked, 3, (row) => row % 2 === 1)
        .map(({ row }) => row)
        .slice(0, odd.length),
    ).toEqual(odd.map(({ row }) => row));
  }
});

test("gives the nearest by the Euclidean distance, equal ones in their order, as sorting all distances does", () => {
  const learnt = rows(400, 12).map((row, i) =>
    Float64Array.from(row, (value) => (i % 3 === 0 ? Math.round(value) : value)),
  );
  const space = FeatureSpace.of(learnt, EUCLIDEAN);
  let ties = 0;
  for (const asked of rows(40, 12).map((row) => Float64Array.from(row, Math.round))) {
    const wanted = learnt
      .map((other, row) => ({
        row,
        sum: other.reduce((sum, value, i) => sum + ((asked[i] as number) - value) ** 2, 0),
      }))
      .sort((a, b) => a.sum - b.sum || a.row - b.row)
      .slice(0, 45);
    wanted.forEach(({ sum }, i) => {
      if (sum === wanted[i + 1]?.sum) ties++;
    });
    expect(space.nearest(asked, 45, everyRow)).toEqual(wanted.map(({ row, sum }) => ({ row, similarity: -sum })));
  }
  expect(ties).toBeGreaterThan(20);
});

test("a row is its own nearest, equal ones come in their order, and there are as many as there are", () => {
  const [a, b] = rows(2, 8) as [Float32Array, Float32Array];
  const space = FeatureSpace.of([b, a, a, b]);
  expect(space.nearest(a, 10, everyRow).map(({ row }) => row)).toEqual([1, 2, 0, 3]);
  expect(space.nearest(a, 10, everyRow)[0]?.similarity).toBeCloseTo(1, 6);
  expect(space.nearest(a, 10, () => false)).toEqual([]);
});

test("the length of a row says nothing, and one of nothing but zeros is like none", () => {
  const space = FeatureSpace.of([
    [0, 0],
    [1, 0],
    [-3, 0],
  ]);
  expect(space.nearest([9000, 0], 3, everyRow)).toEqual([
    { row: 1, similarity: 1 },
    { row: 0, similarity: 0 },
    { row: 2, similarity: -1 },
  ]);
  expect(space.nearest([0, 0], 3, everyRow).map(({ similarity }) => similarity)).toEqual([0, 0, 0]);
});

test("rows of another length are refused, as the space is made and as it is asked", () => {
  expect(() => FeatureSpace.of([[1, 2], [1]])).toThrow("Row 1 has 1 features; the first has 2.");
  expect(() =>
    FeatureSpace.of([
      [1, 2],
      [2, 1],
    ]).nearest([1], 1, everyRow),
  ).toThrow("1 features cannot be compared");
  expect(FeatureSpace.of([]).size).toBe(0);
});

test("many rows are gone through in turns, in which others come to their work, with the same outcome", async () => {
  const learnt = rows(65_000, 4);
  const space = FeatureSpace.of(learnt);
  const [asked] = rows(1, 4) as [Float32Array];
  let turns = 0;
  let over = false;
  const beside = (async () => {
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
  })();
  const found = await space.nearestInTurns(asked, 20, everyRow);
  const during = turns;
  over = true;
  await beside;
  expect(found).toEqual(space.nearest(asked, 20, everyRow));
  expect(during).toBeGreaterThanOrEqual(3);
});
