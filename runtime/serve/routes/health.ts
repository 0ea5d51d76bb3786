import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { createMetrics } from "../metrics";
import { type ModelSlot, noModel } from "../model-slot";
import { responses, text } from "../openapi";
import { stopping } from "../problem";
import { healthSchema, readySchema } from "../schemas";

export interface HealthDependencies {
  readonly slot: ModelSlot;
  readonly metrics: ReturnType<typeof createMetrics>;
  /** Whether the process is being stopped: who sends requests here is to send them elsewhere. */
  readonly isStopping: () => boolean;
}

/** What probes and the monitoring ask. */
export async function healthRoutes(app: FastifyInstance, { slot, metrics, isStopping }: HealthDependencies) {
  const api = app.withTypeProvider<ZodTypeProvider>();
  api.get("/healthz", {
    config: { role: "open" },
    schema: { summary: "Whether the process lives", response: responses({ 200: healthSchema }) },
    handler: async () => ({ status: "ok" as const }),
  });
  api.get("/readyz", {
    config: { role: "open" },
    schema: {
      summary: "Whether a model is loaded, verified and warm, and the process is not being stopped",
      response: responses({ 200: readySchema }),
    },
    handler: async () => {
      if (isStopping()) throw stopping();
      const metadata = slot.current?.metadata;
      if (!metadata) throw noModel(slot);
      return { status: "ready" as const, model: metadata.id, recipe: metadata.recipe };
    },
  });
  api.get("/metrics", {
    config: { role: "viewer" },
    schema: { summary: "Numbers of the process, for Prometheus", response: responses(text("text/plain", "Metrics")) },
    handler: async (_, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  });
}
