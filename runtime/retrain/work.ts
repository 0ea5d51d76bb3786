import { createHash } from "node:crypto";
import { z } from "zod";
import { newSalt } from "../audit";
import {
  type CurrentImage,
  currentImages,
  type Learning,
  type LearningOptions,
  type LearningStores,
  learnFromFeedback,
  NOT_LEARNT,
  type NotLearnt,
  readShardRows,
  type ShardRow,
} from "../dataset";
import {
  type EvaluateContext,
  type Evaluation,
  type Measured,
  measure,
  readScans,
  type ScoredImage,
  TestBench,
} from "../evaluate";
import { isLabel, type Label } from "../intake";
import { modelFilesInStore, readMetadata } from "../model";
import type { Metric } from "../platform/metric";
import type { ObjectStore, ReadableStore } from "../platform/stores";
import {
  considerPromotion,
  contenderOf,
  inReference,
  type Reference,
  type ReferenceScan,
  readReference,
  registerReference,
} from "../promotion";
import { currentModel, orderTraining, type PointerStore, RETRAINING, trainedBy } from "../registry";
import type { Outcome, OwnedRun } from "./state";

/** What may be learnt from feedback, and how what lands because of it is taken in. */
export interface FeedbackRules extends Pick<LearningOptions, "consent" | "samePerson"> {
  /** Takes in what landed, or waits until that is done. @param objects names below landing: all that is learnt from */
  readonly takeIn: (objects: readonly string[], signal: AbortSignal) => Promise<void>;
}

/** What the steps of a retraining work with. */
export type RetrainContext = Omit<EvaluateContext, "workspace"> & {
  readonly feedback: FeedbackRules;
  readonly workspace: Pick<EvaluateContext["workspace"], "directory" | "warehouse"> & {
    readonly buckets: Pick<LearningStores, "landing" | "curated"> & {
      readonly processed: ReadableStore;
      readonly models: ReadableStore & PointerStore;
      readonly reports: ObjectStore;
    };
  };
};

/** There is nothing to train on: the message says what is missing. */
export class NothingToRetrainError extends Error {}

/** Scans of the snapshot are not there any more, or are others: the run cannot be ended as it was begun. */
export class SnapshotGoneError extends Error {}

/** A machine ended without leaving a model. */
export class NotTrainedError extends Error {}

const LABELLED = z.enum(["Cancer", "Non-Cancer"]);

const snapshotScanSchema = z.object({
  id: z.string(),
  sha256: z.string(),
  /** Of the landing object. */
  generation: z.number(),
  label: LABELLED,
});
type SnapshotScan = z.infer<typeof snapshotScanSchema>;

/** What feedback teaches a run: numbers of pictures. */
const taughtSchema = z.object({
  /** Whose label counts: two people agree, or an administrator confirmed it. */
  agreed: z.number(),
  waiting: z.number(),
  contradicted: z.number(),
  /** Learnt from, landed now or before. */
  counting: z.number(),
  landed: z.number(),
  withdrawn: z.number(),
  restored: z.number(),
  /** Not learnt from, by reason. */
  left: z.partialRecord(z.enum(Object.keys(NOT_LEARNT) as [NotLearnt, ...NotLearnt[]]), z.number()),
});
export type Taught = z.infer<typeof taughtSchema>;

export const snapshotSchema = z.object({
  /** Undefined of a run that an earlier program began. */
  feedback: taughtSchema.optional(),
  scans: z.number(),
  cancer: z.number(),
  /** SHA-256 over id, pixels' hash, generation and label of every scan. */
  digest: z.string(),
  /** Digest of the reference set; null before there is one. */
  reference: z.string().nullable(),
});

export const preprocessedSchema = z.object({
  train: z.number(),
  validation: z.number(),
  test: z.number(),
  /** Scans of the snapshot that no pixels could be made of. */
  refused: z.number(),
  /** Scans of the snapshot that are kept from training because the reference set has them, or something of their group. */
  reserved: z.number(),
  /** Digest of the reference set; null where there is no test scan yet. */
  reference: z.string().nullable(),
  /** What a training machine is told. */
  order: z.string(),
});

export const trainedSchema = z.object({ model: z.string(), parameters: z.number() });

const metricSchema = z.custom<Metric>((value) => typeof value === "object" && value !== null);
const measuredSchema = z.object({
  n: z.number(),
  groups: z.number(),
  auc: metricSchema,
  accuracy: metricSchema,
  recall: metricSchema,
  specificity: metricSchema,
});

/** One model on one set; null where the set is empty. */
const onSetsSchema = z.object({
  model: z.string(),
  test: measuredSchema.nullable(),
  /** On what is left of the frozen reference set. */
  reference: measuredSchema.nullable(),
  /** Scans of the reference set that are not there any more, or have another label or other pixels now. */
  gone: z.number(),
});
export type OnSets = z.infer<typeof onSetsSchema>;

export const evaluatedSchema = onSetsSchema.extend({ verdict: z.object({ fit: z.boolean(), sentence: z.string() }) });
export const comparedSchema = z.object({ champion: onSetsSchema.nullable() });
export const promotedSchema = z.object({ current: z.boolean(), champion: z.string().nullable(), reason: z.string() });
export const recordedSchema = z.object({
  outcome: z.enum(["promoted", "kept", "given-up"]),
  model: z.string().nullable(),
  reason: z.string(),
});
export type Recorded = z.infer<typeof recordedSchema>;

const SNAPSHOT = "snapshot-";
const scansNamed = (digest: string) => `${SNAPSHOT}${digest.slice(0, 32)}.json`;
const digestOf = (scans: readonly SnapshotScan[]) =>
  createHash("sha256")
    .update(scans.map(({ id, sha256, generation, label }) => `${id} ${sha256} ${generation} ${label}`).join("\n"))
    .digest("hex");

/**
 * Which scans count now: every curated page whose label is known, by generation and hash. Before, what feedback teaches is
 * taken in; what it no longer teaches, or the hospital no longer consents to, is taken out.
 */
export async function snapshot(context: RetrainContext, run: OwnedRun): Promise<z.infer<typeof snapshotSchema>> {
  const { workspace } = context;
  const feedback = await learn(context);
  const scans = labelled(await currentImages(workspace.warehouse));
  const missing = LABELLED.options.filter((label) => !scans.some((scan) => scan.label === label));
  if (missing.length > 0)
    throw new NothingToRetrainError(
      `There is nothing to train on: of ${scans.length} labelled scans none is ${missing.join(", and none ")}. ` +
        "Land scans below Cancer/ and Non-Cancer/ (npm run upload, npm run ingest), then give this command again.",
    );
  const digest = digestOf(scans);
  await run.keep(scansNamed(digest), scans);
  const reference = await readReference(workspace.buckets.reports);
  const cancer = scans.filter(({ label }) => label === "Cancer").length;
  return { scans: scans.length, cancer, digest, reference: reference?.digest ?? null, feedback };
}

async function learn({ workspace, feedback, signal }: RetrainContext): Promise<Taught> {
  const { warehouse, buckets } = workspace;
  const { consent, samePerson, takeIn } = feedback;
  const learning = await learnFromFeedback({ ...buckets, warehouse }, { consent, samePerson, signal, now: new Date() });
  // One that was killed may have landed what nobody has taken in.
  if (learning.counting.length > 0) await takeIn(learning.counting, signal);
  return numbersOf(learning);
}

function numbersOf({ agreed, waiting, contradicted, counting, landed, withdrawn, restored, left }: Learning): Taught {
  const why: Partial<Record<NotLearnt, number>> = {};
  for (const { reason } of left) why[reason] = (why[reason] ?? 0) + 1;
  return {
    ...{ agreed, waiting, contradicted, counting: counting.length, landed: landed.length },
    ...{ withdrawn: withdrawn.length, restored: restored.length, left: why },
  };
}

function labelled(images: readonly CurrentImage[]): SnapshotScan[] {
  const scans: SnapshotScan[] = [];
  for (const { id, sha256, generation, label } of images)
    if (isLabel(label)) scans.push({ id, sha256, generation, label });
  return scans;
}

/** ids of the scans that a run wrote down, as far as they have not been forgotten. */
export async function snapshotIds(reports: ReadableStore, run: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { name } of reports.listAll(`${RETRAINING}${run}/${SNAPSHOT}`)) {
    const { data } = z
      .array(snapshotScanSchema.pick({ id: true }))
      .safeParse(JSON.parse((await reports.read(name)).toString("utf8")));
    ids.push(...(data ?? []).map(({ id }) => id));
  }
  return ids;
}

/** The scans of the snapshot. @throws {SnapshotGoneError} if what was written down was changed */
async function snapshotScans(run: OwnedRun): Promise<readonly SnapshotScan[]> {
  const { digest } = snapshotSchema.parse(run.of("snapshot")?.result);
  const { data } = z.array(snapshotScanSchema).safeParse(await run.kept(scansNamed(digest)));
  if (!data || digestOf(data) !== digest)
    throw new SnapshotGoneError(`The snapshot of run ${run.run} is not there any more, or was changed.`);
  return data;
}

/**
 * Requires that every scan of the snapshot is there and is what it was.
 *
 * @throws {SnapshotGoneError} scans that were forgotten, replaced or labelled anew must not be learnt from as they were
 */
export async function requireSnapshot({ workspace }: RetrainContext, run: OwnedRun): Promise<readonly SnapshotScan[]> {
  const scans = await snapshotScans(run);
  const now = new Map(labelled(await currentImages(workspace.warehouse)).map((scan) => [scan.id, scan]));
  const gone = scans.filter((scan) => {
    const found = now.get(scan.id);
    return found?.generation !== scan.generation || found.label !== scan.label || found.sha256 !== scan.sha256;
  });
  if (gone.length > 0)
    throw new SnapshotGoneError(
      `${gone.length} of the ${scans.length} scans of the snapshot of run ${run.run} were forgotten, replaced or labelled otherwise since: such as ${gone
        .slice(0, 3)
        .map(({ id }) => id)
        .join(", ")}.`,
    );
  return scans;
}

/**
 * Once the shards are there: writes down which scans are trained on, and registers the reference set where there is none.
 */
export async function confirmPreprocessed(
  context: RetrainContext,
  run: OwnedRun,
): Promise<z.infer<typeof preprocessedSchema>> {
  const { reports } = context.workspace.buckets;
  const scans = await requireSnapshot(context, run);
  // A picture is one row, whichever of those that have it is the row's: a label of feedback is of a copy.
  const nameOf = ({ sha256, label }: { readonly sha256: string; readonly label: string | null }) =>
    `${sha256} ${label}`;
  const wanted = new Set(scans.map(nameOf));
  const rows = (await readShardRows(context.workspace)).filter((row) => wanted.has(nameOf(row)));
  const made = new Set(rows.map(nameOf));
  const inTest = rows.filter(({ split }) => split === "test");
  const reference = (await readReference(reports)) ?? (await registered(reports, inTest));
  const { taught, reserved } = apart(rows, reference);
  const order = await orderTraining(
    reports,
    run.run,
    taught.map(({ id }) => id),
  );
  const count = (split: string) => taught.filter((row) => row.split === split).length;
  return {
    ...{ train: count("train"), validation: count("validation"), test: count("test") },
    ...{
      refused: scans.filter((scan) => !made.has(nameOf(scan))).length,
      reserved,
      reference: reference?.digest ?? null,
      order,
    },
  };
}

async function registered(reports: ObjectStore, rows: readonly ShardRow[]): Promise<Reference | undefined> {
  const scans = rows.map(
    ({ id, sha256, group, label }): ReferenceScan => ({ id, sha256, group, label: label as Label }),
  );
  return scans.length > 0 ? registerReference(reports, scans, new Date()) : undefined;
}

/** The rows that a model may know of, and how many are kept from it because the reference set holds them or their like. */
function apart(rows: readonly ShardRow[], reference: Reference | undefined) {
  const held = new Set(reference?.scans.flatMap(({ id, sha256, group }) => [id, sha256, group]));
  const taught = rows.filter(
    ({ id, sha256, group, split }) => split === "test" || ![id, sha256, group].some((name) => held.has(name)),
  );
  return { taught, reserved: rows.length - taught.length };
}

/** Once a machine has trained: which model it made. @throws {NotTrainedError} */
export async function confirmTrained(
  { workspace }: RetrainContext,
  run: OwnedRun,
): Promise<z.infer<typeof trainedSchema>> {
  const trained = await trainedBy(workspace.buckets.reports, orderOf(run));
  if (!trained)
    throw new NotTrainedError(
      `The training machine of run ${run.run} ended and left no model. Its log says why; the same command goes on from there.`,
    );
  const { id, parameters } = await readMetadata(modelFilesInStore(workspace.buckets.models, trained));
  return { model: id, parameters };
}

/** What a training machine is told. */
export const orderOf = (run: OwnedRun): string => preprocessedSchema.parse(run.of("preprocess")?.result).order;

export const modelOf = (run: OwnedRun): string => trainedSchema.parse(run.of("train")?.result).model;

/** Measures the new model on the untouched test split, with its report, and on the frozen reference set. */
export async function evaluate(context: RetrainContext, run: OwnedRun): Promise<z.infer<typeof evaluatedSchema>> {
  const bench = await TestBench.open(context);
  const { evaluation } = await bench.evaluate(modelOf(run));
  const { fit, sentence } = evaluation.verdict;
  return { ...(await onSets(context, run, evaluation)), verdict: { fit, sentence } };
}

/** Measures the current model on the same scans, whichever is current now. */
export async function compare(context: RetrainContext, run: OwnedRun): Promise<z.infer<typeof comparedSchema>> {
  const current = await currentModel(context.workspace.buckets.models);
  if (!current || current.model === modelOf(run)) return { champion: null };
  try {
    const bench = await TestBench.open(context);
    return { champion: await onSets(context, run, (await bench.evaluate(current.model)).evaluation) };
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof SnapshotGoneError) throw error;
    context.log.warn(`The current model ${current.model} cannot be measured: ${(error as Error).message}`);
    return { champion: null };
  }
}

/** An evaluation in short, and the same of its answers for the frozen reference set. */
async function onSets({ workspace, seed }: RetrainContext, run: OwnedRun, evaluation: Evaluation): Promise<OnSets> {
  const { reports, models } = workspace.buckets;
  const { digest } = snapshotSchema.parse(run.of("snapshot")?.result);
  const reference = await readReference(reports);
  const expected = preprocessedSchema.parse(run.of("preprocess")?.result).reference;
  if ((reference?.digest ?? null) !== expected)
    throw new SnapshotGoneError(`The reference set of run ${run.run} (snapshot ${digest}) is another one now.`);
  const { model, test } = evaluation;
  const scans = (await readScans(reports, model)) ?? [];
  const held = reference ? scans.filter(inReference(reference.scans)) : [];
  // As the test set is measured: what the guard says of a scan is reported beside.
  const images = held.map(
    ({ id: path, given, probability, ...scan }): ScoredImage => ({
      ...scan,
      path,
      probability: given ?? probability ?? 0,
    }),
  );
  const { threshold } = await readMetadata(modelFilesInStore(models, model));
  return {
    model,
    test: test.n > 0 ? short(test) : null,
    reference: images.length > 0 ? short(measure(images, threshold, seed)) : null,
    gone: (reference?.registered ?? 0) - held.length,
  };
}

const short = ({ n, groups, auc, accuracy, recall, specificity }: Measured) => ({
  ...{ n, groups, auc, accuracy, recall, specificity },
});

/** How often a pointer that moves meanwhile is met by comparing anew. */
const TRIES = 3;

/** Makes the model the current one if the change plan says so: against whichever is current at that moment. */
export async function promoteOrNot(context: RetrainContext, run: OwnedRun): Promise<z.infer<typeof promotedSchema>> {
  const { models, reports } = context.workspace.buckets;
  const model = modelOf(run);
  const { champion } = comparedSchema.parse(run.of("compare")?.result);
  const bench = await TestBench.open(context);
  const measure = async (id: string) => contenderOf(reports, (await bench.evaluate(id)).evaluation);
  for (let tries = 1; ; tries++) {
    const before = await currentModel(models);
    // What can no longer be undone is done only while nobody else retrains.
    await run.lease.renew();
    const challenger = await measure(model);
    const reference = await readReference(reports);
    const { current, reason } = await considerPromotion({ models, challenger, measure, reference, asker: "program" });
    const after = await currentModel(models);
    const moved = !current && after?.generation !== before?.generation && after?.model !== before?.model;
    if (moved && tries < TRIES) continue;
    return { current, champion: champion?.model ?? null, reason };
  }
}

/** The last words of a run: a row of `audit`, once, and what came of it. */
export async function record({ workspace }: RetrainContext, run: OwnedRun): Promise<Recorded> {
  const { current, reason } = promotedSchema.parse(run.of("promote")?.result);
  return written(workspace.warehouse, run, { outcome: current ? "promoted" : "kept", model: modelOf(run), reason });
}

/** Ends a run that cannot be ended as it was begun. */
export function giveUp(
  {
    workspace,
  }: {
    readonly workspace: Pick<RetrainContext["workspace"], "warehouse"> & {
      readonly buckets: Pick<RetrainContext["workspace"]["buckets"], "reports">;
    };
  },
  run: OwnedRun,
  reason: string,
) {
  return written(workspace.warehouse, run, { outcome: "given-up", model: null, reason });
}

async function written(
  warehouse: RetrainContext["workspace"]["warehouse"],
  run: OwnedRun,
  recorded: { readonly outcome: Outcome; readonly model: string | null; readonly reason: string },
): Promise<Recorded> {
  const request = `retrain-${run.run}`;
  // Its name is the run's: a second try adds nothing.
  await warehouse.append("audit", request, [
    {
      ...{ request, action: "retrain", who: "local", role: "admin", subject: recorded.model, sha256: null },
      ...{ model: recorded.model, recipe: null, result: recorded.outcome },
      ...{ recorded_at: new Date().toISOString(), salt: newSalt() },
    },
  ]);
  return recorded;
}
