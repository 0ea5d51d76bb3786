import { isIPv6 } from "node:net";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { LOCAL_PSEUDONYM_KEY } from "../intake";
import { ConfigurationError, parseEnv } from "../platform/config";
import { createLogger, type Logger } from "../platform/logging";
import { openStores, openTables } from "../platform/open-stores";
import { LOOPBACK, portProblem } from "../platform/port";
import { creatableOnly, DirectoryStore, readableOnly } from "../platform/stores";
import { openWorkspace, type Workspace } from "../platform/workspace";
import { buildServer } from "./app";
import { SERVE_DEFAULTS, serveContract } from "./contract";
import {
  type Authentication,
  authenticationOf,
  identityProblems,
  identityVariables,
  unmeantProblems,
} from "./identity";
import { keepSweeping } from "./kept/sweep";
import { lateIdentities } from "./late-identities";
import type { ProblemDocument } from "./schemas";

/** Who may ask, and how often. */
export interface Callers {
  readonly authentication: Authentication;
  readonly requestsPerMinute: number;
}

/**
 * What the environment says of callers, for a server that a person starts: nobody is asked who he is and nobody has a
 * limit, unless it says so.
 *
 * @param host the address that will be listened on
 * @throws {ConfigurationError} with everything that is wrong
 */
export function localCallers(host: string, given: NodeJS.ProcessEnv = process.env): Callers {
  const { AUTH = "none" } = given;
  const RATE_LIMIT = given.RATE_LIMIT ?? (AUTH === "none" ? "0" : undefined);
  const env = parseEnv(LOCAL_VARIABLES, { ...given, AUTH, RATE_LIMIT }, (all) => [
    ...unmeantProblems(given),
    ...identityProblems(all, host),
  ]);
  return { authentication: authenticationOf(env), requestsPerMinute: env.RATE_LIMIT };
}

const { shape } = serveContract.env;
const LOCAL_VARIABLES = z.object({ ...identityVariables, RATE_LIMIT: shape.RATE_LIMIT });

/** A server that listens. */
export interface RunningServer {
  /** e.g. `http://127.0.0.1:8080` */
  readonly url: string;
  /** Why there was no model to serve at the start, as sentences; null where there was one. */
  readonly problem: string | null;
  /**
   * Says on `/readyz` that it is being stopped, goes on for so many seconds, then stops listening, lets the requests in
   * progress end, and frees the model.
   */
  close(drainSeconds?: number): Promise<void>;
}

/**
 * Serves a workspace.
 *
 * @param options.port 0: a free one
 * @param options.host address to listen on; this machine's own (the default) where nobody is asked who he is
 */
export async function serveWorkspace(options: {
  readonly workspace: Workspace | string;
  readonly port: number;
  readonly host?: string;
  /** @default nobody is asked who he is */
  readonly callers?: Callers;
  readonly log?: Logger;
  readonly refreshSeconds?: number;
  /** Days that pixels and maps of answers are kept. @default 30 */
  readonly keepDays?: number;
  /** Share of Cancer among the scans that are sent. @default not stated */
  readonly prevalence?: number;
  /** The model that answers. @default whichever is current */
  readonly pinned?: string | undefined;
  /** The model that is asked beside it, or `current`. @default none */
  readonly shadow?: string | undefined;
}): Promise<RunningServer> {
  const own = typeof options.workspace === "string";
  const workspace = typeof options.workspace === "string" ? await openWorkspace(options.workspace) : options.workspace;
  const host = options.host ?? LOOPBACK;
  const callers = options.callers ?? localCallers(host, {});
  const { models, reports, curated, landing } = workspace.buckets;
  const log = options.log ?? createLogger("serve", { keepNames: true });
  const keepDays = options.keepDays ?? SERVE_DEFAULTS.keepDays;
  const app = await buildServer({
    models,
    pointer: models,
    reports: { ...readableOnly(reports), ...creatableOnly(reports, serveContract.createsBelow.reports) },
    landing: creatableOnly(landing, serveContract.createsBelow.landing),
    curated,
    warehouse: workspace.warehouse,
    identities: lateIdentities(process.env.PSEUDONYM_KEY ?? LOCAL_PSEUDONYM_KEY),
    log,
    keepDays,
    pinned: options.pinned,
    shadow: options.shadow,
    ...callers,
    ...(options.prevalence === undefined ? {} : { prevalence: options.prevalence }),
    ...(options.refreshSeconds === undefined ? {} : { refreshSeconds: options.refreshSeconds }),
  });
  if (own) app.addHook("onClose", () => workspace.close());
  const running = await listen(app, options.port, host);
  // In the cloud the bucket does it by itself.
  if (reports instanceof DirectoryStore) {
    const end = keepSweeping(reports, keepDays, log);
    app.server.once("close", end);
  }
  return running;
}

/**
 * Lets V8's heap grow by so many per cent between two collections of all of it. V8 itself goes for a tenth where little is
 * allocated a second: then it walks all that is loaded, 30 MiB, every 25 answers, and requests stand still meanwhile.
 */
const HEAP_GROWTH = 200;

async function listen(app: FastifyInstance, port: number, host: string): Promise<RunningServer> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`);
  try {
    await app.listen({ port, host });
  } catch (error) {
    await app.close();
    throw portProblem(error, port) ?? error;
  }
  const address = app.server.address();
  const bound = typeof address === "object" && address ? address.port : port;
  const close = async (drainSeconds = 0) => {
    app.retire();
    await setTimeout(drainSeconds * 1000);
    await app.close();
  };
  const probe = await app.inject({ method: "GET", url: serveContract.health.startup });
  return {
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${bound}`,
    problem: probe.statusCode === 200 ? null : probe.json<ProblemDocument>().detail,
    close,
  };
}

/** The container's process: everything comes from the environment, as {@link serveContract} declares it. */
export async function main(): Promise<void> {
  const { HOST } = serveContract.env.shape;
  const host = HOST.safeParse(process.env.HOST).data ?? HOST.parse(undefined);
  const env = parseEnv(serveContract.env, process.env, (all) => identityProblems(all, host));
  const log = createLogger("serve");
  const authentication = authenticationOf(env);
  const { models, reports, curated, landing } = await openStores(serveContract, env);
  const warehouse = await openTables(serveContract, env);
  const app = await buildServer({
    models,
    pointer: models,
    reports,
    landing,
    curated,
    warehouse,
    identities: lateIdentities(env.PSEUDONYM_KEY),
    log,
    maxBodyBytes: env.MAX_BODY_MIB * 2 ** 20,
    maxPages: env.MAX_PAGES,
    maxMegapixels: env.MAX_MEGAPIXELS,
    queueLimit: env.QUEUE_LIMIT,
    deadlineSeconds: env.DEADLINE_SECONDS,
    keepDays: env.KEEP_DAYS,
    ...(env.PREVALENCE === undefined ? {} : { prevalence: env.PREVALENCE }),
    pinned: env.PINNED_MODEL,
    shadow: env.SHADOW_MODEL,
    authentication,
    requestsPerMinute: env.RATE_LIMIT,
  });
  app.addHook("onClose", () => warehouse.close());
  const server = await listen(app, env.PORT, env.HOST);
  log.info({ url: server.url }, "Listening");
  if (authentication.mode !== "none" && authentication.roles.isEmpty)
    log.warn("AUTH_ROLES names nobody: whoever asks is told that he has no role");
  const stop = (signal: string) => {
    log.info({ signal }, "Stopping");
    server.close(env.DRAIN_SECONDS).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "Stopping failed");
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof ConfigurationError ? error.message : (error as Error).stack}\n`);
    process.exit(error instanceof ConfigurationError ? 2 : 1);
  });
}
