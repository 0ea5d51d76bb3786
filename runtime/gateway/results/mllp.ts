import type { Socket } from "node:net";
import { withDeadline } from "../../platform/deadline";

/** Minimal lower layer protocol: HL7 2.x, appendix C of the implementation guide. */
const START = 0x0b;
const END = Buffer.from([0x1c, 0x0d]);

/** For all of it. */
const SECONDS = 30;
const MOST_BYTES = 1 << 20;

/** What a receiver says of a message. */
export interface Acknowledgement {
  /** MSA-1: AA, AE or AR, or CA, CE, CR. */
  readonly code: string;
}

/**
 * Sends a message and waits for its acknowledgement.
 *
 * @param message segments that end with a carriage return each; MSH-10 names it
 * @throws {Error} where none comes, or one of another message
 */
export async function sendByMllp(socket: Socket, message: string, controlId: string): Promise<Acknowledgement> {
  socket.on("error", () => {});
  const answered = firstFrame(socket);
  socket.write(Buffer.concat([Buffer.from([START]), Buffer.from(message, "utf8"), END]));
  const frame = await withDeadline(
    SECONDS * 1000,
    answered,
    () => new Error(`the receiver did not acknowledge the message within ${SECONDS} s`),
  );
  const segments = frame.toString("utf8").split(/\r\n?|\n/);
  const header = segments.find((segment) => segment.startsWith("MSH"));
  const acknowledged = segments.find((segment) => segment.startsWith("MSA"));
  const separator = header?.[3] ?? "|";
  const [, code = "", of = ""] = acknowledged?.split(separator) ?? [];
  if (of !== controlId) throw new Error("the receiver acknowledged another message, or none");
  return { code };
}

async function firstFrame(socket: Socket): Promise<Buffer> {
  let held = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    held = Buffer.concat([held, chunk]);
    if (held.length > MOST_BYTES) throw new Error("the receiver's acknowledgement is longer than any");
    const start = held.indexOf(START);
    const end = held.indexOf(END, Math.max(0, start));
    if (start >= 0 && end > start) return held.subarray(start + 1, end);
  }
  throw new Error("the receiver closed the connection without an acknowledgement");
}
