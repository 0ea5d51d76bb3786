import { setMaxListeners } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { clientGone } from "./problem";

interface Connection {
  readonly gone: AbortController;
  /** Requests whose answers are not through. */
  requests: number;
  /** Those of them that have arrived and are worked on. */
  working: number;
  /** Whether a request has come by it yet. */
  used: boolean;
}

/** For a connection that was taken just before the server closes: its first request may be on the way. Seconds. */
const FIRST_REQUEST_SECONDS = 0.5;

/** Requests that come by no connection, as tests inject them, have a client that stays. */
const STAYS = new AbortController().signal;

/**
 * Knows who is still there. Neither Fastify nor Node tells a handler of a client that leaves once its request has
 * arrived: a request then counts as closed already, and a response that stands behind another one on its connection is
 * never closed. The connection itself is.
 */
export class Connections {
  private readonly open = new Map<Socket, Connection>();
  private closing = false;

  /** @param most connections; beyond it one that waits for no answer makes room for the newest */
  constructor(
    server: Server,
    private readonly most: number,
  ) {
    server.on("connection", (socket) => this.add(socket));
  }

  /** Counts a request until its answer is through. */
  begin({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.open.get(socket);
    if (!connection) return;
    connection.requests++;
    connection.used = true;
    response.once("close", () => {
      connection.requests--;
      if (this.closing && connection.requests === 0) socket.destroySoon();
    });
  }

  /** Runs work that the client of a request waits for, with a signal that says when it has gone. */
  async whileWorking<T>({ socket }: IncomingMessage, work: (gone: AbortSignal) => Promise<T>): Promise<T> {
    const connection = this.open.get(socket);
    if (!connection) {
      if (socket.destroyed) throw clientGone();
      return work(STAYS);
    }
    connection.working++;
    try {
      return await work(connection.gone.signal);
    } finally {
      connection.working--;
    }
  }

  /** Ends the connection of a request in so many seconds, unless what it waits for is closed before. */
  endLater({ socket }: IncomingMessage, seconds: number, until: IncomingMessage | ServerResponse): void {
    if (!this.open.has(socket)) return;
    const timer = setTimeout(() => socket.destroy(), seconds * 1000).unref();
    until.once("close", () => clearTimeout(timer));
  }

  /**
   * Ends every connection: at once where nothing is asked any more, a new one when its first request is turned away or has
   * not come in a moment, the others with their last answer, or after so many seconds.
   */
  close(seconds: number): void {
    this.closing = true;
    for (const [socket, connection] of this.open) {
      if (connection.requests > 0) continue;
      if (connection.used) socket.destroy();
      else
        setTimeout(() => {
          if (connection.requests === 0) socket.destroy();
        }, FIRST_REQUEST_SECONDS * 1000).unref();
    }
    setTimeout(() => {
      for (const socket of this.open.keys()) socket.destroy();
    }, seconds * 1000).unref();
  }

  private add(socket: Socket): void {
    const connection = { gone: new AbortController(), requests: 0, working: 0, used: false };
    // A client may send requests before it has the answers to others: each of them listens.
    setMaxListeners(0, connection.gone.signal);
    this.open.set(socket, connection);
    const gone = () => connection.gone.abort(clientGone());
    // Node ends a connection whose client has ended its side, and a broken one: both are known before it is closed.
    socket.once("end", gone).once("error", gone);
    socket.once("close", () => {
      this.open.delete(socket);
      gone();
    });
    if (this.open.size > this.most) this.makeRoom(socket);
  }

  /** Those that never asked for anything go first, then those that ask for nothing now, then uploads: each time the oldest. */
  private makeRoom(newest: Socket): void {
    const others = [...this.open].filter(([socket]) => socket !== newest);
    const oldest = (may: (connection: Connection) => boolean) => others.find(([, connection]) => may(connection))?.[0];
    const leaves =
      oldest(({ used }) => !used) ??
      oldest(({ requests }) => requests === 0) ??
      oldest(({ working }) => working === 0) ??
      newest;
    leaves.destroy();
  }
}
