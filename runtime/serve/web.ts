import { existsSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { Problem } from "./problem";

const YEAR_SECONDS = 31_536_000;

/**
 * The built dashboard: beside the program in a bundle, in `dist/web` of a checkout, whether this file runs compiled or as
 * source. Undefined where it is not built.
 */
export function webFolder(): string | undefined {
  const root = join(__dirname, "..", "..");
  const places = [join(__dirname, "web"), join(root, "web"), join(root, "dist", "web")];
  // A checkout's web/ holds sources, and no assets.
  return places.find((place) => existsSync(join(place, "assets")));
}

/** Of a page for people in a hospital, not even the looks are for everybody. */
const VIEWER = { config: { role: "viewer" }, schema: { hide: true } } as const;

/** The page for people: `/` names files below `/assets`, whose names change with their content. */
export async function webRoutes(app: FastifyInstance): Promise<void> {
  const root = webFolder();
  if (root) await app.register(fastifyStatic, { root, serve: false, cacheControl: false, dotfiles: "ignore" });
  app.get("/", VIEWER, async (_, reply) => {
    if (!root) throw notBuilt();
    return reply.header("cache-control", "no-store").sendFile("index.html");
  });
  app.get<{ Params: { "*": string } }>("/assets/*", VIEWER, async (request, reply) => {
    const name = request.params["*"];
    // The folder is flat, and so is what is asked of it.
    if (!root || !/^[\w-]+\.\w+$/.test(name) || !existsSync(join(root, "assets", name)))
      throw new Problem(404, "not-found", "There is no such file of the page. Load the page again: it may be newer.");
    return reply.header("cache-control", `private, max-age=${YEAR_SECONDS}, immutable`).sendFile(join("assets", name));
  });
}

const notBuilt = () =>
  new Problem(404, "no-dashboard", "The dashboard is not built here. Run npm run build, and load this page again.");
