import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import sharp from "sharp";
import { uniform } from "../../../runtime/platform/random";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, type Prediction } from "../../../runtime/serve";
import { headPixels, headPng } from "../../support/bright-spot";
import { head, type RawAnswer, RawClient } from "../../support/raw-http";
import { promote, storeModel, until } from "../../support/served-model";

// Real sockets: what a client that leaves, dawdles or talks nonsense does to a server cannot be seen with `inject`.

const SIDE = 160;
const SLICES = 64;

let folder: string;
let workspace: Workspace;
let scan: Buffer;
let volume: Buffer;
const servers: FastifyInstance[] = [];
/** A server as it is without being told otherwise, for what leaves nothing behind. */
let common: { readonly app: FastifyInstance; readonly url: string };

async function started(
  overrides: Partial<Parameters<typeof buildServer>[0]> = {},
): Promise<{ readonly app: FastifyInstance; readonly url: string }> {
  const app = await buildServer({
    models: workspace.buckets.models,
    reports: workspace.buckets.reports,
    warehouse: workspace.warehouse,
    log: pino({ level: "silent" }),
    ...overrides,
  });
  return { app, url: await app.listen({ port: 0, host: "127.0.0.1" }) };
}

/** One of a test's own. */
async function listening(...overrides: Parameters<typeof started>): ReturnType<typeof started> {
  const server = await started(...overrides);
  servers.push(server.app);
  return server;
}

function pagesOf(pages: number, side: number, page: (index: number) => Buffer): Promise<Buffer> {
  const pixels = Buffer.concat(Array.from({ length: pages }, (_, index) => page(index)));
  return sharp(pixels, { raw: { width: side, height: side * pages, channels: 1, pageHeight: side } })
    .tiff({ compression: "deflate" })
    .toBuffer();
}

const predict = (url: string, body = scan) =>
  fetch(`${url}/v1/predictions`, { method: "POST", body: new Uint8Array(body) });

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? 0);
}

const inProgress = (url: string) => metric(url, "serve_requests_in_progress");

const clients = (url: string, count: number) => Promise.all(Array.from({ length: count }, () => RawClient.open(url)));

function expectProblem(answer: RawAnswer | undefined, status: number, code: string): void {
  const type = expect.stringMatching(/^application\/problem\+json\b/);
  expect(answer).toMatchObject({ status, headers: { "content-type": type } });
  const problem = JSON.parse(answer?.body ?? "") as { title: string; detail: string };
  expect(problem).toMatchObject({
    type: "about:blank",
    status,
    code,
    request: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  expect(problem.title).not.toBe("");
  expect(problem.detail).toMatch(/^[A-Z].*\.$/s);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sockets-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  scan = await headPng(240, 200, { x: 120, y: 110, radius: 16 });
  volume = await pagesOf(SLICES, SIDE, (index) => headPixels(SIDE, SIDE, undefined, index));
  common = await started();
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((app) => app.close()));
}, 60_000);

afterAll(async () => {
  await common.app.close();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

describe("a client that leaves", () => {
  test("after its body has arrived gives its place back, and its work is not done", async () => {
    const { url } = await listening({ queueLimit: 16 });
    const others = await clients(url, 18);
    await Promise.all(others.map((client) => client.send(head(volume.length), volume)));
    await until(
      () => inProgress(url),
      (count) => count > 0,
    );
    for (const [index, client] of others.entries()) index % 2 ? client.leave() : client.hangUp();
    expect((await predict(url)).status).toBe(200);
    await until(
      () => inProgress(url),
      (count) => count === 0,
    );
    expect(await metric(url, "serve_predictions_total")).toBe(1);
  }, 30_000);

  test("takes no place from one that asks in the same moment", async () => {
    const { url } = await listening({ queueLimit: 4 });
    const [plain, ...others] = (await clients(url, 5)) as [RawClient, ...RawClient[]];
    const larger = await headPng(700, 700);
    for (const leave of ["leave", "hangUp"] as const) {
      const leaving = leave === "leave" ? others : await clients(url, 4);
      await Promise.all(leaving.map((client) => client.send(head(larger.length), larger)));
      await until(
        () => inProgress(url),
        // On a quick machine the first is done before all have come.
        (count) => count >= 2,
      );
      for (const client of leaving) client[leave]();
      await plain.send(head(scan.length), scan);
      expect((await plain.answer())?.status).toBe(200);
    }
    plain.leave();
  }, 30_000);

  test("in the middle of its body holds nothing", async () => {
    const { url } = await listening({ queueLimit: 4 });
    const others = await clients(url, 18);
    await Promise.all(others.map((client) => client.send(head(scan.length), scan.subarray(0, scan.length >> 1))));
    for (const client of others) client.leave();
    expect((await predict(url)).status).toBe(200);
    expect(await inProgress(url)).toBe(0);
  }, 30_000);
});

describe("slow senders", () => {
  test.each([16, 100])(
    "%i at a byte now and then lock nobody out",
    async (count) => {
      const { url } = await listening({ queueLimit: 16 });
      const slow = await clients(url, count);
      await Promise.all(slow.map((client) => client.send(head(100_000), "x")));
      const drip = setInterval(() => {
        for (const client of slow) void client.send("x");
      }, 50);
      const responses = [];
      for (let i = 0; i < 3; i++) responses.push((await predict(url)).status);
      expect(responses).toEqual([200, 200, 200]);
      expect(slow.every(({ socket }) => !socket.destroyed)).toBe(true);
      clearInterval(drip);
      for (const client of slow) client.leave();
    },
    30_000,
  );

  test("are told that they took too long, in the body, in the head, and when they say nothing", async () => {
    const { url } = await listening({ senderSeconds: 0.4 });
    const [body, multipart, beginning, silent] = (await clients(url, 4)) as [
      RawClient,
      RawClient,
      RawClient,
      RawClient,
    ];
    await body.send(head(1000), "x");
    await multipart.send(head(1000, { "content-type": "multipart/form-data; boundary=b" }), "--b\r\n");
    await beginning.send("POST /v1/predictions HTTP/1.1\r\nhost: x\r\nx: ");
    const drip = setInterval(() => {
      for (const client of [body, multipart, beginning]) void client.send("x");
    }, 50);
    for (const client of [body, multipart, beginning, silent]) {
      expectProblem(await client.answer(), 408, "request-timeout");
      await client.closed();
    }
    clearInterval(drip);
    expect((await predict(url)).status).toBe(200);
  }, 30_000);

  test("give way to others once there are too many connections", async () => {
    const { url } = await listening({ maxConnections: 20 });
    const slow = await clients(url, 40);
    await Promise.all(slow.map((client) => client.send(head(100_000), "x")));
    expect((await predict(url)).status).toBe(200);
    await slow[0]?.closed();
    for (const client of slow) client.leave();
  }, 30_000);

  test("that ask for nothing do not end an upload", async () => {
    const { url } = await listening({ maxConnections: 20 });
    const [upload] = (await clients(url, 1)) as [RawClient];
    await upload.send(head(scan.length), scan.subarray(0, 100));
    const idle = await clients(url, 40);
    await idle[0]?.closed();
    await upload.send(scan.subarray(100));
    expect((await upload.answer())?.status).toBe(200);
    for (const client of [upload, ...idle]) client.leave();
  }, 30_000);

  test("with two hosts are refused", async () => {
    const { url } = common;
    const client = await RawClient.open(url);
    await client.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nHost: evil.org\r\n\r\n");
    expect((await client.answer())?.status).toBe(400);
    client.leave();
  });
});

test("a client that does not read its answers is cut off", async () => {
  const { app, url } = await listening({ answerSeconds: 0.3 });
  // Noise hardly shrinks: no kernel holds forty such pictures.
  const side = 500;
  const random = uniform(2);
  const noise = Uint8Array.from({ length: side * side }, () => 256 * random());
  const body = await sharp(noise, { raw: { width: side, height: side, channels: 1 } })
    .png()
    .toBuffer();
  const posted = await app.inject({ method: "POST", url: "/v1/predictions", payload: body });
  const client = await RawClient.open(url);
  client.socket.pause();
  await client.send(`GET ${posted.json<Prediction>().slices[0]?.pixels} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(40));
  const connections = () => new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));
  expect(await connections()).toBe(1);
  await until(connections, (count) => count === 0);
  client.leave();
}, 30_000);

describe("costly files", () => {
  const page = (index: number) => headPixels(64, 64, undefined, index);
  const blank = () => Buffer.alloc(64 * 64);

  test.each([
    ["blank", blank],
    ["full", page],
  ])(
    "a TIFF of 1,000 %s pages is refused by its headers",
    async (_, content) => {
      const { url } = common;
      const response = await predict(url, await pagesOf(1000, 64, content));
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({
        code: "too-many-pages",
        detail: expect.stringMatching(/more than 64 pages/),
      });
    },
    30_000,
  );

  test("a scan of 64 slices is answered; plain ones and refusals do not wait for its end", async () => {
    const { url } = await listening();
    const order: string[] = [];
    const ask = async (name: string, body: Buffer) => {
      const response = await predict(url, body);
      order.push(name);
      return { status: response.status, answer: (await response.json()) as Prediction };
    };
    const long = ask("volume", volume);
    await until(
      () => inProgress(url),
      (count) => count > 0,
    );
    const [plain, unknown, pages] = await Promise.all([
      ask("plain", scan),
      ask("text", Buffer.from("plain text")),
      ask("pages", await pagesOf(SLICES + 1, 32, () => Buffer.alloc(32 * 32))),
    ]);
    expect([plain.status, unknown.status, pages.status]).toEqual([200, 415, 422]);
    expect(await long).toMatchObject({ status: 200, answer: { pages: SLICES, label: "Non-Cancer" } });
    // Which of the others is first nobody can say: the many pages are counted in a thread that starts with them.
    expect(order.at(-1)).toBe("volume");
  }, 60_000);

  test("long scans fill their own places only, and say so", async () => {
    const { url } = await listening({ queueLimit: 8 });
    const long = await clients(url, 4);
    await Promise.all(long.map((client) => client.send(head(volume.length), volume)));
    const refused = await Promise.race(long.map((client) => client.answer()));
    expectProblem(refused, 503, "busy");
    expect(await inProgress(url)).toBe(2);
    expect((await predict(url)).status).toBe(200);
    for (const client of long) client.leave();
  }, 30_000);
});

describe("errors of the parser and of Fastify are problem documents", () => {
  const get = (path: string, method = "GET") => `${method} ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;

  test.each<[string, string, number, string]>([
    ["no HTTP at all", "hello, is this the server?\r\n\r\n", 400, "malformed-request"],
    ["TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed-request"],
    ["a method that nobody knows", get("/", "BREW"), 400, "malformed-request"],
    ["no Host", "GET / HTTP/1.1\r\n\r\n", 400, "malformed-request"],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
      400,
      "malformed-request",
    ],
    ["a length that is none", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n", 400, "malformed-request"],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
      "malformed-request",
    ],
    [
      "a chunk without a size",
      "POST /v1/predictions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
      400,
      "malformed-request",
    ],
    ["a flood of headers", `GET / HTTP/1.1\r\nhost: x\r\n${"a: b\r\n".repeat(20_000)}\r\n`, 431, "headers-too-large"],
    ["one long header", `GET / HTTP/1.1\r\nhost: x\r\na: ${"b".repeat(40_000)}\r\n\r\n`, 431, "headers-too-large"],
    ["a long URL", get(`/${"a".repeat(40_000)}`), 414, "url-too-long"],
    ["a longish URL", get(`/?${"a".repeat(10_000)}`), 414, "url-too-long"],
    ["a long id", get(`/v1/predictions/${"a".repeat(8000)}/overlay`), 404, "not-found"],
    ["a URL that cannot be decoded", get("/v1/predictions/%zz/overlay"), 400, "bad-url"],
    ["another such", get("/%c0%af"), 400, "bad-url"],
    ["an expectation", "GET / HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n\r\n", 417, "expectation-failed"],
    ["a tunnel", "CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n", 405, "method-not-allowed"],
    ["an id with slashes", get("/v1/predictions/..%2f..%2fcurrent.json/original"), 404, "not-found"],
    ["an id that climbs", get("/v1/predictions/../../etc/passwd"), 404, "not-found"],
    ["a page that is none", get(`/v1/predictions/${"0".repeat(64)}/pages/..%2f1`), 404, "not-found"],
    ["a model that climbs", get("/v1/models/..%2fcurrent.json"), 404, "not-found"],
    ["an unusual method", get("/v1/predictions", "PROPFIND"), 405, "method-not-allowed"],
    ["TRACE", get("/", "TRACE"), 405, "method-not-allowed"],
    ["a scan for the page", `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx`, 405, "method-not-allowed"],
    ["an unusual method for nothing", get("/nothing", "PROPFIND"), 404, "not-found"],
    [
      "a strange content type",
      "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-type: ;;\r\ncontent-length: 1\r\n\r\nx",
      404,
      "not-found",
    ],
    ["more than is taken", head(2 ** 40), 413, "file-too-large"],
    ["multipart without a boundary", `${head(1, { "content-type": "multipart/form-data" })}x`, 400, "bad-multipart"],
    ["no body", head(0), 400, "empty-file"],
  ])("%s", async (_, request, status, code) => {
    const { url } = common;
    const client = await RawClient.open(url);
    await client.send(request);
    const answer = await client.answer();
    expectProblem(answer, status, code);
    if (status === 405) expect(answer?.headers.allow).toMatch(/^[A-Z]+(, [A-Z]+)*$/);
    client.leave();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe("what a client may do", () => {
  test("answers come in order when requests are sent before the answers are there", async () => {
    const { url } = common;
    const client = await RawClient.open(url);
    const other = await headPng(200, 240);
    await client.send(head(scan.length), scan, head(3), "abc", head(other.length), other, head(0));
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await client.answer())?.status);
    expect(statuses).toEqual([200, 415, 200, 400]);
    client.leave();
  });

  test("a body in chunks without a length is a scan, and is bounded", async () => {
    const { url } = await listening({ maxBodyBytes: scan.length });
    const client = await RawClient.open(url);
    const chunk = (bytes: Buffer) => [`${bytes.length.toString(16)}\r\n`, bytes, "\r\n"];
    const start = "POST /v1/predictions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    await client.send(start, ...chunk(scan.subarray(0, 100)), ...chunk(scan.subarray(100)), "0\r\n\r\n");
    expect((await client.answer())?.status).toBe(200);
    await client.send(start, ...chunk(scan), ...chunk(Buffer.from("more")));
    expectProblem(await client.answer(), 413, "file-too-large");
    client.leave();
  });

  test("HEAD has the head alone", async () => {
    const { url } = common;
    const client = await RawClient.open(url);
    await client.send("HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    await new Promise((resolve) => client.socket.once("data", resolve));
    expect((await fetch(`${url}/v1/predictions/batch`, { method: "HEAD" })).status).toBe(405);
    client.leave();
  });

  test("URLs in answers are paths, whatever the request says of the host", async () => {
    const { url } = common;
    const client = await RawClient.open(url);
    const forged = { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" };
    await client.send(head(scan.length, forged), scan);
    const answer = JSON.parse((await client.answer())?.body ?? "") as Prediction;
    expect(answer.overlay).toBe(`/v1/predictions/${answer.id}/overlay`);
    expect(answer.original).toBe(`/v1/predictions/${answer.id}/original`);
    expect(JSON.stringify(answer)).not.toContain("evil");
    await client.send(head(scan.length, { host: "evil.example" }), scan);
    expect(await client.answer()).toMatchObject({ status: 421 });
    client.leave();
  });
});

test("two hundred clients that misbehave at random leave a server that works and has all its places", async () => {
  const { url } = await listening({ queueLimit: 8 });
  const random = uniform(1);
  const whole = Buffer.concat([Buffer.from(head(scan.length)), scan]);
  const long = Buffer.concat([Buffer.from(head(volume.length)), volume]);
  const misbehave = async () => {
    const client = await RawClient.open(url);
    const said = random() < 0.2 ? long : whole;
    const kind = Math.floor(random() * 6);
    if (kind === 0) await client.send(said.subarray(0, Math.floor(random() * 60)));
    if (kind === 1) await client.send(said.subarray(0, Math.floor(random() * said.length)));
    if (kind === 2) await client.send(said);
    if (kind === 3) await client.send(said, said, said);
    if (kind === 4) await client.send(said, "nonsense\r\n\r\n");
    if (kind === 5) {
      await client.send(said);
      client.socket.end();
    }
    await new Promise((resolve) => setTimeout(resolve, random() * 200));
    random() < 0.5 ? client.leave() : client.hangUp();
  };
  for (let wave = 0; wave < 10; wave++) await Promise.all(Array.from({ length: 20 }, misbehave));
  await until(
    () => inProgress(url),
    (count) => count === 0,
  );
  expect(await metric(url, "serve_body_bytes")).toBe(0);
  expect((await predict(url)).status).toBe(200);
}, 60_000);

describe("a server that is closed", () => {
  test("answers what it has, turns away what comes, and does not wait for dawdlers", async () => {
    const { app, url } = await listening();
    const [working, idle, beginning, sending, next] = (await clients(url, 5)) as [
      RawClient,
      RawClient,
      RawClient,
      RawClient,
      RawClient,
    ];
    await idle.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    expect((await idle.answer())?.status).toBe(200);
    await beginning.send("POST /v1/predictions HTTP/1.1\r\nhost: x\r\nx: ");
    await sending.send(head(1000), "x");
    const series = await pagesOf(12, SIDE, (index) => headPixels(SIDE, SIDE, undefined, index));
    await working.send(head(series.length), series);
    await next.send(head(series.length), series);
    await until(
      () => inProgress(url),
      (count) => count === 2,
    );
    const closing = app.close();
    await next.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    expect((await working.answer())?.status).toBe(200);
    expect((await next.answer())?.status).toBe(200);
    await Promise.all([idle.closed(), beginning.closed(), sending.closed()]);
    await closing;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  }, 60_000);
});
