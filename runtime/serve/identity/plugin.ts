import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Problem } from "../problem";
import type { KeyTimes } from "./keys";
import { refuseOtherHosts, refuseOtherSites } from "./other-sites";
import { type Caller, mayDo, type Role, type RouteRole } from "./roles";
import type { Authentication } from "./settings";
import { RefusedToken, Tokens } from "./tokens";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; of a route that is open to everybody, nobody. */
    caller: Caller;
  }
  interface FastifyContextConfig {
    /** What the route asks of its caller. One that does not say is closed to everybody. */
    readonly role?: RouteRole;
  }
}

export interface IdentityOptions {
  readonly authentication: Authentication;
  /** Requests of a caller in a minute, and bad tokens from an address in a minute; 0: any number. */
  readonly requestsPerMinute: number;
  /** @default what {@link KeyTimes} says */
  readonly keyTimes?: KeyTimes | undefined;
}

const LOCAL: Caller = { who: "local", role: "admin" };
/** Callers and addresses that are counted at a time; the one that came longest ago makes room. */
const COUNTED = 10_000;

/**
 * Lets in who may do what the route asks, before a byte of the request's body is looked at. Hooks that were added before
 * run before; routes are added after.
 */
export async function identify(app: FastifyInstance, options: IdentityOptions): Promise<void> {
  const { authentication, requestsPerMinute } = options;
  const callerOf = authentication.mode === "none" ? undefined : new Tokens(authentication, options.keyTimes);
  app.decorateRequest("caller", undefined as unknown as Caller);
  const limits = requestsPerMinute > 0 ? await limitsOf(app, requestsPerMinute) : undefined;

  const identified = async (request: FastifyRequest): Promise<Caller> => {
    if (!callerOf) return LOCAL;
    try {
      return await callerOf.callerOf(request.raw);
    } catch (error) {
      // A whole hospital may share an address: who has a good token is let in, whatever others send from there.
      if (error instanceof RefusedToken) await limits?.badTokens(request);
      throw error;
    }
  };

  app.addHook("onRequest", async (request) => {
    if (!callerOf) refuseOtherHosts(request.raw);
    const needed = neededFor(request);
    if (needed === "open") return;
    request.caller = await identified(request);
    await limits?.requests(request);
    refuseOtherSites(request.raw);
    if (needed === undefined) throw forbidden("Nobody may use this path: it does not say who may.");
    requireRole(request.caller, needed);
  });
}

/** What is not there, whoever has any role may be told of. */
function neededFor(request: FastifyRequest): RouteRole | undefined {
  return request.is404 ? ("viewer" satisfies Role) : request.routeOptions.config.role;
}

/** @throws {Problem} `forbidden` */
export function requireRole(caller: Caller, needed: Role): void {
  if (!mayDo(caller, needed)) throw forbidden(`This needs the role ${needed}, and yours is ${caller.role}.`);
}

const forbidden = (detail: string) => new Problem(403, "forbidden", detail);

async function limitsOf(app: FastifyInstance, max: number) {
  await app.register(rateLimit, { global: false, cache: COUNTED });
  const limit = (keyGenerator: (request: FastifyRequest) => string, what: string, most: number) => {
    const count = app.createRateLimit({ max: most, timeWindow: "1 minute", keyGenerator });
    return async (request: FastifyRequest) => {
      const counted = await count(request);
      if (counted.isAllowed || !counted.isExceeded) return;
      throw new Problem(429, "too-many-requests", `${what} Wait ${counted.ttlInSeconds} seconds.`, {
        "retry-after": String(counted.ttlInSeconds),
      });
    };
  };
  const address = ({ ip }: FastifyRequest) => ip;
  return {
    requests: limit(
      (request) => (request.caller === LOCAL ? address(request) : request.caller.who),
      `There were more than ${max} requests of yours in a minute.`,
      max,
    ),
    badTokens: limit(address, "Too many tokens that are not valid here came from this address.", max),
  };
}
