import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { onnx } from "onnx-proto";
import type { Backbone } from "../../../runtime/backbone";
import { applyRecipe, RECIPE } from "../../../runtime/imaging";
import { AnswerPool, viewsOf } from "../../../runtime/model";
import { imagesToTensor, measureParity, showAs, useBackend } from "../../../runtime/tensorflow";
import { VIEWS } from "../../../runtime/train/architecture";
import { projectionOf, SERVED } from "../../../runtime/train/teacher/export";
import { TeacherNetwork, teacherBackbone } from "../../../runtime/train/teacher/network";
import { servedTeacher } from "../../../runtime/train/teacher/served";
import { headPixels } from "../../support/head";
import { residualBackbone, type Written } from "../../support/tiny-teacher";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "served-teacher-"));
  await useBackend("wasm");
});
afterAll(() => rmSync(root, { recursive: true }));

const heads = [0, 3].map((variant) =>
  applyRecipe({
    width: 180,
    height: 150,
    depth: 8,
    pixels: new Uint8Array(headPixels(180, 150, { x: 70 + 9 * variant, y: 60, radius: 5 + variant }, variant)),
  }),
);
const IMAGES = [...heads, { pixels: new Uint8Array(RECIPE.side ** 2 * RECIPE.channels) }];

function untaught(backbone: Pick<Backbone, "onnx" | "manifest">, seed = 3) {
  const made = teacherBackbone(backbone);
  const network = Float32Array.from(new TeacherNetwork(made).first(seed).flatMap((values) => Array.from(values)));
  return { made, network, served: servedTeacher(made, network) };
}

const grey = (): Pick<Backbone, "onnx" | "manifest"> => {
  const { onnx: content, manifest } = residualBackbone();
  const model = onnx.ModelProto.decode(content);
  const filter = model.graph?.initializer?.find(({ name }) => name === "stem.weight") as onnx.ITensorProto;
  const values = new Float32Array(Uint8Array.from(filter.rawData as Uint8Array).buffer);
  filter.dims = [6, 1, 3, 3];
  filter.rawData = Buffer.from(values.slice(0, 54).buffer);
  const input = { ...manifest.input, channels: "grey", mean: [0.4], std: [0.2] } as const;
  return { onnx: onnx.ModelProto.encode(model).finish(), manifest: { ...manifest, input } };
};

const WRITTEN: Readonly<Record<string, Written>> = {
  "a network with everything": {},
  "a normalisation behind no convolution": { normalSum: true },
  "more features than are served": { features: 150 },
};

describe("a teacher as ONNX says what TensorFlow.js says of it", () => {
  it.each([
    ...Object.entries(WRITTEN).map(([name, written]) => [name, () => residualBackbone(written)] as const),
    ["one channel", grey] as const,
  ])("%s", async (_, backbone) => {
    const { served } = untaught(backbone());
    const parity = await measureParity({ network: served, onnx: served.onnx(), views: VIEWS }, IMAGES);
    served.dispose();
    expect(parity.images).toBe(IMAGES.length);
    expect(parity.strongest).toBeGreaterThan(0);
    expect(parity.logits).toBeLessThan(1e-4);
    expect(parity.maps / parity.strongest).toBeLessThan(1e-4);
  });

  it.each([12, 150])("of %i features", async (features) => {
    const { made, network, served } = untaught(residualBackbone({ features }));
    const { pixels } = heads[0] as (typeof heads)[number];
    const pool = await AnswerPool.start({ onnx: served.onnx(), views: VIEWS }, { threads: 1 });
    const { features: found } = await pool.answer(pixels);
    await pool.close();
    const answering = new TeacherNetwork(made).answering(network);
    const expected = tf.tidy(() => {
      const image = imagesToTensor([pixels]);
      const x = tf.concat(viewsOf(VIEWS).map((view) => showAs(view, image))) as tf.Tensor4D;
      const mean = tf.mean(answering.answer(x).features, 0, true) as tf.Tensor2D;
      const signs = projectionOf(features);
      return (signs ? tf.matMul(mean, tf.tensor2d(signs, [features, SERVED.features.most])) : mean).dataSync();
    }) as Float32Array;
    expect(found).toHaveLength(Math.min(features, SERVED.features.most));
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeGreaterThan(0);
    for (const [i, value] of found.entries())
      expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4 * largest);
    answering.dispose();
    served.dispose();
  });
});
