import type { FastifyInstance } from "fastify";
import { ICON, MARKUP } from "./markup";
import { SCRIPT } from "./script";
import { STYLE } from "./style";

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
    app.get(path, { config: { role: "viewer" }, schema: { hide: true } }, async (_, reply) =>
      reply.type(type).header("cache-control", "no-cache").send(content),
    );
  }
}
