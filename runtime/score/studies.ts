import { createHash } from "node:crypto";
import { curatedName, currentImages, readCuratedObject } from "../dataset";
import { readEvaluation, type StudyReport } from "../evaluate";
import { explanationOf, peakInOriginal, renderOverlay, SHOWN_SIDE } from "../explain";
import { DISCLAIMER } from "../intake";
import { METADATA_FILE, type ModelMetadata, modelFilesInStore, type ScanDecision, type Verdict } from "../model";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../platform/stores";
import type { CurrentImage } from "../platform/warehouse";
import type { Workspace } from "../platform/workspace";
import { currentModel } from "../registry";
import {
  picturesKey,
  revisionOf,
  STUDY_ANSWERS,
  type StudyAnswer,
  type StudySlice,
  studyDecision,
  studyObject,
  studyOverlay,
  studyProbability,
} from "../study";
import type { Scorer } from "./scoring";

interface StudyContext {
  readonly buckets: {
    readonly curated: ReadableStore;
    readonly models: ReadableStore;
    readonly reports: ReadableStore & CreatableStore;
  };
  readonly warehouse: Workspace["warehouse"];
}

/** An answered slice with the name of its picture. */
type Answered = StudySlice & { readonly object: string };

/** What of a study is known already: a revision of these slices, by this model and rule. */
interface Told {
  last: number;
  readonly keys: Set<string>;
}

/**
 * Writes the answer of every study with slices that the current model has answered, below `studies/` of the reports: what
 * was not told before, or not of all of these slices, or by another model or rule. Each is created once and never changed.
 * The most suspicious slice is asked once more, for the strongest place in it and a picture of the map over it.
 *
 * @returns how many studies have a new answer
 */
export async function answerStudies(
  { buckets, warehouse }: StudyContext,
  scorer: Pick<Scorer, "classifier">,
  now: Date,
  signal?: AbortSignal,
): Promise<number> {
  const current = await currentModel(buckets.models);
  const images = current ? (await currentImages(warehouse)).filter(isOfStudy) : [];
  if (!current || images.length === 0) return 0;
  const { model } = current;
  const answers = new Map<string, { readonly probability: number; readonly decision: ScanDecision }>();
  for (const { row } of await warehouse.rows("predictions"))
    if (row.model === model)
      answers.set(row.sha256, { probability: row.probability, decision: row.decision as ScanDecision });
  const slices = slicesByStudy(images, answers);
  const told = await toldBefore(buckets.reports);
  const report = (await readEvaluation(buckets.reports, model))?.study;
  const rule = createHash("sha256")
    .update(JSON.stringify(report && "rule" in report ? report.rule : null))
    .digest("hex");
  let made = 0;
  let facts: Promise<ModelFacts> | undefined;
  for (const [study, own] of slices) {
    signal?.throwIfAborted();
    const pictures = picturesKey(own);
    const before = told.get(study) ?? { last: 0, keys: new Set() };
    const key = `${pictures} ${model} ${rule.slice(0, 16)}`;
    if (before.keys.has(key)) continue;
    facts ??= factsOf(buckets.models, scorer, model);
    const strongest = own[0] as Answered;
    const shown = await shownOf(buckets.curated, scorer, model, strongest);
    // The picture is damaged or gone: the step that reads all of them says so.
    if (!shown) continue;
    const { peak, picture } = shown;
    const overlay = createHash("sha256").update(picture).digest("hex");
    // Before the answer that names it; what is there under this name already is the same. By whose picture it is, erasure finds it.
    await tryToCreate(buckets.reports, studyOverlay(study, overlay), picture, {
      contentType: "image/png",
      metadata: { picture: strongest.sha256, instance: strongest.instance },
    });
    const revision = before.last + 1;
    const answer = composed(
      { study, revision, now, pictures, slices: own, peak, overlay, report },
      current,
      await facts,
    );
    // Another process, which answers the same: what it wrote counts, and the next run looks again.
    const created = await tryToCreate(buckets.reports, studyObject(study, revision), JSON.stringify(answer), {
      contentType: "application/json",
      metadata: { key },
    });
    if (created) made++;
  }
  return made;
}

type StudyImage = CurrentImage & { readonly study: string; readonly series: string; readonly instance: string };
const isOfStudy = (image: CurrentImage): image is StudyImage => Boolean(image.study && image.instance && image.series);

/** The slices of each study that have an answer, the most suspicious first. */
function slicesByStudy(
  images: readonly StudyImage[],
  answers: ReadonlyMap<string, { readonly probability: number; readonly decision: ScanDecision }>,
): ReadonlyMap<string, readonly Answered[]> {
  const studies = new Map<string, Answered[]>();
  for (const { study, series, instance, source, sequence, view, sha256 } of images) {
    const answer = answers.get(sha256);
    if (!answer) continue;
    const page = Number(/#page=(\d+)$/.exec(source)?.[1] ?? 1);
    const slice = {
      ...{ instance, series, page, sequence: sequence ?? null, view: view ?? null, sha256, ...answer },
      object: curatedName(sha256),
    };
    const others = studies.get(study);
    if (others) others.push(slice);
    else studies.set(study, [slice]);
  }
  for (const slices of studies.values())
    slices.sort((a, b) => b.probability - a.probability || (a.instance < b.instance ? -1 : 1) || a.page - b.page);
  return studies;
}

async function toldBefore(reports: ReadableStore): Promise<ReadonlyMap<string, Told>> {
  const told = new Map<string, Told>();
  for await (const { name, metadata } of reports.listAll(STUDY_ANSWERS)) {
    const found = revisionOf(name);
    if (!found) continue;
    const study = told.get(found.study) ?? { last: 0, keys: new Set() };
    study.last = Math.max(study.last, found.revision);
    study.keys.add(metadata.key ?? "");
    told.set(found.study, study);
  }
  return told;
}

interface ModelFacts {
  readonly metadata: ModelMetadata;
  readonly digest: string;
}

async function factsOf(models: ReadableStore, scorer: Pick<Scorer, "classifier">, model: string): Promise<ModelFacts> {
  const { metadata } = await scorer.classifier(model);
  const digest = createHash("sha256")
    .update(await modelFilesInStore(models, model).read(METADATA_FILE))
    .digest("hex");
  return { metadata, digest };
}

/** The strongest place in a slice, and the slice with the map over it: a colour PNG. */
async function shownOf(
  curated: ReadableStore,
  scorer: Pick<Scorer, "classifier">,
  model: string,
  { object }: Answered,
): Promise<{ readonly peak: StudyAnswer["peak"]; readonly picture: Buffer } | undefined> {
  const bytes = await readCuratedObject(curated, object);
  if ("reason" in bytes) return undefined;
  const { map, geometry, image } = await (await scorer.classifier(model)).score(bytes);
  const explanation = explanationOf(map, geometry);
  return {
    peak: peakInOriginal(explanation, geometry, image),
    picture: await renderOverlay(image, geometry, explanation, { maxSide: SHOWN_SIDE }),
  };
}

function composed(
  {
    study,
    revision,
    now,
    pictures,
    slices,
    peak,
    overlay,
    report,
  }: Pick<StudyAnswer, "study" | "revision" | "pictures" | "peak" | "overlay"> & {
    readonly now: Date;
    readonly slices: readonly Answered[];
    readonly report: StudyReport | undefined;
  },
  { model, verdict }: { readonly model: string; readonly verdict: Verdict },
  { metadata, digest }: ModelFacts,
): StudyAnswer {
  return {
    study,
    revision,
    answered_at: now.toISOString(),
    model,
    model_sha256: digest,
    recipe: metadata.recipe,
    synthetic: metadata.synthetic,
    verdict,
    disclaimer: DISCLAIMER,
    threshold: metadata.threshold,
    uncertain: metadata.uncertain ? { low: metadata.uncertain.low, high: metadata.uncertain.high } : null,
    whole: wholeOf(report, slices),
    pictures,
    slices: slices.map(({ object: _, ...slice }) => slice),
    peak,
    overlay,
  };
}

function wholeOf(report: StudyReport | undefined, slices: readonly StudySlice[]): StudyAnswer["whole"] {
  if (!report)
    return {
      reason: "No evaluation of this model says how studies are answered. Run npm run train again: it only evaluates.",
    };
  if ("reason" in report) return { reason: report.reason };
  const { rule, sentence, verdict } = report;
  const probability = studyProbability(
    rule,
    slices.map((slice) => slice.probability),
  );
  return {
    probability,
    decision: studyDecision(rule, probability),
    threshold: rule.threshold,
    rule: sentence,
    verdict,
  };
}
