import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { ObjectNotFoundError, type ReadableStore } from "../../platform/stores";
import { DamagedStudyAnswer, isStudy, newestStudyAnswer, type StudyAnswer, studyOverlay } from "../../study";
import { picture, responses } from "../openapi";
import { Problem } from "../problem";
import { studyAnswerSchema } from "../schemas";

export interface StudyDependencies {
  readonly reports: ReadableStore;
}

const STUDY = "/v1/studies/:study";
const params = z.object({ study: z.string() });

/** `GET /v1/studies/{study}` and below it `/overlay`: what the model says of a study that landed, as `score` wrote it down. */
export async function studyRoutes(app: FastifyInstance, { reports }: StudyDependencies): Promise<void> {
  const api = app.withTypeProvider<ZodTypeProvider>();
  const look = async (request: FastifyRequest<{ Params: { study: string } }>, result?: string) => {
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
      ...(result === undefined ? {} : { result }),
    });
    return answer;
  };
  api.get(STUDY, {
    config: { role: "viewer" },
    schema: {
      summary: "The newest answer of a study by its pseudonym: its slices, and where there is a rule its own",
      params,
      response: responses({ 200: studyAnswerSchema }, 404),
    },
    handler: async (request, reply) => {
      const answer = await look(request);
      const overlay = answer.overlay === null ? null : `/v1/studies/${answer.study}/overlay`;
      return reply.header("cache-control", "no-store").send({ ...answer, overlay });
    },
  });
  api.get(`${STUDY}/overlay`, {
    config: { role: "viewer" },
    schema: {
      summary: "The most suspicious slice of that answer with the places that speak for Cancer, a PNG",
      params,
      response: responses(picture("The picture, at most 1,024 pixels wide and high"), 404),
    },
    handler: async (request, reply) => {
      const answer = await look(request, "overlay");
      return sendPicture(reply, await overlayOf(reports, answer));
    },
  });
}

const sendPicture = (reply: FastifyReply, png: Buffer) =>
  reply.type("image/png").header("cache-control", "no-store").send(png);

async function overlayOf(reports: ReadableStore, { study, overlay }: StudyAnswer): Promise<Buffer> {
  const none = () => new Problem(404, "not-found", "This answer of the study has no picture.");
  if (overlay === null) throw none();
  const png = await reports.read(studyOverlay(study, overlay)).catch((error: unknown) => {
    throw error instanceof ObjectNotFoundError ? none() : error;
  });
  if (createHash("sha256").update(png).digest("hex") !== overlay)
    throw new Problem(500, "kept-damaged", "The picture of this study is not as it was drawn.");
  return png;
}

async function found(reports: ReadableStore, study: string) {
  return newestStudyAnswer(reports, study).catch((error: unknown) => {
    if (error instanceof DamagedStudyAnswer) throw new Problem(500, "kept-damaged", error.message);
    throw error;
  });
}
