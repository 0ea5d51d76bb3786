import { join } from "node:path";
import { RECIPE, replicate } from "../imaging";
import {
  describeCalibration,
  describeParity,
  describeTeacher,
  fitDecision,
  type ModelMetadata,
  modelFilesInStore,
  ONNX_FILE,
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
import { BACKENDS, type Backend, layersNetwork, modelFileContents, type TrainedNetwork } from "../tensorflow";
import { GRAD_CAM_LAYER, VIEWS } from "./architecture";
import { checkpointsIn } from "./checkpoints";
import { trainingConfiguration } from "./configuration";
import type { trainContract } from "./contract";
import { describeTrainingData, loadTrainingSet } from "./data";
import { MADE_BY, MADE_BY_PUPIL, MADE_BY_SERVING, type ModelSource, modelId, servedId } from "./identity";
import { fitInputGuard } from "./input-guard";
import type { Layout } from "./layout";
import { learnerOf } from "./learner";
import { besidePupil, describePrice } from "./teacher/beside";
import { type ChosenTeacher, chooseTeacher, type TeacherOptions, trainedTeacher } from "./teacher/prepare";
import { EXPLAINED, servedTeacher } from "./teacher/served";
import type { Teacher, TeacherRecord } from "./teacher/store";
import { answersOf, type PupilSpec, type TrainingResult, type TrainingSet, trainNetwork } from "./trainer";

/** Where unfinished runs lie in a workspace's folder. */
const CHECKPOINTS = ".checkpoints";

export type TrainContext = ContextWith<Pick<StoresOf<typeof trainContract>, "processed" | "models">>;

export interface TrainOptions {
  readonly backend: Backend;
  readonly epochs?: number;
  /** See {@link TrainingConfiguration}. */
  readonly patience?: number;
  /** Whose pupil the model becomes, or what it is itself; see docs/model-evaluation.md. @default nobody's pupil */
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
  // Where it becomes the model itself, what is said of the model's epochs is said of its.
  const teacherEpochs = options.teacher?.epochs ?? (options.teacher?.serves === "teacher" ? options.epochs : undefined);
  const chosen =
    options.teacher &&
    (await chooseTeacher(
      models,
      { ...options.teacher, epochs: teacherEpochs },
      { rows: counts.train, seed, backend, dataset: digest, synthetic },
    ));
  const source: ModelSource = {
    ...{ dataset: digest, synthetic, configuration, backend },
    ...(chosen ? { teacher: { id: chosen.id, unlabelled: unlabelled.digest } } : {}),
  };
  const itself = options.teacher?.serves === "teacher" ? chosen : undefined;
  const id = itself ? servedId(itself.source, backend) : modelId(source);
  if (await isPublished(models, id)) {
    const files = modelFilesInStore(models, id);
    const metadata = await readMetadata(files);
    // One that an earlier program trained answers nobody before it is converted.
    await readEngine(files, metadata);
    if (metadata.teacher) notes.push(`${describeTeacher(metadata.teacher)}.`);
    return { metadata, items: 0, skipped: counts.train, rejected: 0, notes };
  }

  const data = await loadTrainingSet(workspace, options.only, chosen !== undefined && !itself);
  const directory = join(workspace.directory, CHECKPOINTS);
  const teacher = chosen && (await trainedTeacher(chosen, data, models, { ...context, directory }));
  const made =
    itself && teacher
      ? await teacherItself(itself, teacher, data, backend)
      : await trainCompact(context, data, { id, source, taught: chosen && teacher && { chosen, teacher } });
  const { network } = made;
  const labels = Uint8Array.from(data.validation, (row) => data.images.labels[row] as number);
  if (data.validation.length === 0) {
    notes.push("there is no validation image, so the threshold is 0.5. Add scans of more patients.");
  }
  const groups = Array.from(data.validation, (row) => data.groups[row] as string);
  const { calibration, ...decision } = fitDecision(made.validation, labels, groups);
  const beside =
    teacher && !itself && chosen
      ? besidePupil(
          { labels, groups, own: made.validation, seed },
          await answersOf(teacherSpec(chosen), teacher.network, data, backend),
        )
      : undefined;
  if (labels.length > 0 && !calibration.applied) notes.push(describeCalibration(calibration));
  const guard = synthetic ? undefined : await fitInputGuard(context, options.only);
  const description = {
    id,
    recipe: RECIPE.id,
    parameters: network.parameters,
    views: VIEWS,
    ...decision,
    calibration,
    gradCamLayer: itself ? EXPLAINED : GRAD_CAM_LAYER,
    backend: itself ? itself.source.backend : backend,
    seed,
    dataset: digest,
    counts,
    epochs: made.epoch,
    configuration: { ...(itself ? itself.source.configuration : configuration) },
    madeBy: itself ? MADE_BY_SERVING : teacher ? MADE_BY_PUPIL : MADE_BY,
    ...(teacher && !itself ? { teacher: { ...teacherOf(teacher.record), ...(beside ? { beside } : {}) } } : {}),
    ...(teacher && itself ? { fineTuned: teacherOf(teacher.record) } : {}),
    synthetic,
  };
  const compared = { ...parityImages(data, context), backend };
  const files = await modelFileContents(network, description, compared, guard);
  context.progress.finish();
  network.dispose();
  const curve = Buffer.from(`${JSON.stringify({ chosen: made.epoch, epochs: made.curve }, null, 2)}\n`);
  await tryToCreate(models, `${id}/${TRAINING_FILE}`, curve, { contentType: "application/json" });
  await publishModel(models, id, files);
  await made.clear();
  if (made.resumedFrom > 0 && !itself) notes.push(`went on after epoch ${made.resumedFrom} of an earlier run.`);
  if (!itself && made.epoch < configuration.epochs) {
    notes.push(
      `stopped after epoch ${made.curve.length}: validation AUC was highest after epoch ${made.epoch}, whose weights the model has.`,
    );
  }
  const epochs = made.curve.length - made.resumedFrom;
  const metadata = await readMetadata(modelFilesInStore(models, id));
  if (metadata.engine) notes.push(`${describeParity(metadata.engine.parity)}.`);
  if (metadata.teacher && chosen && teacher) {
    const price = await describePrice(chosen, teacher.network, { metadata, onnx: files.get(ONNX_FILE) as Buffer });
    notes.push(`${describeTeacher(metadata.teacher)}. ${price}`);
  }
  if (metadata.fineTuned)
    notes.push(`it is ${metadata.fineTuned.id} itself, ${network.parameters.toLocaleString("en-US")} parameters.`);
  return {
    metadata,
    items: counts.train * epochs,
    skipped: counts.train * made.resumedFrom,
    rejected: 0,
    notes,
  };
}

/** A network that can be published, and how it came about. */
interface Made extends Omit<TrainingResult, "network"> {
  readonly network: TrainedNetwork;
  /** Takes away what is not needed once the model is published. */
  clear(): Promise<void>;
}

const teacherSpec = ({ made }: ChosenTeacher) => ({ kind: "teacher", backbone: made }) as const;

/** A teacher as what is published; none of its epochs count as new where it was there before. */
async function teacherItself(
  chosen: ChosenTeacher,
  { record, network }: Teacher,
  data: TrainingSet,
  backend: Backend,
): Promise<Made> {
  const curve = record.curve as TrainingResult["curve"];
  return {
    network: servedTeacher(chosen.made, network),
    validation: await answersOf(teacherSpec(chosen), network, data, backend),
    curve,
    epoch: curve.length,
    resumedFrom: chosen.stored ? curve.length : 0,
    // The teacher's own were cleared when it was stored.
    clear: async () => {},
  };
}

/** The compact network, which learns of a teacher too where there is one; goes on where an earlier run was interrupted. */
async function trainCompact(
  context: TrainContext,
  data: TrainingSet,
  {
    id,
    source,
    taught,
  }: {
    readonly id: string;
    readonly source: ModelSource;
    readonly taught: { readonly chosen: ChosenTeacher; readonly teacher: Teacher } | undefined;
  },
): Promise<Made> {
  const learner: PupilSpec = taught
    ? { kind: "pupil", teacher: taught.chosen.made, network: taught.teacher.network }
    : { kind: "compact" };
  const { layout } = learnerOf(learner);
  await reportOtherBackends(context, source, layout);
  const checkpoints = checkpointsIn(join(context.workspace.directory, CHECKPOINTS), id, layout);
  const { configuration, backend } = source;
  const tools = { ...context, checkpoints };
  const { network, ...result } = await trainNetwork(data, configuration, backend, tools, learner);
  return {
    ...result,
    network: layersNetwork(network, { views: VIEWS, gradCamLayer: GRAD_CAM_LAYER }),
    clear: () => checkpoints.clear(),
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

/** Whose pupil a model is, or what it is itself, as its metadata tell. */
const teacherOf = ({ id, backbone }: TeacherRecord): NonNullable<ModelMetadata["teacher"]> => ({
  id,
  backbone: backbone.id,
  sha256: backbone.sha256,
  licence: backbone.licence,
  ...(backbone.source === undefined ? {} : { source: backbone.source }),
});

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
