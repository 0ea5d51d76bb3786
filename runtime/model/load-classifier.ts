import { DESCRIPTOR, type GuardLimits, InputGuard, parseGuard, SKULL } from "../guard";
import { RECIPE } from "../imaging";
import { answerOf } from "./answer";
import { AnswerPool, checkSizes, NoNumberError, type PoolOptions } from "./answer-pool";
import type { Classifier } from "./classifier";
import type { ModelMetadata } from "./metadata";
import {
  GUARD_FILE,
  type ModelFiles,
  modelFilesInDirectory,
  readMetadata,
  readOnnx,
  readVerified,
  TOPOLOGY_FILE,
  UnusableModelError,
  WEIGHTS_FILE,
} from "./model-files";
import type { EngineRecord } from "./parity";
import type { PoolSetup } from "./worker-protocol";

/**
 * Verifies a model and starts the threads that answer with it: every file is the one that was saved, the pixel recipe is
 * this program's, and the network's answers were measured to be those of the network that was trained.
 *
 * @param source a directory, or the files of a model in a bucket
 * @throws {UnusableModelError}
 */
export async function loadClassifier(source: string | ModelFiles, options: PoolOptions = {}): Promise<Classifier> {
  const files = typeof source === "string" ? modelFilesInDirectory(source) : source;
  const metadata = await readMetadata(files);
  const { onnx, parameters } = await readParts(files, metadata);
  const guard = parameters && metadata.guard && { parameters, limits: limitsOf(metadata.guard) };
  const setup: PoolSetup = { onnx, views: metadata.views, model: { metadata, guard } };
  const pool = await startPool(files, setup, options);
  return new PooledClassifier(
    files.location,
    metadata,
    onnx,
    pool,
    guard && new InputGuard(parseGuard(parameters), guard.limits),
  );
}

const limitsOf = ({ threshold, turned, skull }: NonNullable<ModelMetadata["guard"]>): GuardLimits => ({
  threshold,
  turned,
  refusesCt: skull !== undefined,
});

/**
 * What answers of a model, after all of it was verified but that onnxruntime opens it.
 *
 * @returns the network and how it was made, and the guard's file where it has one
 * @throws {UnusableModelError}
 */
export async function readParts(
  files: ModelFiles,
  metadata: ModelMetadata,
): Promise<{
  readonly onnx: Uint8Array;
  readonly engine: EngineRecord;
  readonly parameters: Uint8Array | undefined;
}> {
  checkRecipe(files, metadata);
  // What it was trained as is not needed to answer; a model of which a part was changed is not answered with all the same.
  for (const name of [TOPOLOGY_FILE, WEIGHTS_FILE]) await readVerified(files, name, metadata.files[name]);
  return { ...(await readOnnx(files, metadata)), parameters: await readGuard(files, metadata) };
}

/** @throws {UnusableModelError} */
export function checkRecipe({ location }: ModelFiles, { recipe }: ModelMetadata): void {
  if (recipe === RECIPE.id) return;
  throw new UnusableModelError(
    location,
    "other-recipe",
    `it was trained on images made by pixel recipe ${recipe}, and this program makes them by recipe ${RECIPE.id}. Train a model with this program, or serve this one with the program that trained it.`,
  );
}

async function startPool({ location }: ModelFiles, setup: PoolSetup, options: PoolOptions): Promise<AnswerPool> {
  try {
    return await AnswerPool.start(setup, options);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UnusableModelError(location, "bad-network", `onnxruntime cannot open its network: ${why}.`, { cause });
  }
}

/** @returns the guard's file, which was seen to be one */
async function readGuard(files: ModelFiles, { guard, ...metadata }: ModelMetadata): Promise<Uint8Array | undefined> {
  if (!guard) return undefined;
  if (guard.descriptor !== DESCRIPTOR.id) {
    throw new UnusableModelError(
      files.location,
      "other-recipe",
      `its input guard measures ${guard.descriptor}, and this program measures ${DESCRIPTOR.id}. Train a model with this program, or serve this one with the program that trained it.`,
    );
  }
  if (guard.skull !== undefined && guard.skull !== SKULL.id) {
    throw new UnusableModelError(
      files.location,
      "other-recipe",
      `its input guard tells CT by the rule ${guard.skull}, and this program by ${SKULL.id}. Train a model with this program, or serve this one with the program that trained it.`,
    );
  }
  const bytes = await readVerified(files, GUARD_FILE, metadata.files[GUARD_FILE]);
  try {
    parseGuard(bytes);
  } catch (cause) {
    throw new UnusableModelError(files.location, "damaged-file", `${GUARD_FILE} is no guard.`, { cause });
  }
  return bytes;
}

class PooledClassifier implements Classifier {
  private disposed: Promise<void> | undefined;

  constructor(
    private readonly location: string,
    readonly metadata: ModelMetadata,
    readonly onnx: Uint8Array,
    private readonly pool: AnswerPool,
    readonly guard: InputGuard | undefined,
  ) {}

  readonly predict: Classifier["predict"] = async (images) =>
    Float32Array.from(await this.answer(images), ({ probability }) => probability);

  readonly answer: Classifier["answer"] = (images, signal) =>
    this.ask(async () => {
      checkSizes(images);
      const answers = await Promise.all(images.map((image) => this.pool.answer(image, signal)));
      return answers.map((answer) => answerOf(answer, this.metadata));
    });

  readonly score: Classifier["score"] = (bytes, options) => this.ask(() => this.pool.score(bytes, options));

  readonly encode: Classifier["encode"] = (bytes, options) => this.ask(() => this.pool.encode(bytes, options));

  readonly dispose: Classifier["dispose"] = () => {
    this.disposed ??= this.pool.close();
    return this.disposed;
  };

  private async ask<T>(work: () => Promise<T>): Promise<T> {
    if (this.disposed) throw new Error(`Model ${this.metadata.id} has been disposed.`);
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NoNumberError)) throw error;
      throw new UnusableModelError(this.location, "bad-network", error.message, { cause: error });
    }
  }
}
