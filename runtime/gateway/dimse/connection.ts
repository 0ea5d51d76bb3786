import { once } from "node:events";
import type { Socket } from "node:net";
import { withDeadline } from "../../platform/deadline";
import { HEADER_BYTES, readHeader, SENT_TO_SERVERS } from "./pdu";

/** A peer that did not send, or not take, what it had to in time. */
export class SlowPeerError extends Error {
  constructor(seconds: number) {
    super(`the peer was silent, or too slow, for ${seconds} s`);
    this.name = "SlowPeerError";
  }
}

/** A peer that went away in the middle of something. */
export class LostPeerError extends Error {
  constructor(message = "the peer went away", options?: ErrorOptions) {
    super(message, options);
    this.name = "LostPeerError";
  }
}

/** How long a peer that is sent away may take to hear it. */
const FAREWELL_MS = 1_000;

/**
 * Units over a socket. Nothing is read that nobody asked for, so that a peer can fill no more memory than one unit has, and
 * one answer.
 */
export class Connection {
  private readonly chunks: AsyncIterator<Buffer>;
  private held: Buffer[] = [];
  private bytes = 0;

  /** @param taken types of units that are taken from the peer, and how many bytes each may have */
  constructor(
    private readonly socket: Socket,
    private readonly taken = SENT_TO_SERVERS,
  ) {
    // Whoever reads or writes hears of it there.
    socket.on("error", () => {});
    socket.setNoDelay(true);
    this.chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /**
   * The next unit, whole; undefined where the peer has closed.
   *
   * @param seconds for all of it, the waiting included
   * @throws {ProtocolError} {@link SlowPeerError} {@link LostPeerError}
   */
  next(seconds: number): Promise<{ readonly type: number; readonly body: Buffer } | undefined> {
    return within(seconds, async () => {
      if (!(await this.hold(HEADER_BYTES))) {
        if (this.bytes > 0) throw new LostPeerError("the peer went away within a unit");
        return undefined;
      }
      const { type, length } = readHeader(this.take(HEADER_BYTES), this.taken);
      if (!(await this.hold(length))) throw new LostPeerError("the peer went away within a unit");
      return { type, body: this.take(length) };
    });
  }

  /** @throws {SlowPeerError} for a peer that sends and does not read */
  async send(unit: Buffer, seconds: number): Promise<void> {
    if (this.socket.destroyed) throw new LostPeerError();
    if (this.socket.write(unit)) return;
    await within(seconds, async () => {
      await Promise.race([once(this.socket, "drain"), once(this.socket, "close")]).catch(() => undefined);
    });
    if (this.socket.destroyed) throw new LostPeerError();
  }

  /** Says a last word, and does not wait for long until it is heard. */
  async end(unit?: Buffer): Promise<void> {
    if (this.socket.destroyed) return;
    const closed = once(this.socket, "close").catch(() => undefined);
    const timer = setTimeout(() => this.socket.destroy(), FAREWELL_MS);
    if (unit) this.socket.end(unit);
    else this.socket.end();
    // What is still sent is not read any more; unread, it would turn the last word into a reset.
    this.socket.resume();
    await closed;
    clearTimeout(timer);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Whether so many bytes are there, once they have come. */
  private async hold(length: number): Promise<boolean> {
    while (this.bytes < length) {
      const { value, done } = await this.chunks.next().catch((error: unknown) => {
        throw new LostPeerError(undefined, { cause: error });
      });
      if (done) return false;
      this.held.push(value as Buffer);
      this.bytes += (value as Buffer).length;
    }
    return true;
  }

  private take(length: number): Buffer {
    const all = this.held.length === 1 ? (this.held[0] as Buffer) : Buffer.concat(this.held);
    const rest = all.subarray(length);
    this.held = rest.length > 0 ? [rest] : [];
    this.bytes = rest.length;
    return all.subarray(0, length);
  }
}

const within = <T>(seconds: number, work: () => Promise<T>) =>
  withDeadline(seconds * 1000, work(), () => new SlowPeerError(seconds));
