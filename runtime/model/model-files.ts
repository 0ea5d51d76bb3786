import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ObjectNotFoundError, type ReadableStore } from "../platform/stores";
import { type ModelMetadata, modelMetadataSchema } from "./metadata";
import { type Converted, convertedSchema, type EngineRecord, parityProblem } from "./parity";

/** What answers: the network with the map and the features as further outputs. */
export const ONNX_FILE = "model.onnx";
/** Topology in TensorFlow.js layers format. */
export const TOPOLOGY_FILE = "model.json";
/** Weights as little-endian float32, in the order of the topology's manifest. */
export const WEIGHTS_FILE = "weights.bin";
/** The input guard's numbers, where a model has one. */
export const GUARD_FILE = "guard.bin";
/** What a converted model has in place of the metadata's `engine`. */
export const ENGINE_FILE = "engine.json";
export const METADATA_FILE = "metadata.json";

/** The files of one model, wherever they lie. */
export interface ModelFiles {
  /** What a person calls the place: a directory or a URI. */
  readonly location: string;
  read(name: string): Promise<Uint8Array>;
}

/** A model that cannot be used: damaged, incomplete, made for another recipe, or without an engine that was measured. */
export class UnusableModelError extends Error {
  constructor(
    readonly location: string,
    readonly code:
      | "missing-file"
      | "bad-metadata"
      | "damaged-file"
      | "other-recipe"
      | "bad-network"
      | "not-converted"
      | "no-parity",
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

/** @throws {UnusableModelError} */
export async function readMetadata(files: ModelFiles): Promise<ModelMetadata> {
  return parsed(files, METADATA_FILE, await readFileOf(files, METADATA_FILE), modelMetadataSchema);
}

/**
 * The file that answers and how near it is to the trained network.
 *
 * @throws {UnusableModelError} if the model has none, it was changed, or its answers were not near enough
 */
export async function readOnnx(
  files: ModelFiles,
  metadata: ModelMetadata,
): Promise<{ readonly onnx: Uint8Array; readonly engine: EngineRecord }> {
  const { engine, hash } = await readEngine(files, metadata);
  const problem = parityProblem(engine.parity);
  if (problem) throw new UnusableModelError(files.location, "no-parity", `${problem} Train it again.`);
  return { onnx: await readVerified(files, ONNX_FILE, hash), engine };
}

/** @throws {UnusableModelError} */
export async function readEngine(
  files: ModelFiles,
  metadata: ModelMetadata,
): Promise<{ readonly engine: EngineRecord; readonly hash: string | undefined }> {
  if (metadata.engine) return { engine: metadata.engine, hash: metadata.files[ONNX_FILE] };
  const converted = await readConverted(files);
  if (!converted) {
    throw new UnusableModelError(
      files.location,
      "not-converted",
      `it has no ${ONNX_FILE} with a measured parity, which every answer comes from: an earlier program trained it. Add them: npm run models -- convert ${metadata.id} --out DIR, where DIR is its workspace.`,
    );
  }
  const other = [TOPOLOGY_FILE, WEIGHTS_FILE].find((name) => converted.files[name] !== metadata.files[name]);
  if (other) {
    const problem = `its ${ONNX_FILE} was made from another ${other} than ${METADATA_FILE} names. Copy the model again.`;
    throw new UnusableModelError(files.location, "damaged-file", problem);
  }
  return { engine: converted, hash: converted.files[ONNX_FILE] };
}

async function readConverted(files: ModelFiles): Promise<Converted | undefined> {
  try {
    return parsed(files, ENGINE_FILE, await files.read(ENGINE_FILE), convertedSchema);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof UnusableModelError) throw error;
    throw unreadable(files, ENGINE_FILE, error);
  }
}

const isMissing = (error: unknown) =>
  error instanceof ObjectNotFoundError || (error as NodeJS.ErrnoException).code === "ENOENT";

function parsed<T>(
  files: ModelFiles,
  name: string,
  bytes: Uint8Array,
  schema: {
    safeParse(
      value: unknown,
    ):
      | { success: true; data: T }
      | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } };
  },
): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new UnusableModelError(files.location, "bad-metadata", `${name} is not JSON.`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "it"}: ${issue.message}`);
  throw new UnusableModelError(files.location, "bad-metadata", `${name} is wrong: ${problems.join("; ")}.`);
}

async function readFileOf(files: ModelFiles, name: string): Promise<Uint8Array> {
  try {
    return await files.read(name);
  } catch (cause) {
    throw unreadable(files, name, cause);
  }
}

const unreadable = (files: ModelFiles, name: string, cause: unknown) =>
  new UnusableModelError(
    files.location,
    "missing-file",
    `${name} cannot be read (${cause instanceof Error ? cause.message : String(cause)}). A model is a folder with ${TOPOLOGY_FILE}, ${WEIGHTS_FILE}, ${ONNX_FILE} and ${METADATA_FILE}.`,
    { cause },
  );

/**
 * @param expected SHA-256, in hex
 * @throws {UnusableModelError}
 */
export async function readVerified(files: ModelFiles, name: string, expected: string | undefined): Promise<Uint8Array> {
  const bytes = await readFileOf(files, name);
  if (expected === undefined) {
    throw new UnusableModelError(files.location, "bad-metadata", `${METADATA_FILE} has no SHA-256 of ${name}.`);
  }
  const actual = sha256(bytes);
  if (actual !== expected) {
    throw new UnusableModelError(
      files.location,
      "damaged-file",
      `${name} is not the file that was saved: its SHA-256 is ${actual}, and ${expected} was recorded. Copy the model again.`,
    );
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
