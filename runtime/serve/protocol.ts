import { type IncomingMessage, METHODS, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ConnectionError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Problem, rawProblem, requestTimeout, toProblem } from "./problem";

/*
 * What Node's parser and Fastify would answer by themselves, in words of their own or in none: here each is a problem
 * document like every other error.
 */

/** Longest URL, characters. */
export const MOST_URL = 8192;

/** Of Node's server. Requests without `Host` are refused in {@link checkRequest}: Node's own answer has no body. */
export const parserOptions = (senderSeconds: number) => ({
  requireHostHeader: false,
  maxHeaderSize: 32_768,
  headersTimeout: senderSeconds * 1000,
  connectionsCheckingInterval: Math.min(1000, senderSeconds * 250),
});

const malformed = () =>
  new Problem(400, "malformed-request", "The request is no HTTP/1.1 that can be read. Send it with an HTTP client.");
const urlTooLong = () => new Problem(414, "url-too-long", "The URL is longer than any of this server.");

/** The parser gave up on a request: of Fastify's `clientErrorHandler`. */
export function answerClientError(error: ConnectionError, socket: Socket): void {
  // Where an answer has begun, another in its middle would only corrupt it. Node has no public name for this.
  const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse };
  if (error.code === "ECONNRESET" || !socket.writable || answer?.headersSent) {
    socket.destroy();
    return;
  }
  socket.end(rawProblem(clientProblem(error)), () => socket.destroy());
}

function clientProblem({ code, rawPacket }: ConnectionError): Problem {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return requestTimeout();
    case "HPE_HEADER_OVERFLOW":
      return beginsWithLongUrl(rawPacket)
        ? urlTooLong()
        : new Problem(431, "headers-too-large", "The headers of the request are larger than 32 KiB.");
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new Problem(413, "chunk-extensions-too-large", "The chunks of the body carry more than their bytes.");
    default:
      return malformed();
  }
}

/** Node calls it a flood of headers too. */
function beginsWithLongUrl(packet: unknown): boolean {
  return Buffer.isBuffer(packet) && /^[A-Z-]+ \S{8192}/.test(packet.toString("latin1"));
}

/** What the router could not even look for. */
const unroutable = new WeakMap<IncomingMessage, Problem>();
/** Where nothing is, in whatever way it is asked for. */
const NOWHERE = "/%25";

/**
 * The router gave up on a request: of Fastify's `frameworkErrors`, which no hook has run before. It is routed again, to
 * where nothing is, so that it gets the same headers as every other request, and who may not know is told nothing.
 */
export function answerFrameworkError(
  error: Error & { readonly code?: string },
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const problems: Readonly<Record<string, () => Problem>> = {
    FST_ERR_BAD_URL: () => new Problem(400, "bad-url", "The URL holds a % that stands for no character."),
    FST_ERR_MAX_PARAM_LENGTH: urlTooLong,
  };
  const { raw } = request;
  unroutable.set(raw, problems[error.code ?? ""]?.() ?? toProblem(error));
  raw.url = NOWHERE;
  request.server.routing(raw, reply.raw);
}

/** @throws {Problem} for what is HTTP, but not of the kind that is answered here: before anybody is asked who he is. */
export function checkRequest({ raw }: FastifyRequest): void {
  // RFC 9112, section 3.2: one host, or nobody knows which of them others looked at.
  const hosts = raw.rawHeaders.filter((name, index) => index % 2 === 0 && /^host$/i.test(name)).length;
  if (hosts > 1 || (hosts === 0 && raw.httpVersion === "1.1")) throw malformed();
  if (!/^(100-continue)?$/i.test(raw.headers.expect ?? "")) {
    throw new Problem(417, "expectation-failed", "Of all expectations only 100-continue is met.");
  }
}

/** @throws {Problem} for a URL that no route can have: of who may know that. */
export function checkUrl({ raw }: FastifyRequest): void {
  const problem = unroutable.get(raw);
  if (problem) throw problem;
  if ((raw.url ?? "").length > MOST_URL) throw urlTooLong();
}

/** Answers what Node would end without a body, or without an answer. */
export function answerUnusual(server: Server): void {
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  server.on("connect", (_, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    const problem = new Problem(405, "method-not-allowed", "This server opens no tunnels.", {
      allow: "GET, HEAD, POST",
    });
    socket.end(rawProblem(problem), () => socket.destroy());
  });
}

/**
 * Makes Fastify know every method, and leave bodies to whoever wants them: a content type proves nothing. Every other
 * method on a path gets 405 with `Allow`: this is called before the routes are added, and what it returns after them.
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const methods = new Map<string, Set<string>>();
  for (const method of METHODS) {
    if (method !== "CONNECT") app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  }
  app.addHook("onRoute", ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    methods.set(url, known);
    for (const each of [method].flat()) known.add(each);
  });
  return () => {
    for (const [url, known] of [...methods]) {
      const allow = [...known].sort().join(", ");
      const refuse = async () => {
        throw new Problem(405, "method-not-allowed", `This path takes ${allow} only.`, { allow });
      };
      app.route({
        url,
        method: app.supportedMethods.filter((method) => !known.has(method)),
        exposeHeadRoute: false,
        config: { role: "viewer" },
        schema: { hide: true },
        onRequest: refuse,
        handler: refuse,
      });
    }
  };
}
