import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DISCLAIMER } from "../../intake";
import { agreementOf, METRIC, type SimilarScans } from "../../similar";
import { PREDICTIONS } from "../answering";
import type { Connections } from "../connections";
import type { Answers, KeptAnswer } from "../kept/answers";
import type { KnownShelf } from "../known-shelf";
import { responses } from "../openapi";
import type { Pictures } from "../pictures";
import { Problem } from "../problem";
import type { Queue } from "../queue";
import { idParams } from "../request";
import { similarQuerySchema, similarSchema } from "../schemas";
import { lookAt, SHOW } from "./look";

export interface SimilarDependencies {
  readonly answers: Answers;
  readonly shelf: KnownShelf;
  readonly pictures: Pictures;
  readonly drawing: Queue;
  readonly connections: Connections;
}

/** `GET /v1/predictions/{id}/similar`: the known scans that are most like the one of an answer, by what its model saw. */
export async function similarRoutes(app: FastifyInstance, dependencies: SimilarDependencies): Promise<void> {
  const { answers, shelf, connections } = dependencies;
  app.withTypeProvider<ZodTypeProvider>().get(`${PREDICTIONS}/:id/similar`, {
    ...SHOW,
    schema: {
      summary: "Labelled scans that look most like it to the model, and how many of them are Cancer",
      params: idParams,
      querystring: similarQuerySchema,
      response: responses({ 200: similarSchema }, 409),
    },
    handler: async (request, reply) => {
      const answer = await lookAt(app, answers, request, "view-similar");
      const { prediction, features } = answer;
      if (!features) throw notKept();
      const { known, neighbours, auc } = await shelf.of(prediction.model);
      if (known.width !== features.length) throw others(known.width, features.length);
      const { limit } = request.query;
      const { scans, excluded } = await connections.whileWorking(request.raw, (gone) =>
        compareAnswer(dependencies, answer, Math.max(limit, neighbours), gone),
      );
      return reply.header("cache-control", "no-store").send({
        id: prediction.id,
        model: prediction.model,
        items: scans.slice(0, limit).map(({ id, label, split, similarity }) => ({
          id,
          label,
          split,
          similarity: Math.max(-1, Math.min(1, similarity)),
          picture: `/v1/scans/${id}/picture`,
        })),
        agreement: { ...agreementOf(scans, neighbours), auc },
        known: known.size,
        known_cancer: known.cancer,
        excluded,
        complete: known.isComplete,
        metric: METRIC,
        disclaimer: DISCLAIMER,
      });
    },
  });
}

/**
 * The known scans that are most like an answer's, compared in its turn.
 *
 * @param count at most so many
 */
export async function compareAnswer(
  { answers, shelf, pictures, drawing }: Omit<SimilarDependencies, "connections">,
  answer: KeptAnswer,
  count: number,
  gone: AbortSignal,
): Promise<SimilarScans> {
  const { prediction, features = [] } = answer;
  const { slices } = prediction;
  const { known } = await shelf.of(prediction.model);
  const price = { units: slices.length, large: slices.length > 1 };
  return drawing.admit(price, gone, (lane) =>
    lane(async () => {
      const pages: { sha256: string; phash: string }[] = [];
      for (const slice of slices) {
        gone.throwIfAborted();
        const phash = await answers.withPage(answer, slice, (page) => pictures.fingerprint(page));
        pages.push({ sha256: slice.sha256, phash });
      }
      return known.similarTo({ features, pages }, count);
    }),
  );
}

const notKept = () =>
  new Problem(
    409,
    "features-not-kept",
    "This answer was kept by an earlier version, without what the model saw as numbers. Send the scan again.",
  );

const others = (known: number, asked: number) =>
  new Problem(
    409,
    "features-differ",
    `The scans of the data set have ${known} features each and this answer has ${asked}, so they cannot be compared. Send the scan again; if it stays so, tell who runs this service that the features have to be made again.`,
  );
