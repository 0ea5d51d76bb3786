import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import sharp from "sharp";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer } from "../../../runtime/serve";
import { headPixels, headPng } from "../../support/bright-spot";
import { head, type RawAnswer, RawClient } from "../../support/raw-http";
import { promote, storeModel, until } from "../../support/served-model";
import { writeTiff } from "../imaging/tiff-writer";

// Real sockets, one server: what one sends is meant to hurt those beside it.

let folder: string;
let workspace: Workspace;
let app: FastifyInstance;
let url: string;
let scan: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hostile-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  const { models, reports } = workspace.buckets;
  app = await buildServer({
    models,
    reports,
    warehouse: workspace.warehouse,
    log: pino({ level: "silent" }),
    // Slow senders are told so soon; this machine may be slow too.
    senderSeconds: 2,
    deadlineSeconds: 600,
  });
  url = await app.listen({ port: 0, host: "127.0.0.1" });
  scan = await headPng(160, 160, { x: 80, y: 70, radius: 16 });
});

afterAll(async () => {
  await app.close();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

/** A PNG of these chunks, each with its right checksum. */
function pngOf(...chunks: readonly (readonly [string, Buffer])[]): Buffer {
  const parts = [Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])];
  for (const [name, data] of chunks) {
    const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    parts.push(ends.subarray(0, 4), body, ends.subarray(4));
  }
  return Buffer.concat(parts);
}

function ihdr(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  return header;
}

const END = ["IEND", Buffer.alloc(0)] as const;
const zeros = (bytes: number) => deflateSync(Buffer.alloc(bytes));
const noise = (index: number) => headPixels(64, 64, undefined, index);
const page = (index: number) => ({
  width: 64,
  height: 64,
  bits: 8 as const,
  compression: 8 as const,
  values: noise(index),
});

/** The offset of the first directory is made that of the last one's successor: it never ends. */
function endlessTiff(): Buffer {
  const tiff = writeTiff([page(0)]);
  const first = tiff.readUInt32LE(4);
  const entries = tiff.readUInt16LE(first);
  tiff.writeUInt32LE(first, first + 2 + entries * 12);
  return tiff;
}

/** A page of 64 x 64 whose only strip inflates to 256 MiB. */
function inflatingTiff(): Buffer {
  const tiff = writeTiff([page(0)]);
  const bomb = zeros(256 * 2 ** 20);
  const first = tiff.readUInt32LE(4);
  const file = Buffer.concat([tiff, bomb]);
  for (let entry = 0; entry < tiff.readUInt16LE(first); entry++) {
    const at = first + 2 + entry * 12;
    const tag = tiff.readUInt16LE(at);
    if (tag === 273) file.writeUInt32LE(tiff.length, at + 8);
    if (tag === 279) file.writeUInt32LE(bomb.length, at + 8);
  }
  return file;
}

const form = (parts: string) =>
  [`--b\r\n${parts}\r\n--b--\r\n`, { "content-type": "multipart/form-data; boundary=b" }] as const;

type Attack = readonly [
  name: string,
  status: number,
  code: string | RegExp,
  say: () => Promise<readonly (string | Buffer)[]>,
];
const file = (name: string, status: number, code: string | RegExp, bytes: () => Buffer | Promise<Buffer>): Attack => [
  name,
  status,
  code,
  async () => {
    const body = await bytes();
    return [head(body.length), body];
  },
];
const raw = (name: string, status: number, code: string | RegExp, ...said: readonly string[]): Attack => [
  name,
  status,
  code,
  async () => said,
];
const START = "POST /v1/predictions HTTP/1.1\r\nhost: x\r\n";

const ATTACKS: readonly Attack[] = [
  file("a PNG that announces 3.6 gigapixels", 422, "too-many-pixels", () =>
    pngOf(["IHDR", ihdr(60_000, 60_000)], ["IDAT", zeros(100)], END),
  ),
  file("a PNG whose pixels inflate to 200 times what it announces", 422, /damaged|truncated|blank-image/, () =>
    pngOf(["IHDR", ihdr(64, 64)], ["IDAT", zeros(2 ** 20)], END),
  ),
  file("a PNG with a colour profile that inflates to 64 MiB and no pixels", 422, /damaged|truncated/, () =>
    pngOf(["IHDR", ihdr(64, 64)], ["iCCP", Buffer.concat([Buffer.from("x\0\0"), zeros(64 * 2 ** 20)])], END),
  ),
  file(
    "a TIFF of 64 x 64 whose strip inflates to 256 MiB",
    422,
    /damaged|truncated|too-many-pixels|blank-image/,
    inflatingTiff,
  ),
  file("a TIFF of 10,000 pages", 422, "too-many-pages", () => {
    const values = noise(1);
    return writeTiff(Array.from({ length: 10_000 }, () => ({ ...page(1), values })));
  }),
  file("a TIFF whose directories never end", 422, /too-many-pages|damaged/, endlessTiff),
  file("half a PNG", 422, "truncated", () => scan.subarray(0, scan.length >> 1)),
  file("half a JPEG", 422, /truncated|damaged/, async () => {
    const jpeg = await sharp(scan).jpeg().toBuffer();
    return jpeg.subarray(0, jpeg.length >> 1);
  }),
  file("half a TIFF", 422, /truncated|damaged/, () => {
    const tiff = writeTiff([page(0), page(1)]);
    return tiff.subarray(0, tiff.length >> 1);
  }),
  file("a head of a PNG and nothing of it", 422, /truncated|damaged/, () => scan.subarray(0, 20)),
  file("a PDF with a PNG in it", 415, "unsupported-format", () => Buffer.concat([Buffer.from("%PDF-1.7\n"), scan])),
  file("a ZIP with a PNG behind it", 415, "unsupported-format", () => Buffer.concat([Buffer.from("PK\x03\x04"), scan])),
  file("a PNG's first bytes with a page of HTML behind", 422, /damaged|truncated/, () =>
    Buffer.concat([scan.subarray(0, 16), Buffer.from("<html><script>alert(1)</script></html>")]),
  ),
  file("an SVG with a script", 415, "unsupported-format", () =>
    Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
  ),
  file("an SVG that reads a file of this machine", 415, "unsupported-format", () =>
    Buffer.from('<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'),
  ),
  file("a program", 415, "unsupported-format", () =>
    Buffer.concat([Buffer.from("\x7fELF\x02\x01\x01"), Buffer.alloc(5000, 7)]),
  ),
  file("an animation", 422, "animated", async () =>
    sharp(Buffer.concat([noise(0), noise(1)]), { raw: { width: 64, height: 128, channels: 1, pageHeight: 64 } })
      .toColourspace("srgb")
      .webp({ loop: 0 })
      .toBuffer(),
  ),
  file("a blank picture", 422, "blank-image", () =>
    sharp({ create: { width: 64, height: 64, channels: 3, background: "#777" } })
      .png()
      .toBuffer(),
  ),
  raw("more than is taken, announced", 413, "file-too-large", head(100 * 2 ** 20)),
  [
    "100 MB in chunks, which announce nothing",
    413,
    "file-too-large",
    async () => {
      const chunk = Buffer.alloc(2 ** 20, 1);
      const chunks = Array.from({ length: 100 }, () => [`${chunk.length.toString(16)}\r\n`, chunk, "\r\n"]).flat();
      return [`${START}transfer-encoding: chunked\r\n\r\n`, ...chunks];
    },
  ],
  raw("a body that stops coming", 408, "request-timeout", head(5000), "x".repeat(10)),
  raw("a head that stops coming", 408, "request-timeout", `${START}x: `),
  raw("a flood of headers", 431, "headers-too-large", `${START}${"a: b\r\n".repeat(20_000)}\r\n`),
  raw(
    "a length and chunks",
    400,
    "malformed-request",
    `${START}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n`,
  ),
  raw("two lengths", 400, "malformed-request", `${START}content-length: 1\r\ncontent-length: 2\r\n\r\nxx`),
  raw(
    "an encoding of transfers that is none",
    400,
    "malformed-request",
    `${START}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  ),
  raw("a header that is folded", 400, "malformed-request", `${START}x: a\r\n b\r\n\r\n`),
  raw("a blank before the colon", 400, "malformed-request", `${START}content-length : 1\r\n\r\nx`),
  raw(
    "an id that climbs",
    404,
    "not-found",
    "GET /v1/predictions/..%2f..%2f..%2fetc%2fpasswd/original HTTP/1.1\r\nhost: x\r\n\r\n",
  ),
  raw("a model that climbs", 404, "not-found", "GET /v1/models/..%2fcurrent.json HTTP/1.1\r\nhost: x\r\n\r\n"),
  raw("an id with a zero byte", 404, "not-found", "GET /v1/predictions/%00/map HTTP/1.1\r\nhost: x\r\n\r\n"),
  [
    "a form of ten thousand fields",
    400,
    "bad-multipart",
    async () => {
      const [body, headers] = form(
        Array.from({ length: 10_000 }, () => 'Content-Disposition: form-data; name="x"\r\n\r\n').join("\r\n--b\r\n"),
      );
      return [head(body.length, headers), body];
    },
  ],
  [
    "a form whose file never ends",
    400,
    "bad-multipart",
    async () => {
      const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="../../etc/passwd"\r\n\r\nx';
      return [head(body.length, { "content-type": "multipart/form-data; boundary=b" }), body];
    },
  ],
];

function expectProblem(answer: RawAnswer | undefined, status: number, code: string | RegExp): void {
  const problem = JSON.parse(answer?.body ?? "null") as { code: string; detail: string; status: number } | null;
  expect(answer?.headers["content-type"]).toMatch(/^application\/problem\+json\b/);
  expect({ status: answer?.status, code: problem?.code }).toEqual({
    status,
    code: typeof code === "string" ? code : expect.stringMatching(code),
  });
  expect(problem?.detail).toMatch(/^[A-Z"].*\.$/s);
}

test.each(ATTACKS)(
  "%s is a problem document, and a plain prediction beside it is answered",
  async (_, status, code, say) => {
    const said = await say();
    const client = await RawClient.open(url);
    const beside = fetch(`${url}/v1/predictions`, { method: "POST", body: new Uint8Array(scan) });
    // The server may end the connection in the middle of it.
    void client.send(...said);
    expectProblem(await client.answer(), status, code);
    expect((await beside).status).toBe(200);
    client.leave();
  },
);

test("nothing of all that is left: no place, no memory of bodies", async () => {
  const metrics = await until(
    async () => (await fetch(`${url}/metrics`)).text(),
    (text) => /^serve_requests_in_progress 0$/m.test(text) && /^serve_body_bytes 0$/m.test(text),
  );
  expect(metrics).toContain("serve_ready 1");
});
