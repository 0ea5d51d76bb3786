import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import { DESCRIPTOR, type FittedGuard, InputGuard, parseGuard, serializeGuard } from "../guard";
import { RECIPE } from "../imaging";
import type { ReadableStore } from "../platform/stores";
import type { Classifier } from "./classifier";
import { calibrate } from "./decision";
import { type ModelMetadata, modelMetadataSchema } from "./metadata";
import { predictViews, type Views } from "./views";

/** Topology in TensorFlow.js layers format. */
export const TOPOLOGY_FILE = "model.json";
/** Weights as little-endian float32, in the order of the topology's manifest. */
export const WEIGHTS_FILE = "weights.bin";
/** The input guard's numbers, where a model has one. */
export const GUARD_FILE = "guard.bin";
export const METADATA_FILE = "metadata.json";

/** Images that go through the network at once. */
const BATCH = 64;

/** The files of one model, wherever they lie. */
export interface ModelFiles {
  /** What a person calls the place: a directory or a URI. */
  readonly location: string;
  read(name: string): Promise<Uint8Array>;
}

/** A model that cannot be used: damaged, incomplete, or made for another recipe. */
export class UnusableModelError extends Error {
  constructor(
    readonly location: string,
    readonly code: "missing-file" | "bad-metadata" | "damaged-file" | "other-recipe" | "bad-network",
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`The model in ${location} cannot be used: ${problem}`, options);
    this.name = "UnusableModelError";
  }
}

export function modelFilesInDirectory(directory: string): ModelFiles {
  return { location: directory, read: (name) => readFile(join(directory, name)) };
}

/** A model below `models/` of a hospital: bucket models, prefix `<id>/`. */
export function modelFilesInStore(models: ReadableStore, id: string): ModelFiles {
  return { location: `${models.uri}/${id}`, read: (name) => models.read(`${id}/${name}`) };
}

/** A network as files: what {@link loadClassifier} reads. */
export interface SerializedNetwork {
  readonly topology: Buffer;
  readonly weights: Buffer;
}

export async function serializeNetwork(network: LayersModel): Promise<SerializedNetwork> {
  let captured: SerializedNetwork | undefined;
  await network.save(
    tf.io.withSaveHandler(async (artifacts) => {
      const weights = Buffer.from(tf.io.concatenateArrayBuffers([artifacts.weightData ?? []].flat()));
      const topology = {
        format: "layers-model",
        modelTopology: artifacts.modelTopology,
        weightsManifest: [{ paths: [WEIGHTS_FILE], weights: artifacts.weightSpecs ?? [] }],
      };
      captured = { topology: Buffer.from(JSON.stringify(topology)), weights };
      return {
        modelArtifactsInfo: {
          // The type demands a date; it is not stored: the same network gives the same bytes.
          dateSaved: new Date(0),
          modelTopologyType: "JSON",
        },
      };
    }),
  );
  if (!captured) throw new Error("TensorFlow.js saved nothing of the network.");
  return captured;
}

/** The files of a model, by name, with the hashes entered in the metadata. */
export async function modelFileContents(
  network: LayersModel,
  metadata: Omit<ModelMetadata, "files" | "guard">,
  guard?: FittedGuard,
): Promise<ReadonlyMap<string, Buffer>> {
  const { topology, weights } = await serializeNetwork(network);
  const files = new Map([
    [TOPOLOGY_FILE, topology],
    [WEIGHTS_FILE, weights],
  ]);
  if (guard) files.set(GUARD_FILE, serializeGuard(guard.parameters));
  const complete: ModelMetadata = {
    ...metadata,
    ...(guard ? { guard: describeGuard(guard) } : {}),
    files: Object.fromEntries([...files].map(([name, content]) => [name, sha256(content)])),
  };
  return files.set(METADATA_FILE, Buffer.from(`${JSON.stringify(complete, null, 2)}\n`));
}

function describeGuard({ threshold, scans, falseAlarms }: FittedGuard): NonNullable<ModelMetadata["guard"]> {
  return { descriptor: DESCRIPTOR.id, threshold, scans, falseAlarms };
}

/** Writes `model.json`, `weights.bin`, perhaps `guard.bin`, and `metadata.json` into a directory; the metadata last. */
export async function saveClassifier(
  directory: string,
  network: LayersModel,
  metadata: Omit<ModelMetadata, "files" | "guard">,
  guard?: FittedGuard,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of await modelFileContents(network, metadata, guard)) {
    await writeFile(join(directory, name), content);
  }
}

/**
 * Loads a model onto the current TensorFlow.js backend and verifies that every file is the one that was saved, that the
 * pixel recipe is this program's, and that the network has the shape that {@link Classifier} promises.
 *
 * @param source a directory, or the files of a model in a bucket
 * @throws {UnusableModelError}
 */
export async function loadClassifier(source: string | ModelFiles): Promise<Classifier> {
  const files = typeof source === "string" ? modelFilesInDirectory(source) : source;
  const metadata = await readMetadata(files);
  if (metadata.recipe !== RECIPE.id) {
    throw new UnusableModelError(
      files.location,
      "other-recipe",
      `it was trained on images made by pixel recipe ${metadata.recipe}, and this program makes them by recipe ${RECIPE.id}. Train a model with this program, or serve this one with the program that trained it.`,
    );
  }
  const [topologyBytes, weights] = await Promise.all(
    [TOPOLOGY_FILE, WEIGHTS_FILE].map((name) => readVerified(files, name, metadata.files[name])),
  );
  const guard = await readGuard(files, metadata);
  const network = await parseNetwork(files.location, topologyBytes as Uint8Array, weights as Uint8Array, metadata);
  let disposed = false;
  return {
    metadata,
    network,
    guard,
    async predict(images) {
      if (disposed) throw new Error(`Model ${metadata.id} has been disposed.`);
      const probabilities = await predict(files.location, network, images, metadata.views);
      return probabilities.map((probability) => calibrate(probability, metadata));
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      network.dispose();
    },
  };
}

/** @throws {UnusableModelError} */
export async function readMetadata(files: ModelFiles): Promise<ModelMetadata> {
  const bytes = await readFileOf(files, METADATA_FILE);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new UnusableModelError(files.location, "bad-metadata", `${METADATA_FILE} is not JSON.`, { cause });
  }
  const parsed = modelMetadataSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "it"}: ${issue.message}`);
  throw new UnusableModelError(files.location, "bad-metadata", `${METADATA_FILE} is wrong: ${problems.join("; ")}.`);
}

async function readFileOf(files: ModelFiles, name: string): Promise<Uint8Array> {
  try {
    return await files.read(name);
  } catch (cause) {
    throw new UnusableModelError(
      files.location,
      "missing-file",
      `${name} cannot be read (${cause instanceof Error ? cause.message : String(cause)}). A model is a folder with ${TOPOLOGY_FILE}, ${WEIGHTS_FILE} and ${METADATA_FILE}.`,
      { cause },
    );
  }
}

async function readVerified(files: ModelFiles, name: string, expected: string | undefined): Promise<Uint8Array> {
  const bytes = await readFileOf(files, name);
  if (expected === undefined) {
    throw new UnusableModelError(files.location, "bad-metadata", `${METADATA_FILE} has no SHA-256 of ${name}.`);
  }
  const actual = sha256(bytes);
  if (actual !== expected) {
    throw new UnusableModelError(
      files.location,
      "damaged-file",
      `${name} is not the file that was saved: its SHA-256 is ${actual}, and ${METADATA_FILE} says ${expected}. Copy the model again.`,
    );
  }
  return bytes;
}

async function readGuard(files: ModelFiles, { guard, ...metadata }: ModelMetadata): Promise<InputGuard | undefined> {
  if (!guard) return undefined;
  if (guard.descriptor !== DESCRIPTOR.id) {
    throw new UnusableModelError(
      files.location,
      "other-recipe",
      `its input guard measures ${guard.descriptor}, and this program measures ${DESCRIPTOR.id}. Train a model with this program, or serve this one with the program that trained it.`,
    );
  }
  const bytes = await readVerified(files, GUARD_FILE, metadata.files[GUARD_FILE]);
  try {
    return new InputGuard(parseGuard(bytes), guard.threshold);
  } catch (cause) {
    throw new UnusableModelError(files.location, "damaged-file", `${GUARD_FILE} is no guard.`, { cause });
  }
}

async function parseNetwork(
  location: string,
  topologyBytes: Uint8Array,
  weights: Uint8Array,
  metadata: ModelMetadata,
): Promise<LayersModel> {
  let network: LayersModel;
  try {
    const stored = JSON.parse(Buffer.from(topologyBytes).toString("utf8")) as tf.io.ModelJSON;
    network = await loadLayersModel(
      tf.io.fromMemory({
        modelTopology: stored.modelTopology,
        weightSpecs: stored.weightsManifest.flatMap((group) => group.weights),
        weightData: new Uint8Array(weights).buffer,
      }),
    );
  } catch (cause) {
    throw new UnusableModelError(
      location,
      "bad-network",
      `TensorFlow.js cannot read its network (${cause instanceof Error ? cause.message : String(cause)}).`,
      { cause },
    );
  }
  const problem = shapeProblem(network, metadata);
  if (problem) {
    network.dispose();
    throw new UnusableModelError(location, "bad-network", problem);
  }
  return network;
}

function shapeProblem(network: LayersModel, metadata: ModelMetadata): string | undefined {
  const input = JSON.stringify(network.inputs.map((tensor) => tensor.shape));
  const output = JSON.stringify(network.outputs.map((tensor) => tensor.shape));
  if (input !== JSON.stringify([[null, RECIPE.side, RECIPE.side, RECIPE.channels]])) {
    return `its input has shape ${input}; ${RECIPE.side} x ${RECIPE.side} x ${RECIPE.channels} is needed.`;
  }
  if (output !== "[[null,1]]") return `its output has shape ${output}; one probability an image is needed.`;
  if (!network.layers.some((layer) => layer.name === metadata.gradCamLayer)) {
    return `it has no layer "${metadata.gradCamLayer}", which ${METADATA_FILE} names for Grad-CAM.`;
  }
  return undefined;
}

async function predict(
  location: string,
  network: LayersModel,
  images: readonly Uint8Array[],
  views?: Views,
): Promise<Float32Array> {
  const size = RECIPE.side * RECIPE.side * RECIPE.channels;
  const probabilities = new Float32Array(images.length);
  for (let from = 0; from < images.length; from += BATCH) {
    const batch = images.slice(from, from + BATCH);
    const input = imagesToTensor(batch, size);
    const output = predictViews(network, input, views);
    input.dispose();
    const values = await output.data();
    output.dispose();
    probabilities.set(values, from);
  }
  const bad = probabilities.findIndex((value) => !(value >= 0 && value <= 1));
  if (bad >= 0) {
    throw new UnusableModelError(
      location,
      "bad-network",
      `it answers ${probabilities[bad]} for an image where a probability is due. Train it again.`,
    );
  }
  return probabilities;
}

/** uint8 HWC images as one float32 tensor [n, 128, 128, 3] in [0, 1]. The caller disposes it. */
export function imagesToTensor(
  images: readonly Uint8Array[],
  size = RECIPE.side * RECIPE.side * RECIPE.channels,
): tf.Tensor4D {
  const values = new Float32Array(images.length * size);
  images.forEach((image, index) => {
    if (image.length !== size) {
      throw new RangeError(`Image ${index} has ${image.length} values; the recipe gives ${size}.`);
    }
    const offset = index * size;
    for (let i = 0; i < size; i++) values[offset + i] = (image[i] as number) / 255;
  });
  return tf.tensor4d(values, [images.length, RECIPE.side, RECIPE.side, RECIPE.channels]);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
