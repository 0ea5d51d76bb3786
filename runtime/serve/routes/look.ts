import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AuditAction } from "../identity";
import type { Answers, KeptAnswer } from "../kept/answers";
import { notFound } from "../problem";

/** What is drawn or compared once. */
export const A_PICTURE = { units: 1, large: false };
/** The same id shows the same for as long as it is kept. */
export const UNCHANGING = "private, max-age=3600, immutable";
export const SHOW = { config: { role: "viewer" } } as const;

/**
 * The newest answer of an id, for a look at it, which is written down: it is of a patient.
 *
 * @param result what was had of it, where the action does not say
 * @throws {Problem} `not-found` where nothing is kept
 */
export async function lookAt(
  app: FastifyInstance,
  answers: Answers,
  request: FastifyRequest<{ Params: { id: string } }>,
  action: AuditAction,
  result?: string,
): Promise<KeptAnswer> {
  const { id } = request.params;
  const answer = await answers.newest(id);
  if (!answer) throw notFound("Nothing is kept of a prediction with this id. Send the scan again.");
  await app.audit.record({ action, ...request.caller, request: request.id, subject: id, result: result ?? null });
  return answer;
}
