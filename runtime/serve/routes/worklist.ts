import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DISCLAIMER } from "../../intake";
import { agreementOf } from "../../similar";
import { WorkFinder } from "../kept/work";
import { responses } from "../openapi";
import { Problem } from "../problem";
import { worklistQuerySchema, worklistSchema } from "../schemas";
import { rankWorklist } from "../worklist";
import type { HistoryDependencies } from "./history";
import { compareAnswer, type SimilarDependencies } from "./similar";

export type WorklistDependencies = HistoryDependencies & Omit<SimilarDependencies, "connections">;

/** `GET /v1/worklist`: what a person should look at first, and why. */
export async function worklistRoutes(
  app: FastifyInstance,
  dependencies: WorklistDependencies & { readonly warehouse: ConstructorParameters<typeof WorkFinder>[0]["warehouse"] },
): Promise<void> {
  const { history, feedback, warehouse, answers, shelf } = dependencies;
  const finder = new WorkFinder({
    ...{ history, feedback, warehouse, log: app.log },
    neighboursOf: async (id) => {
      const answer = await answers.newest(id);
      if (!answer?.features) return undefined;
      const known = await knownBy(shelf, answer.prediction.model);
      if (!known) return undefined;
      const { neighbours } = known;
      const { scans } = await compareAnswer(dependencies, answer, neighbours, new AbortController().signal);
      return agreementOf(scans, neighbours);
    },
  });
  app.withTypeProvider<ZodTypeProvider>().get("/v1/worklist", {
    config: { role: "viewer" },
    schema: {
      summary: "Answers that a person should look at first, and why; what people have labelled is left out",
      querystring: worklistQuerySchema,
      response: responses({ 200: worklistSchema }),
    },
    handler: async (request, reply) => {
      const { work, complete } = await finder.find();
      await app.audit.record({ action: "history", ...request.caller, request: request.id });
      const ranked = rankWorklist(work);
      const items = ranked.slice(0, request.query.limit).map(({ candidate, reasons }) => ({
        ...candidate.item,
        reasons: [...reasons],
      }));
      const more = ranked.length - items.length;
      return reply
        .header("cache-control", "no-store")
        .send({ items, more, looked_at: work.length, complete, disclaimer: DISCLAIMER });
    },
  });
}

/** Undefined where no scan has features by a model, as before the first score: that is no failure, to be tried again at once. */
async function knownBy(shelf: SimilarDependencies["shelf"], model: string) {
  try {
    return await shelf.of(model);
  } catch (error) {
    if (error instanceof Problem && error.code === "no-features") return undefined;
    throw error;
  }
}
