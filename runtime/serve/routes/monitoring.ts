import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { dayOf, laterDay, WINDOW_DAYS } from "../../monitor";
import type { ReadableStore } from "../../platform/stores";
import { MONITORED_DAYS, type Warehouse } from "../../platform/warehouse";
import { currentModel } from "../../registry";
import { type ModelSlot, noModel } from "../model-slot";
import { Models } from "../models";
import { monitoringOf } from "../monitoring";
import { monitoringQuerySchema, monitoringSchema } from "../monitoring-schemas";
import { responses } from "../openapi";
import { notFound, Problem } from "../problem";

export interface MonitoringDependencies {
  readonly slot: ModelSlot;
  readonly models: ReadableStore;
  readonly reports: ReadableStore;
  readonly warehouse: Pick<Warehouse, "ask">;
  /** @default the time of day */
  readonly now?: () => Date;
}

/** Days that one answer tells of at most: the last of those that are asked for. */
const MOST_DAYS = 366;
/** Nothing is older, whatever is asked for. */
const FIRST_DAY = "1970-01-01";
const latest = (...days: readonly string[]) => [...days].sort().at(-1) as string;

/** `GET /v1/monitoring`: what is told of a model's days, and what to do. */
export async function monitoringRoutes(
  app: FastifyInstance,
  { slot, models, reports, warehouse, now = () => new Date() }: MonitoringDependencies,
): Promise<void> {
  app.withTypeProvider<ZodTypeProvider>().get("/v1/monitoring", {
    config: { role: "viewer" },
    schema: {
      summary: "Whether something rings and what to do, then a model's days: evidence, accuracy, volume",
      querystring: monitoringQuerySchema,
      response: responses({ 200: monitoringSchema }),
    },
    handler: async (request, reply) => {
      const today = dayOf(now());
      const { model: asked, ...query } = request.query;
      const to = latest(query.to ?? today, FIRST_DAY);
      const from = latest(query.from ?? laterDay(to, 1 - WINDOW_DAYS), laterDay(to, 1 - MOST_DAYS), FIRST_DAY);
      const pointed = (await currentModel(models))?.model;
      const model = asked ?? pointed;
      if (model === undefined) throw noModel(slot);
      const since = laterDay(from, 1 - WINDOW_DAYS);
      const rows = await warehouse.ask(MONITORED_DAYS, { model, from: since, to }).catch((error: unknown) => {
        request.log.error({ err: error, model }, "What monitoring tells cannot be read");
        throw unavailable();
      });
      if (rows.length === 0 && model !== pointed && !(await new Models(models, reports).find(model)))
        throw notFound(`There is no model ${model}. GET /v1/models lists those there are.`);
      // It names scans of patients.
      await app.audit.record({ action: "view-monitoring", ...request.caller, request: request.id, subject: model });
      const told = monitoringOf(rows, { model, current: model === pointed, from, to, today });
      return reply.header("cache-control", "no-store").send(told);
    },
  });
}

const unavailable = () =>
  new Problem(
    503,
    "monitoring-unavailable",
    "What monitoring tells cannot be read just now. Try again in a moment; if it goes on, tell who runs this service: its log has the cause.",
    { "retry-after": "10" },
  );
