import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fold, loadBackbone, readGraph, sidesOf, UnusableNetwork } from "../../../runtime/backbone";
import { useBackend } from "../../../runtime/tensorflow";
import { featureDifference } from "../../support/backbone-parity";
import { tinyManifest, tinyNetwork } from "../../support/tiny-backbone";
import { residualBackbone, residualManifest, residualNetwork } from "../../support/tiny-teacher";

const EFFICIENTNET = resolve(__dirname, "../../../.parts/backbones/efficientnet-lite0");
const whereBrought = existsSync(join(EFFICIENTNET, "backbone.json")) ? test : test.skip;

describe("a backbone's graph", () => {
  beforeAll(() => useBackend("wasm"));

  test.each([
    ["as exporters write it today", {}],
    ["with limits as attributes", { oldClip: true }],
    ["with a layer behind the mean", { dense: true }],
  ])("gives onnxruntime's features when TensorFlow.js computes it: %s", async (_, written) => {
    expect(await featureDifference(residualBackbone(written))).toBeLessThan(1e-5);
  });

  test("gives them too where a map is named, of which the mean is taken", async () => {
    const content = residualNetwork();
    const manifest = residualManifest(content, "last");
    const graph = readGraph({ onnx: content, manifest });
    expect(graph.operations.some(({ kind }) => kind === "mean")).toBe(false);
    expect(sidesOf(graph, manifest.input.size, 3).get(graph.output)).toEqual([6, 6, 12]);
  });

  whereBrought("of EfficientNet-Lite0 gives onnxruntime's features to 1e-4", async () => {
    const backbone = await loadBackbone(EFFICIENTNET);
    expect(await featureDifference(backbone)).toBeLessThan(1e-4);
    // No normalisation is left in what answers.
    expect(fold(readGraph(backbone)).steps.some(({ kind }) => kind === "normalization")).toBe(false);
  });

  test.each([
    [
      "an operator that it does not know",
      residualBackbone({ operator: "Sigmoid" }),
      /stem\.active by Sigmoid\. Known are Conv/,
    ],
    ["another order of the channels", nhwc(), /channels last/],
  ])("is refused for %s, which is named", (_, backbone, sentence) => {
    const read = () => readGraph(backbone);
    expect(read).toThrow(UnusableNetwork);
    expect(read).toThrow(sentence);
  });

  test("is refused for pictures that are too small for it", () => {
    const graph = readGraph(residualBackbone());
    expect(() => sidesOf(graph, 2, 3)).toThrow(/takes larger pictures than 2 x 2/);
    expect(() => sidesOf(graph, 48, 1)).toThrow(/do not fit the tensor stem/);
  });
});

function nhwc() {
  const onnx = tinyNetwork({ layout: "NHWC" });
  return { onnx, manifest: tinyManifest(onnx, "NHWC") };
}
