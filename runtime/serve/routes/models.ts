import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DISCLAIMER } from "../../intake";
import type { ReadableStore } from "../../platform/stores";
import { currentModel, type PointerStore } from "../../registry";
import type { Idempotency } from "../kept/idempotency";
import { type ModelSlot, noModel } from "../model-slot";
import { Models } from "../models";
import { type ModelShelves, NotMoved, promoteModel, rollBackModel } from "../moves";
import { IDEMPOTENT, responses } from "../openapi";
import { notFound, Problem } from "../problem";
import { modelParams, replyOnce } from "../request";
import {
  comparisonQuerySchema,
  comparisonSchema,
  modelDetailSchema,
  modelListSchema,
  modelSchema,
  type Promotion,
  promotionSchema,
} from "../schemas";
import type { Shadow } from "../shadow";

export interface ModelDependencies {
  readonly slot: ModelSlot;
  readonly pinned: boolean;
  readonly shadow: Shadow | undefined;
  readonly models: ReadableStore;
  /** The same bucket where this process may move the pointer to the current model; without it nobody can by HTTP. */
  readonly pointer: PointerStore | undefined;
  readonly reports: ReadableStore;
  readonly keys: Idempotency;
}

const READ = { role: "viewer" } as const;
const ACT = { role: "admin" } as const;

/** Which model answers, which there are, and the change from one to another by the change plan's rule. */
export async function modelRoutes(app: FastifyInstance, dependencies: ModelDependencies): Promise<void> {
  const { slot, models, reports, keys, pinned, shadow } = dependencies;
  const api = app.withTypeProvider<ZodTypeProvider>();
  const shelf = new Models(models, reports);
  const unknown = (id: string) => notFound(`There is no model ${id}. GET /v1/models lists those there are.`);

  api.get("/v1/model", {
    config: READ,
    schema: { summary: "The model that answers now", response: responses({ 200: modelSchema }) },
    handler: async () => {
      const { current, verdict } = slot;
      if (!current || !verdict) throw noModel(slot);
      const { id, recipe, threshold, parameters, synthetic, uncertain, guard } = current.metadata;
      return {
        id,
        verdict,
        recipe,
        threshold,
        uncertain: uncertain ? { low: uncertain.low, high: uncertain.high } : null,
        guard: guard !== undefined,
        parameters,
        synthetic,
        pinned,
        shadow: shadow ? { model: shadow.model ?? null, problem: shadow.problem ?? null, ...shadow.counts } : null,
        disclaimer: DISCLAIMER,
      };
    },
  });

  api.get("/v1/models", {
    config: READ,
    schema: { summary: "Every model, the newest first", response: responses({ 200: modelListSchema }) },
    handler: () => shelf.list(),
  });

  api.get("/v1/models/compare", {
    config: READ,
    schema: {
      summary: "Two models side by side, and whether the change plan's rule lets b take over from a",
      querystring: comparisonQuerySchema,
      response: responses({ 200: comparisonSchema }),
    },
    handler: async ({ query: { a, b } }) => {
      const comparison = await shelf.compare(a, b);
      if (!comparison) throw unknown((await shelf.find(a)) ? b : a);
      return comparison;
    },
  });

  api.get("/v1/models/:id", {
    config: READ,
    schema: {
      summary: "A model: its card, its evaluation and how it was trained",
      params: modelParams,
      response: responses({ 200: modelDetailSchema }),
    },
    handler: async ({ params: { id } }) => {
      const detail = await shelf.detail(id);
      if (!detail) throw unknown(id);
      return detail;
    },
  });

  /** Does what moves the pointer: written down before and after, and served when it is answered. */
  const move = async (
    request: FastifyRequest,
    action: "promote" | "rollback",
    subject: string,
    work: (shelves: ModelShelves) => Promise<Promotion>,
  ) => {
    const { pointer } = dependencies;
    if (!pointer) throw new Problem(409, "pointer-not-writable", "This server may not change which model is current.");
    const act = { action, ...request.caller, request: request.id, subject };
    await app.audit.record({ ...act, result: "asked" });
    const moved = await work({ pointer, reports }).catch((error: unknown) => {
      throw error instanceof NotMoved ? new Problem(409, error.code, error.message) : error;
    });
    await app.audit.record({ ...act, result: moved.current });
    await slot.follow(moved.current);
    return moved;
  };

  api.post("/v1/models/:id/promote", {
    config: ACT,
    schema: {
      summary: "Makes a model the current one, if the change plan's rule says so",
      params: modelParams,
      headers: IDEMPOTENT,
      response: responses({ 200: promotionSchema }, 409, 422),
    },
    handler: (request, reply) => {
      const { id } = request.params;
      return replyOnce(keys, request, reply, "promote", [], async () => {
        if (!(await shelf.find(id))) throw unknown(id);
        return move(request, "promote", id, (shelves) => promoteModel(shelves, id));
      });
    },
  });

  api.post("/v1/models/rollback", {
    config: ACT,
    schema: {
      summary: "Makes the model before the current one current again",
      headers: IDEMPOTENT,
      response: responses({ 200: promotionSchema }, 409, 422),
    },
    handler: (request, reply) =>
      replyOnce(keys, request, reply, "rollback", [], async () => {
        // Not what this process answers with: it may be bound to another.
        const subject = (await currentModel(models))?.model ?? "";
        return move(request, "rollback", subject, (shelves) => rollBackModel(shelves, request.caller.who));
      }),
  });
}
