import { createHash } from "node:crypto";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { onnx } from "onnx-proto";
import { applyRecipe, RECIPE } from "../../../runtime/imaging";
import { parityProblem, type Views } from "../../../runtime/model";
import { uniform } from "../../../runtime/platform/random";
import {
  type Compared,
  exportNetwork,
  judge,
  layersNetwork,
  measureParity,
  modelFileContents,
  UnexportableNetworkError,
  useBackend,
} from "../../../runtime/tensorflow";
import { serializeNetwork } from "../../../runtime/tensorflow/network";
import { inferenceNetwork, initialWeights, STATISTICS, sizeOf } from "../../../runtime/train/architecture";
import { BRIGHT_SPOT, brightSpotFiles, headPixels } from "../../support/bright-spot";
import { brightSpotNetwork, lopsidedNetwork, makeBrightSpot } from "../../support/bright-spot-model";
import { type OddStage, randomNetwork } from "../../support/random-network";

beforeAll(() => useBackend("wasm"));

const head = (variant: number) =>
  applyRecipe({
    width: 180,
    height: 150,
    depth: 8,
    pixels: new Uint8Array(headPixels(180, 150, { x: 70 + 9 * variant, y: 60, radius: 5 + variant }, variant)),
  });

/** Nothing a hospital would send, but all that a network can be given. */
function noise(seed: number): { pixels: Uint8Array } {
  const random = uniform(seed);
  const pixels = new Uint8Array(RECIPE.side * RECIPE.side * RECIPE.channels);
  for (let i = 0; i < pixels.length; i += RECIPE.channels)
    pixels.fill(Math.floor(256 * random()), i, i + RECIPE.channels);
  return { pixels };
}

const IMAGES = [head(0), head(3), noise(1), { pixels: new Uint8Array(RECIPE.side * RECIPE.side * RECIPE.channels) }];

async function parityOf(network: tfl.LayersModel, gradCamLayer: string, views: Views) {
  const bytes = exportNetwork(network, gradCamLayer);
  return measureParity({ network: layersNetwork(network, { gradCamLayer, views }), onnx: bytes, views }, IMAGES);
}

const stage = (channels: number, kernel: number, stride: number, more: Partial<OddStage> = {}): OddStage => ({
  channels,
  kernel,
  stride,
  ...more,
});

const ODD: Readonly<Record<string, readonly OddStage[]>> = {
  "even filters, odd strides, valid padding": [stage(6, 4, 3), stage(5, 2, 2, { padding: "valid" }), stage(7, 3, 1)],
  "shortcuts, one of them from the scan itself": [
    stage(3, 3, 1),
    stage(3, 5, 1, { shortcut: true, pool: "activation" }),
    stage(4, 3, 2),
    stage(4, 1, 1),
    stage(4, 3, 1, { shortcut: true }),
  ],
  "both ways of pooling, over odd sides": [
    stage(4, 5, 3, { pool: "convolution" }),
    stage(6, 3, 1, { pool: "activation" }),
    stage(6, 3, 1, { pool: "convolution" }),
  ],
  "convolutions with bias and no normalisation": [
    stage(4, 3, 2, { plain: true }),
    stage(4, 7, 5),
    stage(9, 1, 1, { plain: true }),
  ],
};

describe("a network as ONNX says what TensorFlow.js says of it", () => {
  it.each(Object.entries(ODD))("%s", async (_, stages) => {
    for (const [seed, views, lesions] of [
      [1, "mirrored-two-sizes", true],
      [2, "plain", false],
    ] as const) {
      const network = randomNetwork(stages, seed, { lesions });
      const parity = await parityOf(network, "features", views);
      network.dispose();
      expect(parity.images).toBe(IMAGES.length);
      expect(parity.strongest).toBeGreaterThan(0);
      expect(parity.logits).toBeLessThan(2e-4);
      expect(parity.maps / parity.strongest).toBeLessThan(1e-4);
      expect(parityProblem({ ...parity, split: "validation", backend: "wasm" })).toBeUndefined();
    }
  });

  it("the product's own", async () => {
    const statistics = STATISTICS.map(({ shape, initial }) => new Float32Array(sizeOf(shape)).fill(initial + 0.01));
    const network = inferenceNetwork(initialWeights(3), statistics);
    const parity = await parityOf(network, "features", "mirrored-two-sizes");
    network.dispose();
    expect(parity.logits).toBeLessThan(2e-4);
    expect(parity.maps / parity.strongest).toBeLessThan(1e-4);
  });

  it.each([
    ["the hand-made one, where many places are the maximum", brightSpotNetwork],
    ["one whose mirror images get other answers", lopsidedNetwork],
  ])("%s", async (_, make) => {
    const network = make();
    const parity = await parityOf(network, "evidence", "mirrored");
    network.dispose();
    expect(parity.logits).toBeLessThan(2e-4);
    expect(parity.maps / parity.strongest).toBeLessThan(1e-4);
  });

  it("another network is found out", async () => {
    const [network, other] = [1, 2].map((seed) =>
      randomNetwork(ODD["convolutions with bias and no normalisation"] ?? [], seed),
    );
    const metadata = { gradCamLayer: "features", views: "plain" } as const;
    const bytes = exportNetwork(other as tfl.LayersModel, "features");
    const judging = layersNetwork(network as tfl.LayersModel, metadata);
    const parity = await measureParity({ network: judging, onnx: bytes, views: "plain" }, IMAGES);
    expect(parityProblem({ ...parity, split: "test", backend: "wasm" })).toMatch(
      /log odds differ by up to .* maps differ/,
    );
    network?.dispose();
    other?.dispose();
  });
});

describe("a model whose engine nobody could measure, or whose answers are others", () => {
  it("has no files, so that it is not published", async () => {
    const network = lopsidedNetwork();
    const contents = (images: readonly Compared[]) =>
      modelFileContents(layersNetwork(network, BRIGHT_SPOT), BRIGHT_SPOT, { split: "validation", images });
    await expect(contents([])).rejects.toThrow(/The model is not published. There is no image/);
    // No recipe gives unequal channels: what answers sees the first of them alone.
    const coloured = { pixels: head(2).pixels.map((value, i) => (i % RECIPE.channels === 0 ? value : 255)) };
    await expect(contents([head(1), coloured])).rejects.toThrow(/not published. On 2 images .* do not give the same/);
    network.dispose();
  });
});

describe("the file", () => {
  it("is the same bytes every time, and of other weights others", () => {
    const [stages] = Object.values(ODD) as [OddStage[]];
    const bytes = [1, 1, 2].map((seed) => {
      const network = randomNetwork(stages, seed);
      const written = exportNetwork(network, "features");
      network.dispose();
      return createHash("sha256").update(written).digest("hex");
    });
    expect(bytes[0]).toBe(bytes[1]);
    expect(bytes[0]).not.toBe(bytes[2]);
  });

  it("takes one channel, folds the normalisation, and names neither a person nor a day", () => {
    const network = inferenceNetwork(
      initialWeights(3),
      STATISTICS.map(({ shape, initial }) => new Float32Array(sizeOf(shape)).fill(initial)),
    );
    const model = onnx.ModelProto.decode(exportNetwork(network, "features"));
    network.dispose();
    const operators = (model.graph?.node ?? []).map(({ opType }) => opType);
    expect(operators.filter((name) => name === "BatchNormalization")).toEqual([]);
    // Only where pooling stands between convolution and normalisation.
    expect(operators.filter((name) => name === "Mul")).toHaveLength(1 + 1);
    const [first] = model.graph?.initializer ?? [];
    expect(first?.dims?.map(Number)).toEqual([16, 1, 5, 5]);
    expect(model.opsetImport.map(({ version }) => Number(version))).toEqual([17]);
    expect(model.metadataProps).toEqual([]);
  });
});

describe("what has no rule is refused by the name of its layer", () => {
  const build = (behind: (features: tfl.SymbolicTensor) => tfl.SymbolicTensor) => {
    const input = tfl.input({ shape: [RECIPE.side, RECIPE.side, RECIPE.channels] });
    const features = tfl.layers.conv2d({ filters: 4, kernelSize: 8, strides: 8, name: "features" }).apply(input);
    const vector = behind(features as tfl.SymbolicTensor);
    const output = tfl.layers.dense({ units: 1, activation: "sigmoid" }).apply(vector) as tfl.SymbolicTensor;
    return tfl.model({ inputs: input, outputs: output });
  };
  const average = (values: unknown) =>
    tfl.layers.globalAveragePooling2d({}).apply(values as tfl.SymbolicTensor) as tfl.SymbolicTensor;

  it.each([
    [
      "odd-one",
      /is a AveragePooling2D/,
      (x: tfl.SymbolicTensor) => average(tfl.layers.averagePooling2d({ poolSize: 2, name: "odd-one" }).apply(x)),
    ],
    [
      "odd-one",
      /is a Flatten/,
      (x: tfl.SymbolicTensor) => tfl.layers.flatten({ name: "odd-one" }).apply(x) as tfl.SymbolicTensor,
    ],
    [
      "odd-one",
      /dense layer before the last/,
      (x: tfl.SymbolicTensor) =>
        tfl.layers.dense({ units: 4, name: "odd-one" }).apply(average(x)) as tfl.SymbolicTensor,
    ],
    [
      "odd-one",
      /activation selu/,
      (x: tfl.SymbolicTensor) => average(tfl.layers.activation({ activation: "selu", name: "odd-one" }).apply(x)),
    ],
    [
      "odd-one",
      /no rule for its gradient/,
      (x: tfl.SymbolicTensor) => average(tfl.layers.reLU({ name: "odd-one" }).apply(x)),
    ],
    [
      "odd-one",
      /no rule for its gradient/,
      (x: tfl.SymbolicTensor) => average(tfl.layers.maxPooling2d({ poolSize: 2, name: "odd-one" }).apply(x)),
    ],
    [
      "odd-one",
      /dilated/,
      (x: tfl.SymbolicTensor) =>
        average(tfl.layers.conv2d({ filters: 2, kernelSize: 2, dilationRate: 2, name: "odd-one" }).apply(x)),
    ],
  ])("%s %s", (layer, why, behind) => {
    const network = build(behind);
    expect(() => exportNetwork(network, "features")).toThrow(UnexportableNetworkError);
    expect(() => exportNetwork(network, "features")).toThrow(new RegExp(`layer "${layer}" .*${why.source}`));
    network.dispose();
  });

  it("and so is a layer to explain that is not there", () => {
    const network = build(average);
    expect(() => exportNetwork(network, "elsewhere")).toThrow(/"elsewhere" is not there/);
    network.dispose();
  });
});

describe("the judge", () => {
  it("follows a sequential network with pooling and a hidden layer: WebAssembly agrees with the plain CPU backend", async () => {
    const network = tfl.sequential({
      layers: [
        tfl.layers.conv2d({
          inputShape: [128, 128, 3],
          filters: 4,
          kernelSize: 3,
          strides: 4,
          activation: "relu",
          kernelInitializer: tfl.initializers.glorotUniform({ seed: 1 }),
        }),
        tfl.layers.conv2d({
          name: "last",
          filters: 6,
          kernelSize: 3,
          padding: "same",
          activation: "relu",
          kernelInitializer: tfl.initializers.glorotUniform({ seed: 2 }),
        }),
        tfl.layers.maxPooling2d({ poolSize: 2 }),
        tfl.layers.dropout({ rate: 0.5 }),
        tfl.layers.flatten(),
        tfl.layers.dense({
          units: 8,
          activation: "relu",
          kernelInitializer: tfl.initializers.glorotUniform({ seed: 3 }),
        }),
        tfl.layers.dense({ units: 1, kernelInitializer: tfl.initializers.glorotUniform({ seed: 4 }) }),
        tfl.layers.activation({ activation: "sigmoid" }),
      ],
    });
    const { pixels } = head(3);
    const metadata = { gradCamLayer: "last", views: "plain" } as const;
    const { map: wasm } = await judge(network, metadata, pixels);
    const { topology, weights } = await serializeNetwork(network);
    network.dispose();
    await tf.setBackend("cpu");
    const again = await tfl.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: JSON.parse(topology.toString()).modelTopology,
        weightSpecs: JSON.parse(topology.toString()).weightsManifest[0].weights,
        weightData: new Uint8Array(weights).buffer,
      }),
    );
    const { map: cpu } = await judge(again, metadata, pixels);
    again.dispose();
    await useBackend("wasm");
    const largest = Math.max(...cpu.values.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    cpu.values.forEach((value, i) => {
      expect(Math.abs((wasm.values[i] as number) - value)).toBeLessThan(1e-3 * largest);
    });
  });

  it("leaves no tensor behind", async () => {
    const network = lopsidedNetwork();
    const metadata = { gradCamLayer: "evidence", views: "mirrored-two-sizes" } as const;
    await judge(network, metadata, head(1).pixels);
    const before = tf.memory().numTensors;
    await judge(network, metadata, head(1).pixels);
    expect(tf.memory().numTensors).toBe(before);
    network.dispose();
  });
});

it("gives the model that suites share, which lies in a folder, as it is made now", async () => {
  const [made, shared] = [await makeBrightSpot(), await brightSpotFiles()];
  expect([...shared.keys()].sort()).toEqual([...made.keys()].sort());
  // The topology calls layers by the count of those that the process made before.
  for (const name of ["weights.bin", "model.onnx"])
    expect({ name, same: made.get(name)?.equals(shared.get(name) ?? Buffer.alloc(0)) }).toEqual({ name, same: true });
  const { engine: _, files: __, ...described } = JSON.parse(String(made.get("metadata.json")));
  expect(JSON.parse(String(shared.get("metadata.json")))).toMatchObject(described);
});
