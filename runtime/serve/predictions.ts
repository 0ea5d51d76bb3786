import type { IncomingMessage } from "node:http";
import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { gradCam, peakInOriginal, renderOriginal, renderOverlay } from "../explain";
import { RejectedImage } from "../imaging";
import { DISCLAIMER, type Label } from "../intake";
import { type Classifier, type ScanDecision, type ScoredScan, scoreScan, type Verdict } from "../model";
import type { Logger } from "../platform/logging";
import { type CreatableStore, PreconditionFailedError, type ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import type { Admission } from "./admission";
import type { createMetrics } from "./metrics";
import type { ModelSlot } from "./model-slot";
import { Problem, rejectionProblem } from "./problem";

/** The answer to `POST /v1/predictions`. */
export interface Prediction {
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
  /** URL of a PNG: the page with the places that speak for Cancer. */
  readonly overlay: string;
  /** URL of a PNG: the page as it was read. */
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
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly reports: ReadableStore & CreatableStore;
  readonly warehouse: Warehouse;
  readonly log: Logger;
  readonly maxBodyBytes: number;
}

const PATH = "/v1/predictions";
/** Longest side of a picture that is shown, pixels. */
const SHOWN_SIDE = 1024;
const PICTURES = ["overlay", "original"] as const;
type Picture = (typeof PICTURES)[number];

const pictureObject = (id: string, picture: Picture) =>
  picture === "overlay" ? `overlays/${id}.png` : `overlays/${id}-original.png`;

/** Routes below `/v1/predictions`. */
export async function predictionRoutes(app: FastifyInstance, dependencies: PredictionDependencies): Promise<void> {
  const { admission, reports, metrics, maxBodyBytes } = dependencies;

  // A content type proves nothing: whatever is not multipart is taken as the bytes of a scan.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/octet-stream",
    { parseAs: "buffer", bodyLimit: maxBodyBytes },
    (_, body, done) => done(null, body),
  );
  await app.register(multipart, { limits: { fileSize: maxBodyBytes, files: 4, fields: 32, fieldSize: 1 << 20 } });

  const admitted = new WeakSet<FastifyRequest>();
  app.addHook("onRequest", async (request) => {
    if (request.method !== "POST") return;
    if (request.headers["sec-fetch-site"] === "cross-site") {
      throw new Problem(403, "cross-site", "Pages of other sites may not send scans to this server.");
    }
    const length = Number(request.headers["content-length"] ?? 0);
    if (length > maxBodyBytes + MULTIPART_OVERHEAD) throw tooLarge(maxBodyBytes);
    asBytes(request.raw);
    if (!admission.enter()) {
      throw new Problem(503, "busy", "The server has as many scans as it can take. Send this one again in a moment.", {
        "retry-after": "1",
      });
    }
    admitted.add(request);
  });
  const leave = (request: FastifyRequest) => {
    if (admitted.delete(request)) admission.leave();
  };
  app.addHook("onResponse", async (request) => leave(request));
  app.addHook("onRequestAbort", async (request) => leave(request));

  app.post(PATH, { bodyLimit: maxBodyBytes }, async (request, reply) => {
    const end = metrics.seconds.startTimer();
    const bytes = request.isMultipart() ? await fileOf(request, maxBodyBytes) : request.body;
    if (!Buffer.isBuffer(bytes) || bytes.length === 0) {
      throw new Problem(
        400,
        "empty-file",
        "The request has no bytes. Send the scan as the body, or as the field file.",
      );
    }
    const prediction = await admission.inTurn(() => predict(dependencies, request, bytes));
    metrics.predictions.inc({ model: prediction.model, decision: prediction.decision });
    end();
    return reply.header("cache-control", "no-store").send(prediction);
  });

  app.route({
    method: ["GET", "HEAD", "PUT", "PATCH", "DELETE"],
    url: PATH,
    handler: async () => {
      throw new Problem(405, "method-not-allowed", `Send a scan with POST ${PATH}.`, { allow: "POST" });
    },
  });

  for (const picture of PICTURES) {
    app.get<{ Params: { id: string } }>(`${PATH}/:id/${picture}`, async (request, reply) => {
      const { id } = request.params;
      const name = pictureObject(id, picture);
      if (!/^[0-9a-f]{64}$/.test(id) || !(await reports.stat(name))) {
        throw new Problem(404, "not-found", "There is no prediction with this id. Send the scan again.");
      }
      return reply
        .type("image/png")
        .header("cache-control", "private, max-age=3600, immutable")
        .send(await reports.read(name));
    });
  }
}

/** What boundaries and headers of a multipart body may add to the file, bytes. */
const MULTIPART_OVERHEAD = 64 * 1024;

/** Presents a body of any other type, or of none, as plain bytes. */
function asBytes(message: IncomingMessage): void {
  const type = message.headers["content-type"];
  if (!/^multipart\/form-data\b/i.test(type ?? "")) message.headers["content-type"] = "application/octet-stream";
}

function tooLarge(maxBodyBytes: number): Problem {
  return new Problem(
    413,
    "file-too-large",
    `The scan is larger than ${Math.floor(maxBodyBytes / 2 ** 20)} MiB, the most that is taken here.`,
  );
}

/** The field `file` of a multipart body. */
async function fileOf(request: FastifyRequest, maxBodyBytes: number): Promise<Buffer> {
  let file: Buffer | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type !== "file") continue;
      if (part.fieldname === "file" && file === undefined) file = await part.toBuffer();
      else part.file.resume();
    }
  } catch (error) {
    if ((error as { code?: unknown }).code === "FST_REQ_FILE_TOO_LARGE") throw tooLarge(maxBodyBytes);
    throw new Problem(400, "bad-multipart", "The multipart body cannot be read. Send the scan as the field file.");
  }
  if (file) return file;
  throw new Problem(400, "no-file", "The multipart body has no file in the field file.");
}

async function predict(
  { slot, reports, warehouse, log }: PredictionDependencies,
  request: FastifyRequest,
  bytes: Buffer,
): Promise<Prediction> {
  if (!slot.current) await slot.refresh();
  const prediction = await slot.use(async (classifier, verdict) => {
    const scored = await score(bytes, classifier);
    const { metadata } = classifier;
    const { id, image, geometry, probability, label, decision } = scored;
    const explanation = await gradCam(classifier, scored.pixels, geometry);
    await Promise.all([
      keep(reports, pictureObject(id, "overlay"), () =>
        renderOverlay(image, geometry, explanation, { maxSide: SHOWN_SIDE }),
      ),
      keep(reports, pictureObject(id, "original"), () => renderOriginal(image, { maxSide: SHOWN_SIDE })),
    ]);
    const answer = {
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
    };
    await warehouse.append("predictions", request.id, [answer], { unique: true });
    log.info({ request: request.id, prediction: id, model: metadata.id, label, decision, probability }, "Prediction");
    const url = (picture: Picture) => `${request.protocol}://${request.host}${PATH}/${id}/${picture}`;
    return {
      id,
      verdict,
      model: metadata.id,
      recipe: metadata.recipe,
      probability,
      label,
      decision,
      uncertain: metadata.uncertain ? { low: metadata.uncertain.low, high: metadata.uncertain.high } : null,
      threshold: metadata.threshold,
      overlay: url("overlay"),
      original: url("original"),
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
  });
  if (prediction) return prediction;
  throw new Problem(503, "no-model", slot.problem ?? "No model is loaded.", { "retry-after": "5" });
}

async function score(bytes: Buffer, classifier: Classifier): Promise<ScoredScan> {
  try {
    return await scoreScan(bytes, classifier);
  } catch (error) {
    if (error instanceof RejectedImage) throw rejectionProblem(error);
    throw error;
  }
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
