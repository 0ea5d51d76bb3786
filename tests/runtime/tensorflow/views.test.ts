import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { viewsOf } from "../../../runtime/model";
import { logit } from "../../../runtime/platform/numbers";
import { uniform } from "../../../runtime/platform/random";
import { predictViews, showAs, unshow, useBackend } from "../../../runtime/tensorflow";
import { bilinear } from "../../../runtime/train/bilinear";

const SIDE = 16;
const CENTRE = (SIDE - 1) / 2;

beforeAll(() => useBackend("wasm"));

const picture = (seed = 1) => {
  const random = uniform(seed);
  return Float32Array.from({ length: SIDE * SIDE }, () => random());
};
const tensorOf = (...planes: Float32Array[]) =>
  tf.stack(planes.map((plane) => tf.tensor3d(plane, [SIDE, SIDE, 1]))) as tf.Tensor4D;

describe("the views of an image", () => {
  it("are as many as they say, each another", () => {
    expect(viewsOf()).toEqual([{ mirror: [], extent: 1 }]);
    expect(viewsOf("mirrored")).toHaveLength(4);
    const names = viewsOf("mirrored-two-sizes").map((view) => JSON.stringify(view));
    expect(new Set(names).size).toBe(8);
  });

  it.each([0.9, 1.1, 0.5])("show %f of its side, bilinear and black outside, picture by picture", (extent) => {
    const planes = [picture(1), picture(2)];
    const shown = showAs({ mirror: [], extent }, tensorOf(...planes)).dataSync();
    planes.forEach((plane, n) => {
      for (let y = 0; y < SIDE; y++) {
        for (let x = 0; x < SIDE; x++) {
          const exact = bilinear(
            plane as unknown as Uint8Array,
            SIDE,
            CENTRE + (x - CENTRE) * extent,
            CENTRE + (y - CENTRE) * extent,
          );
          const reaches = [x, y].every((at) => Math.abs(at - CENTRE) * extent <= CENTRE);
          expect(shown[(n * SIDE + y) * SIDE + x]).toBeCloseTo(reaches ? exact : 0, 5);
        }
      }
    });
  });

  it("come back over the image: what a view shows at a place is found at that place", () => {
    const bump = Float32Array.from({ length: SIDE * SIDE }, (_, i) =>
      Math.exp(-((((i % SIDE) - 10) / 3) ** 2) - ((Math.floor(i / SIDE) - 5) / 3) ** 2),
    );
    for (const view of viewsOf("mirrored-two-sizes")) {
      const back = unshow(view, showAs(view, tensorOf(bump))).dataSync();
      expect(back.indexOf(Math.max(...back))).toBe(5 * SIDE + 10);
      // Only softened twice.
      for (let i = 0; i < bump.length; i++)
        expect(Math.abs((back[i] as number) - (bump[i] as number))).toBeLessThan(0.15);
    }
    // Where the view did not reach, the nearest value stands in and not nothing.
    const full = unshow({ mirror: [], extent: 0.9 }, tf.ones([1, SIDE, SIDE, 1])).dataSync();
    for (const value of full) expect(value).toBeCloseTo(1, 5);
  });

  it("are answered by the mean of their log odds, and leave no tensor behind", () => {
    const input = layers.input({ shape: [SIDE, SIDE, 1] });
    const flat = layers.layers.flatten().apply(input) as layers.SymbolicTensor;
    const dense = layers.layers.dense({ units: 1, activation: "sigmoid" });
    const network = layers.model({ inputs: input, outputs: dense.apply(flat) as layers.SymbolicTensor });
    network.setWeights([
      tf.tensor2d(
        picture(3).map((v) => v - 0.5),
        [SIDE * SIDE, 1],
      ),
      tf.tensor1d([0.1]),
    ]);
    const x = tensorOf(picture(4), picture(5));
    const before = tf.memory().numTensors;
    const answers = predictViews(network, x, "mirrored-two-sizes");
    expect(tf.memory().numTensors).toBe(before + 1);
    const each = viewsOf("mirrored-two-sizes").map((view) =>
      Array.from((network.predict(showAs(view, x)) as tf.Tensor).dataSync(), logit),
    );
    Array.from(answers.dataSync(), logit).forEach((answer, n) => {
      const mean = each.reduce((sum, logOdds) => sum + (logOdds[n] as number), 0) / each.length;
      expect(answer).toBeCloseTo(mean, 4);
    });
  });
});
