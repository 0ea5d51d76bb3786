import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";

/** Nothing but this server's own files; pictures from memory are those that the visitor chose. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", "blob:"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

/** What a page of this server never needs of the machine that it is shown on. */
const NOT_NEEDED = ["camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb"];
const PERMISSIONS = NOT_NEEDED.map((feature) => `${feature}=()`).join(", ");
const YEAR_SECONDS = 31_536_000;

/**
 * The headers by which browsers hold every answer to this server's own pages.
 *
 * @param behindTls whether people reach it over HTTPS alone: their browsers then keep to that
 */
export async function secureHeaders(app: FastifyInstance, behindTls: boolean): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: POLICY },
    crossOriginResourcePolicy: { policy: "same-origin" },
    crossOriginOpenerPolicy: { policy: "same-origin" },
    referrerPolicy: { policy: "no-referrer" },
    strictTransportSecurity: behindTls ? { maxAge: YEAR_SECONDS, includeSubDomains: false } : false,
    xFrameOptions: { action: "deny" },
  });
  app.addHook("onRequest", async (_, reply) => {
    reply.header("permissions-policy", PERMISSIONS);
  });
}
