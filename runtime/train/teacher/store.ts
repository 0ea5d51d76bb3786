import { z } from "zod";
import { sha256 } from "../../model";
import {
  type CreatableStore,
  ObjectNotFoundError,
  PreconditionFailedError,
  type ReadableStore,
} from "../../platform/stores";

/** Where teachers lie in the store of models: beside the models, for they answer nobody. */
const FOLDER = "teachers";
const RECORD = "teacher.json";
const WEIGHTS = "weights.bin";

/** `teacher.json`. */
const recordSchema = z.object({
  id: z.string(),
  /** The network that it was made of, as its manifest names it. */
  backbone: z.object({
    id: z.string(),
    sha256: z.string(),
    licence: z.string(),
    source: z.string().optional(),
  }),
  recipe: z.string(),
  dataset: z.string(),
  /** True when it was trained on drawn phantoms only. */
  synthetic: z.boolean(),
  parameters: z.number().int().positive(),
  backend: z.string(),
  configuration: z.record(z.string(), z.unknown()),
  madeBy: z.record(z.string(), z.string()),
  /** AUC of the validation images in all views, before any calibration; null where a class is missing. */
  validation: z.object({ images: z.number().int(), auc: z.number() }).nullable(),
  curve: z.array(z.unknown()),
  /** SHA-256 of the weights. */
  weights: z.string(),
});
export type TeacherRecord = z.infer<typeof recordSchema>;

/** A network that was taught to teach. */
export interface Teacher {
  readonly record: TeacherRecord;
  /** Flat, in the layout of its network. */
  readonly network: Float32Array;
}

/** A teacher as it was stored is not what is there now. */
export class DamagedTeacherError extends Error {
  constructor(where: string, problem: string) {
    super(`The teacher in ${where} cannot be used: ${problem} Remove that folder, and it is trained again.`);
    this.name = "DamagedTeacherError";
  }
}

/**
 * Stores a teacher, its record last: without one it was never finished. What is there already stays.
 *
 * @throws {DamagedTeacherError} if other weights have its name
 */
export async function storeTeacher(
  models: ReadableStore & CreatableStore,
  record: Omit<TeacherRecord, "weights">,
  network: Float32Array,
): Promise<Teacher> {
  const bytes = Buffer.from(network.buffer, network.byteOffset, network.byteLength);
  const complete = { ...record, weights: sha256(bytes) };
  const files = [
    [WEIGHTS, bytes],
    [RECORD, Buffer.from(`${JSON.stringify(complete, null, 2)}\n`)],
  ] as const;
  for (const [name, content] of files) {
    try {
      await models.create(`${FOLDER}/${record.id}/${name}`, content);
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
    }
  }
  const stored = await readTeacher(models, record.id, network.length);
  if (stored?.record.weights !== complete.weights)
    throw new DamagedTeacherError(placeOf(models, record.id), "it has other weights than training has just given.");
  return stored;
}

/**
 * @param size floats of its network
 * @returns undefined where there is none
 * @throws {DamagedTeacherError}
 */
export async function readTeacher(models: ReadableStore, id: string, size: number): Promise<Teacher | undefined> {
  const where = placeOf(models, id);
  const content = await models.read(`${FOLDER}/${id}/${RECORD}`).catch((error: unknown) => {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  });
  if (!content) return undefined;
  const record = parsed(content);
  if (!record || record.id !== id) throw new DamagedTeacherError(where, `its ${RECORD} is not what was written.`);
  const bytes = await models.read(`${FOLDER}/${id}/${WEIGHTS}`).catch((error: unknown) => {
    if (error instanceof ObjectNotFoundError) throw new DamagedTeacherError(where, `it has no ${WEIGHTS}.`);
    throw error;
  });
  if (bytes.length !== size * 4 || sha256(bytes) !== record.weights)
    throw new DamagedTeacherError(where, `its ${WEIGHTS} is not the file that was saved.`);
  return { record, network: new Float32Array(Uint8Array.from(bytes).buffer) };
}

const placeOf = (models: ReadableStore, id: string) => `${models.uri}/${FOLDER}/${id}`;

function parsed(content: Buffer): TeacherRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(content.toString("utf8")));
  } catch {
    return undefined;
  }
}
