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
import { type Compared, measureParity } from "./parity";
import type { TrainedNetwork } from "./trained-network";

/** What is known of a model before it is written. */
export type ModelDescription = Omit<ModelMetadata, "files" | "guard" | "engine">;

/** The images that a model's answers are compared on before it may be published. */
export interface ParityImages {
  readonly split: Parity["split"];
  readonly images: AsyncIterable<Compared> | Iterable<Compared>;
  readonly onEach?: () => void;
  readonly signal?: AbortSignal | undefined;
  /** On which TensorFlow.js answers for them. @default the one on which it was trained */
  readonly backend?: string;
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
  network: TrainedNetwork,
  views: ModelMetadata["views"],
  backend: string,
  { split, images, onEach, signal }: ParityImages,
): Promise<{ readonly onnx: Buffer; readonly engine: NonNullable<ModelMetadata["engine"]> }> {
  const onnx = network.onnx();
  const measured = await measureParity({ network, onnx, views }, images, { signal, ...(onEach ? { onEach } : {}) });
  if (measured.images === 0) throw new ParityError("There is no image on which its answers could be compared.");
  const parity: Parity = { split, ...measured, backend };
  const problem = parityProblem(parity);
  if (problem) throw new ParityError(problem);
  return { onnx, engine: { export: network.export, parity } };
}

/**
 * The files of a model, by name, with the hashes entered in the metadata.
 *
 * @throws {UnexportableNetworkError}
 * @throws {ParityError}
 */
export async function modelFileContents(
  network: TrainedNetwork,
  description: ModelDescription,
  parityImages: ParityImages,
  guard?: FittedGuard,
): Promise<ReadonlyMap<string, Buffer>> {
  const { onnx, engine } = await makeEngine(
    network,
    description.views,
    parityImages.backend ?? description.backend,
    parityImages,
  );
  const { topology, weights } = await network.serialize();
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
