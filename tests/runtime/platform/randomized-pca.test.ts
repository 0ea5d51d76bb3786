import { dot, matrixOf, symmetricEigen } from "../../../runtime/platform/linear-algebra";
import { multiply } from "../../../runtime/platform/matrix";
import { normal, uniform } from "../../../runtime/platform/random";
import { SubspaceIteration } from "../../../runtime/platform/randomized-pca";

const WIDTH = 40;

/** Rows of mean zero whose spread falls slowly from one direction to the next. */
function rows(count: number, rank = WIDTH): Float64Array[] {
  const gaussian = normal(uniform(8));
  const directions = Array.from({ length: rank }, (_, i) =>
    Float64Array.from({ length: WIDTH }, () => gaussian() / (1 + i)),
  );
  return Array.from({ length: count }, () => {
    const row = new Float64Array(WIDTH);
    for (const direction of directions) {
      const weight = gaussian();
      for (let k = 0; k < WIDTH; k++) row[k] = (row[k] as number) + weight * (direction[k] as number);
    }
    return row;
  });
}

async function iterate(data: readonly Float64Array[], components: number, maxPasses: number) {
  const matrix = matrixOf(data, WIDTH);
  const iteration = await SubspaceIteration.start({ width: WIDTH, rank: WIDTH, components, seed: 2, maxPasses });
  for (;;) {
    const scores = await multiply(matrix, iteration.basis, { right: true });
    const image = await multiply(scores, matrix, { left: true });
    const products = await multiply(scores, scores, { left: true });
    const found = await iteration.take({ image, products });
    if (found) return found;
  }
}

describe("randomised principal components", () => {
  it("are those of the whole matrix, after as many passes as it takes", async () => {
    const data = rows(300);
    const matrix = matrixOf(data, WIDTH);
    const exact = symmetricEigen((await multiply(matrix, matrix, { left: true })).values, WIDTH);
    const { components, scatter: found, passes } = await iterate(data, 6, 50);
    expect(passes).toBeLessThan(50);
    expect(components).toHaveLength(6);
    components.forEach((component, i) => {
      expect((found[i] as number) / (exact.values[i] as number)).toBeCloseTo(1, 3);
      expect(Math.abs(dot(component, exact.vectors[i] as Float64Array))).toBeGreaterThan(0.99);
    });
    expect((await iterate(data, 6, 2)).passes).toBe(2);
  });

  it("are no more than the rows span", async () => {
    expect((await iterate(rows(300, 3), 6, 50)).components).toHaveLength(3);
    expect((await iterate([new Float64Array(WIDTH)], 6, 50)).components).toEqual([]);
  });
});
