import { type Backbone, backboneUri, loadBackbone, UnusableNetwork, unusable } from "../../backbone";
import { auc } from "../../evaluate";
import { RECIPE } from "../../imaging";
import { ConfigurationError } from "../../platform/config";
import type { CreatableStore, ReadableStore } from "../../platform/stores";
import { BACKENDS, type Backend } from "../../tensorflow/backend-names";
import { type Checkpoints, checkpointsIn } from "../checkpoints";
import { type TrainingConfiguration, teacherConfiguration } from "../configuration";
import { MADE_BY_TEACHING, type TeacherSource, teacherId } from "../identity";
import { learnerOf } from "../learner";
import { learn, type TrainingSet, type TrainingTools } from "../trainer";
import { type TeacherBackbone, teacherBackbone } from "./network";
import { unservable } from "./served";
import { readTeacher, storeTeacher, type Teacher } from "./store";

/** What a teacher is told beside what its pupil is. */
export interface TeacherOptions {
  /** URI or path of the folder where `backbone.json` lies. */
  readonly backbone: string;
  /** @default that of {@link teacherConfiguration} */
  readonly epochs?: number | undefined;
  /** Which of the two becomes the model: the compact network that it teaches, or the teacher itself. @default the pupil */
  readonly serves?: Served | undefined;
}

export const SERVES = ["pupil", "teacher"] as const;
export type Served = (typeof SERVES)[number];

/** A teacher that is known by name: trained before, or going to be. */
export interface ChosenTeacher {
  readonly id: string;
  readonly backbone: Backbone;
  /** The same as its network is made of it. */
  readonly made: TeacherBackbone;
  readonly source: TeacherSource;
  readonly stored: Teacher | undefined;
}

/**
 * Which teacher is meant, without training it. Where native TensorFlow is not there to train one, that of another backend
 * with the same configuration does as well.
 *
 * @throws {ConfigurationError} if the backbone cannot be used, or there is no such teacher and nothing to train it with
 */
export async function chooseTeacher(
  models: ReadableStore,
  { backbone: given, epochs, serves }: TeacherOptions,
  pupil: { readonly rows: number; readonly seed: number; readonly backend: Backend } & Pick<
    TeacherSource,
    "dataset" | "synthetic"
  >,
): Promise<ChosenTeacher> {
  const backbone = await loadBackbone(given);
  const made = madeOf(given, backbone, serves);
  const { seed, rows, backend, dataset, synthetic } = pupil;
  const configuration = teacherConfiguration(rows, { seed, ...(epochs === undefined ? {} : { epochs }) });
  const { sha256, input, features } = backbone.manifest;
  const source: TeacherSource = { dataset, synthetic, configuration, backend, backbone: { sha256, input, features } };
  const { size } = learnerOf({ kind: "teacher", backbone: made }).layout;
  const others = backend === "wasm" ? BACKENDS.filter((name) => name !== "wasm") : [];
  for (const trainedOn of [backend, ...others]) {
    const its = { ...source, backend: trainedOn };
    const stored = await readTeacher(models, teacherId(its), size);
    if (stored) return { id: teacherId(its), backbone, made, source: its, stored };
  }
  if (backend === "wasm")
    throw untrainable(
      backboneUri(given),
      "train without --teacher; a retraining keeps what it began with, and npm run retrain -- --give-up ends it",
    );
  return { id: teacherId(source), backbone, made, source, stored: undefined };
}

/**
 * A teacher that can be trained here on whatever scans there will be, its backbone looked at, under a URI that holds from
 * anywhere.
 *
 * @throws {ConfigurationError} with every problem as a sentence
 */
export async function trainableTeacher(
  { backbone, ...how }: TeacherOptions,
  backend: Backend,
): Promise<TeacherOptions> {
  const uri = backboneUri(backbone);
  madeOf(uri, await loadBackbone(uri), how.serves);
  if (backend === "wasm") throw untrainable(uri, "train without --teacher");
  return { ...how, backbone: uri };
}

/** @param instead what can be done without native TensorFlow, as the end of a sentence */
const untrainable = (uri: string, instead: string): ConfigurationError =>
  new ConfigurationError(`The teacher from ${uri}`, [
    `it is not trained yet, and that takes native TensorFlow: the WebAssembly backend cannot differentiate a depthwise convolution. Run npm run setup:tensorflow, or ${instead}.`,
  ]);

function madeOf(given: string, backbone: Backbone, serves: Served = "pupil"): TeacherBackbone {
  const { network } = backbone.manifest;
  let made: TeacherBackbone;
  try {
    made = teacherBackbone(backbone);
  } catch (error) {
    if (!(error instanceof UnusableNetwork)) throw error;
    throw unusable(backboneUri(given), [`${network} cannot teach: it ${error.message}`]);
  }
  const problem = serves === "teacher" ? unservable(made, backbone.manifest) : undefined;
  if (problem) throw unusable(backboneUri(given), [`${network} can teach and cannot be served itself: ${problem}`]);
  return made;
}

/**
 * The teacher itself: as it was stored, or trained on the labelled images of the training split, from where an earlier run
 * was interrupted.
 */
export async function trainedTeacher(
  { id, backbone, made, source, stored }: ChosenTeacher,
  set: TrainingSet,
  models: ReadableStore & CreatableStore,
  { directory, ...tools }: Omit<TrainingTools, "checkpoints"> & { readonly directory: string },
): Promise<Teacher> {
  if (stored) return stored;
  const spec = { kind: "teacher", backbone: made } as const;
  const { layout } = learnerOf(spec);
  const checkpoints: Checkpoints = checkpointsIn(directory, id, layout);
  const { unlabelled: _, ...labelled } = set;
  const configuration: TrainingConfiguration = source.configuration;
  tools.progress.say(
    `the teacher ${id} comes first: ${backbone.manifest.name}, ${layout.parameterCount.toLocaleString("en-US")} parameters, ${configuration.epochs} epochs. It is stored, and trained once.`,
  );
  const learnt = await learn(labelled, configuration, source.backend, { ...tools, checkpoints }, spec);
  const { manifest } = backbone;
  const record = {
    id,
    backbone: {
      id: backbone.id,
      sha256: manifest.sha256,
      licence: manifest.licence,
      ...(manifest.source === undefined ? {} : { source: manifest.source }),
    },
    recipe: RECIPE.id,
    dataset: source.dataset,
    synthetic: source.synthetic,
    parameters: layout.parameterCount,
    backend: source.backend,
    configuration: { ...configuration },
    madeBy: MADE_BY_TEACHING,
    validation: validated(set, learnt.validation),
    curve: [...learnt.curve],
  };
  const teacher = await storeTeacher(models, record, learnt.network);
  await checkpoints.clear();
  return teacher;
}

function validated({ validation, images, groups }: TrainingSet, answers: Float32Array) {
  const labels = Uint8Array.from(validation, (row) => images.labels[row] as number);
  const probabilities = Float64Array.from(answers);
  const { value } = auc({ labels, probabilities, groups: Array.from(validation, (row) => groups[row] as string) });
  return value === null ? null : { images: labels.length, auc: value };
}
