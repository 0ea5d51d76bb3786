import type { FastifyInstance } from "fastify";
import { ICON, MARKUP } from "./markup";
import { SCRIPT } from "./script";
import { STYLE } from "./style";

/** Nothing but this server's own files; pictures from memory are those that the visitor chose. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const FILES = [
  ["/", "text/html; charset=utf-8", MARKUP],
  ["/page.css", "text/css; charset=utf-8", STYLE],
  ["/page.js", "text/javascript; charset=utf-8", SCRIPT],
  ["/icon.svg", "image/svg+xml", ICON],
] as const;

/**
 * The page for people. Its files are modules of this program, so that they are there wherever the program is: compiled,
 * bundled or in an image.
 */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  for (const [path, type, content] of FILES) {
    app.get(path, async (_, reply) =>
      reply.type(type).header("content-security-policy", POLICY).header("cache-control", "no-cache").send(content),
    );
  }
}
