import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { explanationOf, peakInOriginal, renderOriginal, renderOverlay } from "../explain";
import { type ImageLimits, outlineScan } from "../imaging";
import { DISCLAIMER, type Label } from "../intake";
import { type ScanDecision, scoreScan, type Verdict } from "../model";
import type { Logger } from "../platform/logging";
import { type CreatableStore, PreconditionFailedError, type ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import { type Admission, NoPlaceError, type Turn } from "./admission";
import type { Bodies } from "./bodies";
import type { Connections } from "./connections";
import type { createMetrics } from "./metrics";
import { type ModelSlot, noModel } from "./model-slot";
import { fileOf, isMultipart, MULTIPART_OVERHEAD } from "./multipart";
import { busy, Problem } from "./problem";

/** The answer to `POST /v1/predictions`. */
export interface Prediction {
  /** Of this answer alone. */
  readonly request: string;
  /** The same image under the same model has the same id. */
  readonly id: string;
  /** Whether the model is fit for use: read it before the rest. */
  readonly verdict: Verdict;
  readonly model: string;
  readonly recipe: string;
  /** Of Cancer, 0 to 1. */
  readonly probability: number;
  readonly label: Label;
  /** The label, or Uncertain where the probability lies within the model's band. */
  readonly decision: ScanDecision;
  /** Probabilities from and to which the decision is Uncertain; null where the model has no band. */
  readonly uncertain: { readonly low: number; readonly high: number } | null;
  /** Probability from which the label is Cancer. */
  readonly threshold: number;
  /** Path of a PNG: the page with the places that speak for Cancer. */
  readonly overlay: string;
  /** Path of a PNG: the page as it was read. */
  readonly original: string;
  readonly disclaimer: string;
  /** The page that the answer is about: the most suspicious one, from 1. */
  readonly page: number;
  /** Pages that were read. */
  readonly pages: number;
  /** Pages of the file that could not be read. */
  readonly rejected_pages: readonly { readonly page: number; readonly code: string; readonly detail: string }[];
  /** Of that page, pixels. */
  readonly width: number;
  readonly height: number;
  /** Strongest place for Cancer, pixels of that page. */
  readonly peak: { readonly x: number; readonly y: number };
  /** True when the model was trained on drawn phantoms only. */
  readonly synthetic: boolean;
}

export interface PredictionDependencies {
  readonly slot: ModelSlot;
  readonly admission: Admission;
  readonly bodies: Bodies;
  readonly connections: Connections;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly reports: ReadableStore & CreatableStore;
  readonly warehouse: Warehouse;
  readonly log: Logger;
  readonly limits: Pick<ImageLimits, "bytes" | "pages" | "pixels" | "totalPixels">;
}

export const PREDICTIONS = "/v1/predictions";
/** A scan of more pages than one, or of more pixels than these, is large: others are soon done beside it. */
const LARGE_PIXELS = 4_000_000;
/** Longest side of a picture that is shown, pixels. */
const SHOWN_SIDE = 1024;
const PICTURES = ["overlay", "original"] as const;
type Picture = (typeof PICTURES)[number];

const pictureObject = (id: string, picture: Picture) =>
  picture === "overlay" ? `overlays/${id}.png` : `overlays/${id}-original.png`;

/** Routes below `/v1/predictions`. */
export async function predictionRoutes(app: FastifyInstance, dependencies: PredictionDependencies): Promise<void> {
  const { slot, reports, bodies, connections, metrics, limits } = dependencies;
  const tooLarge = new Problem(
    413,
    "file-too-large",
    `The scan is larger than ${Math.floor(limits.bytes / 2 ** 20)} MiB, the most that is taken here.`,
  );
  const mostBytes = (message: IncomingMessage) =>
    limits.bytes + (isMultipart(message.headers["content-type"]) ? MULTIPART_OVERHEAD : 0);

  app.post(PREDICTIONS, {
    config: { role: "clinician" },
    onRequest: async ({ raw }) => {
      if (Number(raw.headers["content-length"] ?? 0) > mostBytes(raw)) throw tooLarge;
      if (!slot.current) await slot.refresh();
      if (!slot.current) throw noModel(slot);
    },
    handler: async (request, reply) => {
      const { raw } = request;
      const prediction = await bodies.receive(raw, mostBytes(raw), tooLarge, (body) =>
        connections.whileWorking(raw, async (gone) => {
          const end = metrics.seconds.startTimer();
          const answer = await answerFor(dependencies, request, body, gone);
          metrics.predictions.inc({ model: answer.model, decision: answer.decision });
          end();
          return answer;
        }),
      );
      return reply.header("cache-control", "no-store").send(prediction);
    },
  });

  for (const picture of PICTURES) {
    app.get<{ Params: { id: string } }>(
      `${PREDICTIONS}/:id/${picture}`,
      { config: { role: "viewer" } },
      async (request, reply) => {
        const { id } = request.params;
        const name = pictureObject(id, picture);
        const stored = /^[0-9a-f]{64}$/.test(id) ? await reports.stat(name) : undefined;
        if (!stored) {
          throw new Problem(404, "not-found", "There is no prediction with this id. Send the scan again.");
        }
        await app.audit.record({ action: `view-${picture}`, ...request.caller, request: request.id, subject: id });
        return reply
          .type("image/png")
          .header("cache-control", "private, max-age=3600, immutable")
          .header("content-length", stored.size)
          .send(await reports.createReadStream(name, { generation: stored.generation }));
      },
    );
  }
}

/** Refuses at once what can be refused without work, and works in a place of its own else. */
async function answerFor(
  dependencies: PredictionDependencies,
  request: FastifyRequest,
  body: Buffer,
  gone: AbortSignal,
): Promise<Prediction> {
  const { admission, limits } = dependencies;
  const type = request.raw.headers["content-type"];
  const bytes = isMultipart(type) ? await fileOf(body, type) : body;
  if (bytes.length === 0) {
    throw new Problem(400, "empty-file", "The request has no bytes. Send the scan as the body, or as the field file.");
  }
  const { pages, pixels } = outlineScan(bytes, limits);
  const large = pages > 1 || pixels > LARGE_PIXELS;
  try {
    return await admission.admit(large, gone, (turn) => predict(dependencies, request, bytes, turn, gone));
  } catch (error) {
    if (!(error instanceof NoPlaceError)) throw error;
    throw busy(`as many ${error.large ? "large " : ""}scans as it can take`);
  }
}

async function predict(
  { slot, limits, reports, warehouse, log }: PredictionDependencies,
  request: FastifyRequest,
  bytes: Buffer,
  turn: Turn,
  gone: AbortSignal,
): Promise<Prediction> {
  const work = await turn.during(() =>
    slot.use(async (classifier, verdict) => {
      const scored = await scoreScan(bytes, classifier, { limits, pause: () => turn.pass() });
      gone.throwIfAborted();
      const explanation = explanationOf(scored.map, scored.geometry);
      return { metadata: classifier.metadata, verdict, scored, explanation };
    }),
  );
  if (!work) throw noModel(slot);
  gone.throwIfAborted();
  const { metadata, verdict, scored, explanation } = work;
  const { id, image, geometry, probability, label, decision } = scored;
  await Promise.all([
    keep(reports, pictureObject(id, "overlay"), () =>
      renderOverlay(image, geometry, explanation, { maxSide: SHOWN_SIDE }),
    ),
    keep(reports, pictureObject(id, "original"), () => renderOriginal(image, { maxSide: SHOWN_SIDE })),
  ]);
  gone.throwIfAborted();
  const row = {
    request: request.id,
    id,
    model: metadata.id,
    recipe: metadata.recipe,
    probability,
    label,
    decision,
    threshold: metadata.threshold,
    sha256: scored.sha256,
    predicted_at: new Date().toISOString(),
    who: request.caller.who,
  };
  await warehouse.append("predictions", request.id, [row], { unique: true });
  await request.server.audit.record({
    action: "predict",
    ...request.caller,
    request: request.id,
    subject: id,
    sha256: scored.sha256,
    model: metadata.id,
    recipe: metadata.recipe,
    result: decision,
  });
  log.info({ request: request.id, prediction: id, model: metadata.id, label, decision, probability }, "Prediction");
  // A path, and not a URL: what a client says of the host in its headers proves nothing.
  const path = (picture: Picture) => `${PREDICTIONS}/${id}/${picture}`;
  return {
    request: request.id,
    id,
    verdict,
    model: metadata.id,
    recipe: metadata.recipe,
    probability,
    label,
    decision,
    uncertain: metadata.uncertain ? { low: metadata.uncertain.low, high: metadata.uncertain.high } : null,
    threshold: metadata.threshold,
    overlay: path("overlay"),
    original: path("original"),
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
    peak: peakInOriginal(explanation, geometry, image),
    synthetic: metadata.synthetic,
  };
}

/** Stores a picture once: the same id always shows the same. */
async function keep(store: ReadableStore & CreatableStore, name: string, render: () => Promise<Buffer>): Promise<void> {
  if (await store.stat(name)) return;
  try {
    await store.create(name, await render(), { contentType: "image/png" });
  } catch (error) {
    if (!(error instanceof PreconditionFailedError)) throw error;
  }
}
