import { dot, symmetricEigen } from "../../../runtime/platform/linear-algebra";
import { normal, uniform } from "../../../runtime/platform/random";
import { addProducts, SubspaceIteration } from "../../../runtime/platform/randomized-pca";

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

function iterate(data: readonly Float64Array[], components: number, maxPasses: number) {
  const iteration = new SubspaceIteration({ width: WIDTH, rank: WIDTH, components, seed: 2, maxPasses });
  for (;;) {
    const { basis } = iteration;
    const image = basis.map(() => new Float64Array(WIDTH));
    const products = new Float64Array(basis.length ** 2);
    for (const row of data) {
      const scores = basis.map((direction) => dot(row, direction));
      addProducts(products, scores, basis.length);
      image.forEach((vector, i) => {
        for (let k = 0; k < WIDTH; k++) vector[k] = (vector[k] as number) + (scores[i] as number) * (row[k] as number);
      });
    }
    const found = iteration.take({ image, products });
    if (found) return found;
  }
}

describe("randomised principal components", () => {
  it("are those of the whole matrix, after as many passes as it takes", () => {
    const data = rows(300);
    const scatter = new Float64Array(WIDTH * WIDTH);
    for (const row of data) addProducts(scatter, row, WIDTH);
    const exact = symmetricEigen(scatter, WIDTH);
    const { components, scatter: found, passes } = iterate(data, 6, 50);
    expect(passes).toBeLessThan(50);
    expect(components).toHaveLength(6);
    components.forEach((component, i) => {
      expect((found[i] as number) / (exact.values[i] as number)).toBeCloseTo(1, 3);
      expect(Math.abs(dot(component, exact.vectors[i] as Float64Array))).toBeGreaterThan(0.99);
    });
    expect(iterate(data, 6, 2).passes).toBe(2);
  });

  it("are no more than the rows span", () => {
    expect(iterate(rows(300, 3), 6, 50).components).toHaveLength(3);
    expect(iterate([new Float64Array(WIDTH)], 6, 50).components).toEqual([]);
  });
});
