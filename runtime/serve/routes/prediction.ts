import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { curatedName, readCuratedObject } from "../../dataset";
import { RECIPE } from "../../imaging";
import type { ReadableStore } from "../../platform/stores";
import { PREDICTIONS } from "../answering";
import type { Bodies } from "../bodies";
import type { Connections } from "../connections";
import { type AuditAction, requireRole } from "../identity";
import type { Answers, KeptAnswer } from "../kept/answers";
import type { FeedbackBook } from "../kept/feedback";
import type { Idempotency } from "../kept/idempotency";
import { DamagedPage, type StoredPage } from "../kept/stored-page";
import type { KnownShelf } from "../known-shelf";
import { IDEMPOTENT, jsonBody, picture, responses } from "../openapi";
import type { Pictures } from "../pictures";
import { notFound, Problem } from "../problem";
import type { Queue } from "../queue";
import { idParams, replyOnce, withJson } from "../request";
import {
  feedbackBodySchema,
  feedbackListSchema,
  feedbackSchema,
  mapSchema,
  overlayQuerySchema,
  pictureQuerySchema,
  predictionSchema,
  type SaliencyMap,
} from "../schemas";
import { A_PICTURE, lookAt, SHOW, UNCHANGING } from "./look";

export interface PredictionDependencies {
  /** Pictures are drawn so many at a time, however many are asked for. */
  readonly drawing: Queue;
  readonly pictures: Pictures;
  readonly connections: Connections;
  readonly answers: Answers;
  readonly feedback: FeedbackBook;
  readonly bodies: Bodies;
  readonly keys: Idempotency;
  readonly shelf: KnownShelf;
  /** Where the pictures of known scans lie; undefined where they are not shown. */
  readonly curated: ReadableStore | undefined;
}

const BY_ID = `${PREDICTIONS}/:id`;

/** What is kept of one answer: its pictures, its map, its pages, and what people say of it. */
export async function predictionRoutes(app: FastifyInstance, dependencies: PredictionDependencies): Promise<void> {
  const { drawing, pictures, connections, answers, feedback, bodies, keys, shelf, curated } = dependencies;
  const api = app.withTypeProvider<ZodTypeProvider>();

  const look = (request: FastifyRequest<{ Params: { id: string } }>, action: AuditAction) =>
    lookAt(app, answers, request, action);
  /** Sends a picture, which is drawn in its turn and not for who has left. */
  const send = async (request: FastifyRequest, reply: FastifyReply, picture: () => Promise<Buffer>) => {
    const drawn = await connections.whileWorking(request.raw, (gone) =>
      drawing.admit(A_PICTURE, gone, (lane) => lane(picture)),
    );
    return reply.type("image/png").header("cache-control", UNCHANGING).send(drawn);
  };
  const draw = (
    request: FastifyRequest,
    reply: FastifyReply,
    answer: KeptAnswer,
    page: number,
    picture: (page: StoredPage) => Promise<Buffer>,
  ) => {
    const slice = pageOf(answer, page);
    return send(request, reply, () => answers.withPage(answer, slice, picture));
  };
  /** A scan of the data set: of a patient who is not the one that is asked about. */
  const drawKnown = async (
    request: FastifyRequest<{ Params: { id: string } }>,
    reply: FastifyReply,
    page: number | undefined,
  ) => {
    requireRole(request.caller, "clinician");
    const scan = await shelf.find(request.params.id);
    if (!scan || !curated) throw notFound("Nothing is kept of a prediction, and no known scan is there, with this id.");
    if (page !== undefined && page !== 1) throw notFound("A known scan has one page.");
    const { id, sha256 } = scan;
    await app.audit.record({ action: "view-scan", ...request.caller, request: request.id, subject: id, sha256 });
    return send(request, reply, async () => {
      const png = await readCuratedObject(curated, curatedName(sha256));
      if ("reason" in png) throw damagedScan(png.message);
      return pictures.original({ png, sha256 }).catch((error: unknown) => {
        throw error instanceof DamagedPage ? damagedScan(`its file ${error.message}.`) : error;
      });
    });
  };
  const pageOf = ({ prediction }: KeptAnswer, page: number) => {
    const slice = prediction.slices.find((each) => each.page === page);
    if (slice) return slice;
    const pages = prediction.slices.map((each) => each.page).join(", ");
    throw notFound(`The prediction has no page ${page}. It was drawn from: ${pages}.`);
  };

  api.get(BY_ID, {
    ...SHOW,
    schema: {
      summary: "The newest answer of an id",
      params: idParams,
      response: responses({ 200: predictionSchema }),
    },
    handler: async (request, reply) => {
      const { prediction } = await look(request, "view-prediction");
      return reply.header("cache-control", "no-store").send(prediction);
    },
  });

  api.get(`${BY_ID}/overlay`, {
    ...SHOW,
    schema: {
      summary: "The page with the places that speak for Cancer, at most 1,024 pixels wide and high",
      params: idParams,
      querystring: overlayQuerySchema,
      response: responses(picture("The overlay")),
    },
    handler: async (request, reply) => {
      const answer = await look(request, "view-overlay");
      const { map, geometry, prediction } = answer;
      const { opacity } = request.query;
      return draw(request, reply, answer, prediction.page, (page) =>
        pictures.overlay({ page, map, geometry, opacity }),
      );
    },
  });

  api.get(`${BY_ID}/original`, {
    ...SHOW,
    schema: {
      summary: "The page as it was read, 8 bits, at most 1,024 pixels wide and high",
      params: idParams,
      response: responses(picture("The page")),
    },
    handler: async (request, reply) => {
      const answer = await look(request, "view-original");
      return draw(request, reply, answer, answer.prediction.page, (page) => pictures.original(page));
    },
  });

  api.get(`${BY_ID}/pages/:page`, {
    ...SHOW,
    schema: {
      summary: "A page at its full size and depth: a lossless grey PNG of 8 or 16 bits",
      params: idParams.extend({ page: z.string().regex(/^[1-9]\d{0,4}$/) }),
      response: responses(picture("The page")),
    },
    handler: async (request, reply) => {
      const answer = await look(request, "view-pixels");
      return draw(request, reply, answer, Number(request.params.page), (page) => pictures.stored(page));
    },
  });

  api.get(`${BY_ID}/map`, {
    ...SHOW,
    schema: {
      summary: "Where the model looked, as numbers",
      params: idParams,
      response: responses({ 200: mapSchema }),
    },
    handler: async (request, reply) => {
      const answer = await look(request, "view-map");
      return reply.header("cache-control", UNCHANGING).send(mapOf(answer));
    },
  });

  api.get("/v1/scans/:id/picture", {
    ...SHOW,
    schema: {
      summary:
        "Of an answer: what the model saw of the page that it is about, or of another, 128 x 128 pixels. Of a known scan, for clinicians: the page, 8 bits, at most 1,024 pixels wide and high",
      params: idParams,
      querystring: pictureQuerySchema,
      response: responses(picture("The picture")),
    },
    handler: async (request, reply) => {
      // Ids of answers and of known scans are hashes of different things.
      if (!(await answers.newest(request.params.id))) return drawKnown(request, reply, request.query.page);
      const answer = await look(request, "view-pixels");
      const page = request.query.page ?? answer.prediction.page;
      return draw(request, reply, answer, page, (stored) => pictures.seen(stored));
    },
  });

  api.post(`${BY_ID}/feedback`, {
    config: { role: "clinician", takes: jsonBody(feedbackBodySchema) },
    schema: {
      summary: "What a person holds the scan for: a later one of the same person replaces it",
      params: idParams,
      headers: IDEMPOTENT,
      response: responses({ 200: feedbackSchema }, 409, 413, 422),
    },
    handler: (request, reply) =>
      withJson(bodies, request, feedbackBodySchema, (given, body) =>
        replyOnce(keys, request, reply, "feedback", [body], async () => {
          if (given.confirm) requireRole(request.caller, "admin");
          const { prediction } = await look(request, "feedback");
          return feedback.give(prediction, given, request.caller.who);
        }),
      ),
  });

  api.get(`${BY_ID}/feedback`, {
    ...SHOW,
    schema: {
      summary: "What people said of an answer, the newest first",
      params: idParams,
      response: responses({ 200: feedbackListSchema }),
    },
    handler: async (request, reply) => {
      await look(request, "view-prediction");
      return reply.header("cache-control", "no-store").send({ items: [...(await feedback.of(request.params.id))] });
    },
  });
}

const damagedScan = (what: string) =>
  new Problem(
    500,
    "scan-damaged",
    `The picture of this scan cannot be shown: ${what} Tell who runs this service to upload the scan again.`,
  );

function mapOf({ prediction, map, geometry }: KeptAnswer): SaliencyMap {
  const { page, peak, width, height } = prediction;
  const { left, top, padLeft, padTop, scale } = geometry;
  return {
    page,
    rows: map.rows,
    columns: map.columns,
    values: [...map.values],
    square: { x: left - padLeft * scale, y: top - padTop * scale, side: RECIPE.side * scale },
    foreground: { x: left, y: top, width: geometry.width, height: geometry.height },
    peak,
    width,
    height,
  };
}
