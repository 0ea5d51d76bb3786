import { RawSocket } from "./raw-socket";

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** HTTP as no client of it speaks. */
export class RawClient extends RawSocket<RawAnswer> {
  static async open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    return new RawClient(await RawSocket.connect(Number(port), hostname));
  }

  protected take(): RawAnswer | undefined {
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
