import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import { identitiesUnder, LocalPseudonymiser, type ReplacementNames } from "../../../runtime/intake";
import { type CreatableStore, creatableOnly } from "../../../runtime/platform/stores";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, type ServerDependencies } from "../../../runtime/serve";
import { serveContract } from "../../../runtime/serve/contract";
import { RawClient } from "../../support/raw-http";
import { until } from "../../support/served-model";
import {
  bytesOfSlice,
  drawSlice,
  type Elements,
  EXPLICIT,
  MR_STORAGE,
  mrElements,
  writeFile as writeDicom,
  writeElements,
} from "../imaging/dicom/dicom-writer";

// Real sockets: instances as PACS and scripts send them, and as nobody should.

const PATH = "/dicomweb/studies";
const STUDY = "1.2.826.0.1.3680043.8.498.1";
const SERIES = `${STUDY}.2`;
const PYTHON = join(process.env.BRAIN_TUMOR_ROOT ?? join(__dirname, "../../.."), ".parts/dicomweb/bin/python");

let folder: string;
let workspace: Workspace;
let names: ReplacementNames;
let url: string;
const servers: FastifyInstance[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dicomweb-"));
  names = await (await identitiesUnder(new LocalPseudonymiser("the hospital's"))).of(undefined);
});
beforeEach(async () => {
  workspace = await openWorkspace(await mkdtemp(join(folder, "workspace-")));
  url = await listening();
});
afterEach(async () => {
  for (const app of servers.splice(0)) await app.close();
  await workspace.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A server over the workspace, with the rights of the contract. */
async function listening(more: Partial<ServerDependencies> = {}): Promise<string> {
  const { models, reports, landing } = workspace.buckets;
  const app = await buildServer({
    ...{ models, reports, warehouse: workspace.warehouse, log: pino({ level: "silent" }) },
    landing: creatableOnly(landing, serveContract.createsBelow.landing),
    identities: await identitiesUnder(new LocalPseudonymiser("the hospital's")),
    ...more,
  });
  servers.push(app);
  return app.listen({ port: 0, host: "127.0.0.1" });
}

/** An MR image of a study; `more` replaces elements. */
function instance(number: number, more: Elements = [], transferSyntax = EXPLICIT): Buffer {
  const pixels: Elements = [[0x7fe0_0010, "OW", bytesOfSlice(drawSlice(64, 48))]];
  const own: Elements = [
    [0x0008_0018, "UI", `${SERIES}.${number}`],
    [0x0010_0010, "PN", "Doe^John"],
    [0x0010_0020, "LO", "MRN-0042"],
    [0x0020_000d, "UI", STUDY],
    [0x0020_000e, "UI", SERIES],
  ];
  const replaced = new Set(more.map(([tag]) => tag));
  const kept = own.filter(([tag]) => !replaced.has(tag));
  return writeDicom(writeElements([...mrElements(64, 48, [...kept, ...more]), ...pixels]), { transferSyntax });
}

type Part = Buffer | { readonly headers: string; readonly bytes: Buffer };
const BOUNDARY = "b0undary";

function related(parts: readonly Part[], { boundary = BOUNDARY, preamble = "", epilogue = "" } = {}): Buffer {
  const written = parts.flatMap((part) => {
    const { headers, bytes } = Buffer.isBuffer(part)
      ? { headers: "Content-Type: application/dicom\r\n", bytes: part }
      : part;
    return [Buffer.from(`--${boundary}\r\n${headers}\r\n`), bytes, Buffer.from("\r\n")];
  });
  return Buffer.concat([Buffer.from(preamble), ...written, Buffer.from(`--${boundary}--${epilogue}`)]);
}

interface DicomJson {
  readonly [tag: string]: { readonly vr: string; readonly Value?: readonly DicomJson[] & readonly unknown[] };
}
interface Reply {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly body: DicomJson & { readonly code?: string; readonly detail?: string };
}

async function send(
  body: Buffer,
  contentType = `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`,
  { at = url, path = PATH, headers = {} }: { at?: string; path?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const response = await fetch(`${at}${path}`, {
    method: "POST",
    headers: { "content-type": contentType, ...headers },
    body: new Uint8Array(body),
  });
  const { status, headers: answered } = response;
  return {
    status,
    type: answered.get("content-type"),
    headers: answered,
    body: (await response.json()) as Reply["body"],
  };
}
const store = (parts: readonly Part[], more: Parameters<typeof send>[2] = {}) => send(related(parts), undefined, more);

const items = ({ body }: Reply, tag: string) => (body[tag]?.Value ?? []) as readonly DicomJson[];
const firstOf = (item: DicomJson, tag: string) => item[tag]?.Value?.[0] as unknown;
const storedBy = (reply: Reply) => items(reply, "00081199").map((item) => firstOf(item, "00081155"));
const failedBy = (reply: Reply) =>
  Object.fromEntries(
    items(reply, "00081198").map((item) => [firstOf(item, "00081155"), Number(firstOf(item, "00081197")).toString(16)]),
  );
const othersBy = (reply: Reply) =>
  items(reply, "0008119A").map((item) => Number(firstOf(item, "00081197")).toString(16));

async function landed(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of workspace.buckets.landing.listAll()) found.push(name);
  return found;
}
const nameOf = (number: number) =>
  `Unlabelled/${names.uid(STUDY)}/${names.uid(SERIES)}/${names.uid(`${SERIES}.${number}`)}.dcm`;

describe("instances", () => {
  test("land below Unlabelled under their pseudonyms, as they came, and are named in the answer as their sender names them", async () => {
    const parts = [instance(1), instance(2), instance(3)];
    const reply = await store(parts);
    expect([reply.status, reply.type]).toEqual([200, "application/dicom+json"]);
    expect(storedBy(reply)).toEqual([1, 2, 3].map((number) => `${SERIES}.${number}`));
    expect(items(reply, "00081199")[0]).toEqual({
      "00081150": { vr: "UI", Value: [MR_STORAGE] },
      "00081155": { vr: "UI", Value: [`${SERIES}.1`] },
      "00081190": { vr: "UR" },
    });
    expect(reply.body["00081198"]).toBeUndefined();
    expect(await landed()).toEqual([1, 2, 3].map(nameOf).sort());
    expect(await workspace.buckets.landing.read(nameOf(2))).toEqual(parts[1]);
    expect(await workspace.buckets.landing.stat(nameOf(2))).toMatchObject({ contentType: "application/dicom" });
  });

  test("sent again are stored, and there once, also when two send them at the same time and to two servers", async () => {
    const parts = [instance(1), instance(2)];
    const replies = await Promise.all([store(parts), store(parts), store(parts)]);
    const other = await listening();
    for (const reply of [...replies, await store(parts, { at: other })]) {
      expect(reply.status).toBe(200);
      expect(storedBy(reply)).toHaveLength(2);
    }
    expect(await landed()).toHaveLength(2);
    expect((await workspace.buckets.landing.stat(nameOf(1)))?.generation).toBe(1);
  });

  test("with other bytes under a UID that is taken fail as duplicates; what was there first stays", async () => {
    const first = instance(1);
    await store([first]);
    const changed = instance(1, [[0x0008_103e, "LO", "other"]]);
    const elsewhere = instance(1, [[0x0020_000e, "UI", "1.2.3"]]);
    for (const other of [changed, elsewhere]) {
      const reply = await store([other, instance(2)]);
      expect(reply.status).toBe(202);
      expect(failedBy(reply)).toEqual({ [`${SERIES}.1`]: "111" });
    }
    expect(await workspace.buckets.landing.read(nameOf(1))).toEqual(first);
    expect(await landed()).toHaveLength(2);
  });

  test("that another door has landed are duplicates, whose bytes are not known", async () => {
    await workspace.buckets.landing.create(nameOf(1), instance(1));
    const reply = await store([instance(1)]);
    expect([reply.status, failedBy(reply)]).toEqual([409, { [`${SERIES}.1`]: "111" }]);
    expect((await store([instance(1)])).status).toBe(409);
  });

  test("of another study than the path's fail, each for itself", async () => {
    const other = instance(2, [[0x0020_000d, "UI", "1.2.3"]]);
    const reply = await store([instance(1), other], { path: `${PATH}/${STUDY}` });
    expect([reply.status, storedBy(reply), failedBy(reply)]).toEqual([
      202,
      [`${SERIES}.1`],
      { [`${SERIES}.2`]: "a901" },
    ]);
    const none = await store([other], { path: `${PATH}/${STUDY}` });
    expect(none.status).toBe(409);
    expect(await landed()).toHaveLength(1);
    for (const none of ["not-a-uid", "1..2", "1.2.", `1.${"2".repeat(63)}`])
      expect((await store([other], { path: `${PATH}/${none}` })).status).toBe(404);
  });

  test("that are bad stop none that are good, and each has its reason", async () => {
    const ct = instance(2, [
      [0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.2"],
      [0x0008_0060, "CS", "CT"],
    ]);
    const report = instance(3, [[0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.88.33"]]);
    const video = instance(4, [], "1.2.840.10008.1.2.4.102");
    const cut = instance(5).subarray(0, -100);
    const noSeries = instance(6, [[0x0020_000e, "UI", ""]]);
    const noInstance = instance(7, [
      [0x0008_0018, "UI", ""],
      [0x0020_000d, "UI", STUDY],
    ]);
    const text: Part = { headers: "Content-Type: text/plain\r\n", bytes: instance(8) };
    const reply = await store([
      ...[instance(1), ct, report, video, cut, noSeries, noInstance, text],
      ...[Buffer.alloc(0), Buffer.from("no DICOM"), instance(9)],
    ]);
    expect(reply.status).toBe(202);
    // The seventh is named by its file's own header: DICOM PS3.10, 7.1.
    expect(storedBy(reply)).toEqual([`${SERIES}.1`, "1.2.3.4", `${SERIES}.9`]);
    expect(failedBy(reply)).toEqual({
      [`${SERIES}.2`]: "122",
      [`${SERIES}.3`]: "122",
      [`${SERIES}.4`]: "c122",
      [`${SERIES}.5`]: "c000",
      [`${SERIES}.6`]: "a900",
    });
    expect(othersBy(reply)).toEqual(["c000", "c000", "c000"]);
    expect(await landed()).toHaveLength(3);
  });

  const uidOf = (text: string) => Buffer.from(text, "latin1");
  test.each<[string, Buffer, "instance" | "study" | "series", string | undefined]>([
    ["filled up with a zero byte", uidOf("1.2.34\0"), "instance", undefined],
    ["of 64 characters", uidOf(`1.${"2".repeat(62)}`), "instance", undefined],
    ["of a single zero", uidOf("1.0.3\0"), "instance", undefined],
    ["with a zero byte within", uidOf("1.2\0.3\0"), "instance", "117"],
    ["that are two", uidOf("1.2\\0.3\0"), "instance", "117"],
    ["filled up with a blank", uidOf("1.2.3 "), "instance", "117"],
    ["behind a blank", uidOf(" 1.2.3"), "instance", "117"],
    ["with a blank within", uidOf("1.2 .3"), "instance", "117"],
    ["of 65 characters", uidOf(`1.${"2".repeat(63)}\0`), "instance", "117"],
    ["with an empty component", uidOf("1..2.3"), "instance", "117"],
    ["that ends in a dot", uidOf("1.2.3.4."), "instance", "117"],
    ["that begins with a dot", uidOf(".1.2.3"), "instance", "117"],
    ["of letters", uidOf("1.2.3a"), "instance", "117"],
    ["that climbs", uidOf("..\0"), "instance", "117"],
    ["with an empty component in its study", uidOf("1..2.3"), "study", "a900"],
    ["with a zero byte within its study", uidOf("1.2\0.3\0"), "study", "a900"],
    ["of 66 characters in its series", uidOf(`1.${"2".repeat(64)}`), "series", "a900"],
  ])("whose UID is one %s", async (_what, uid, which, reason) => {
    const tags = { instance: 0x0008_0018, study: 0x0020_000d, series: 0x0020_000e };
    const reply = await store([instance(1, [[tags[which], "UI", uid]])]);
    expect(reply.status).toBe(reason === undefined ? 200 : 409);
    // An answer can name an instance by a UID alone.
    expect(which === "instance" ? othersBy(reply)[0] : failedBy(reply)[`${SERIES}.1`]).toBe(reason);
    expect(await landed()).toHaveLength(reason === undefined ? 1 : 0);
  });

  test("that the landing bucket does not take fail for now; where none is taken, the request does", async () => {
    let room = 1;
    const full: CreatableStore = {
      ...creatableOnly(workspace.buckets.landing),
      create: async (name, content, options) => {
        if (room-- > 0) return workspace.buckets.landing.create(name, content, options);
        throw Object.assign(new Error("503"), { code: 503 });
      },
    };
    const at = await listening({ landing: full });
    const some = await store([instance(1), instance(2)], { at });
    expect([some.status, Object.values(failedBy(some))]).toEqual([202, ["110"]]);
    const none = await store([instance(3)], { at });
    expect(none).toMatchObject({ status: 503, body: { code: "storage-unavailable" } });
    expect(none.headers.get("retry-after")).toBe("5");
    // Sent again, the rest lands.
    expect((await store([instance(1), instance(2), instance(3)])).status).toBe(200);
    expect(await landed()).toHaveLength(3);
  });

  test("are not taken while there are no pseudonyms, and then they are", async () => {
    let there = false;
    const at = await listening({
      identities: {
        of: async () => {
          if (there) return names;
          throw new Error("Cloud KMS is not there.");
        },
      },
    });
    expect(await store([instance(1)], { at })).toMatchObject({ status: 503, body: { code: "names-unavailable" } });
    expect(await landed()).toEqual([]);
    there = true;
    expect((await store([instance(1)], { at })).status).toBe(200);
  });

  test("leave no identifier but in the landing bucket, and the audit knows who stored what", async () => {
    await store([instance(1), instance(2, [[0x0008_0060, "CS", "CT"]])]);
    const rows = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    expect(rows).toEqual([
      expect.objectContaining({ action: "store", subject: names.uid(STUDY), result: "stored 1 of 2", sha256: null }),
    ]);
    for (const bucket of ["reports", "warehouse", "curated", "quarantine"] as const)
      for await (const { name } of workspace.buckets[bucket].listAll()) {
        const text = name + (await workspace.buckets[bucket].read(name)).toString("latin1");
        for (const identifier of ["MRN-0042", "Doe", STUDY]) expect(text).not.toContain(identifier);
      }
  });
});

describe("a body", () => {
  const body = related([instance(1)]);

  test.each([
    ["boundary without quotes", `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`, body],
    ["boundary in quotes, type without", `multipart/related; type=application/dicom; boundary="${BOUNDARY}"`, body],
    ["boundary first, large letters", `Multipart/Related; boundary="${BOUNDARY}"; type="application/DICOM"`, body],
    ["no type", `multipart/related; boundary=${BOUNDARY}`, body],
    ["a preamble and an epilogue", undefined, related([instance(1)], { preamble: "Hello\r\n", epilogue: "\r\nbye" })],
    [
      "blanks behind its boundary",
      undefined,
      Buffer.from(body.toString("latin1").replace(BOUNDARY, `${BOUNDARY} \t`), "latin1"),
    ],
    [
      "a boundary of signs that a pattern would take for its own",
      `multipart/related; type="application/dicom"; boundary="a+b(c)?/:=.x y"`,
      related([instance(1)], { boundary: "a+b(c)?/:=.x y" }),
    ],
    [
      "parts that say their transfer syntax, on folded lines",
      undefined,
      related([
        {
          headers: `Content-Location: x\r\ncontent-type: application/dicom;\r\n\ttransfer-syntax=${EXPLICIT}\r\n`,
          bytes: instance(1),
        },
      ]),
    ],
    ["a part without headers", undefined, related([{ headers: "", bytes: instance(1) }])],
    [
      "its boundary in the pixels, where no line begins",
      undefined,
      related([instance(1, [[0x0008_103e, "LO", `--${BOUNDARY}`]])]),
    ],
    ["one instance and no parts", "application/dicom", instance(1)],
    ["the same with its transfer syntax", `application/dicom; transfer-syntax=${EXPLICIT}`, instance(1)],
  ])("with %s is read", async (_what, contentType, sent) => {
    const reply = await send(sent, contentType);
    expect([reply.status, storedBy(reply)]).toEqual([200, [`${SERIES}.1`]]);
  });

  test.each<[string, Buffer, string | undefined, number, string]>([
    ["that ends before its last boundary", body.subarray(0, -12), undefined, 400, "bad-multipart"],
    [
      "whose boundary is another",
      body,
      "multipart/related; type=application/dicom; boundary=other",
      400,
      "bad-multipart",
    ],
    ["without a boundary", body, "multipart/related; type=application/dicom", 400, "bad-multipart"],
    ["of nothing but boundaries", Buffer.from(`\r\n--${BOUNDARY}x`.repeat(100_000)), undefined, 400, "bad-multipart"],
    ["of nothing", Buffer.alloc(0), undefined, 400, "bad-multipart"],
    ["with no part", Buffer.from(`--${BOUNDARY}--`), undefined, 400, "no-instance"],
    [
      "with too many parts",
      related(Array.from({ length: 1001 }, () => Buffer.alloc(0))),
      undefined,
      400,
      "too-many-parts",
    ],
    ["with nothing that is DICOM", related([Buffer.from("text"), Buffer.alloc(0)]), undefined, 400, "no-dicom"],
    ["of one empty instance", Buffer.alloc(0), "application/dicom", 400, "no-instance"],
    [
      "of metadata and bulk data",
      body,
      `multipart/related; type="application/dicom+json"; boundary=${BOUNDARY}`,
      415,
      "unsupported-media-type",
    ],
    ["that is a form", body, `multipart/form-data; boundary=${BOUNDARY}`, 415, "unsupported-media-type"],
    ["of no type", body, "", 415, "unsupported-media-type"],
  ])("%s is refused in a problem document, and nothing lands", async (_what, sent, contentType, status, code) => {
    const reply = await send(sent, contentType);
    expect(reply).toMatchObject({ status, body: { status, code, detail: expect.stringMatching(/\.$/) } });
    expect(reply.type).toMatch(/^application\/problem\+json/);
    expect(await landed()).toEqual([]);
  });

  test("that is too large is refused before it is sent, and while it is; the door for it is named", async () => {
    const at = await listening({ maxBodyBytes: 2 ** 20 });
    const large = related([Buffer.alloc(2 ** 20 + 2 ** 17)]);
    expect(await send(large, undefined, { at })).toMatchObject({
      status: 413,
      body: { code: "body-too-large", detail: expect.stringMatching(/1 MiB.*npm run upload and npm run gateway/) },
    });
    const client = await RawClient.open(at);
    await client.send(
      `POST ${PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/dicom\r\ntransfer-encoding: chunked\r\n\r\n`,
      `${large.length.toString(16)}\r\n`,
      large,
    );
    expect(await client.answer()).toMatchObject({ status: 413 });
    client.leave();
  });

  test("is not taken by who can only read another answer", async () => {
    for (const [accept, status] of [
      ["application/dicom+xml", 406],
      ["application/dicom+xml, application/dicom+json;q=0.5", 200],
      ["*/*", 200],
    ] as const)
      expect((await send(body, undefined, { headers: { accept } })).status).toBe(status);
  });
});

test("who hangs up while instances are stored frees his place for others", async () => {
  let go: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  const slow: CreatableStore = {
    ...creatableOnly(workspace.buckets.landing),
    create: async (name, content, options) => {
      await held;
      return workspace.buckets.landing.create(name, content, options);
    },
  };
  const at = await listening({ landing: slow });
  const inProgress = async () =>
    Number(/^serve_storing_in_progress (\d+)$/m.exec(await (await fetch(`${at}/metrics`)).text())?.[1]);
  const sent = related([instance(1)]);
  const lines = [
    ...[`POST ${PATH} HTTP/1.1`, "host: x", `content-length: ${sent.length}`],
    `content-type: multipart/related; type="application/dicom"; boundary=${BOUNDARY}`,
  ];
  const clients = await Promise.all(Array.from({ length: 16 }, () => RawClient.open(at)));
  for (const client of clients) await client.send(`${lines.join("\r\n")}\r\n\r\n`, sent);
  await until(inProgress, (places) => places === 16);
  expect(await store([instance(2)], { at })).toMatchObject({ status: 503, body: { code: "busy" } });
  for (const client of clients) client.hangUp();
  await until(inProgress, (places) => places === 0);
  go();
  expect((await store([instance(2)], { at })).status).toBe(200);
}, 60_000);

test("the DICOMweb client of ImagingDataCommons stores three instances, and learns which failed", async () => {
  if (!existsSync(PYTHON)) throw new Error("dicomweb-client is not installed: run npm run setup:tests.");
  const files: string[] = [];
  for (const number of [1, 2, 3]) {
    files.push(join(folder, `${number}.dcm`));
    await writeFile(files.at(-1) as string, instance(number));
  }
  const stored = async (study: string) => {
    const script = join(__dirname, "store_instances.py");
    const { stdout } = await promisify(execFile)(PYTHON, [script, `${url}/dicomweb`, study, ...files]);
    return JSON.parse(stdout) as { stored: string[]; failed: Record<string, number> };
  };
  const uids = [1, 2, 3].map((number) => `${SERIES}.${number}`);
  expect(await stored("")).toEqual({ stored: uids, failed: {} });
  expect(await stored(STUDY)).toEqual({ stored: uids, failed: {} });
  expect(await landed()).toHaveLength(3);
  await writeFile(files[1] as string, instance(2, [[0x0008_103e, "LO", "other"]]));
  expect(await stored(STUDY)).toEqual({ stored: [uids[0], uids[2]], failed: { [uids[1] as string]: 0x0111 } });
}, 60_000);
