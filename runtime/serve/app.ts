import { randomUUID } from "node:crypto";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController, type RouteOptions } from "fastify";
import { DISCLAIMER } from "../intake";
import type { Logger } from "../platform/logging";
import type { CreatableStore, ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import { Admission } from "./admission";
import { Bodies } from "./bodies";
import { Connections } from "./connections";
import { SERVE_DEFAULTS } from "./contract";
import { Audit, type Authentication, identify, type KeyTimes, NO_AUTHENTICATION, secureHeaders } from "./identity";
import { createMetrics } from "./metrics";
import { ModelSlot, noModel } from "./model-slot";
import { MULTIPART_OVERHEAD } from "./multipart";
import { pageRoutes } from "./page/routes";
import { PREDICTIONS, predictionRoutes } from "./predictions";
import { Problem, sendProblem, stopping, toProblem } from "./problem";
import {
  answerClientError,
  answerFrameworkError,
  answerUnusual,
  checkRequest,
  parserOptions,
  refuseOtherMethods,
} from "./protocol";

export interface ServerDependencies {
  readonly models: ReadableStore;
  readonly reports: ReadableStore & CreatableStore;
  readonly warehouse: Warehouse;
  readonly log: Logger;
  /** How callers are told from each other. @default not at all: it is for this machine alone: `listen` of server.ts refuses else */
  readonly authentication?: Authentication;
  /** @default what identity/keys.ts says */
  readonly keyTimes?: KeyTimes;
  /** Requests of a caller in a minute. @default any number */
  readonly requestsPerMinute?: number;
  /** Is told of every route that is added. */
  readonly onRoute?: (route: RouteOptions) => void;
  /** Of one body; bodies in progress take four times as much memory at most. @default 64 MiB */
  readonly maxBodyBytes?: number;
  /** Pages of a scan; all together may have 2^20 pixels for each of these. @default 64 */
  readonly maxPages?: number;
  /** Pixels of a page, millions. @default 25 */
  readonly maxMegapixels?: number;
  /** Scans in progress before further ones get 503; a quarter of them may be large. @default 16 */
  readonly queueLimit?: number;
  /** Open connections before the oldest that waits for no answer makes room. @default 1000 */
  readonly maxConnections?: number;
  /** Seconds that a client may need for the head of a request, or be silent in its body. @default 10 */
  readonly senderSeconds?: number;
  /** Seconds that a client may need to read an answer. @default 60 */
  readonly answerSeconds?: number;
  /** How often `current.json` is looked at. @default 3 */
  readonly refreshSeconds?: number;
}

/** For head and body of a request together, seconds, however steadily it comes. */
const WHOLE_REQUEST_SECONDS = 120;
/** For a client to end a request that was refused, seconds. */
const LINGER_SECONDS = 5;
/** Once the server is being stopped: for bodies that are on their way, and for everything, seconds. */
const STOP_SENDER_SECONDS = 3;
const STOP_SECONDS = 120;

/**
 * The HTTP service. It listens to nothing yet: tests send requests with `inject`, a process calls `listen`.
 * A missing or broken model does not keep the server from starting:
 * `/readyz` says what is wrong.
 */
export async function buildServer(dependencies: ServerDependencies): Promise<FastifyInstance> {
  const { models, reports, warehouse, log } = dependencies;
  const maxBodyBytes = dependencies.maxBodyBytes ?? SERVE_DEFAULTS.maxBodyMiB * 2 ** 20;
  const maxPages = dependencies.maxPages ?? SERVE_DEFAULTS.maxPages;
  const pixels = (dependencies.maxMegapixels ?? SERVE_DEFAULTS.maxMegapixels) * 1_000_000;
  const limits = { bytes: maxBodyBytes, pages: maxPages, pixels, totalPixels: Math.max(pixels, maxPages * 2 ** 20) };
  const senderSeconds = dependencies.senderSeconds ?? 10;
  const answerSeconds = dependencies.answerSeconds ?? 60;
  const slot = new ModelSlot(models, log);
  const admission = new Admission(dependencies.queueLimit ?? SERVE_DEFAULTS.queueLimit);
  const bodies = new Bodies({ memory: 4 * (maxBodyBytes + MULTIPART_OVERHEAD), senderSeconds });
  const metrics = createMetrics(slot, admission, bodies);

  const app: FastifyInstance = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // A line a prediction is enough, and probes would fill the log.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    http: parserOptions(senderSeconds),
    requestTimeout: WHOLE_REQUEST_SECONDS * 1000,
    clientErrorHandler: answerClientError,
    frameworkErrors: answerFrameworkError,
    // Fastify's own answer is no problem document.
    return503OnClosing: false,
  });
  if (dependencies.onRoute) app.addHook("onRoute", dependencies.onRoute);
  const connections = new Connections(app.server, dependencies.maxConnections ?? 1000);
  answerUnusual(app.server);
  const refuseTheRest = refuseOtherMethods(app);

  let closing = false;
  app.addHook("preClose", async () => {
    closing = true;
    bodies.stop(STOP_SENDER_SECONDS);
    connections.close(STOP_SECONDS);
  });

  app.addHook("onRequest", async (request, reply) => {
    connections.begin(request.raw, reply.raw);
    if (closing) throw stopping();
    checkRequest(request);
  });
  const authentication = dependencies.authentication ?? NO_AUTHENTICATION;
  await secureHeaders(app, authentication.mode !== "none");
  await identify(app, {
    authentication,
    requestsPerMinute: dependencies.requestsPerMinute ?? 0,
    keyTimes: dependencies.keyTimes,
  });
  app.decorate("audit", new Audit(warehouse, log));
  app.addHook("onSend", async (request, reply) => {
    reply.header("x-request-id", request.id);
    connections.endLater(request.raw, answerSeconds, reply.raw);
  });
  app.addHook("onResponse", async ({ raw }) => {
    // What comes after a refusal is read and dropped for a while, because a client that is cut off sees no answer.
    if (!raw.complete) connections.endLater(raw, LINGER_SECONDS, raw);
  });

  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500 && !(error instanceof Problem)) request.log.error({ err: error }, "Request failed");
    if (request.method === "POST" && request.routeOptions.url === PREDICTIONS)
      metrics.refusals.inc({ code: problem.code });
    return sendProblem(reply, problem, request.id);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new Problem(404, "not-found", `There is nothing at ${request.method} ${request.url}.`),
      request.id,
    ),
  );

  app.get("/healthz", { config: { role: "open" } }, async () => ({ status: "ok" }));
  app.get("/readyz", { config: { role: "open" } }, async (request, reply) => {
    const metadata = slot.current?.metadata;
    if (metadata) return { status: "ready", model: metadata.id, recipe: metadata.recipe };
    return sendProblem(reply, noModel(slot), request.id);
  });
  app.get("/metrics", { config: { role: "viewer" } }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  app.get("/v1/model", { config: { role: "viewer" } }, async () => {
    const metadata = slot.current?.metadata;
    if (!metadata) throw noModel(slot);
    const { id, recipe, threshold, parameters, synthetic, uncertain, guard } = metadata;
    return {
      id,
      verdict: slot.verdict,
      recipe,
      threshold,
      uncertain: uncertain ? { low: uncertain.low, high: uncertain.high } : null,
      guard: guard !== undefined,
      parameters,
      synthetic,
      disclaimer: DISCLAIMER,
    };
  });
  await app.register(pageRoutes);
  await app.register(predictionRoutes, {
    slot,
    admission,
    bodies,
    connections,
    metrics,
    reports,
    warehouse,
    log,
    limits,
  });
  refuseTheRest();

  app.addHook("onClose", () => slot.close());
  await slot.start(dependencies.refreshSeconds ?? 3);
  return app;
}
