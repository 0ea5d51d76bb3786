import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { Problem } from "../problem";

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS", "TRACE"];

/**
 * Refuses what a page of another site makes a visitor's browser send. What changes nothing may come from anywhere: other
 * sites cannot read its answer. A client that is no browser sends neither header.
 *
 * @throws {Problem} `cross-site`
 */
export function refuseOtherSites({ method = "GET", headers }: IncomingMessage): void {
  if (SAFE_METHODS.includes(method)) return;
  const site = headers["sec-fetch-site"];
  // Where a proxy has changed the host, the browser knows better than this server what its own page is.
  const own = site === undefined ? isOwn(headers.origin, headers.host) : site === "same-origin" || site === "none";
  if (!own) throw new Problem(403, "cross-site", "Pages of other sites may not send anything to this server.");
}

/** Whether an origin is that of the host that was asked. A proxy before it may have ended TLS, so the scheme says nothing. */
function isOwn(origin: string | undefined, host = ""): boolean {
  if (origin === undefined) return true;
  if (!URL.canParse(origin)) return false;
  const { protocol, host: named } = new URL(origin);
  return URL.canParse(`${protocol}//${host}`) && named !== "" && new URL(`${protocol}//${host}`).host === named;
}

/**
 * Refuses hosts that are no name of this machine's own. Where nobody is asked who he is, a page of another site could else
 * give its own name this machine's address and then read everything (DNS rebinding).
 *
 * @throws {Problem} `unknown-host`
 */
export function refuseOtherHosts({ headers }: IncomingMessage): void {
  const { host = "localhost" } = headers;
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "") : "";
  // Names without a dot are those of a machine's own network, which no site has.
  if (name !== "" && (isIP(name) !== 0 || !name.includes(".") || name.endsWith(".localhost"))) return;
  throw new Problem(
    421,
    "unknown-host",
    "Without sign-in this server answers on the names of its own machine alone: http://127.0.0.1 or http://localhost.",
  );
}
