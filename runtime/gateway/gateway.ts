import { join } from "node:path";
import { MR_CLASSES, READ_TRANSFER_SYNTAXES } from "../imaging";
import { withDeadline } from "../platform/deadline";
import type { Logger } from "../platform/logging";
import type { CreatableStore, ReadableStore } from "../platform/stores";
import { makeFolder } from "../platform/workspace";
import { AddressList } from "./addresses";
import { listenForDimse, type Service, type Tls } from "./dimse";
import { Forwarder } from "./forwarder";
import { Mapping } from "./mapping";
import { PrepareThread } from "./prepare-thread";
import { Spool } from "./spool";
import { SpoolLock } from "./spool-lock";

export interface GatewayOptions {
  /** What peers have to call it: 1 to 16 characters. */
  readonly aet: string;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls: Tls | undefined;
  /** What peers may call themselves; empty: anything, which is for this machine's own alone. */
  readonly callers: readonly string[];
  /** Addresses and ranges beside this machine's own that may connect. */
  readonly addresses: readonly string[];
  /** Where instances and the mapping lie: of this gateway alone. */
  readonly folder: string;
  /** Landing. */
  readonly store: CreatableStore & Pick<ReadableStore, "stat">;
  /** See `openIdentities`. */
  readonly key: string;
  readonly log: Logger;
  readonly limits?: Partial<GatewayLimits>;
}

export interface GatewayLimits {
  /** Bytes of an instance. */
  readonly maxBytes: number;
  /** Bytes of the disk that are left free. */
  readonly reserveBytes: number;
  /** Associations at the same time. */
  readonly associations: number;
  /** Seconds that a peer may take for each unit, the pause before it included. */
  readonly idleSeconds: number;
}

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = {
  maxBytes: 256 * 2 ** 20,
  reserveBytes: 512 * 2 ** 20,
  associations: 16,
  idleSeconds: 60,
};

/** From the connection to the request of an association: PS3.8 leaves the time open, 30 s are usual. */
const REQUEST_SECONDS = 30;
/** For what is under way when it is told to stop: it can be repeated. */
const FAREWELL_MS = 5_000;

const VERIFICATION = "1.2.840.10008.1.1";

export interface Gateway {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Takes MR images by C-STORE, and brings them to landing without a name.
 *
 * @throws {ConfigurationError} where another gateway works in the folder; what listening throws
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { folder, store, key, log } = options;
  const limits = { ...DEFAULT_GATEWAY_LIMITS, ...options.limits };
  await makeFolder(folder);
  const lock = await SpoolLock.take(folder);
  try {
    const spool = await Spool.open(join(folder, "spool"), limits);
    const mapping = await Mapping.open(join(folder, "mapping"));
    const thread = new PrepareThread(key);
    const forwarder = new Forwarder({ spool, mapping, store, log, prepare: (path) => thread.prepare(path) });
    spool.onWaiting = () => forwarder.wake();
    spool.onTrouble = (err) => log.error({ err }, "an instance could not be taken");
    const addresses = new AddressList(options.addresses);
    const server = await listenForDimse({
      ...options,
      service: serviceOf(options, limits, spool),
      patience: { request: REQUEST_SECONDS, unit: limits.idleSeconds },
      isAllowed: (address) => addresses.allows(address),
      turnedAway: (address) => log.warn({ address }, "an address that is not listed was turned away"),
    });
    forwarder.start();
    return {
      port: server.port,
      async close() {
        await server.close();
        await withDeadline(FAREWELL_MS, forwarder.stop(), () => new Error("late")).catch(() => undefined);
        await thread.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function serviceOf(options: GatewayOptions, limits: GatewayLimits, spool: Spool): Service {
  const { aet, callers, log } = options;
  const syntaxes = new Set(READ_TRANSFER_SYNTAXES);
  let associations = 0;
  return {
    aet,
    enter({ callingAet }) {
      if (callers.length > 0 && !callers.includes(callingAet)) return "unknownCaller";
      if (associations >= limits.associations) return "tooMany";
      associations++;
      return undefined;
    },
    left() {
      associations--;
    },
    takesSopClass: (uid) => uid === VERIFICATION || MR_CLASSES.has(uid),
    takesTransferSyntax: (uid) => syntaxes.has(uid),
    store: (request) => spool.receive(request),
    turnedAway: (callingAet, why) => log.warn({ callingAet, why }, "an association was refused"),
    lost: (err, callingAet) => log.warn({ callingAet, why: err.message }, "a connection was lost"),
  };
}
