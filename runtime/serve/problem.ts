import { STATUS_CODES } from "node:http";
import type { FastifyReply } from "fastify";
import type { RejectedImage, RejectionCode } from "../imaging";

/**
 * An error that the caller is told of, as `application/problem+json` (RFC 9457). `code` is stable; `detail` is a
 * sentence for a person.
 */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
    this.name = "Problem";
  }
}

export function sendProblem(reply: FastifyReply, problem: Problem, request: string): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header("cache-control", "no-store")
    .type("application/problem+json")
    .send(
      JSON.stringify({
        type: "about:blank",
        title: STATUS_CODES[problem.status] ?? "Error",
        status: problem.status,
        detail: problem.detail,
        code: problem.code,
        request,
      }),
    );
}

/** HTTP's name for why an image is refused; 422 (the content cannot be processed) where it has none of its own. */
const STATUS: Partial<Record<RejectionCode, number>> = {
  "empty-file": 400,
  "file-too-large": 413,
  "unsupported-format": 415,
  "unsupported-encoding": 415,
};

export function rejectionProblem(reason: RejectedImage): Problem {
  return new Problem(STATUS[reason.code] ?? 422, reason.code, reason.message);
}
