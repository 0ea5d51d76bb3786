import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Says what it likes to a server, and leaves when it likes: what an HTTP client never does. */
export class RawClient {
  private received = Buffer.alloc(0);
  private ended = false;
  private readonly changes = new EventEmitter();

  private constructor(readonly socket: Socket) {
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

  static open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Resolves once the kernel has the bytes. */
  send(...parts: readonly (string | Buffer)[]): Promise<void> {
    const bytes = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)));
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** The next answer; undefined if the server ends the connection before one is whole. */
  async answer(): Promise<RawAnswer | undefined> {
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

  private take(): RawAnswer | undefined {
    const end = this.received.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const [line = "", ...rest] = this.received.toString("latin1", 0, end).split("\r\n");
    const headers = Object.fromEntries(
      rest.map((header) => {
        const colon = header.indexOf(":");
        return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()];
      }),
    );
    const status = Number(line.split(" ")[1]);
    const from = end + 4;
    if (status === 100) {
      this.received = this.received.subarray(from);
      return this.take();
    }
    const length = Number(headers["content-length"] ?? 0);
    if (this.received.length < from + length) return undefined;
    const body = this.received.toString("utf8", from, from + length);
    this.received = this.received.subarray(from + length);
    return { status, headers, body };
  }
}

/** The head of a request with a body of so many bytes. */
export function head(length: number, headers: Readonly<Record<string, string>> = {}): string {
  const all = { host: "x", "content-length": String(length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /v1/predictions HTTP/1.1\r\n${lines.join("")}\r\n`;
}
