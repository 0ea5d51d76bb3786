import { chmod } from "node:fs/promises";
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
import type { PixelTextChoice } from "./pixel-text";
import { PrepareThread } from "./prepare-thread";
import { Courier, type Destination, Outbox } from "./results";
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
  /** What stays at home for text in its pixels. @default what says so */
  readonly pixelText?: PixelTextChoice;
  /** Where answers come from and go to. @default none are fetched */
  readonly results?: ResultsOptions | undefined;
  readonly log: Logger;
  readonly limits?: Partial<GatewayLimits>;
}

export interface ResultsOptions {
  /** Where answers of studies lie: read by name. */
  readonly reports: Pick<ReadableStore, "read">;
  readonly destinations: readonly Destination[];
  /** Also answers of models that are not fit for use. */
  readonly unfit: boolean;
  /** Between two looks for the answers of what has just landed. @default 60 */
  readonly lookSeconds?: number;
  /** Hours after which a study is handed on although some slices are not answered. @default 24 */
  readonly incompleteHours?: number;
}

export interface GatewayLimits {
  /** Bytes of an instance. */
  readonly maxBytes: number;
  /** Bytes of the disk that are left free. */
  readonly reserveBytes: number;
  /** Associations at the same time, and of one address. */
  readonly associations: number;
  readonly associationsOfOne: number;
  /** Seconds that a peer may take for each unit, the pause before it included. */
  readonly idleSeconds: number;
}

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = {
  maxBytes: 256 * 2 ** 20,
  reserveBytes: 512 * 2 ** 20,
  associations: 16,
  associationsOfOne: 8,
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
  const { folder, store, key, pixelText = "refuse", log } = options;
  const limits = { ...DEFAULT_GATEWAY_LIMITS, ...options.limits };
  await makeFolder(folder);
  // As it is made, or was by an earlier version, others could list what lies in it.
  await chmod(folder, 0o700).catch((err: unknown) => log.warn({ err }, "the folder cannot be closed to others"));
  const lock = await SpoolLock.take(folder);
  try {
    const spool = await Spool.open(join(folder, "spool"), limits);
    const mapping = await Mapping.open(join(folder, "mapping"));
    const thread = new PrepareThread({ key, pixelText });
    const forwarder = new Forwarder({ spool, mapping, store, log, prepare: (path) => thread.prepare(path) });
    spool.onWaiting = () => forwarder.wake();
    spool.onTrouble = (err) => log.error({ err }, "an instance could not be taken");
    const courier = options.results && (await courierOf(options.results, { folder, mapping, log }));
    const addresses = new AddressList(options.addresses);
    const server = await listenForDimse({
      ...options,
      service: serviceOf(options, limits, spool),
      patience: { request: REQUEST_SECONDS, unit: limits.idleSeconds },
      isAllowed: (address) => addresses.allows(address),
      turnedAway: (address) => log.warn({ address }, "an address that is not listed was turned away"),
    });
    forwarder.start();
    courier?.start();
    return {
      port: server.port,
      async close() {
        await server.close();
        const stopped = Promise.all([forwarder.stop(), courier?.stop()]);
        await withDeadline(FAREWELL_MS, stopped, () => new Error("late")).catch(() => undefined);
        await thread.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function courierOf(
  { reports, destinations, unfit, lookSeconds = 60, incompleteHours = 24 }: ResultsOptions,
  { folder, mapping, log }: Pick<GatewayOptions, "folder" | "log"> & { readonly mapping: Mapping },
): Promise<Courier> {
  const outbox = await Outbox.open(join(folder, "results"));
  return new Courier({ mapping, outbox, reports, destinations, unfit, lookSeconds, incompleteHours, log });
}

function serviceOf(options: GatewayOptions, limits: GatewayLimits, spool: Spool): Service {
  const { aet, callers, log } = options;
  const syntaxes = new Set(READ_TRANSFER_SYNTAXES);
  let associations = 0;
  const ofAddress = new Map<string, number>();
  return {
    aet,
    enter({ callingAet }, address) {
      if (callers.length > 0 && !callers.includes(callingAet)) return "unknownCaller";
      const own = ofAddress.get(address) ?? 0;
      // One that asks for all there are leaves some to others.
      if (associations >= limits.associations || own >= limits.associationsOfOne) return "tooMany";
      associations++;
      ofAddress.set(address, own + 1);
      return undefined;
    },
    left(address) {
      associations--;
      const left = (ofAddress.get(address) ?? 1) - 1;
      if (left > 0) ofAddress.set(address, left);
      else ofAddress.delete(address);
    },
    takesSopClass: (uid) => uid === VERIFICATION || MR_CLASSES.has(uid),
    takesTransferSyntax: (uid) => syntaxes.has(uid),
    store: (request) => spool.receive(request),
    turnedAway: (callingAet, why) => log.warn({ callingAet, why }, "an association was refused"),
    lost: (err, callingAet) => log.warn({ callingAet, why: err.message }, "a connection was lost"),
  };
}
