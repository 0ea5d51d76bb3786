import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { type Gateway, type GatewayLimits, startGateway } from "../../../runtime/gateway";
import { AddressList } from "../../../runtime/gateway/addresses";
import { openStore } from "../../../runtime/platform/stores";
import { EXPLICIT, MR_STORAGE } from "../imaging/dicom/dicom-writer";
import { writeInstance } from "./instances";
import {
  associateRequest,
  command,
  echo,
  item,
  type Proposal,
  pdu,
  piece,
  proposed,
  RawPeer,
  statusOf,
  store,
  uint32,
} from "./raw-peer";

let folder: string;
let gateway: Gateway | undefined;
const peers: RawPeer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gateway-"));
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.leave();
  await gateway?.close();
  gateway = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function start(limits: Partial<GatewayLimits> = {}, callers: readonly string[] = []): Promise<void> {
  gateway = await startGateway({
    aet: "GATEWAY",
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    callers,
    addresses: [],
    folder,
    store: await openStore(join(folder, "landing")),
    key: "local:test",
    log: pino({ level: "silent" }),
    limits: { reserveBytes: 1, ...limits },
  });
}

async function open(): Promise<RawPeer> {
  const peer = await RawPeer.open((gateway as Gateway).port);
  peers.push(peer);
  return peer;
}

/** A peer whose association was accepted. */
async function associated(proposal: Proposal = {}): Promise<RawPeer> {
  const peer = await open();
  await peer.send(associateRequest(proposal));
  expect((await peer.answer())?.type).toBe(2);
  return peer;
}

async function expectAlive(): Promise<void> {
  const peer = await associated();
  await peer.send(piece(1, 3, echo(7)));
  expect(statusOf(await peer.answer())).toBe(0);
  await peer.send(pdu(5, Buffer.alloc(4)));
  expect(await peer.lastWord()).toEqual({ type: 6, body: Buffer.alloc(4) });
}

const MR = [proposed(1, MR_STORAGE, EXPLICIT)];
const spooled = (where: string) => readdirSync(join(folder, "spool", where));

describe("associations", () => {
  test("what is asked for is answered context by context, with the first transfer syntax that is read", async () => {
    await start();
    const peer = await open();
    const contexts = [
      proposed(1, MR_STORAGE, "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.90", EXPLICIT),
      proposed(3, MR_STORAGE, "1.2.840.10008.1.2.4.100"),
      proposed(5, "1.2.840.10008.5.1.4.1.1.2", EXPLICIT),
      proposed(7, "1.2.840.10008.1.1", "1.2.840.10008.1.2"),
    ];
    await peer.send(associateRequest({ contexts }));
    const { type, body } = (await peer.answer()) ?? { type: 0, body: Buffer.alloc(0) };
    expect(type).toBe(2);
    const answers: [id: number, result: number, syntax: string][] = [];
    for (let at = 68; at < body.length; at += 4 + body.readUInt16BE(at + 2)) {
      if (body.readUInt8(at) !== 0x21) continue;
      const value = body.subarray(at + 4, at + 4 + body.readUInt16BE(at + 2));
      answers.push([value.readUInt8(0), value.readUInt8(2), value.toString("latin1", 8)]);
    }
    expect(answers).toEqual([
      [1, 0, "1.2.840.10008.1.2.4.90"],
      [3, 4, "1.2.840.10008.1.2.4.100"],
      [5, 3, EXPLICIT],
      [7, 0, "1.2.840.10008.1.2"],
    ]);
    await expectAlive();
  });

  test.each<[string, Proposal, readonly number[]]>([
    ["another called title", { called: "ELSEWHERE" }, [1, 1, 7]],
    ["a title that only begins like ours", { called: "GATEWAY2" }, [1, 1, 7]],
    ["a calling title that is not listed", { calling: "STRANGER" }, [1, 1, 3]],
    ["another application", { application: "1.2.3" }, [1, 1, 2]],
    ["another version of the protocol", { version: 2 }, [1, 2, 2]],
  ])("%s is refused", async (_, proposal, why) => {
    await start({}, ["RAW"]);
    const peer = await open();
    await peer.send(associateRequest(proposal));
    expect(await peer.lastWord()).toEqual({ type: 3, body: Buffer.from([0, ...why]) });
    await expectAlive();
  });

  test("more associations than the limit are refused for now, and one that ended makes room", async () => {
    await start({ associations: 2 });
    const [first] = [await associated(), await associated()];
    const third = await open();
    await third.send(associateRequest());
    expect(await third.lastWord()).toEqual({ type: 3, body: Buffer.from([0, 2, 3, 2]) });
    await (first as RawPeer).send(pdu(5, Buffer.alloc(4)));
    await (first as RawPeer).closed();
    await expectAlive();
  });
});

describe("what one address may have", () => {
  const TOO_MANY = { type: 3, body: Buffer.from([0, 2, 3, 2]) };

  /** From another of this machine's own addresses: all of 127.0.0.0/8 are. */
  async function from(address: string): Promise<RawPeer> {
    const peer = await RawPeer.open((gateway as Gateway).port, address);
    peers.push(peer);
    await peer.send(associateRequest());
    return peer;
  }

  test("one that has its share is refused, another is let in, and what ended makes room", async () => {
    await start({ associations: 16, associationsOfOne: 2 });
    const own = [await from("127.0.0.1"), await from("127.0.0.1")];
    for (const peer of own) expect((await peer.answer())?.type).toBe(2);
    expect(await (await from("127.0.0.1")).lastWord()).toEqual(TOO_MANY);
    const others = [await from("127.0.0.2"), await from("127.0.0.2")];
    for (const peer of others) expect((await peer.answer())?.type).toBe(2);
    expect(await (await from("127.0.0.2")).lastWord()).toEqual(TOO_MANY);
    // One that is broken off, and one that is released.
    own[0]?.leave();
    await others[0]?.send(pdu(5, Buffer.alloc(4)));
    await others[0]?.closed();
    for (const address of ["127.0.0.1", "127.0.0.2"]) {
      let type: number | undefined;
      while (type !== 2) {
        const peer = await from(address);
        type = (await peer.answer())?.type;
        if (type !== 2) await peer.closed();
      }
      expect(await (await from(address)).lastWord()).toEqual(TOO_MANY);
    }
  });

  test("all addresses together have no more than there is", async () => {
    await start({ associations: 3, associationsOfOne: 2 });
    for (const address of ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
      expect((await (await from(address)).answer())?.type).toBe(2);
    expect(await (await from("127.0.0.4")).lastWord()).toEqual(TOO_MANY);
  });
});

describe("the folder", () => {
  test("is this user's alone, with all that lies in it, and becomes it where it was open", async () => {
    chmodSync(folder, 0o755);
    await start();
    const mode = (...names: string[]) => (statSync(join(folder, ...names)).mode & 0o777).toString(8);
    const made = ["spool", "spool/incoming", "spool/waiting", "spool/refused", "mapping"];
    expect([mode(), ...made.map((name) => mode(name))]).toEqual(Array.from({ length: 6 }, () => "700"));
    const lock = readdirSync(folder).find((name) => name.startsWith("lock-")) as string;
    expect(mode(lock)).toBe("600");
  });
});

describe("addresses", () => {
  test.each([
    ["127.0.0.1", [], true],
    ["127.8.8.8", [], true],
    ["::1", [], true],
    ["::ffff:127.0.0.1", [], true],
    ["10.0.0.1", [], false],
    ["::ffff:10.0.0.1", [], false],
    ["10.1.2.3", ["10.1.2.0/24"], true],
    ["::ffff:10.1.2.3", ["10.1.2.0/24"], true],
    ["10.1.3.3", ["10.1.2.0/24"], false],
    ["10.1.2.4", ["10.1.2.3"], false],
    ["fd00::5", ["fd00::/64"], true],
    ["fe80::1%eth0", ["fe80::/10"], true],
    ["", ["0.0.0.0/0"], false],
  ])("%s with %j: %s", (address, ranges, allowed) => {
    expect(new AddressList(ranges).allows(address)).toBe(allowed);
  });

  test.each(["10.0.0.0/33", "10.0.0", "hospital.org", "10.0.0.0/", "/8", "fd00::/129"])("%s is none", (range) => {
    expect(() => new AddressList([range])).toThrow(`"${range}" is no address and no range.`);
  });
});

describe("what breaks the protocol", () => {
  const HTTP = Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const endless = Buffer.from([1, 0, 0xff, 0xff, 0xff, 0xff]);
  const request = associateRequest();
  const cutItem = Buffer.from(request);
  cutItem.writeUInt16BE(60_000, 6 + 68 + 2);

  test.each<[string, readonly Buffer[], number]>([
    ["HTTP", [HTTP], 1],
    ["a unit of no type", [pdu(99, Buffer.alloc(4))], 1],
    ["an answer where a request belongs", [pdu(2, Buffer.alloc(4))], 1],
    ["a request of 4 GiB", [endless], 6],
    ["data before an association", [piece(1, 3, echo(1))], 2],
    ["an item that reaches past the end", [cutItem], 6],
    ["a request that proposes nothing", [associateRequest({ contexts: [] })], 6],
    ["an even context", [associateRequest({ contexts: [proposed(2, MR_STORAGE, EXPLICIT)] })], 6],
    ["a context twice", [associateRequest({ contexts: [...MR, ...MR] })], 6],
    ["a context of nothing", [associateRequest({ contexts: [item(0x20, Buffer.from([1, 0, 0, 0]))] })], 6],
  ])("%s is answered with an abort", async (_, sent, reason) => {
    await start();
    const peer = await open();
    await peer.send(...sent);
    expect(await peer.lastWord()).toEqual({ type: 7, body: Buffer.from([0, 0, 2, reason]) });
    await expectAlive();
  });

  const halfCommand = piece(1, 1, store(MR_STORAGE, "1.2.3"));
  test.each<[string, readonly Buffer[], number]>([
    ["a second request", [associateRequest()], 2],
    ["a unit of data of 4 GiB", [Buffer.from([4, 0, 0xff, 0xff, 0xff, 0xff])], 6],
    ["a unit of data that is larger than agreed on", [pdu(4, Buffer.alloc(200_000))], 6],
    ["a piece that is longer than its unit", [pdu(4, Buffer.concat([uint32(500), Buffer.from([1, 3])]))], 6],
    ["a piece without its head", [pdu(4, uint32(0))], 6],
    ["a context that was not agreed on", [piece(9, 3, echo(1))], 6],
    ["a data set without a command", [piece(1, 2, Buffer.alloc(8))], 6],
    ["a command within a data set", [piece(1, 3, store(MR_STORAGE, "1.2.3")), piece(1, 3, echo(2))], 6],
    ["a release within a command", [halfCommand, pdu(5, Buffer.alloc(4))], 2],
    ["a command of another group", [piece(1, 3, Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]))], 6],
    ["a command that does not say what it is", [piece(1, 3, command({ 2: "1.2" }))], 6],
    ["a command whose element reaches past its end", [piece(1, 3, Buffer.from([0, 0, 2, 0, 255, 255, 255, 255]))], 6],
    ["a command that never ends", Array.from({ length: 40 }, () => piece(1, 1, Buffer.alloc(1_000))), 6],
  ])("in an association, %s is", async (_, sent, reason) => {
    await start();
    const peer = await associated({ contexts: MR });
    await peer.send(...sent);
    expect(await peer.lastWord()).toEqual({ type: 7, body: Buffer.from([0, 0, 2, reason]) });
    expect([spooled("incoming"), spooled("waiting")]).toEqual([[], []]);
    await expectAlive();
  });

  test("noise of any kind ends its own connection alone", async () => {
    await start();
    const noise = (round: number) => createHash("shake256", { outputLength: 300 }).update(String(round)).digest();
    for (let round = 0; round < 60; round++) {
      const peer = round % 2 === 0 ? await open() : await associated({ contexts: MR });
      const bytes = round % 4 < 2 ? noise(round) : pdu(4, noise(round));
      await peer.send(bytes);
      peer.socket.end();
      await peer.closed();
    }
    expect([spooled("incoming"), spooled("waiting")]).toEqual([[], []]);
    await expectAlive();
  });
});

describe("peers that keep us waiting", () => {
  test("one that stops within a unit, or between two, is sent away, and what it began is forgotten", async () => {
    await start({ idleSeconds: 1 });
    const { uid, dataSet } = writeInstance(folder, 1);
    const within = await associated({ contexts: MR });
    const whole = piece(1, 2, dataSet);
    await within.send(piece(1, 3, store(MR_STORAGE, uid)), whole.subarray(0, whole.length - 10));
    const between = await associated({ contexts: MR });
    await between.send(piece(1, 3, store(MR_STORAGE, uid)), piece(1, 0, dataSet.subarray(0, 100)));
    const silent = await associated();
    for (const peer of [within, between, silent])
      expect(await peer.lastWord()).toEqual({ type: 7, body: Buffer.alloc(4) });
    expect([spooled("incoming"), spooled("waiting")]).toEqual([[], []]);
    await expectAlive();
  });

  test("300 that say nothing, or half a request, do not keep one out that has something to say", async () => {
    await start();
    const half = associateRequest().subarray(0, 50);
    for (let i = 0; i < 300; i++) {
      const peer = await open();
      if (i % 2 === 0) await peer.send(half);
    }
    await expectAlive();
    // All but those that may still ask have been sent away.
    await Promise.all(peers.slice(0, 300 - 64).map((peer) => peer.closed()));
    await expectAlive();
  });

  test("one that asks and never listens is sent away", async () => {
    await start({ idleSeconds: 1 });
    const peer = await associated();
    peer.socket.pause();
    const many = Buffer.concat(Array.from({ length: 2_000 }, (_, i) => piece(1, 3, echo(i))));
    // The answers of so many fill whatever the kernel holds for somebody who does not read.
    const flood = () => {
      while (!peer.socket.destroyed && peer.socket.write(many));
    };
    peer.socket.on("drain", flood);
    flood();
    await new Promise((resolve) => peer.socket.once("close", resolve));
    await expectAlive();
  });
});

describe("messages", () => {
  test.each<[string, Buffer, number]>([
    ["a C-FIND", command({ 2: MR_STORAGE, 256: 0x0020, 272: 1, 2048: 0x0101 }), 0x0211],
    ["a C-STORE without a data set", command({ 2: MR_STORAGE, 256: 1, 272: 1, 2048: 0x0101 }), 0xc000],
  ])("%s is refused with a status", async (_, message, status) => {
    await start();
    const peer = await associated({ contexts: MR });
    await peer.send(piece(1, 3, message));
    expect(statusOf(await peer.answer())).toBe(status);
    await peer.send(piece(1, 3, message));
    expect(statusOf(await peer.answer())).toBe(status);
  });

  const { uid, dataSet } = writeInstance(tmpdir(), 1);
  test.each<[string, Buffer, Buffer, number]>([
    ["another operation with a data set", command({ 2: MR_STORAGE, 256: 0x20, 272: 1, 2048: 0 }), dataSet, 0x0211],
    ["a class other than its context's", store("1.2.840.10008.5.1.4.1.1.2", uid), dataSet, 0x0122],
    ["an instance of no UID", store(MR_STORAGE, "../../etc"), dataSet, 0x0117],
    ["an empty data set", store(MR_STORAGE, uid), Buffer.alloc(0), 0xc000],
    ["a data set that is none", store(MR_STORAGE, uid), Buffer.from("not DICOM at all, but long enough"), 0xc000],
    ["a data set of another instance", store(MR_STORAGE, "1.2.3.4"), dataSet, 0xa900],
    ["an instance that is too large", store(MR_STORAGE, uid), Buffer.concat([dataSet, Buffer.alloc(5_000)]), 0xa700],
  ])("%s is refused with a status, and the association goes on", async (_, message, sent, status) => {
    await start({ maxBytes: dataSet.length });
    const peer = await associated({ contexts: MR });
    const third = Math.ceil(sent.length / 3);
    const pieces = [0, 1, 2].map((i) => piece(1, i === 2 ? 2 : 0, sent.subarray(i * third, (i + 1) * third)));
    await peer.send(piece(1, 3, message), ...pieces);
    expect(statusOf(await peer.answer())).toBe(status);
    expect([spooled("incoming"), spooled("waiting")]).toEqual([[], []]);
    await peer.send(piece(1, 3, echo(3)));
    expect(statusOf(await peer.answer())).toBe(0);
  });

  test("a disk with less room than is kept free takes nothing, and says that it is out of resources", async () => {
    await start({ reserveBytes: Number.MAX_SAFE_INTEGER });
    const peer = await associated({ contexts: MR });
    await peer.send(piece(1, 3, store(MR_STORAGE, uid)), piece(1, 2, dataSet));
    expect(statusOf(await peer.answer())).toBe(0xa700);
    expect([spooled("incoming"), spooled("waiting")]).toEqual([[], []]);
  });
});
