import { request as plain } from "node:http";
import { request as secure } from "node:https";

/** What a server said. */
export interface Reply {
  readonly status: number;
  /** Seconds that it asks to wait. */
  readonly retryAfter: number | undefined;
  /** The beginning of its body. */
  readonly body: string;
}

/** Own certificate for mutual TLS, and whom to trust: PEM. */
export interface Tls {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly ca?: Buffer;
}

/** Of an answer, bytes. */
const MOST_READ = 1 << 20;
const SECONDS = 30;

/**
 * Posts a body, and follows no redirection: what is signed is for one receiver.
 *
 * @throws what Node says where there was no whole answer within 30 s
 */
export function post(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  { tls, signal }: { readonly tls: Tls; readonly signal: AbortSignal | undefined },
): Promise<Reply> {
  const late = AbortSignal.timeout(SECONDS * 1000);
  const options = {
    method: "POST",
    headers: { ...headers, "content-length": body.length },
    signal: signal ? AbortSignal.any([signal, late]) : late,
  };
  return new Promise((resolve, reject) => {
    const sent = url.protocol === "https:" ? secure(url, { ...options, ...tls }) : plain(url, options);
    sent.on("error", (error) => reject(late.aborted ? new Error(`there was no answer within ${SECONDS} s`) : error));
    // What settles nothing would end the process when nothing else is left to do.
    sent.on("upgrade", ({ statusCode }, socket) => {
      socket.destroy();
      reject(new Error(`it wants to speak another protocol (${statusCode})`));
    });
    sent.on("close", () => reject(new Error("it closed the connection without an answer")));
    sent.on("response", (answer) => {
      const parts: Buffer[] = [];
      let read = 0;
      answer.on("data", (part: Buffer) => {
        if (read < MOST_READ) parts.push(part);
        read += part.length;
      });
      answer.on("error", reject);
      answer.on("end", () => {
        const wait = Number(answer.headers["retry-after"]);
        resolve({
          status: answer.statusCode ?? 0,
          retryAfter: wait >= 0 ? wait : undefined,
          body: Buffer.concat(parts).toString("utf8"),
        });
      });
    });
    sent.end(body);
  });
}
