import { createHash } from "node:crypto";
import type { FastifyBaseLogger } from "fastify";
import { leafOfRow, newSalt } from "../audit";
import { peakInOriginal, peakOf } from "../explain";
import { type ImageLimits, RejectedImage } from "../imaging";
import { DISCLAIMER, type Identities } from "../intake";
import { assumedPrevalence, type EncodedScan, type Verdict } from "../model";
import type { Logger } from "../platform/logging";
import type { Warehouse } from "../platform/warehouse";
import type { Audit, Caller } from "./identity";
import type { Accessions } from "./kept/accessions";
import type { Answers, EncodedPage, KeptPage, KeptStudy } from "./kept/answers";
import type { TimeIndex } from "./kept/time-index";
import type { createMetrics } from "./metrics";
import { type ModelSlot, noModel } from "./model-slot";
import type { Pictures } from "./pictures";
import { tooLate } from "./problem";
import { priceOf, type Queue } from "./queue";
import type { FileReaders } from "./reading/file-readers";
import type { HistoryItem, Prediction } from "./schemas";
import type { Scorer } from "./scoring";
import type { Shadow } from "./shadow";
import { studyOf } from "./studies";

export interface AnsweringDependencies {
  readonly slot: ModelSlot;
  readonly queue: Queue;
  readonly answers: Answers;
  readonly pictures: Pictures;
  readonly readers: FileReaders;
  readonly history: TimeIndex;
  readonly accessions: Accessions;
  readonly warehouse: Warehouse;
  /** What stands for the patient, study, series and instance of a DICOM. */
  readonly identities: Identities;
  readonly audit: Audit;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly log: Logger | FastifyBaseLogger;
  readonly limits: Pick<ImageLimits, "bytes" | "pages" | "pixels" | "totalPixels">;
  /** Share of Cancer among the hospital's scans, where it is stated: answers are restated for it, and decided as before. */
  readonly prevalence: number | undefined;
  /** Seconds from the end of the upload: an answer is given within them or not at all. */
  readonly deadlineSeconds: number;
  /** Whether this process is bound to its model, and does not follow the current one. */
  readonly pinned: boolean;
  /** Asks a second model for what was answered. */
  readonly shadow: Shadow | undefined;
}

/** Who asks, under which name. */
export interface Asked extends Caller {
  readonly request: string;
}

export const PREDICTIONS = "/v1/predictions";

/**
 * The way of one file: refused by its headers where it can be, else queued, answered in its turn, and kept, with a row of
 * who asked, before the answer is given.
 *
 * @param gone aborted once nobody waits for it any more
 * @throws {RejectedImage} for the file; {Problem} `busy`, `too-late`, `no-model`, or the reason of `gone`
 */
export async function answerFor(
  dependencies: AnsweringDependencies,
  asked: Asked,
  bytes: Buffer,
  gone: AbortSignal,
): Promise<Prediction> {
  const { slot, queue, readers, limits, metrics, deadlineSeconds, shadow } = dependencies;
  const end = metrics.seconds.startTimer();
  const begun = performance.now();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(tooLate(deadlineSeconds, queue.wait)), deadlineSeconds * 1000);
  const signal = AbortSignal.any([gone, late.signal]);
  let work: Work | undefined;
  let compare: (model: string) => void = () => undefined;
  try {
    const price = priceOf(await readers.outline(bytes, limits, signal));
    compare = (model) =>
      shadow?.offer({ ...asked, bytes, large: price.large, model, scored: work?.scored, milliseconds: work?.scoring });
    const prediction = await queue.admit(price, signal, async (lane) => {
      work = await lane(() =>
        slot.use(async (scorer, verdict) => {
          const turn = performance.now();
          const scored = await scorer.encode(bytes, { limits, signal });
          return { scorer, verdict, scored, begun, scoring: Math.round(performance.now() - turn) };
        }),
      );
      if (!work) throw noModel(slot);
      signal.throwIfAborted();
      return keep(dependencies, asked, bytes, work, signal);
    });
    // The last of it was written in the moment in which it became too late.
    signal.throwIfAborted();
    metrics.predictions.inc({ model: prediction.model, decision: prediction.decision });
    end();
    compare(prediction.model);
    return prediction;
  } catch (error) {
    // Of what a model refuses, another may think otherwise.
    const refusing = error instanceof RejectedImage && error.code === "not-a-brain-scan" && slot.current?.metadata.id;
    if (refusing) compare(refusing);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

interface Work {
  readonly scorer: Scorer;
  readonly verdict: Verdict;
  readonly scored: EncodedScan;
  /** When the upload had ended, by `performance.now()`. */
  readonly begun: number;
  /** Decoding and answering alone, milliseconds. */
  readonly scoring: number;
}

async function keep(
  dependencies: AnsweringDependencies,
  { request, who, role }: Asked,
  bytes: Buffer,
  { scorer, verdict, scored, begun }: Work,
  signal: AbortSignal,
): Promise<Prediction> {
  const { answers, pictures, history, accessions, warehouse, audit, log, limits, prevalence, pinned } = dependencies;
  const { metadata } = scorer;
  const { id, geometry, probability, label, decision, map, features } = scored;
  const at = new Date();
  const pages = await answers.keepPages(scored, pagesOf(scored, bytes, { pictures, limits, signal }), at);
  const study = await studyNamed(dependencies, scored, bytes, request, signal);
  signal.throwIfAborted();
  const row = {
    request,
    id,
    model: metadata.id,
    recipe: metadata.recipe,
    probability,
    label,
    decision,
    threshold: metadata.threshold,
    sha256: scored.sha256,
    predicted_at: at.toISOString(),
    who,
    milliseconds: Math.round(performance.now() - begun),
    salt: newSalt(),
    ...(pinned ? { served_as: "pinned" as const } : {}),
  };
  const prediction = predictionOf(scorer, scored, pages, {
    request,
    verdict,
    at,
    prevalence,
    keptUntil: answers.keptUntil(at),
    leaf: leafOfRow("predictions", row),
    study,
    pinned,
    fileSha256: createHash("sha256").update(bytes).digest("hex"),
  });
  const kept = {
    prediction,
    map: { ...map, values: [...map.values] },
    geometry,
    who,
    // Nine digits tell any two 32-bit floats apart.
    features: Array.from(features, (value) => Number(value.toPrecision(9))),
    study,
  };
  // Before anything of the answer can be found.
  await audit.record({
    action: "predict",
    who,
    role,
    request,
    subject: id,
    sha256: scored.sha256,
    model: metadata.id,
    recipe: metadata.recipe,
    result: decision,
    ...(pinned ? { servedAs: "pinned" } : {}),
  });
  await answers.keep(kept, at);
  await Promise.all([
    history.add(at, request, { ...factsOf(prediction, who), sha256: scored.sha256 }),
    ...(study?.accession
      ? [
          accessions.add(study.accession, {
            id,
            request,
            label,
            sha256: scored.sha256,
            probability,
            at: row.predicted_at,
          }),
        ]
      : []),
    warehouse.append("predictions", request, [row], { unique: true }),
  ]);
  log.info({ request, prediction: id, model: metadata.id, label, decision, probability }, "Prediction");
  return prediction;
}

/** An answer is given without its study where the key of pseudonyms cannot be had: what needs one then says so. */
async function studyNamed(
  { readers, identities, log }: Pick<AnsweringDependencies, "readers" | "identities" | "log">,
  { format, page }: EncodedScan,
  bytes: Buffer,
  request: string,
  signal: AbortSignal,
): Promise<KeptStudy | undefined> {
  if (format !== "dicom") return undefined;
  try {
    const facts = await readers.study(bytes, page, signal);
    return facts && (await studyOf(facts, page, identities));
  } catch (error) {
    signal.throwIfAborted();
    log.error({ err: error, request }, "The study of a scan cannot be named, so nothing is kept of it");
    return undefined;
  }
}

/** A page comes with its answer; a scan of several is decoded a second time. */
async function* pagesOf(
  { page, image: { width, height, depth }, png, slices }: EncodedScan,
  bytes: Buffer,
  { pictures, limits, signal }: Pick<AnsweringDependencies, "pictures" | "limits"> & { readonly signal: AbortSignal },
): AsyncGenerator<EncodedPage> {
  if (png) yield { page, width, height, depth, png };
  else yield* pictures.pages({ bytes, limits, pages: slices.map((slice) => slice.page) }, signal);
}

/** What an answer holds beside what follows from the model and the pages. */
interface Given {
  readonly request: string;
  readonly verdict: Verdict;
  readonly at: Date;
  readonly keptUntil: Date;
  /** Share of Cancer that the hospital states. */
  readonly prevalence: number | undefined;
  /** Of the bytes that were sent. */
  readonly fileSha256: string;
  /** Of what study the scan is, where that is kept. */
  readonly study: Pick<KeptStudy, "study" | "series" | "instance"> | undefined;
  /** Of the answer's row in the audit log; undefined of an answer that an earlier program gave. */
  readonly leaf: string | undefined;
  /** Whether the process was bound to the model. */
  readonly pinned: boolean;
}

/** Objects of DICOM belong to a study: where none is known, there are none. */
const REPORTS = { always: ["fhir", "hl7"], ofStudies: ["sr", "sc"] } as const;

/** The answer as it is given, kept, and composed again when it is replayed. */
export function predictionOf(
  { metadata, digest }: Pick<Scorer, "metadata" | "digest">,
  scored: Omit<EncodedScan, "format" | "features" | "png">,
  pages: readonly KeptPage[],
  { request, verdict, at, keptUntil, prevalence, fileSha256, study, leaf, pinned }: Given,
): Prediction {
  const { id, image, geometry, probability, label, decision, map } = scored;
  const sizes = new Map(pages.map((page) => [page.page, page]));
  // Paths, and not URLs: what a client says of the host in its headers proves nothing.
  const path = (what: string) => `${PREDICTIONS}/${id}/${what}`;
  const [overlay, original] = [path("overlay"), path("original")];
  return {
    request,
    id,
    verdict,
    model: metadata.id,
    ...(pinned ? { pinned } : {}),
    recipe: metadata.recipe,
    probability,
    label,
    decision,
    uncertain: metadata.uncertain ? { low: metadata.uncertain.low, high: metadata.uncertain.high } : null,
    threshold: metadata.threshold,
    prevalence: assumedPrevalence(probability, metadata, prevalence),
    overlay,
    original,
    disclaimer: DISCLAIMER,
    page: scored.page,
    pages: scored.pages,
    rejected_pages: scored.rejectedPages.map(({ page, reason }) => ({
      page,
      code: reason.code,
      detail: reason.message,
    })),
    width: image.width,
    height: image.height,
    peak: peakInOriginal({ peak: peakOf(map, geometry) }, geometry, image),
    synthetic: metadata.synthetic,
    slices: scored.slices.map(({ page, probability: of, sha256 }) => {
      const { width = 0, height = 0, depth = 8 } = sizes.get(page) ?? {};
      return { page, probability: of, sha256, width, height, depth, pixels: path(`pages/${page}`) };
    }),
    map: { path: path("map"), page: scored.page, rows: map.rows, columns: map.columns },
    pictures: { overlay, original, seen: `/v1/scans/${id}/picture` },
    reports: [...REPORTS.always, ...(study ? REPORTS.ofStudies : [])].map((format) => ({
      format,
      path: path(`report?format=${format}`),
    })),
    ...(study ? { study: { study: study.study, series: study.series, instance: study.instance } } : {}),
    receipt: {
      request,
      model: metadata.id,
      model_sha256: digest,
      recipe: metadata.recipe,
      file_sha256: fileSha256,
      pages: scored.slices.map(({ page, sha256 }) => ({ page, sha256 })),
      answered_at: at.toISOString(),
      kept_until: keptUntil.toISOString(),
      ...(leaf === undefined ? {} : { leaf }),
    },
  };
}

type Fact = Exclude<keyof HistoryItem, "request" | "answered_at" | "study" | "pinned">;
/** Of a scan that says no study, none; nor of answers of before it was written down. */
type Facts = Record<Fact, string> & { readonly study?: string; readonly pinned?: "yes" };

/** What the history says of an answer, as texts. */
function factsOf(prediction: Prediction, who: string): Facts {
  const { id, model, probability, label, decision, threshold, page, pages, receipt, study } = prediction;
  return {
    id,
    model,
    probability: String(probability),
    label,
    decision,
    threshold: String(threshold),
    page: String(page),
    pages: String(pages),
    who,
    kept: receipt.kept_until,
    ...(study ? { study: study.study } : {}),
    ...(prediction.pinned ? { pinned: "yes" as const } : {}),
  };
}

/** The same read again. */
export function historyItem(request: string, at: Date, facts: Readonly<Record<string, string>>): HistoryItem {
  const { id, model, label, decision, who, kept, probability, threshold, page, pages, study, pinned } = facts as Facts;
  return {
    request,
    id,
    model,
    probability: Number(probability),
    label: label as HistoryItem["label"],
    decision: decision as HistoryItem["decision"],
    threshold: Number(threshold),
    page: Number(page),
    pages: Number(pages),
    answered_at: at.toISOString(),
    who,
    ...(study === undefined ? {} : { study }),
    kept: Date.parse(kept) > Date.now(),
    ...(pinned ? { pinned: true } : {}),
  };
}
