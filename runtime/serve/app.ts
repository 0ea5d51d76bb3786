import { randomUUID } from "node:crypto";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController, type RouteOptions } from "fastify";
import { HISTORY } from "../dataset";
import { type Identities, LOCAL_PSEUDONYM_KEY } from "../intake";
import { withDeadline } from "../platform/deadline";
import type { Logger } from "../platform/logging";
import type { CreatableStore, ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import type { PointerStore } from "../registry";
import { Bodies } from "./bodies";
import { followCurrent, pinnedTo } from "./choice";
import { Connections } from "./connections";
import { SERVE_DEFAULTS } from "./contract";
import { Audit, type Authentication, identify, type KeyTimes, NO_AUTHENTICATION, secureHeaders } from "./identity";
import { Accessions } from "./kept/accessions";
import { Answers } from "./kept/answers";
import { FeedbackBook } from "./kept/feedback";
import { Idempotency } from "./kept/idempotency";
import { TimeIndex } from "./kept/time-index";
import { KnownShelf } from "./known-shelf";
import { lateIdentities } from "./late-identities";
import { createMetrics } from "./metrics";
import { ModelSlot } from "./model-slot";
import { MULTIPART_OVERHEAD } from "./multipart";
import { openApi } from "./openapi";
import { Pictures } from "./pictures";
import { Problem, sendProblem, stopping, toProblem } from "./problem";
import {
  answerClientError,
  answerFrameworkError,
  answerUnusual,
  checkRequest,
  checkUrl,
  MOST_URL,
  parserOptions,
  refuseOtherMethods,
} from "./protocol";
import { Queue } from "./queue";
import { FileReaders } from "./reading/file-readers";
import { Refusals } from "./refusals";
import { dicomWebRoutes } from "./routes/dicomweb";
import { docsRoutes } from "./routes/docs";
import { healthRoutes } from "./routes/health";
import { historyRoutes } from "./routes/history";
import { modelRoutes } from "./routes/models";
import { monitoringRoutes } from "./routes/monitoring";
import { predictRoutes, TAKE_SCANS } from "./routes/predict";
import { predictionRoutes } from "./routes/prediction";
import { reportRoutes } from "./routes/report";
import { similarRoutes } from "./routes/similar";
import { studyRoutes } from "./routes/studies";
import { worklistRoutes } from "./routes/worklist";
import { LANES } from "./scoring";
import { Shadow } from "./shadow";
import { visitorRoutes } from "./visitor";
import { webRoutes } from "./web";

export interface ServerDependencies {
  readonly models: ReadableStore;
  /** The bucket of models again, where this process may move the pointer to the current one. @default it may not */
  readonly pointer?: PointerStore | undefined;
  readonly reports: ReadableStore & CreatableStore;
  /** Where DICOM that comes by STOW-RS lands. @default none is taken, and there is no such route */
  readonly landing?: CreatableStore;
  /** What reads the headers of files that are sent. @default a thread a lane */
  readonly readers?: FileReaders;
  /** Where the pictures of the data set lie. @default known scans are shown without theirs */
  readonly curated?: ReadableStore;
  readonly warehouse: Warehouse;
  /** What stands for patients, studies, series and instances of DICOM. @default the names of the public local key */
  readonly identities?: Identities;
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
  /** Seconds from the end of an upload within which its answer is given, or none. @default 30 */
  readonly deadlineSeconds?: number;
  /** Days that pixels and maps of answers are kept. @default 30 */
  readonly keepDays?: number;
  /** Share of Cancer among the scans that are sent. @default not stated */
  readonly prevalence?: number;
  /** Open connections before the oldest that waits for no answer makes room. @default 1000 */
  readonly maxConnections?: number;
  /** Seconds that a client may need for the head of a request, or be silent in its body. @default 10 */
  readonly senderSeconds?: number;
  /** Seconds that a client may need to read an answer. @default 60 */
  readonly answerSeconds?: number;
  /** How often `current.json` is looked at. @default 3 */
  readonly refreshSeconds?: number;
  /** The model that answers, whatever `current.json` says. @default whichever is current */
  readonly pinned?: string | undefined;
  /** The model that is asked beside it, or `current`. @default none */
  readonly shadow?: string | undefined;
}

/** For head and body of a request together, seconds, however steadily it comes. */
const WHOLE_REQUEST_SECONDS = 120;
/** Of the model that is asked beside the one that answers. */
const SHADOW_THREADS = 1;
/** Pictures that may wait to be drawn. */
const DRAWINGS = 64;
/** Requests with DICOM instances that may be stored or wait for it; a quarter of them with several. */
const STORINGS = 16;
/** For a client to end a request that was refused, seconds. */
const LINGER_SECONDS = 5;
/** Once the server is being stopped: for bodies that are on their way, and for everything, seconds. */
const STOP_SENDER_SECONDS = 3;
const STOP_SECONDS = 120;
/** For the counts of refused requests to be added then, milliseconds. */
const STOP_COUNTS = 5_000;

declare module "fastify" {
  interface FastifyInstance {
    /** From now on `/readyz` says no, and every answer ends its connection: who sends requests sends them elsewhere. */
    retire(): void;
  }
}

/**
 * The HTTP service. It listens to nothing yet: tests send requests with `inject`, a process calls `listen`.
 * A missing or broken model does not keep the server from starting:
 * `/readyz` says what is wrong.
 */
export async function buildServer(dependencies: ServerDependencies): Promise<FastifyInstance> {
  const { models, pointer, reports, landing, curated, warehouse, log } = dependencies;
  const maxBodyBytes = dependencies.maxBodyBytes ?? SERVE_DEFAULTS.maxBodyMiB * 2 ** 20;
  const maxPages = dependencies.maxPages ?? SERVE_DEFAULTS.maxPages;
  const pixels = (dependencies.maxMegapixels ?? SERVE_DEFAULTS.maxMegapixels) * 1_000_000;
  const limits = { bytes: maxBodyBytes, pages: maxPages, pixels, totalPixels: Math.max(pixels, maxPages * 2 ** 20) };
  const senderSeconds = dependencies.senderSeconds ?? 10;
  const answerSeconds = dependencies.answerSeconds ?? 60;
  const deadlineSeconds = dependencies.deadlineSeconds ?? SERVE_DEFAULTS.deadlineSeconds;
  const shelf = new KnownShelf(warehouse, reports, log);
  const pinned = dependencies.pinned !== undefined;
  const chosen = (model: string | undefined) =>
    model === undefined || model === "current" ? followCurrent(models) : pinnedTo(reports, model);
  const slot = new ModelSlot(models, log, chosen(dependencies.pinned), (model) => shelf.prepare(model));
  const beside =
    dependencies.shadow === undefined
      ? undefined
      : new ModelSlot(models, log, chosen(dependencies.shadow), undefined, SHADOW_THREADS);
  const places = dependencies.queueLimit ?? SERVE_DEFAULTS.queueLimit;
  const queue = new Queue({ places, lanes: LANES, patience: deadlineSeconds });
  const drawing = new Queue({ places: DRAWINGS, lanes: LANES, patience: deadlineSeconds });
  const storing = new Queue({ places: STORINGS, lanes: LANES, patience: deadlineSeconds });
  const pictures = new Pictures(LANES);
  const readers = dependencies.readers ?? new FileReaders({ threads: LANES });
  const bodies = new Bodies({ memory: 4 * (maxBodyBytes + MULTIPART_OVERHEAD), senderSeconds });
  const metrics = createMetrics(slot, queue, storing, bodies, () => shadow?.counts);
  const refusals = new Refusals(warehouse, log);
  const refused = (problem: Problem) => {
    metrics.refusals.inc({ code: problem.code });
    refusals.count(problem);
  };
  const answers = new Answers(reports, dependencies.keepDays ?? SERVE_DEFAULTS.keepDays);
  const history = new TimeIndex(reports, HISTORY);
  const accessions = new Accessions(reports);
  const feedback = new FeedbackBook(reports, warehouse);
  const keys = new Idempotency(reports, deadlineSeconds);
  const identities = dependencies.identities ?? lateIdentities(LOCAL_PSEUDONYM_KEY);

  const app: FastifyInstance = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // A line a prediction is enough, and probes would fill the log.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    http: parserOptions(senderSeconds),
    requestTimeout: WHOLE_REQUEST_SECONDS * 1000,
    // An id that is too long is one that nothing has.
    routerOptions: { maxParamLength: MOST_URL },
    clientErrorHandler: answerClientError,
    frameworkErrors: answerFrameworkError,
    // Fastify's own answer is no problem document.
    return503OnClosing: false,
  });
  if (dependencies.onRoute) app.addHook("onRoute", dependencies.onRoute);
  const connections = new Connections(app.server, dependencies.maxConnections ?? 1000);
  answerUnusual(app.server);
  const refuseTheRest = refuseOtherMethods(app);

  const audit = new Audit(warehouse, log);
  const shadow: Shadow | undefined =
    beside && new Shadow({ slot: beside, queue, warehouse, audit, log, limits, deadlineSeconds });

  let retired = false;
  let closing = false;
  app.decorate("retire", () => {
    retired = true;
  });
  app.addHook("preClose", async () => {
    retired = closing = true;
    bodies.stop(STOP_SENDER_SECONDS);
    connections.close(STOP_SECONDS);
    // Before the warehouse is closed; what cannot be added by then is not waited for.
    await withDeadline(STOP_COUNTS, Promise.all([refusals.end(), shadow?.end()]), stopping).catch(() => undefined);
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
  app.addHook("onRequest", async (request) => checkUrl(request));
  app.decorate("audit", audit);
  app.addHook("onSend", async (request, reply) => {
    reply.header("x-request-id", request.id);
    if (retired) reply.header("connection", "close");
    connections.endLater(request.raw, answerSeconds, reply.raw);
  });
  app.addHook("onResponse", async ({ raw }) => {
    // What comes after a refusal is read and dropped for a while, because a client that is cut off sees no answer.
    if (!raw.complete) connections.endLater(raw, LINGER_SECONDS, raw);
  });

  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500 && !(error instanceof Problem)) request.log.error({ err: error }, "Request failed");
    if (request.method === "POST" && TAKE_SCANS.includes(request.routeOptions.url ?? "")) refused(problem);
    return sendProblem(reply, problem, request.id);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new Problem(404, "not-found", `There is nothing at ${request.method} ${request.url}.`),
      request.id,
    ),
  );

  await openApi(app);
  const answering = {
    slot,
    queue,
    answers,
    pictures,
    readers,
    history,
    accessions,
    warehouse,
    identities,
    audit,
    metrics,
    log,
    limits,
    prevalence: dependencies.prevalence,
    deadlineSeconds,
    refused,
    pinned,
    shadow,
  };
  await app.register(healthRoutes, { slot, metrics, isStopping: () => retired });
  await app.register(webRoutes);
  await app.register(visitorRoutes);
  await app.register(docsRoutes);
  await app.register(predictRoutes, { ...answering, bodies, connections, keys });
  await app.register(historyRoutes, { history, feedback });
  const drawn = { drawing, pictures, connections, answers, shelf };
  await app.register(predictionRoutes, { ...drawn, feedback, bodies, keys, curated });
  await app.register(similarRoutes, drawn);
  await app.register(reportRoutes, drawn);
  await app.register(worklistRoutes, { ...drawn, history, feedback, warehouse });
  await app.register(studyRoutes, { reports });
  if (landing) {
    const stored = { landing, reports, identities, readers, bodies, connections, storing, metrics, log };
    await app.register(dicomWebRoutes, { ...stored, maxBodyBytes, deadlineSeconds });
  }
  await app.register(modelRoutes, { slot, pinned, shadow, models, pointer, reports, keys });
  await app.register(monitoringRoutes, { slot, models, reports, warehouse });
  refuseTheRest();

  app.addHook("onClose", async () => {
    await Promise.all([slot.close(), beside?.close(), pictures.close(), readers.close()]);
    await shelf.close();
  });
  const refreshSeconds = dependencies.refreshSeconds ?? 3;
  await slot.start(refreshSeconds);
  await beside?.start(refreshSeconds);
  return app;
}
