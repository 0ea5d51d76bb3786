import { once } from "node:events";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { withDeadline } from "../../platform/deadline";
import type { Tls } from "../../platform/post";
import { ProtocolError } from "./bytes";
import { COMMAND, parseCommand, storeCommand } from "./command";
import { Connection, LostPeerError } from "./connection";
import {
  associateRequest,
  CONTEXT,
  dataUnit,
  PDU,
  parseAssociateAccept,
  parseFragments,
  releaseRequest,
  SENT_TO_CLIENTS,
  userAbort,
} from "./pdu";

/** Where an instance is to be stored. */
export interface StoreTarget {
  readonly host: string;
  readonly port: number;
  readonly calledAet: string;
  readonly callingAet: string;
  /** Undefined: in the clear. */
  readonly tls: Tls | undefined;
}

/** The peer understood and does not take it. */
export class NotStoredError extends Error {
  constructor(
    message: string,
    /** Whether it may at another time. */
    readonly passes: boolean,
  ) {
    super(message);
    this.name = "NotStoredError";
  }
}

/** For each unit, seconds. */
const PATIENCE = 60;
/** Bytes of a unit of data that is sent, where the peer takes as many. */
const UNIT_BYTES = 64 * 1024;
/** Length of a piece, its context and what it is. */
const PIECE_HEAD = 6;
/** A piece has to make headway. */
const LEAST_UNIT = 128;

/** A socket that is connected, and secured where that is asked for. @throws what Node says */
export async function connected(
  { host, port, tls }: Pick<StoreTarget, "host" | "port" | "tls">,
  signal?: AbortSignal,
): Promise<Socket> {
  const socket = tls
    ? connectSecurely({ host, port, ...tls, servername: host, minVersion: "TLSv1.2" })
    : connectPlain({ host, port });
  try {
    await withDeadline(
      PATIENCE * 1000,
      once(socket, tls ? "secureConnect" : "connect", signal ? { signal } : {}),
      () => new LostPeerError("the peer does not take the connection"),
    );
    return socket;
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    throw error;
  }
}

/**
 * Stores one instance by an association of its own. Returns once the peer has said that it has it.
 *
 * @throws {NotStoredError} where the peer says that it does not; anything else: nobody knows
 */
export async function storeInstance(
  target: StoreTarget,
  instance: {
    readonly sopClass: string;
    readonly sopInstance: string;
    readonly transferSyntax: string;
    readonly dataSet: Buffer;
  },
  signal?: AbortSignal,
): Promise<void> {
  const { sopClass, sopInstance, transferSyntax, dataSet } = instance;
  const connection = new Connection(await connected(target, signal), SENT_TO_CLIENTS);
  const stop = () => connection.destroy();
  signal?.addEventListener("abort", stop);
  try {
    await connection.send(associateRequest(target, sopClass, transferSyntax), PATIENCE);
    const most = await agreed(connection);
    await connection.send(dataUnit(true, true, storeCommand(sopClass, sopInstance)), PATIENCE);
    const piece = Math.min(UNIT_BYTES, most) - PIECE_HEAD;
    for (let at = 0; at < dataSet.length; at += piece)
      await connection.send(dataUnit(false, at + piece >= dataSet.length, dataSet.subarray(at, at + piece)), PATIENCE);
    checkStatus(await statusFrom(connection));
    await connection.send(releaseRequest(), PATIENCE);
    // It has the instance, whatever becomes of the farewell.
    await connection.next(PATIENCE).catch(() => undefined);
    await connection.end();
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof NotStoredError) await connection.end(userAbort());
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    connection.destroy();
  }
}

/** @returns bytes of a unit of data that the peer takes */
async function agreed(connection: Connection): Promise<number> {
  const unit = await connection.next(PATIENCE);
  if (unit?.type === PDU.associateReject) {
    const [, result, source, reason] = unit.body;
    throw new NotStoredError(
      `The archive refuses the association (result ${result}, source ${source}, reason ${reason}): it may be called by another title, or not know ours.`,
      // Until somebody changes the configuration of either side: it is no fault of the instance.
      true,
    );
  }
  if (unit?.type !== PDU.associateAccept) throw new LostPeerError("the peer did not answer the association");
  const { result, maxBytes } = parseAssociateAccept(unit.body);
  if (result !== CONTEXT.accepted)
    throw new NotStoredError("The archive does not take this kind of object in Explicit VR Little Endian.", true);
  return maxBytes === 0 ? UNIT_BYTES : Math.max(LEAST_UNIT, maxBytes);
}

async function statusFrom(connection: Connection): Promise<number> {
  const parts: Buffer[] = [];
  for (;;) {
    const unit = await connection.next(PATIENCE);
    if (unit?.type !== PDU.data)
      throw new LostPeerError("the peer went away before it said what became of the instance");
    for (const { isCommand, isLast, bytes } of parseFragments(unit.body)) {
      if (!isCommand) continue;
      parts.push(bytes);
      if (!isLast) continue;
      const { field, status } = parseCommand(Buffer.concat(parts));
      if (field !== COMMAND.storeAnswer || status === undefined)
        throw new ProtocolError("the peer answers something else than what it was asked");
      return status;
    }
  }
}

/** PS3.4, table B.2-1: warnings say that it is stored. */
function checkStatus(status: number): void {
  if (status === 0x0000 || status >> 12 === 0xb || status === 0x0001) return;
  const hex = status.toString(16).toUpperCase().padStart(4, "0");
  // Of PS3.7, annex C: what is there already is there.
  if (status === 0x0111) return;
  throw new NotStoredError(`The archive answers ${hex}.`, status >> 8 === 0xa7 || status === 0x0110);
}
