import { RawSocket } from "../../support/raw-socket";

export interface Unit {
  readonly type: number;
  readonly body: Buffer;
}

/** DICOM's upper layer, by hand. */
export class RawPeer extends RawSocket<Unit> {
  /** @param from an address of this machine's own */
  static async open(port: number, from?: string): Promise<RawPeer> {
    return new RawPeer(await RawSocket.connect(port, "127.0.0.1", from));
  }

  /** The first thing that the server says before it closes. */
  async lastWord(): Promise<Unit | undefined> {
    const word = await this.answer();
    await this.closed();
    return word;
  }

  protected take(): Unit | undefined {
    if (this.received.length < 6) return undefined;
    const end = 6 + this.received.readUInt32BE(2);
    if (this.received.length < end) return undefined;
    const unit = { type: this.received.readUInt8(0), body: Buffer.from(this.received.subarray(6, end)) };
    this.received = this.received.subarray(end);
    return unit;
  }
}

export const pdu = (type: number, body: Buffer) => Buffer.concat([Buffer.from([type, 0]), uint32(body.length), body]);

const uint16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export const item = (type: number, value: Buffer) =>
  Buffer.concat([Buffer.from([type, 0]), uint16(value.length), value]);

export interface Proposal {
  readonly called?: string;
  readonly calling?: string;
  readonly version?: number;
  readonly application?: string;
  readonly contexts?: readonly Buffer[];
}

const VERIFICATION = "1.2.840.10008.1.1";

export const proposed = (id: number, sopClass: string, ...syntaxes: readonly string[]) =>
  item(
    0x20,
    Buffer.concat([
      Buffer.from([id, 0, 0, 0]),
      item(0x30, Buffer.from(sopClass)),
      ...syntaxes.map((uid) => item(0x40, Buffer.from(uid))),
    ]),
  );

export function associateRequest(proposal: Proposal = {}): Buffer {
  const { called = "GATEWAY", calling = "RAW", version = 1, application = "1.2.840.10008.3.1.1.1" } = proposal;
  const contexts = proposal.contexts ?? [proposed(1, VERIFICATION, "1.2.840.10008.1.2")];
  return pdu(
    1,
    Buffer.concat([
      uint16(version),
      uint16(0),
      Buffer.from(called.padEnd(16) + calling.padEnd(16), "latin1"),
      Buffer.alloc(32),
      item(0x10, Buffer.from(application)),
      ...contexts,
      item(0x50, item(0x51, uint32(16_384))),
    ]),
  );
}

/** A piece of a message, as its own unit. Control: 1 of a command, 2 the last. */
export const piece = (context: number, control: number, bytes: Buffer) =>
  pdu(4, Buffer.concat([uint32(bytes.length + 2), Buffer.from([context, control]), bytes]));

/** A command set: numbers have 16 bits. */
export function command(elements: Readonly<Record<number, number | string>>): Buffer {
  return Buffer.concat(
    Object.entries(elements).map(([tag, value]) => {
      const text = typeof value === "string" ? (value.length % 2 === 0 ? value : `${value}\0`) : undefined;
      const bytes =
        text === undefined ? Buffer.from([(value as number) & 0xff, (value as number) >> 8]) : Buffer.from(text);
      const head = Buffer.alloc(8);
      head.writeUInt16LE(Number(tag), 2);
      head.writeUInt32LE(bytes.length, 4);
      return Buffer.concat([head, bytes]);
    }),
  );
}

export const echo = (messageId: number) => command({ 2: VERIFICATION, 256: 0x0030, 272: messageId, 2048: 0x0101 });

export const store = (sopClass: string, sopInstance: string) =>
  command({ 2: sopClass, 256: 0x0001, 272: 1, 1792: 0, 2048: 0x0001, 4096: sopInstance });

/** The status in the answer to a message. */
export function statusOf(unit: Unit | undefined): number | undefined {
  if (unit?.type !== 4) return undefined;
  const set = unit.body.subarray(6);
  for (let at = 0; at + 8 <= set.length; at += 8 + set.readUInt32LE(at + 4))
    if (set.readUInt16LE(at + 2) === 0x0900) return set.readUInt16LE(at + 8);
  return undefined;
}
