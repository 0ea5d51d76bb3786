import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Bodies } from "./bodies";
import type { AuditAction } from "./identity";
import type { Idempotency, KeptReply } from "./kept/idempotency";
import { PROBLEM_TYPE, Problem, problemDocument, toProblem } from "./problem";
import { modelIdSchema } from "./schemas";

/** Longest JSON body, bytes. */
const MOST_JSON = 16 * 1024;

/** Names an answer: of the model and the pixels. What is no id has no answer: 404. */
export const idParams = z.object({ id: z.string().regex(/^[0-9a-f]{64}$/) });
export const modelParams = z.object({ id: modelIdSchema });

/** Problems of a request that say nothing of what it asks for: sent again, it may get another answer. */
const PASSING = [408, 409, 429, 499];
const passes = (status: number) => status >= 500 || PASSING.includes(status);

/**
 * Answers a request once under its `Idempotency-Key`, and always where it has none. An answer that is given again is
 * written down like the first.
 *
 * @param parts of the request: what makes it another one under the same key
 * @param check throws where the answer may not be given any more; it is kept all the same
 * @returns the reply, which is sent: of the type that any handler may give
 */
export async function replyOnce(
  keys: Idempotency,
  request: FastifyRequest,
  reply: FastifyReply,
  action: AuditAction,
  parts: readonly (string | Buffer)[],
  work: () => Promise<unknown>,
  check: () => void = () => {},
): Promise<never> {
  const key = request.headers["idempotency-key"];
  reply.header("cache-control", "no-store");
  if (key === undefined) return reply.send(await work()) as never;
  const use = { who: request.caller.who, key: String(key), parts: [request.method, request.url, ...parts] };
  const { reply: kept, again } = await keys.once(use, () => keptReply(request.id, work));
  if (again) {
    await request.server.audit.record({ action, ...request.caller, request: request.id, result: "given-again" });
    reply.header("idempotency-replayed", "true");
  }
  check();
  return reply.code(kept.status).type(kept.contentType).send(kept.body) as never;
}

async function keptReply(request: string, work: () => Promise<unknown>): Promise<KeptReply> {
  try {
    const done = await work();
    // Of a batch a single file may have failed in a way that passes.
    const { items = [] } = done as { readonly items?: readonly { readonly status?: number }[] };
    const passing = items.some(({ status = 200 }) => passes(status));
    return { status: 200, contentType: "application/json; charset=utf-8", body: JSON.stringify(done), passing };
  } catch (error) {
    const problem = toProblem(error);
    if (passes(problem.status)) throw error;
    return {
      status: problem.status,
      contentType: PROBLEM_TYPE,
      body: JSON.stringify(problemDocument(problem, request)),
    };
  }
}

/**
 * Reads a body of JSON and runs `work` with it.
 *
 * @throws {Problem} `bad-body` with everything that is wrong, `body-too-large`
 */
export function withJson<S extends z.ZodType, T>(
  bodies: Bodies,
  request: FastifyRequest,
  schema: S,
  work: (value: z.output<S>, body: Buffer) => Promise<T>,
): Promise<T> {
  const tooLarge = new Problem(413, "body-too-large", `The body is larger than ${MOST_JSON / 1024} KiB.`);
  return bodies.receive(request.raw, MOST_JSON, tooLarge, async (body) => {
    const parsed = schema.safeParse(parseJson(body));
    if (parsed.success) return work(parsed.data, body);
    throw new Problem(400, "bad-body", `The body cannot be used: ${sentences(parsed.error.issues)}`);
  });
}

function parseJson(body: Buffer): unknown {
  try {
    // Bytes that are no UTF-8 would become other characters than were sent.
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Problem(400, "bad-body", "The body is no JSON. Send a JSON object, in UTF-8.");
  }
}

/** Everything that a schema finds, each with where it is. */
export function sentences(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string {
  return issues
    .slice(0, 10)
    .map(({ path, message }) => {
      const said = message.replace(/\.$/, "");
      return path.length > 0 ? `"${path.join(".")}": ${said}.` : `${said}.`;
    })
    .join(" ");
}
