import { randomUUID } from "node:crypto";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import { DISCLAIMER } from "../intake";
import type { Logger } from "../platform/logging";
import type { CreatableStore, ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import { Admission } from "./admission";
import { createMetrics } from "./metrics";
import { ModelSlot } from "./model-slot";
import { pageRoutes } from "./page/routes";
import { predictionRoutes } from "./predictions";
import { Problem, sendProblem } from "./problem";

export interface ServerDependencies {
  readonly models: ReadableStore;
  readonly reports: ReadableStore & CreatableStore;
  readonly warehouse: Warehouse;
  readonly log: Logger;
  /** @default 64 MiB */
  readonly maxBodyBytes?: number;
  /** Requests in progress before further ones get 503. @default 16 */
  readonly queueLimit?: number;
  /** How often `current.json` is looked at. @default 3 */
  readonly refreshSeconds?: number;
  /** Believe `X-Forwarded-Proto` and `-Host`: behind a load balancer only. @default false */
  readonly trustProxy?: boolean;
}

/**
 * The HTTP service. It listens to nothing yet: tests send requests with `inject`, a process calls `listen`.
 * `useBackend` must have been called before. A missing or broken model does not keep the server from starting:
 * `/readyz` says what is wrong.
 */
export async function buildServer(dependencies: ServerDependencies): Promise<FastifyInstance> {
  const { models, reports, warehouse, log } = dependencies;
  const maxBodyBytes = dependencies.maxBodyBytes ?? 64 * 2 ** 20;
  const slot = new ModelSlot(models, log);
  const admission = new Admission(dependencies.queueLimit ?? 16);
  const metrics = createMetrics(slot, admission);

  const app: FastifyInstance = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // A line a prediction is enough, and probes would fill the log.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    requestTimeout: 120_000,
    trustProxy: dependencies.trustProxy ?? false,
    forceCloseConnections: "idle",
  });

  app.addHook("onSend", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    reply.header("referrer-policy", "no-referrer");
    reply.header("cross-origin-resource-policy", "same-origin");
  });

  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, maxBodyBytes);
    if (problem.status >= 500 && !(error instanceof Problem)) request.log.error({ err: error }, "Request failed");
    if (request.method === "POST") metrics.refusals.inc({ code: problem.code });
    return sendProblem(reply, problem, request.id);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new Problem(404, "not-found", `There is nothing at ${request.method} ${request.url}.`),
      request.id,
    ),
  );

  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async (request, reply) => {
    const metadata = slot.current?.metadata;
    if (metadata) return { status: "ready", model: metadata.id, recipe: metadata.recipe };
    return sendProblem(
      reply,
      new Problem(503, "no-model", slot.problem ?? "No model is loaded.", { "retry-after": "5" }),
      request.id,
    );
  });
  app.get("/metrics", async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  app.get("/v1/model", async () => {
    const metadata = slot.current?.metadata;
    if (!metadata) throw new Problem(503, "no-model", slot.problem ?? "No model is loaded.", { "retry-after": "5" });
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
  await app.register(predictionRoutes, { slot, admission, metrics, reports, warehouse, log, maxBodyBytes });

  app.addHook("onClose", () => slot.close());
  await slot.start(dependencies.refreshSeconds ?? 3);
  return app;
}

function toProblem(error: unknown, maxBodyBytes: number): Problem {
  if (error instanceof Problem) return error;
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new Problem(
      413,
      "file-too-large",
      `The scan is larger than ${Math.floor(maxBodyBytes / 2 ** 20)} MiB, the most that is taken here.`,
    );
  }
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return new Problem(
      statusCode,
      "bad-request",
      error instanceof Error ? error.message : "The request cannot be read.",
    );
  }
  return new Problem(
    500,
    "internal",
    "The server failed on this request. Its log has the cause under the request's id.",
  );
}
