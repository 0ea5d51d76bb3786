import type { LayersModel } from "@tensorflow/tfjs-layers";
import { DESCRIPTOR, type FittedGuard, serializeGuard } from "../guard";
import {
  GUARD_FILE,
  METADATA_FILE,
  type ModelMetadata,
  ONNX_FILE,
  type Parity,
  parityProblem,
  sha256,
  TOPOLOGY_FILE,
  WEIGHTS_FILE,
} from "../model";
import { EXPORT, exportNetwork } from "./export";
import { serializeNetwork } from "./network";
import { type Compared, measureParity } from "./parity";

/** What is known of a model before it is written. */
export type ModelDescription = Omit<ModelMetadata, "files" | "guard" | "engine">;

/** The images that a model's answers are compared on before it may be published. */
export interface ParityImages {
  readonly split: Parity["split"];
  readonly images: AsyncIterable<Compared> | Iterable<Compared>;
  readonly onEach?: () => void;
  readonly signal?: AbortSignal | undefined;
}

/** `model.onnx` does not say what the trained network says: it must not answer anybody. */
export class ParityError extends Error {
  constructor(problem: string) {
    super(`The model is not published. ${problem}`);
    this.name = "ParityError";
  }
}

/**
 * The network as it answers, and how near its answers are to the trained one's.
 *
 * @throws {UnexportableNetworkError}
 * @throws {ParityError}
 */
export async function makeEngine(
  network: LayersModel,
  metadata: Pick<ModelMetadata, "views" | "gradCamLayer">,
  backend: string,
  { split, images, onEach, signal }: ParityImages,
): Promise<{ readonly onnx: Buffer; readonly engine: NonNullable<ModelMetadata["engine"]> }> {
  const onnx = exportNetwork(network, metadata.gradCamLayer);
  const measured = await measureParity({ network, onnx, metadata }, images, { signal, ...(onEach ? { onEach } : {}) });
  if (measured.images === 0) throw new ParityError("There is no image on which its answers could be compared.");
  const parity: Parity = { split, ...measured, backend };
  const problem = parityProblem(parity);
  if (problem) throw new ParityError(problem);
  return { onnx, engine: { export: EXPORT.id, parity } };
}

/**
 * The files of a model, by name, with the hashes entered in the metadata.
 *
 * @throws {UnexportableNetworkError}
 * @throws {ParityError}
 */
export async function modelFileContents(
  network: LayersModel,
  description: ModelDescription,
  parityImages: ParityImages,
  guard?: FittedGuard,
): Promise<ReadonlyMap<string, Buffer>> {
  const { onnx, engine } = await makeEngine(network, description, description.backend, parityImages);
  const { topology, weights } = await serializeNetwork(network);
  const files = new Map([
    [TOPOLOGY_FILE, topology],
    [WEIGHTS_FILE, weights],
    [ONNX_FILE, onnx],
  ]);
  if (guard) files.set(GUARD_FILE, serializeGuard(guard.parameters));
  const complete: ModelMetadata = {
    ...description,
    engine,
    ...(guard ? { guard: describeGuard(guard) } : {}),
    files: Object.fromEntries([...files].map(([name, content]) => [name, sha256(content)])),
  };
  return files.set(METADATA_FILE, Buffer.from(`${JSON.stringify(complete, null, 2)}\n`));
}

function describeGuard({ parameters: _, ...measured }: FittedGuard): NonNullable<ModelMetadata["guard"]> {
  return { descriptor: DESCRIPTOR.id, ...measured };
}
