import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import { parseEnv } from "../../../runtime/platform/config";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, localCallers, serveContract } from "../../../runtime/serve";
import type { KeyTimes } from "../../../runtime/serve/identity";
import { Issuer, newKey, seconds, signedWithPublicKey, token, unsigned } from "../../support/issuer";
import { RawClient } from "../../support/raw-http";
import { until } from "../../support/served-model";

const AUDIENCE = "/projects/1/global/backendServices/2";
const ROLES = {
  viewer: ["*@hospital.org", "*@*.clinic.org"],
  clinician: ["dr-*@hospital.org"],
  admin: ["Head@Hospital.org"],
};
const key = newKey();
const rsa = newKey("RS256");

let folder: string;
let workspace: Workspace;
let issuer: Issuer;
const servers: FastifyInstance[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "identity-"));
  workspace = await openWorkspace(join(folder, "workspace"));
});
beforeEach(async () => {
  issuer = await Issuer.start(key, rsa);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((app) => app.close()));
  await issuer.stop();
});
afterAll(async () => {
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

/** The environment of a server that asks. */
const environment = (mode: "iap" | "oidc", more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  AUTH: mode,
  AUTH_AUDIENCE: AUDIENCE,
  AUTH_JWKS: more.AUTH_JWKS ?? issuer.url,
  AUTH_ROLES: JSON.stringify(ROLES),
  ...more,
});

interface Options {
  readonly mode?: "iap" | "oidc";
  readonly env?: NodeJS.ProcessEnv;
  readonly keyTimes?: KeyTimes;
  readonly build?: Partial<Parameters<typeof buildServer>[0]>;
}

/** A server that listens, with a route for each role and one that says nothing. */
async function listening({ mode = "iap", env = {}, keyTimes, build = {} }: Options = {}) {
  const app = await buildServer({
    models: workspace.buckets.models,
    reports: workspace.buckets.reports,
    warehouse: workspace.warehouse,
    log: pino({ level: "silent" }),
    ...localCallers("127.0.0.1", environment(mode, env)),
    ...(keyTimes ? { keyTimes } : {}),
    ...build,
  });
  servers.push(app);
  for (const role of ["viewer", "clinician", "admin"] as const)
    app.post(`/test/${role}`, { config: { role } }, async ({ caller }) => caller);
  app.get("/test/unsaid", async () => "anybody");
  await app.listen({ port: 0, host: "127.0.0.1" });
  const address = app.server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

const claims = (more: Record<string, unknown> = {}, mode: "iap" | "oidc" = "iap") => ({
  iss: mode === "iap" ? "https://cloud.google.com/iap" : "https://accounts.google.com",
  aud: AUDIENCE,
  sub: "accounts.google.com:1",
  email: "dr-a@hospital.org",
  email_verified: true,
  iat: seconds() - 10,
  exp: seconds() + 600,
  ...more,
});

const asking = (text: string, mode: "iap" | "oidc" = "iap"): Record<string, string> =>
  mode === "iap" ? { "x-goog-iap-jwt-assertion": text } : { authorization: `Bearer ${text}` };

async function status(url: string, path: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await fetch(`${url}${path}`, { method, headers, redirect: "manual" });
  await response.arrayBuffer();
  return response.status;
}

/** What a server says to a token. */
const answerTo = (url: string, text: string, mode: "iap" | "oidc" = "iap") =>
  status(url, "/v1/nothing", asking(text, mode));

describe.each(["iap", "oidc"] as const)("a token of %s", (mode) => {
  const good = () => claims({}, mode);
  const pem = String(key.publicKey.export({ type: "spki", format: "pem" }));
  // One server for the many that it refuses.
  let refusing: string;
  let itsIssuer: Issuer;
  let itsServer: FastifyInstance | undefined;
  beforeAll(async () => {
    itsIssuer = await Issuer.start(key, rsa);
    refusing = await listening({ mode, env: { AUTH_JWKS: itsIssuer.url } });
    itsServer = servers.pop();
  });
  afterAll(async () => {
    await itsServer?.close();
    await itsIssuer.stop();
  });

  test("that is good lets its person in, to what is there and to what is not", async () => {
    const url = await listening({ mode });
    expect(await answerTo(url, token(key, good()), mode)).toBe(404);
    expect(await status(url, "/metrics", asking(token(key, good()), mode))).toBe(200);
    expect(await status(url, "/", asking(token(key, { ...good(), aud: ["x", AUDIENCE] }), mode))).toBe(200);
    const answer = await fetch(`${url}/test/viewer`, { method: "POST", headers: asking(token(key, good()), mode) });
    expect(await answer.json()).toEqual({ who: "dr-a@hospital.org", role: "clinician" });
  });

  test.each<[string, () => string]>([
    ["expired", () => token(key, { ...good(), exp: seconds() - 1 })],
    ["without an expiry", () => token(key, { ...good(), exp: undefined })],
    ["with an expiry that is no time", () => token(key, { ...good(), exp: "never" })],
    ["not yet valid", () => token(key, { ...good(), nbf: seconds() + 60 })],
    ["for another audience", () => token(key, { ...good(), aud: `${AUDIENCE}0` })],
    ["for no audience", () => token(key, { ...good(), aud: undefined })],
    ["of another issuer", () => token(key, { ...good(), iss: "https://cloud.google.com/iap.evil.org" })],
    ["of no issuer", () => token(key, { ...good(), iss: undefined })],
    ["with alg none", () => unsigned(good(), key.kid)],
    ["with alg none and a signature", () => `${unsigned(good(), key.kid)}AAAA`],
    ["signed with HS256 and the public key as PEM", () => signedWithPublicKey(key, good(), pem)],
    [
      "signed with HS256 and the public key as DER",
      () => {
        const der = key.publicKey.export({ type: "spki", format: "der" });
        return signedWithPublicKey(key, good(), der);
      },
    ],
    ["signed by a key that is not in the set", () => token(newKey(), good())],
    ["signed by another key under a name in the set", () => token({ ...newKey(), kid: key.kid }, good())],
    [
      "that brings its key",
      () => {
        const own = newKey();
        return token(own, good(), { kid: undefined, jwk: own.publicKey.export({ format: "jwk" }) });
      },
    ],
    ["that says where its key is", () => token(newKey(), good(), { jku: itsIssuer.url, x5u: itsIssuer.url })],
    ["with a critical header that nobody knows", () => token(key, good(), { crit: ["exp2"], exp2: 1 })],
    ["with a payload that is not encoded", () => token(key, good(), { crit: ["b64"], b64: false })],
    [
      "with a changed payload",
      () => {
        const [header, , signature] = token(key, good()).split(".");
        const forged = Buffer.from(JSON.stringify({ ...good(), email: "head@hospital.org" })).toString("base64url");
        return `${header}.${forged}.${signature}`;
      },
    ],
    ["with a signature in another form", () => `${token(key, good()).slice(0, -4)}====`],
    ["of no person", () => token(key, { ...good(), email: undefined })],
    ["of a list of persons", () => token(key, { ...good(), email: ["head@hospital.org"] })],
    ["of a person with two @", () => token(key, { ...good(), email: "x@evil.org@hospital.org" })],
    ["of a person with a quoted @", () => token(key, { ...good(), email: '"x@evil.org"@hospital.org' })],
    ["of a person with a letter that looks like another", () => token(key, { ...good(), email: "head@hospitaⅼ.org" })],
    ["of a person with a Turkish I", () => token(key, { ...good(), email: "x@hospİtal.org" })],
    ["of a person with a line break", () => token(key, { ...good(), email: "x@evil.org\n@hospital.org" })],
    ["of a person with a NUL", () => token(key, { ...good(), email: "x@evil.org\0@hospital.org" })],
    ["that is very long", () => token(key, { ...good(), more: "x".repeat(20_000) })],
    ["that is none", () => "hello"],
    ["with four parts", () => `${token(key, good())}.e30`],
    ["with a payload that is no object", () => token(key, [] as unknown as Record<string, unknown>)],
  ])("%s: 401", async (_, make) => {
    const response = await fetch(`${refusing}/v1/model`, { headers: asking(make(), mode) });
    expect([response.status, response.headers.get("content-type")]).toEqual([
      401,
      expect.stringContaining("application/problem+json"),
    ]);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer realm="[^"]+", error="invalid_token"$/);
    expect(await response.json()).toMatchObject({ code: "unauthenticated", status: 401 });
  });

  test("is good until it expires, and not when it is sent again after", async () => {
    const url = await listening({ mode });
    let [text, exp, status] = ["", 0, 0];
    // A busy machine takes longer to answer than the shortest token lives.
    for (let life = 2; seconds() >= exp; life *= 4) {
      exp = seconds() + life;
      text = token(key, { ...good(), exp });
      status = await answerTo(url, text, mode);
    }
    expect(status).toBe(404);
    while (seconds() < exp) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await answerTo(url, text, mode)).toBe(401);
  });

  test("is one: two headers, or two in one, are none", async () => {
    const url = await listening({ mode });
    const name = mode === "iap" ? "X-Goog-Iap-Jwt-Assertion" : "Authorization";
    const value = mode === "iap" ? token(key, good()) : `Bearer ${token(key, good())}`;
    const client = await RawClient.open(url);
    for (const [headers, expected] of [
      [`${name}: ${value}\r\n`, 404],
      [`${name}: ${value}\r\n${name}: ${value}\r\n`, 401],
      [`${name}: x\r\n${name.toLowerCase()}: ${value}\r\n`, 401],
      [`${name}: ${value}, ${value}\r\n`, 401],
      [`${name}: ${value} ${value}\r\n`, 401],
    ] as const) {
      await client.send(`GET /v1/nothing HTTP/1.1\r\nhost: x\r\n${headers}\r\n`);
      expect([headers.slice(0, 60), (await client.answer())?.status]).toEqual([headers.slice(0, 60), expected]);
    }
    await client.send(`GET / HTTP/1.1\r\nhost: x\r\n${name}: ${value.slice(0, 20)}\0${value.slice(20)}\r\n\r\n`);
    expect((await client.answer())?.status).toBe(400);
    client.leave();
  });

  test("is asked for before it is said that a URL is none", async () => {
    const url = await listening();
    const good = { "x-goog-iap-jwt-assertion": token(key, claims()) };
    const long = `/${"a".repeat(9000)}`;
    const asked: [string, number, string][] = [
      ["/%", 400, "bad-url"],
      ["/v1/models/%zz", 400, "bad-url"],
      ["/healthz%", 400, "bad-url"],
      ["/%c0%af?token=x", 400, "bad-url"],
      [long, 414, "url-too-long"],
      [`/v1/models${long}`, 414, "url-too-long"],
      ["/nothing", 404, "not-found"],
    ];
    for (const [path, status, code] of asked)
      for (const [method, headers, expected] of [
        ["GET", {}, [401, "unauthenticated"]],
        ["POST", {}, [401, "unauthenticated"]],
        ["GET", good, [status, code]],
      ] as const) {
        const client = await RawClient.open(url);
        const lines = Object.entries({ host: "x", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
        await client.send(`${method} ${path} HTTP/1.1\r\n${lines.join("")}content-length: 0\r\n\r\n`);
        const answer = await client.answer();
        client.leave();
        const body = JSON.parse(answer?.body ?? "{}") as { code: string; request: string };
        expect([path.slice(0, 20), method, answer?.status, body.code]).toEqual([
          path.slice(0, 20),
          method,
          ...expected,
        ]);
        expect(answer?.headers).toMatchObject({
          "content-type": expect.stringMatching(/^application\/problem\+json/),
          "x-content-type-options": "nosniff",
          "x-request-id": body.request,
        });
      }
  });

  test("is not asked for where the probes are, and everywhere else it is", async () => {
    const url = await listening({ mode });
    expect([await status(url, "/healthz"), await status(url, "/readyz")]).toEqual([200, 503]);
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/page.js"],
      ["GET", "/metrics"],
      ["GET", "/openapi.json"],
      ["GET", "/docs"],
      ["GET", "/v1/model"],
      ["GET", "/nowhere"],
      ["GET", "/healthz/"],
      ["GET", "//healthz"],
      ["POST", "/healthz"],
      ["DELETE", "/v1/predictions"],
      ["PUT", "/nowhere"],
      ["OPTIONS", "/v1/predictions"],
      ["POST", "/v1/predictions"],
      ["GET", `/v1/predictions/${"0".repeat(64)}/overlay`],
    ] as const) {
      const response = await fetch(`${url}${path}`, { method });
      expect([method, path, response.status, response.headers.get("www-authenticate")]).toEqual([
        method,
        path,
        401,
        'Bearer realm="brain-tumor-stack"',
      ]);
      expect(await response.json()).toMatchObject({ code: "unauthenticated" });
    }
  });
});

describe("Identity-Aware Proxy", () => {
  test("signs with ES256 alone, and sends its token in its own header", async () => {
    const url = await listening();
    expect(await answerTo(url, token(rsa, claims()))).toBe(401);
    expect(await answerTo(url, token(key, claims()), "oidc")).toBe(401);
  });

  test("has checked the address itself", async () => {
    const url = await listening();
    expect(await answerTo(url, token(key, claims({ email_verified: undefined })))).toBe(404);
  });
});

describe("OpenID Connect", () => {
  const mode = "oidc";

  test("signs with RS256 or ES256, and Google is the issuer under both of its names", async () => {
    const url = await listening({ mode });
    expect(await answerTo(url, token(rsa, claims({}, mode)), mode)).toBe(404);
    expect(await answerTo(url, token(rsa, claims({ iss: "accounts.google.com" }, mode)), mode)).toBe(404);
    expect(await answerTo(url, token(key, claims({}, mode)), "iap")).toBe(401);
  });

  test.each([undefined, false, "true", 1])("takes no address that is not verified: %p", async (email_verified) => {
    const url = await listening({ mode });
    expect(await answerTo(url, token(rsa, claims({ email_verified }, mode)), mode)).toBe(401);
  });

  test("takes another issuer in place of Google, and Google no more", async () => {
    const url = await listening({ mode, env: { AUTH_ISSUER: "https://sso.hospital.org" } });
    expect(await answerTo(url, token(rsa, claims({ iss: "https://sso.hospital.org" }, mode)), mode)).toBe(404);
    expect(await answerTo(url, token(rsa, claims({}, mode)), mode)).toBe(401);
  });

  test.each(["Basic", "Token", "", "BearerX"])("takes no scheme %p", async (scheme) => {
    const url = await listening({ mode });
    const authorization = `${scheme} ${token(rsa, claims({}, mode))}`;
    expect(await status(url, "/v1/nothing", { authorization })).toBe(401);
    expect(await status(url, "/v1/nothing", { authorization: authorization.replace(/^\S* /, "bearer  ") })).toBe(404);
  });
});

describe("keys", () => {
  test("are fetched once, whatever comes; a token of a newer one brings the new ones, of one that is gone nothing", async () => {
    const url = await listening();
    for (let time = 0; time < 5; time++) expect(await answerTo(url, token(key, claims()))).toBe(404);
    expect(issuer.asked).toBe(1);
    const next = newKey();
    issuer.keys = [next];
    expect(await answerTo(url, token(next, claims()))).toBe(404);
    expect(await answerTo(url, token(key, claims()))).toBe(401);
  });

  test("are not fetched for every token with a name that nobody has", async () => {
    const url = await listening();
    for (let time = 0; time < 20; time++) expect(await answerTo(url, token(newKey(), claims()))).toBe(401);
    expect(issuer.asked).toBeLessThanOrEqual(4);
    expect(await answerTo(url, token(key, claims()))).toBe(404);
  });

  test("that are old are fetched anew: one that was withdrawn is good no more", async () => {
    const url = await listening({ keyTimes: { fresh: 0, cooldown: 0 } });
    expect(await answerTo(url, token(key, claims()))).toBe(404);
    issuer.keys = [rsa];
    expect(await answerTo(url, token(key, claims()))).toBe(401);
  });

  test.each<[string, number | string]>([
    ["is down", 500],
    ["answers with something else", "<html>"],
    ["answers with no set", '{"keys": 1}'],
    ["answers without end", "x".repeat(300_000)],
    ["leads elsewhere", 302],
  ])("that cannot be had, because their server %s, are no fault of the caller: 503", async (_, failing) => {
    issuer.failing = failing;
    const url = await listening({ keyTimes: { retry: 0 } });
    const response = await fetch(`${url}/v1/model`, { headers: asking(token(key, claims())) });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await response.json()).toMatchObject({ code: "keys-unavailable", detail: expect.stringMatching(/\.$/) });
    expect(await status(url, "/healthz")).toBe(200);
    issuer.failing = undefined;
    expect(await answerTo(url, token(key, claims()))).toBe(404);
  });

  test("that are known go on while their server is down; of others nobody can tell", async () => {
    const url = await listening({ keyTimes: { fresh: 0, retry: 0 } });
    expect(await answerTo(url, token(key, claims()))).toBe(404);
    issuer.failing = 500;
    expect(await answerTo(url, token(key, claims()))).toBe(404);
    expect(await answerTo(url, token(newKey(), claims()))).toBe(503);
    expect(await answerTo(url, token(key, claims({ exp: seconds() - 1 })))).toBe(401);
    const forgetful = await listening({ keyTimes: { fresh: 0, retry: 0, stale: 0 } });
    expect(await answerTo(forgetful, token(key, claims()))).toBe(503);
  });

  describe("by the clock", () => {
    const MINUTE = 60_000;
    let passed = 0;
    beforeEach(() => {
      passed = 0;
      const now = performance.now.bind(performance);
      jest.spyOn(performance, "now").mockImplementation(() => now() + passed);
    });
    afterEach(() => {
      jest.restoreAllMocks();
    });

    test("that were withdrawn are good no more after five minutes, and where anybody asks after half of that", async () => {
      const quiet = await listening();
      const busy = await listening();
      for (const url of [quiet, busy]) expect(await answerTo(url, token(key, claims()))).toBe(404);
      issuer.keys = [rsa];
      passed = 2.4 * MINUTE;
      expect(await answerTo(busy, token(key, claims()))).toBe(404);
      expect(issuer.asked).toBe(2);
      passed = 2.6 * MINUTE;
      // Nobody waits for the new ones, which come beside his request.
      await until(
        () => answerTo(busy, token(key, claims())),
        (answer) => answer === 401,
      );
      expect(issuer.asked).toBeGreaterThanOrEqual(3);
      passed = 5.1 * MINUTE;
      expect(await answerTo(quiet, token(key, claims()))).toBe(401);
    });

    test.each<[string, number]>([
      ["public, max-age=60, must-revalidate", 1],
      ["max-age=0", 0.5],
      ["no-store", 0.5],
      ["max-age=86400", 5],
    ])("of an issuer that says %s are used for %d minutes", async (cacheControl, minutes) => {
      issuer.cacheControl = cacheControl;
      const url = await listening();
      expect(await answerTo(url, token(key, claims()))).toBe(404);
      issuer.keys = [rsa];
      passed = (minutes / 2 - 0.1) * MINUTE;
      expect(await answerTo(url, token(key, claims()))).toBe(404);
      expect(issuer.asked).toBe(1);
      passed = (minutes + 0.1) * MINUTE;
      expect(await answerTo(url, token(key, claims()))).toBe(401);
    });

    test("are used for an hour while their server is down", async () => {
      const url = await listening();
      expect(await answerTo(url, token(key, claims()))).toBe(404);
      issuer.failing = 500;
      passed = 59 * MINUTE;
      expect(await answerTo(url, token(key, claims()))).toBe(404);
      passed = 61 * MINUTE;
      expect(await answerTo(url, token(key, claims()))).toBe(503);
    });
  });

  test("are asked for by one at a time", async () => {
    const url = await listening();
    const answers = await Promise.all(Array.from({ length: 20 }, () => answerTo(url, token(key, claims()))));
    expect(new Set(answers)).toEqual(new Set([404]));
    expect(issuer.asked).toBe(1);
  });
});

describe("a role", () => {
  test.each<[string, string[]]>([
    ["nurse@hospital.org", ["viewer"]],
    ["NURSE@HOSPITAL.ORG", ["viewer"]],
    ["dr-a@hospital.org", ["viewer", "clinician"]],
    ["head@hospital.org", ["viewer", "clinician", "admin"]],
    ["a@north.clinic.org", ["viewer"]],
    ["a@deep.north.clinic.org", ["viewer"]],
    ["a@clinic.org", []],
    ["a@evilhospital.org", []],
    ["a@hospital.org.evil.org", []],
    ["a@xhospital.org", []],
    ["a@hospitalxorg", []],
    ["dr-a@evil.org", []],
    ["xhead@hospital.org", ["viewer"]],
  ])("of %s may do %j", async (email, may) => {
    const url = await listening();
    const found: string[] = [];
    for (const role of ["viewer", "clinician", "admin"]) {
      const given = await status(url, `/test/${role}`, asking(token(key, claims({ email }))), "POST");
      expect([200, 403]).toContain(given);
      if (given === 200) found.push(role);
    }
    expect(found).toEqual(may);
    expect(await status(url, "/test/unsaid", asking(token(key, claims({ email }))))).toBe(403);
  });

  test("that is missing is told without a word of what is there", async () => {
    const url = await listening();
    const nobody = asking(token(key, claims({ email: "a@evil.org" })));
    for (const path of ["/v1/model", "/nowhere", "/metrics"]) {
      const response = await fetch(`${url}${path}`, { headers: nobody });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: "forbidden", detail: expect.stringContaining("no role") });
    }
  });

  test("is asked for by every route", async () => {
    const routes: [string, unknown][] = [];
    const app = await buildServer({
      models: workspace.buckets.models,
      reports: workspace.buckets.reports,
      warehouse: workspace.warehouse,
      log: pino({ level: "silent" }),
      onRoute: ({ url, method, config }) => routes.push([`${method} ${url}`, config?.role]),
    });
    servers.push(app);
    expect(routes.length).toBeGreaterThan(8);
    const open = routes.filter(([, role]) => role === "open").map(([route]) => route);
    expect(open.sort()).toEqual(["GET /healthz", "GET /readyz", "HEAD /healthz", "HEAD /readyz"]);
    for (const [route, role] of routes)
      expect([route, ["open", "viewer", "clinician", "admin"]]).toEqual([route, expect.arrayContaining([role])]);
    const acting = routes.filter(([route]) => /^POST \/v1/.test(route));
    for (const [route, role] of acting)
      expect([route, role]).toEqual([route, expect.stringMatching(/clinician|admin/)]);
  });

  test("is asked for before a byte of the body is waited for", async () => {
    const url = await listening();
    const client = await RawClient.open(url);
    await client.send(
      "POST /v1/predictions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n",
    );
    const answer = await client.answer();
    expect(answer?.status).toBe(401);
    client.leave();
    const viewer = await RawClient.open(url);
    await viewer.send(
      `POST /v1/predictions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nx-goog-iap-jwt-assertion: ${token(key, claims({ email: "nurse@hospital.org" }))}\r\n\r\n`,
    );
    expect((await viewer.answer())?.status).toBe(403);
    viewer.leave();
  });
});

describe("other sites", () => {
  const send = (url: string, headers: Record<string, string>, method = "POST") =>
    status(url, "/test/viewer", { ...asking(token(key, claims())), ...headers }, method);

  test.each<[number, Record<string, string>]>([
    [200, {}],
    [200, { "sec-fetch-site": "same-origin" }],
    [200, { "sec-fetch-site": "none" }],
    [403, { "sec-fetch-site": "cross-site" }],
    [403, { "sec-fetch-site": "same-site" }],
    [403, { "sec-fetch-site": "" }],
    [403, { origin: "https://evil.org" }],
    [403, { origin: "null" }],
    [403, { origin: "https://127.0.0.1.evil.org" }],
    [403, { origin: "http://127.0.0.1:1" }],
  ])("%i for a POST with %j", async (expected, headers) => {
    const url = await listening();
    expect(await send(url, headers)).toBe(expected);
  });

  test("may not send; this one may, whatever the scheme that a proxy before it ended", async () => {
    const url = await listening();
    const { host } = new URL(url);
    expect(await send(url, { origin: `http://${host}` })).toBe(200);
    expect(await send(url, { origin: `https://${host}` })).toBe(200);
    const client = await RawClient.open(url);
    const own = (hostHeader: string, origin: string) =>
      `POST /test/viewer HTTP/1.1\r\nhost: ${hostHeader}\r\norigin: ${origin}\r\ncontent-length: 0\r\nx-goog-iap-jwt-assertion: ${token(key, claims())}\r\n\r\n`;
    for (const [hostHeader, origin, expected] of [
      ["mri.hospital.org", "https://mri.hospital.org", 200],
      ["mri.hospital.org:443", "https://mri.hospital.org", 200],
      ["MRI.hospital.org", "https://mri.hospital.org", 200],
      ["mri.hospital.org", "https://www.hospital.org", 403],
      ["mri.hospital.org", "https://mri.hospital.org:8443", 403],
    ] as const) {
      await client.send(own(hostHeader, origin));
      expect([hostHeader, origin, (await client.answer())?.status]).toEqual([hostHeader, origin, expected]);
    }
    client.leave();
  });

  test("may link to what only shows something", async () => {
    const url = await listening();
    expect(await status(url, "/", { ...asking(token(key, claims())), "sec-fetch-site": "cross-site" })).toBe(200);
  });
});

describe("a flood", () => {
  test("of one caller is his alone, whatever address he comes from", async () => {
    const url = await listening({ env: { RATE_LIMIT: "5" } });
    const his = asking(token(key, claims({ email: "a@hospital.org" })));
    for (let time = 0; time < 5; time++) expect(await status(url, "/v1/nothing", his)).toBe(404);
    const response = await fetch(`${url}/v1/nothing`, { headers: his });
    expect(response.status).toBe(429);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ code: "too-many-requests", status: 429 });
    // Another token of his is no way out, another person is not locked out, and neither are the probes.
    expect(await answerTo(url, token(key, claims({ email: "A@hospital.org", iat: 1 })))).toBe(429);
    expect(await answerTo(url, token(key, claims({ email: "b@hospital.org" })))).toBe(404);
    expect(await status(url, "/healthz")).toBe(200);
  });

  test("of bad tokens is told to wait, and locks nobody out who comes from the same address", async () => {
    const url = await listening({ env: { RATE_LIMIT: "3" } });
    for (let time = 0; time < 3; time++) expect(await answerTo(url, token(newKey(), claims()))).toBe(401);
    for (let time = 0; time < 3; time++) expect(await answerTo(url, token(newKey(), claims()))).toBe(429);
    expect(await answerTo(url, token(key, claims()))).toBe(404);
    const another = await listening({ env: { RATE_LIMIT: "3" } });
    for (let time = 0; time < 10; time++) expect(await status(another, "/v1/model")).toBe(401);
    expect(await answerTo(another, token(key, claims()))).toBe(404);
  });

  test("has no bound where nobody is asked, unless the environment has one; then it is the address's", async () => {
    const free = await listening({ build: localCallers("127.0.0.1", {}) });
    for (let time = 0; time < 50; time++) expect(await status(free, "/v1/nothing")).toBe(404);
    const bound = await listening({ build: localCallers("127.0.0.1", { RATE_LIMIT: "2" }) });
    expect([await status(bound, "/x"), await status(bound, "/x"), await status(bound, "/x")]).toEqual([404, 404, 429]);
  });
});

describe("without sign-in", () => {
  test("everybody on this machine is an administrator", async () => {
    const url = await listening({ build: localCallers("127.0.0.1", {}) });
    const answer = await fetch(`${url}/test/admin`, { method: "POST" });
    expect(await answer.json()).toEqual({ who: "local", role: "admin" });
    expect(await status(url, "/test/admin", { "sec-fetch-site": "cross-site" }, "POST")).toBe(403);
  });

  test("a site that gives its name this machine's address reads nothing", async () => {
    const url = await listening({ build: localCallers("127.0.0.1", {}) });
    const client = await RawClient.open(url);
    for (const [host, expected] of [
      ["127.0.0.1:8080", 404],
      ["localhost", 404],
      ["[::1]:8080", 404],
      ["scanner", 404],
      ["evil.org", 421],
      ["127.0.0.1.evil.org:8080", 421],
      ["localhost.evil.org", 421],
    ] as const) {
      await client.send(`GET /v1/nothing HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      expect([host, (await client.answer())?.status]).toEqual([host, expected]);
    }
    client.leave();
  });
});

describe("headers", () => {
  test("hold browsers to this server's own files, on every answer", async () => {
    const url = await listening();
    for (const [path, headers] of [
      ["/", asking(token(key, claims()))],
      ["/nowhere", {}],
      ["/healthz", {}],
    ] as const) {
      const response = await fetch(`${url}${path}`, { headers });
      const policy = String(response.headers.get("content-security-policy"));
      expect(policy).toMatch(/default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/);
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": expect.stringContaining("camera=()"),
        "referrer-policy": "no-referrer",
        "strict-transport-security": "max-age=31536000",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "x-request-id": expect.any(String),
      });
    }
    const local = await listening({ build: localCallers("127.0.0.1", {}) });
    expect((await fetch(`${local}/`)).headers.get("strict-transport-security")).toBeNull();
  });
});

describe("a configuration", () => {
  const container = (env: NodeJS.ProcessEnv) => {
    const names = ["MODELS_BUCKET", "REPORTS_BUCKET", "CURATED_BUCKET", "LANDING_BUCKET", "WAREHOUSE"];
    const buckets = Object.fromEntries(names.map((name) => [name, "gs://some-bucket"]));
    return () => parseEnv(serveContract.env, { ...buckets, PSEUDONYM_KEY: "local:test", ...env });
  };

  test("has no default in the container, and none where a person starts it", () => {
    expect(container({})).toThrow(/AUTH is not set/);
    expect(localCallers("127.0.0.1", {}).authentication).toEqual({ mode: "none" });
  });

  test("that is wrong in many ways is told of all of them at once", () => {
    const env = {
      AUTH: "oidc",
      AUTH_ISSUER: "https://sso.hospital.org",
      AUTH_ROLES: JSON.stringify({
        viewer: ["hospital.org", "*", "a@b@c.org", "*@hospital", "@hospital.org", "*@hosp*.org", "a b@c.org", 3],
        owner: ["a@b.org"],
        admin: "a@b.org",
      }),
      RATE_LIMIT: "many",
    };
    let message = "";
    try {
      localCallers("127.0.0.1", env);
    } catch (error) {
      message = (error as Error).message;
    }
    for (const part of [
      /AUTH_AUDIENCE is not set/,
      /AUTH_JWKS is not set: Google's keys, the default, sign no token of https:\/\/sso\.hospital\.org/,
      /there is no role "owner"; roles are viewer, clinician, admin/,
      /admin must be a list/,
      /viewer must be a list/,
      /RATE_LIMIT is "many"/,
    ])
      expect(message).toMatch(part);
  });

  test.each([
    "hospital.org",
    "*",
    "a@b@c.org",
    "*@hospital",
    "@hospital.org",
    "*@hosp*.org",
    "a b@c.org",
    "a@ü.org",
    "*@*.org.",
    "",
  ])("with a pattern that is nobody's address, %p, is refused", (pattern) => {
    const AUTH_ROLES = JSON.stringify({ viewer: [pattern] });
    expect(() => localCallers("127.0.0.1", environment("iap", { AUTH_ROLES }))).toThrow(/nobody's address can be/);
  });

  test.each(["", "{", "[]", "null", '"x"', "3"])("with roles that are %p is refused", (AUTH_ROLES) => {
    expect(() => localCallers("127.0.0.1", environment("iap", { AUTH_ROLES }))).toThrow(/AUTH_ROLES/);
  });

  test("lets everybody of an issuer in only where a proxy has chosen them before", () => {
    const AUTH_ROLES = JSON.stringify({ viewer: ["*@*"] });
    expect(() => localCallers("127.0.0.1", environment("oidc", { AUTH_ROLES }))).toThrow(/gives a role to \*@\*/);
    expect(localCallers("127.0.0.1", environment("iap", { AUTH_ROLES })).authentication.mode).toBe("iap");
  });

  test.each(["http://keys.org/x", "ftp://keys.org", "keys", "http://127.0.0.1.evil.org/", "https://u:p@keys.org/"])(
    "with keys at %s is refused",
    (AUTH_JWKS) => {
      expect(() => localCallers("127.0.0.1", environment("iap", { AUTH_JWKS }))).toThrow(/AUTH_JWKS is ".*": must be/);
    },
  );

  test.each(["0.0.0.0", "::", "10.0.0.1", "mri.hospital.org", "127.0.0.1.evil.org"])(
    "without sign-in listens on nothing that others reach: %s",
    (host) => {
      expect(() => localCallers(host, {})).toThrow(
        /AUTH is none, by which everybody who reaches .* is an administrator/,
      );
      expect(localCallers(host, environment("iap")).authentication.mode).toBe("iap");
    },
  );

  test.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("without sign-in listens on %s", (host) => {
    expect(localCallers(host, {}).authentication.mode).toBe("none");
  });

  test("that says how to ask and not that anybody is asked is refused", () => {
    expect(() => localCallers("127.0.0.1", { AUTH_AUDIENCE: "x" })).toThrow(/AUTH is not set, and AUTH_AUDIENCE is/);
  });
});
