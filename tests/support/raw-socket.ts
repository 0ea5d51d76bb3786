import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";

/** Says what it likes to a server, and leaves when it likes: what no client of a protocol does. */
export abstract class RawSocket<Answer> {
  protected received = Buffer.alloc(0);
  private ended = false;
  private readonly changes = new EventEmitter();

  protected constructor(readonly socket: Socket) {
    socket.on("data", (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.changes.emit("change");
    });
    const end = () => {
      this.ended = true;
      this.changes.emit("change");
    };
    socket.on("error", end);
    socket.on("end", end);
    socket.on("close", end);
  }

  protected static connect(port: number, host: string, localAddress?: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, ...(localAddress === undefined ? {} : { localAddress }) });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(socket);
      });
    });
  }

  /** Resolves once the kernel has the bytes. */
  send(...parts: readonly (string | Buffer)[]): Promise<void> {
    const bytes = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)));
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** The next answer; undefined if the server ends the connection before one is whole. */
  async answer(): Promise<Answer | undefined> {
    for (;;) {
      const answer = this.take();
      if (answer || this.ended) return answer;
      await once(this.changes, "change");
    }
  }

  /** Resolves once the server has ended the connection. */
  async closed(): Promise<void> {
    while (!this.ended) await once(this.changes, "change");
  }

  leave(): void {
    this.socket.destroy();
  }

  /** Leaves without a farewell: the server gets a reset. */
  hangUp(): void {
    this.socket.resetAndDestroy();
  }

  /** Takes an answer out of what was received, if it is whole. */
  protected abstract take(): Answer | undefined;
}
