import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { PREDICTIONS } from "../answering";
import type { Connections } from "../connections";
import { DOCUMENTS, documentOf, NoStudy } from "../documents";
import { type Answers, GoneAnswer } from "../kept/answers";
import { documents, responses } from "../openapi";
import type { Pictures } from "../pictures";
import { Problem } from "../problem";
import type { Queue } from "../queue";
import { idParams } from "../request";
import { reportQuerySchema } from "../schemas";
import { A_PICTURE, lookAt, SHOW } from "./look";

export interface ReportDependencies {
  readonly answers: Answers;
  readonly pictures: Pictures;
  readonly drawing: Queue;
  readonly connections: Connections;
}

/** `GET /v1/predictions/{id}/report`: an answer as other systems take it. */
export async function reportRoutes(app: FastifyInstance, dependencies: ReportDependencies): Promise<void> {
  const { answers, pictures, drawing, connections } = dependencies;
  app.withTypeProvider<ZodTypeProvider>().get(`${PREDICTIONS}/:id/report`, {
    ...SHOW,
    schema: {
      summary: "The newest answer of an id for other systems, preliminary; all identifiers in it are pseudonyms",
      params: idParams,
      querystring: reportQuerySchema,
      response: responses(
        documents(
          {
            [DOCUMENTS.fhir.type]: "A FHIR R4 transaction with a DiagnosticReport, its Observations and the Device",
            [DOCUMENTS.sr.type]: "A structured report (TID 1500), or a secondary capture of the overlay",
            [DOCUMENTS.hl7.type]: "An ORU^R01 of HL7 2.5.1",
          },
          "The answer",
        ),
        409,
        410,
      ),
    },
    handler: async (request, reply) => {
      const { format } = request.query;
      if (await answers.isOver(request.params.id)) throw gone();
      const kept = await lookAt(app, answers, request, "view-report", format);
      const { map, geometry, prediction } = kept;
      const document = await documentOf(kept, format, (slice) =>
        connections.whileWorking(request.raw, (left) =>
          drawing.admit(A_PICTURE, left, (lane) =>
            lane(() => answers.withPage(kept, slice, (page) => pictures.painted({ page, map, geometry }))),
          ),
        ),
      ).catch((error: unknown) => {
        if (error instanceof NoStudy) throw noStudy();
        throw error instanceof GoneAnswer ? gone() : error;
      });
      const { type, ending } = DOCUMENTS[format];
      return reply
        .header("cache-control", "no-store")
        .header("content-disposition", `attachment; filename="${prediction.id.slice(0, 12)}.${ending}"`)
        .type(type)
        .send(document as never);
    },
  });
}

const gone = () =>
  new Problem(
    410,
    "gone",
    "What was kept of this answer is not there any more: its days are over. Send the scan again.",
  );

const noStudy = () =>
  new Problem(
    409,
    "no-study",
    "No study is kept with this answer, and DICOM has no objects without one: the scan was no DICOM, its header lacks a UID, or it was answered by an earlier version. Take fhir or hl7, or send the DICOM file itself.",
  );
