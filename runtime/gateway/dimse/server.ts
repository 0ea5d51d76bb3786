import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type Patience, type Service, serveConnection } from "./association";
import { Connection } from "./connection";
import { userAbort } from "./pdu";

export interface Tls {
  /** PEM. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** PEM: who may have signed the certificates of peers. Without it peers need none. */
  readonly ca: Buffer | undefined;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls: Tls | undefined;
  readonly service: Service;
  readonly patience: Patience;
  /** Whether a peer may say anything at all. */
  isAllowed(address: string): boolean;
  /** A peer that may not was sent away unheard. */
  turnedAway(address: string): void;
}

export interface DimseServer {
  readonly port: number;
  /** Takes nobody in any more, and ends what is under way. What was answered with success is kept. */
  close(): Promise<void>;
}

/** Connections that have not asked for an association yet. One more, and the oldest has to go: it had its time. */
const MAX_WAITING = 64;

/**
 * DICOM's upper layer over TCP: PS3.8. Its own, because the known ones for Node hold whole data sets, and units of any length,
 * in memory, and have no limit on connections that say nothing.
 *
 * @throws what listening throws
 */
export async function listenForDimse(options: ListenOptions): Promise<DimseServer> {
  const { host, port, tls, service, patience } = options;
  const open = new Map<Connection, Promise<void>>();
  const sockets = new Set<Socket>();
  const waiting = new Set<Connection>();

  const serve = (socket: Socket) => {
    if (socket.destroyed) return;
    const address = socket.remoteAddress ?? "";
    const connection = new Connection(socket);
    waiting.add(connection);
    if (waiting.size > MAX_WAITING) {
      const [oldest] = waiting;
      waiting.delete(oldest as Connection);
      oldest?.destroy();
    }
    const served = serveConnection(connection, address, service, patience, () => waiting.delete(connection)).finally(
      () => {
        waiting.delete(connection);
        open.delete(connection);
      },
    );
    open.set(connection, served);
  };
  const server: Server = tls
    ? createTlsServer(
        {
          cert: tls.cert,
          key: tls.key,
          ...(tls.ca ? { ca: tls.ca, requestCert: true, rejectUnauthorized: true } : {}),
          minVersion: "TLSv1.2",
          handshakeTimeout: patience.request * 1000,
        },
        serve,
      )
    : createServer(serve);
  // Of the bare connection, before any byte of it is read.
  server.prependListener("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    if (options.isAllowed(address)) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      return;
    }
    socket.destroy();
    options.turnedAway(address);
  });
  server.on("tlsClientError", (error: Error) => service.lost(error, undefined));
  server.listen({ host, port });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const connection of open.keys()) void connection.end(userAbort());
      await Promise.all(open.values());
      // Those that never came to an end of their handshake.
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
