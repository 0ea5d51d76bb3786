import { readShardRows, readShards } from "../dataset";
import { LABELS } from "../intake";
import {
  type Converted,
  checkRecipe,
  describeParity,
  ENGINE_FILE,
  type ModelFiles,
  ONNX_FILE,
  readMetadata,
  sha256,
  TOPOLOGY_FILE,
  WEIGHTS_FILE,
} from "../model";
import type { Progress } from "../platform/progress";
import type { ReadableStore } from "../platform/stores";
import { useBackend } from "./backend";
import type { Backend } from "./backend-names";
import { readNetwork } from "./network";
import { makeEngine, ParityError } from "./save";
import { layersNetwork } from "./trained-network";

/**
 * What a model needs to answer that an earlier program trained: `model.onnx`, and `engine.json` with its parity, measured
 * over the labelled validation images of the stored shards (or the training images, where there are none). Nothing of the
 * model itself is changed.
 *
 * @returns the files by name, in the order in which they are to be added, and what was measured as a sentence
 * @throws {UnusableModelError} if the model cannot be read, or is of another recipe
 * @throws {UnexportableNetworkError}
 * @throws {ParityError}
 */
export async function convertModel(
  files: ModelFiles,
  workspace: { readonly buckets: { readonly processed: ReadableStore } },
  {
    backend: preferred,
    progress,
    signal,
  }: { readonly backend?: Backend; readonly progress: Progress; readonly signal: AbortSignal },
): Promise<{ readonly added: ReadonlyMap<string, Buffer>; readonly sentence: string }> {
  const metadata = await readMetadata(files);
  checkRecipe(files, metadata);
  const backend = await useBackend(preferred);
  const network = await readNetwork(files, metadata);
  try {
    const rows = (await readShardRows(workspace)).filter(({ label }) => label !== null);
    const split = (["validation", "train"] as const).find((name) => rows.some((row) => row.split === name));
    if (!split) {
      throw new ParityError(
        `The workspace has no image labelled ${LABELS.join(" or ")} to compare its answers on. Run npm run preprocess on it first.`,
      );
    }
    progress.start(rows.filter((row) => row.split === split).length);
    const { onnx, engine } = await makeEngine(layersNetwork(network, metadata), metadata.views, backend, {
      split,
      images: labelled(workspace, split),
      onEach: () => progress.advance(),
      signal,
    });
    progress.finish();
    const made: Converted = {
      ...engine,
      files: {
        [ONNX_FILE]: sha256(onnx),
        ...Object.fromEntries([TOPOLOGY_FILE, WEIGHTS_FILE].map((name) => [name, metadata.files[name] as string])),
      },
    };
    // What names the other comes last.
    const added = new Map([
      [ONNX_FILE, onnx],
      [ENGINE_FILE, Buffer.from(`${JSON.stringify(made, null, 2)}\n`)],
    ]);
    return { added, sentence: describeParity(engine.parity) };
  } finally {
    network.dispose();
  }
}

async function* labelled(workspace: Parameters<typeof readShards>[0], split: "train" | "validation") {
  for await (const { label, pixels } of readShards(workspace, { split })) if (label !== null) yield { pixels };
}
