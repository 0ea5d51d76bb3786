import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ReadableStore } from "../../platform/stores";
import { DamagedStudyAnswer, isStudy, newestStudyAnswer, studyAnswerSchema } from "../../study";
import { responses } from "../openapi";
import { Problem } from "../problem";

export interface StudyDependencies {
  readonly reports: ReadableStore;
}

/** `GET /v1/studies/{study}`: what the model says of a study that landed, as `score` wrote it down. */
export async function studyRoutes(app: FastifyInstance, { reports }: StudyDependencies): Promise<void> {
  app.withTypeProvider<ZodTypeProvider>().get("/v1/studies/:study", {
    config: { role: "viewer" },
    schema: {
      summary: "The newest answer of a study by its pseudonym: its slices, and where there is a rule its own",
      params: z.object({ study: z.string() }),
      response: responses({ 200: studyAnswerSchema }, 404),
    },
    handler: async (request, reply) => {
      const { study } = request.params;
      const answer = isStudy(study) ? await found(reports, study) : undefined;
      if (!answer)
        throw new Problem(
          404,
          "not-found",
          "No answer of this study is here. Studies are answered by npm run score, once their slices have landed; they are named by their pseudonym, 2.25 and a number.",
        );
      await app.audit.record({
        action: "view-study",
        ...request.caller,
        request: request.id,
        subject: study,
        model: answer.model,
        recipe: answer.recipe,
      });
      return reply.header("cache-control", "no-store").send(answer);
    },
  });
}

async function found(reports: ReadableStore, study: string) {
  return newestStudyAnswer(reports, study).catch((error: unknown) => {
    if (error instanceof DamagedStudyAnswer) throw new Problem(500, "kept-damaged", error.message);
    throw error;
  });
}
