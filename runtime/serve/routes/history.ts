import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DISCLAIMER } from "../../intake";
import { historyItem, PREDICTIONS } from "../answering";
import type { FeedbackBook } from "../kept/feedback";
import type { TimeIndex } from "../kept/time-index";
import { responses } from "../openapi";
import { feedbackPageSchema, feedbackQuerySchema, historyQuerySchema, historySchema } from "../schemas";

export interface HistoryDependencies {
  readonly history: TimeIndex;
  readonly feedback: FeedbackBook;
}

/** What was answered, and what people said of it: the newest first, a page at a time. */
export async function historyRoutes(app: FastifyInstance, { history, feedback }: HistoryDependencies): Promise<void> {
  const api = app.withTypeProvider<ZodTypeProvider>();
  api.get(PREDICTIONS, {
    config: { role: "viewer" },
    schema: {
      summary: "Answers, the newest first",
      querystring: historyQuerySchema,
      response: responses({ 200: historySchema }),
    },
    handler: async (request, reply) => {
      const { limit, cursor, decision, model, id, from, to } = request.query;
      const { entries, next } = await history.page({
        limit,
        cursor,
        from: from === undefined ? undefined : new Date(from),
        to: to === undefined ? undefined : new Date(to),
        wanted: ({ facts }) =>
          (decision === undefined || facts.decision === decision) &&
          (model === undefined || facts.model === model) &&
          (id === undefined || facts.id?.startsWith(id) === true),
      });
      await app.audit.record({ action: "history", ...request.caller, request: request.id });
      const items = entries.map(({ name, at, facts }) => historyItem(name.slice(14), at, facts));
      return reply.header("cache-control", "no-store").send({ items, next, disclaimer: DISCLAIMER });
    },
  });

  api.get("/v1/feedback", {
    config: { role: "viewer" },
    schema: {
      summary: "Feedback on all answers, the newest first: with agrees=false, the disagreements",
      querystring: feedbackQuerySchema,
      response: responses({ 200: feedbackPageSchema }),
    },
    handler: async (request, reply) => {
      const { agrees, ...query } = request.query;
      const page = await feedback.page({ ...query, agrees: agrees === undefined ? undefined : agrees === "true" });
      await app.audit.record({ action: "history", ...request.caller, request: request.id });
      return reply.header("cache-control", "no-store").send(page);
    },
  });
}
