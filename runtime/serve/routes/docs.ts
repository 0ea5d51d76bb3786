import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { drawDocs, type OpenApiDocument, STYLE } from "../docs-page";
import { responses, text } from "../openapi";

/** Its own style sheet, and nothing else: no script, no picture, no other host. */
const POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const READ = { config: { role: "viewer" } } as const;

/** The API's document, and the same for people. */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  const api = app.withTypeProvider<ZodTypeProvider>();
  let page: string | undefined;
  api.get("/openapi.json", {
    ...READ,
    schema: {
      summary: "This API as OpenAPI 3.1",
      response: responses({ 200: z.record(z.string(), z.unknown()) }),
    },
    handler: async (_, reply) =>
      reply.header("cache-control", "no-cache").send(app.swagger() as unknown as Record<string, unknown>),
  });
  api.get("/docs", {
    ...READ,
    schema: { summary: "This API for people", response: responses(text("text/html", "A page")) },
    handler: async (_, reply) => {
      page ??= drawDocs(app.swagger() as unknown as OpenApiDocument);
      return reply
        .type("text/html; charset=utf-8")
        .header("content-security-policy", POLICY)
        .header("cache-control", "no-cache")
        .send(page);
    },
  });
  api.get("/docs.css", {
    ...READ,
    schema: { hide: true },
    handler: async (_, reply) => reply.type("text/css; charset=utf-8").header("cache-control", "no-cache").send(STYLE),
  });
}
