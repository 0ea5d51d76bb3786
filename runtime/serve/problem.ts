import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { FastifyError, FastifyReply } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { RejectedImage, type RejectionCode } from "../imaging";
import { DiskError } from "../platform/disk";
import { DamagedAnswer } from "./kept/answers";
import type { ProblemDocument } from "./schemas";

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

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** The document as it is answered. */
export const problemDocument = ({ status, code, detail }: Problem, request: string): ProblemDocument => ({
  type: "about:blank",
  title: STATUS_CODES[status] ?? "Error",
  status,
  detail,
  code,
  request,
});

export function sendProblem(reply: FastifyReply, problem: Problem, request: string): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header("cache-control", "no-store")
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemDocument(problem, request)));
}

/** A whole answer, for a connection whose request could not even be read; it ends the connection. */
export function rawProblem(problem: Problem): string {
  const document = problemDocument(problem, randomUUID());
  const body = JSON.stringify(document);
  const headers = {
    ...problem.headers,
    "content-type": PROBLEM_TYPE,
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": "no-store",
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${document.title}\r\n${lines.join("")}\r\n${body}`;
}

/** HTTP's name for why an image is refused; 422 (the content cannot be processed) where it has none of its own. */
const STATUS: Partial<Record<RejectionCode, number>> = {
  "empty-file": 400,
  "file-too-large": 413,
  "unsupported-format": 415,
  "unsupported-encoding": 415,
  "not-an-image": 415,
};

/** What a caller is told of anything that was thrown. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return unusable(error);
  if (error instanceof RejectedImage) return new Problem(STATUS[error.code] ?? 422, error.code, error.message);
  if (error instanceof DiskError)
    return new Problem(
      503,
      "storage-unavailable",
      "The server cannot keep what it has to keep, and gives no answer without that. Try again in a moment; if it goes on, tell an administrator.",
      { "retry-after": "5" },
    );
  if (error instanceof DamagedAnswer) return new Problem(500, "kept-damaged", error.message);
  return new Problem(
    500,
    "internal",
    "The server failed on this request. Its log has the cause under the request's id.",
  );
}

/** What the schemas of a route find, as sentences. What is no id, or no name, names nothing. */
function unusable({ validation = [], validationContext }: FastifyError): Problem {
  if (validationContext === "params") return notFound("There is nothing under this name. Look at the id again.");
  const where = validationContext === "headers" ? "header" : "query";
  const found = validation.slice(0, 10).map(({ instancePath, message = "" }) => {
    const name = instancePath.replace(/^\//, "").replaceAll("/", ".");
    return `${name ? `"${name}": ` : ""}${message.replace(/\.$/, "")}.`;
  });
  return new Problem(400, `bad-${where}`, `The ${where} cannot be used. ${found.join(" ")}`);
}

/**
 * The server has no room for a scan just now.
 *
 * @param seconds until what it has is done, as far as is known
 */
export const busy = (what: string, seconds = 1) => {
  const wait = Math.min(300, Math.max(1, Math.ceil(seconds)));
  return new Problem(503, "busy", `The server has ${what}. Send this one again in ${wait} s.`, {
    "retry-after": String(wait),
  });
};

/** An answer is not given late: who waits for it has given up by then. */
export const tooLate = (seconds: number, wait: number) =>
  new Problem(503, "too-late", `There was no answer within ${seconds} s. Send the request again in a moment.`, {
    "retry-after": String(Math.max(1, Math.ceil(wait))),
  });

export const notFound = (detail: string) => new Problem(404, "not-found", detail);

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
