import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { FastifyReply } from "fastify";
import { RejectedImage, type RejectionCode } from "../imaging";

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

const CONTENT_TYPE = "application/problem+json; charset=utf-8";

export function sendProblem(reply: FastifyReply, problem: Problem, request: string): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header("cache-control", "no-store")
    .type(CONTENT_TYPE)
    .send(documentOf(problem, request));
}

/** A whole answer, for a connection whose request could not even be read; it ends the connection. */
export function rawProblem(problem: Problem): string {
  const body = documentOf(problem, randomUUID());
  const headers = {
    ...problem.headers,
    "content-type": CONTENT_TYPE,
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": "no-store",
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${titleOf(problem)}\r\n${lines.join("")}\r\n${body}`;
}

function documentOf(problem: Problem, request: string): string {
  const { status, code, detail } = problem;
  return JSON.stringify({ type: "about:blank", title: titleOf(problem), status, detail, code, request });
}

const titleOf = ({ status }: Problem) => STATUS_CODES[status] ?? "Error";

/** HTTP's name for why an image is refused; 422 (the content cannot be processed) where it has none of its own. */
const STATUS: Partial<Record<RejectionCode, number>> = {
  "empty-file": 400,
  "file-too-large": 413,
  "unsupported-format": 415,
  "unsupported-encoding": 415,
};

/** What a caller is told of anything that was thrown. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof RejectedImage) return new Problem(STATUS[error.code] ?? 422, error.code, error.message);
  return new Problem(
    500,
    "internal",
    "The server failed on this request. Its log has the cause under the request's id.",
  );
}

/** The server has no room for a scan just now. */
export const busy = (what: string) =>
  new Problem(503, "busy", `The server has ${what}. Send this one again in a moment.`, { "retry-after": "1" });

/** Nobody reads this, because the connection is closed; it is counted under its code. */
export const clientGone = () => new Problem(499, "client-gone", "The client left before its answer was there.");

export const stopping = () =>
  new Problem(503, "stopping", "The server is being stopped. Send the request again in a moment.", {
    "retry-after": "5",
  });

export const requestTimeout = () =>
  new Problem(408, "request-timeout", "The request did not arrive in time. Send it again over a better connection.", {
    connection: "close",
  });
