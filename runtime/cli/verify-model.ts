import { readFile } from "node:fs/promises";
import { readShardRows, readShards } from "../dataset";
import { applyRecipe, decodeScan, RejectedImage } from "../imaging";
import { openInput } from "../intake";
import { checkRecipe, type MeasuredParity, modelFilesInDirectory, readMetadata, readOnnx } from "../model";
import { createProgress, type Progress } from "../platform/progress";
import { openWorkspace } from "../platform/workspace";
import { type Backend, type Compared, type Difference, measureParity, useBackend } from "../tensorflow";
import { readTrained } from "../train";

/** Where the scans are: the test split of a workspace, or a folder of files. */
export type Scans = { readonly workspace: string } | { readonly data: string };

export interface VerifyModelOptions {
  /** Folder of the model. */
  readonly model: string;
  readonly scans: Scans;
  /** Of TensorFlow.js. @default the best there is */
  readonly backend?: Backend;
  readonly signal: AbortSignal;
  readonly onEach: (scan: string, difference: Difference) => void;
}

interface Scan extends Compared {
  readonly name: string;
}

/**
 * Has both engines answer for every scan: onnxruntime, which answers everywhere, and TensorFlow.js, which trained.
 *
 * @returns the largest differences; `images` is 0 where there was no scan, `split` is there for a workspace alone
 * @throws {UnusableModelError}
 */
export async function verifyModel({
  model,
  scans,
  backend,
  signal,
  onEach,
}: VerifyModelOptions): Promise<MeasuredParity> {
  const files = modelFilesInDirectory(model);
  const metadata = await readMetadata(files);
  checkRecipe(files, metadata);
  const { onnx, engine } = await readOnnx(files, metadata);
  const judge = await useBackend(backend);
  const network = await readTrained(files, metadata, engine);
  const progress = createProgress("verify");
  try {
    const found = "workspace" in scans ? testScans(scans.workspace, progress) : scansIn(scans.data, progress);
    const measured = await measureParity({ network, onnx, views: metadata.views }, found, {
      signal,
      onEach: ({ name }, difference) => onEach(name, difference),
    });
    progress.finish();
    return { ...measured, ...("workspace" in scans ? { split: "test" as const } : {}), backend: judge };
  } finally {
    network.dispose();
  }
}

async function* testScans(directory: string, progress: Progress): AsyncGenerator<Scan> {
  const workspace = await openWorkspace(directory);
  try {
    progress.start((await readShardRows(workspace)).filter(({ split }) => split === "test").length);
    for await (const { source, pixels } of readShards(workspace, { split: "test" })) {
      yield { name: source, pixels };
      progress.advance();
    }
  } finally {
    await workspace.close();
  }
}

/** Every page of every file below the label folders that can be read. */
async function* scansIn(directory: string, progress: Progress): AsyncGenerator<Scan> {
  const { folder } = await openInput(directory);
  const scans = folder.files.filter(({ input }) => input.kind === "scan");
  progress.start(scans.length);
  for (const { name, path } of scans) {
    try {
      for await (const decoded of decodeScan(await readFile(path))) {
        if ("rejected" in decoded) continue;
        const page = decoded.pages > 1 ? `${name}#page=${decoded.page}` : name;
        yield { name: page, pixels: applyRecipe(decoded.image).pixels };
      }
    } catch (error) {
      if (!(error instanceof RejectedImage)) throw error;
      progress.say(`${name} is left out. ${error.message}`);
    }
    progress.advance();
  }
}
