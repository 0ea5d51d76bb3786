import { join } from "node:path";
import { auc } from "../evaluate";
import { RECIPE, replicate } from "../imaging";
import {
  describeCalibration,
  describeParity,
  fitDecision,
  type ModelMetadata,
  modelFilesInStore,
  readEngine,
  readMetadata,
  TRAINING_FILE,
} from "../model";
import { PHANTOM_COLLECTION } from "../phantom";
import type { StoresOf } from "../platform/open-stores";
import type { ContextWith, StepCounts } from "../platform/step";
import { tryToCreate } from "../platform/stores";
import { LABELLED_IMAGES, UNASSIGNED_IMAGES } from "../platform/warehouse";
import { isPublished, publishModel } from "../registry";
import { BACKENDS, type Backend, modelFileContents } from "../tensorflow";
import { GRAD_CAM_LAYER, VIEWS } from "./architecture";
import { checkpointsIn } from "./checkpoints";
import { trainingConfiguration } from "./configuration";
import type { trainContract } from "./contract";
import { describeTrainingData, loadTrainingSet } from "./data";
import { MADE_BY, MADE_BY_PUPIL, type ModelSource, modelId } from "./identity";
import { fitInputGuard } from "./input-guard";
import type { Layout } from "./layout";
import { learnerOf } from "./learner";
import { chooseTeacher, type TeacherOptions, trainedTeacher } from "./teacher/prepare";
import type { TeacherRecord } from "./teacher/store";
import { type PupilSpec, type TrainingSet, trainNetwork } from "./trainer";

/** Where unfinished runs lie in a workspace's folder. */
const CHECKPOINTS = ".checkpoints";

export type TrainContext = ContextWith<Pick<StoresOf<typeof trainContract>, "processed" | "models">>;

export interface TrainOptions {
  readonly backend: Backend;
  readonly epochs?: number;
  /** See {@link TrainingConfiguration}. */
  readonly patience?: number;
  /** Whose pupil the model becomes; see docs/model-evaluation.md. @default nobody's */
  readonly teacher?: TeacherOptions;
  /** Ids of the images that may take part. @default every labelled one */
  readonly only?: ReadonlySet<string>;
}

export interface TrainOutcome extends StepCounts {
  readonly metadata: ModelMetadata;
}

/**
 * Trains a model on the workspace's training split and publishes it under an id made of all that decides it, see
 * identity.ts. A model that exists already is not trained again; an interrupted run goes on from its last epoch.
 */
export async function trainStep(context: TrainContext, options: TrainOptions): Promise<TrainOutcome> {
  const { workspace, seed } = context;
  const { models } = workspace.buckets;
  const { counts, digest, unlabelled } = await describeTrainingData(workspace, options.only);
  // What a retraining leaves out, it leaves out knowingly.
  const notes = options.only ? [] : await unprocessed(context);
  const configuration = trainingConfiguration(counts.train, {
    seed,
    ...(options.epochs === undefined ? {} : { epochs: options.epochs }),
    ...(options.patience === undefined ? {} : { patience: options.patience }),
  });
  // Drawn phantoms are no measure of what a brain scan looks like: a model of them has no guard.
  const synthetic = await isSynthetic(context);
  const { backend } = options;
  const chosen =
    options.teacher &&
    (await chooseTeacher(models, options.teacher, { rows: counts.train, seed, backend, dataset: digest, synthetic }));
  const source: ModelSource = {
    ...{ dataset: digest, synthetic, configuration, backend },
    ...(chosen ? { teacher: { id: chosen.id, unlabelled: unlabelled.digest } } : {}),
  };
  const id = modelId(source);
  if (await isPublished(models, id)) {
    const files = modelFilesInStore(models, id);
    const metadata = await readMetadata(files);
    // One that an earlier program trained answers nobody before it is converted.
    await readEngine(files, metadata);
    return { metadata, items: 0, skipped: counts.train, rejected: 0, notes };
  }

  const data = await loadTrainingSet(workspace, options.only, chosen !== undefined);
  const directory = join(workspace.directory, CHECKPOINTS);
  const teacher = chosen && (await trainedTeacher(chosen, data, models, { ...context, directory }));
  const learner: PupilSpec =
    chosen && teacher ? { kind: "pupil", teacher: chosen.made, network: teacher.network } : { kind: "compact" };
  const { layout } = learnerOf(learner);
  await reportOtherBackends(context, source, layout);
  const checkpoints = checkpointsIn(directory, id, layout);
  const result = await trainNetwork(data, configuration, backend, { ...context, checkpoints }, learner);
  const labels = Uint8Array.from(data.validation, (row) => data.images.labels[row] as number);
  if (data.validation.length === 0) {
    notes.push("there is no validation image, so the threshold is 0.5. Add scans of more patients.");
  }
  const network = result.network;
  const groups = Array.from(data.validation, (row) => data.groups[row] as string);
  const { calibration, ...decision } = fitDecision(result.validation, labels, groups);
  if (teacher) notes.push(describePupil(teacher.record, labels, result.validation));
  if (labels.length > 0 && !calibration.applied) notes.push(describeCalibration(calibration));
  const guard = synthetic ? undefined : await fitInputGuard(context, options.only);
  const description = {
    id,
    recipe: RECIPE.id,
    parameters: network.countParams(),
    views: VIEWS,
    ...decision,
    calibration,
    gradCamLayer: GRAD_CAM_LAYER,
    backend,
    seed,
    dataset: digest,
    counts,
    epochs: result.epoch,
    configuration: { ...configuration },
    madeBy: teacher ? MADE_BY_PUPIL : MADE_BY,
    ...(teacher ? { teacher: describeTeacher(teacher.record) } : {}),
    synthetic,
  };
  const files = await modelFileContents(network, description, parityImages(data, context), guard);
  context.progress.finish();
  network.dispose();
  const curve = Buffer.from(`${JSON.stringify({ chosen: result.epoch, epochs: result.curve }, null, 2)}\n`);
  await tryToCreate(models, `${id}/${TRAINING_FILE}`, curve, { contentType: "application/json" });
  await publishModel(models, id, files);
  await checkpoints.clear();
  if (result.resumedFrom > 0) notes.push(`went on after epoch ${result.resumedFrom} of an earlier run.`);
  if (result.epoch < configuration.epochs) {
    notes.push(
      `stopped after epoch ${result.curve.length}: validation AUC was highest after epoch ${result.epoch}, whose weights the model has.`,
    );
  }
  const epochs = result.curve.length - result.resumedFrom;
  const metadata = await readMetadata(modelFilesInStore(models, id));
  if (metadata.engine) notes.push(`${describeParity(metadata.engine.parity)}.`);
  return {
    metadata,
    items: counts.train * epochs,
    skipped: counts.train * result.resumedFrom,
    rejected: 0,
    notes,
  };
}

/** The validation images, on which the network as it answers is compared with the one that was trained; else those it learnt from. */
function parityImages({ images, train, validation }: TrainingSet, { progress, signal }: TrainContext) {
  const [split, rows] = validation.length > 0 ? (["validation", validation] as const) : (["train", train] as const);
  const area = images.side * images.side;
  progress.start(rows.length);
  return {
    split,
    signal,
    onEach: () => progress.advance(1, "images answered by onnxruntime as by TensorFlow.js"),
    images: (function* () {
      for (const row of rows) yield { pixels: replicate(images.pixels.subarray(row * area, (row + 1) * area)) };
    })(),
  };
}

/** Says which unfinished runs of the same training lie there and are not gone on with. */
async function reportOtherBackends(
  { workspace, progress }: TrainContext,
  source: ModelSource,
  layout: Layout,
): Promise<void> {
  for (const backend of BACKENDS) {
    if (backend === source.backend) continue;
    // One that cannot be read is of no use to anybody, and no reason to stop this one.
    const other = await checkpointsIn(join(workspace.directory, CHECKPOINTS), modelId({ ...source, backend }), layout)
      .load()
      .catch(() => undefined);
    if (!other) continue;
    const done = `${other.curve.length} of ${source.configuration.epochs} epochs`;
    progress.say(
      `an unfinished run on ${backend} (${done}) is not used: this one is on ${source.backend}, which gives other weights. To go on with that one, choose the backend ${backend}.`,
    );
  }
}

/** Whose pupil a model is, as its metadata tell. */
const describeTeacher = ({ id, backbone }: TeacherRecord): NonNullable<ModelMetadata["teacher"]> => ({
  id,
  backbone: backbone.id,
  sha256: backbone.sha256,
  licence: backbone.licence,
  ...(backbone.source === undefined ? {} : { source: backbone.source }),
});

/** How pupil and teacher compare where both are shown the same: on validation, ahead of the calibration. */
function describePupil({ id, validation }: TeacherRecord, labels: Uint8Array, answers: Float32Array): string {
  const own = auc({ labels, probabilities: Float64Array.from(answers), groups: Array.from(labels, String) }).value;
  const compared =
    validation && own !== null
      ? `: on validation (${validation.images} images) its AUC is ${own.toFixed(4)}, the teacher's ${validation.auc.toFixed(4)}`
      : "";
  return `a pupil of ${id}${compared}.`;
}

/** A sentence where scans were ingested that the shards do not have yet. */
async function unprocessed({ workspace }: TrainContext): Promise<string[]> {
  const [counts] = await workspace.warehouse.ask(UNASSIGNED_IMAGES, {});
  const waiting = counts?.images ?? 0;
  return waiting === 0
    ? []
    : [`${waiting} ingested images are not preprocessed and take no part: run npm run preprocess.`];
}

/** Whether every labelled image was drawn: such a model must say so wherever it is shown. */
async function isSynthetic({ workspace }: TrainContext): Promise<boolean> {
  const [counts] = await workspace.warehouse.ask(LABELLED_IMAGES, { collection: PHANTOM_COLLECTION });
  return counts !== undefined && counts.labelled > 0 && counts.collected === counts.labelled;
}
