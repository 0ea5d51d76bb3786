import { createPublicKey, generateKeyPairSync, type JsonWebKey, verify } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Fhir } from "fhir/fhir";
import pino from "pino";
import { openIdentities } from "../../../runtime/intake";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import {
  BadDelivery,
  buildServer,
  checkDelivery,
  deliverAnswers,
  Endpoint,
  type EndpointSettings,
  SIGNATURE,
  Signer,
} from "../../../runtime/serve";
import { ATTEMPTS, type DeliveryOptions, RUNS } from "../../../runtime/serve/delivery/delivery";
import { Certificates } from "../../support/certificates";
import { headPng } from "../../support/head";
import { head, headScan, IDENTIFIERS, SPOT } from "../../support/head-scan";
import { push, pushed } from "../../support/push";
import { promote, storeModel } from "../../support/served-model";
import { readBack } from "../exchange/read-back";

const silent = pino({ level: "silent" });
const FIT = { fit: true, sentence: "Fit for research.", reasons: [] };

let folder: string;
let workspace: Workspace;
let signer: Signer;
/** Answers are about it, the oldest first. */
let requests: string[];

interface Received {
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** What a receiver does with a request: a status, or an end of its own. */
type Behaviour = (received: Received, response: ServerResponse) => number | undefined;

/** A server that keeps what it gets. */
class Receiver {
  readonly received: Received[] = [];
  behaviour: Behaviour = () => 200;

  private constructor(
    private readonly server: Server,
    private readonly scheme: string,
  ) {
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const received = { url: request.url ?? "", headers: request.headers, body: Buffer.concat(parts) };
        this.received.push(received);
        const status = this.behaviour(received, response);
        if (status !== undefined) response.writeHead(status).end();
      });
    });
  }

  static async start(secure?: Parameters<typeof createSecureServer>[0]): Promise<Receiver> {
    const server = secure ? createSecureServer(secure) : createServer();
    const receiver = new Receiver(server as Server, secure ? "https" : "http");
    await new Promise<void>((listening) => {
      server.listen(0, "127.0.0.1", listening);
    });
    return receiver;
  }

  at(path: string): URL {
    return new URL(path, `${this.scheme}://127.0.0.1:${(this.server.address() as AddressInfo).port}`);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((stopped) => {
      this.server.close(stopped);
    });
  }
}

/** Its environment is read when it is loaded. */
const loadedFunction = () =>
  require("../../../runtime/serve/delivery/function") as typeof import("../../../runtime/serve/delivery/function");

let receiver: Receiver;

const endpointAt = (path: string, more: Partial<EndpointSettings> = {}) =>
  new Endpoint({ url: receiver.at(path), format: "fhir", signer, client: undefined, tls: {}, ...more });

/** Milliseconds that were waited for. */
let waited: number[];

const deliver = (endpoint: Endpoint, more: Partial<DeliveryOptions> = {}) =>
  deliverAnswers({
    reports: workspace.buckets.reports,
    warehouse: workspace.warehouse,
    endpoint,
    log: silent,
    wait: async (time) => void waited.push(time),
    ...more,
  });

const count = (numbers: Partial<Awaited<ReturnType<typeof deliver>>>) => ({
  ...{ delivered: 0, waiting: 0, dead: 0, unfit: 0, noStudy: 0, problems: [] },
  ...numbers,
});

const claims = (signature: string) =>
  JSON.parse(Buffer.from(signature.split(".")[0] as string, "base64url").toString()) as Record<string, unknown>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "delivery-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace, undefined, { verdict: FIT });
  const file = join(folder, "key.pem");
  writeFileSync(
    file,
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
  );
  signer = await Signer.open(file);
  const { models, reports } = workspace.buckets;
  const identities = await openIdentities("local:delivery");
  const app = await buildServer({ models, reports, warehouse: workspace.warehouse, identities, log: silent });
  requests = [];
  for (const payload of [headScan(), headScan({ frames: [head(3)] }), await headPng(160, 128, SPOT)]) {
    const answer = await app.inject({ method: "POST", url: "/v1/predictions", payload });
    expect(answer.statusCode).toBe(200);
    requests.push(answer.json().request);
  }
  await app.close();
});
afterAll(async () => {
  await workspace.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  waited = [];
  receiver = await Receiver.start();
});
afterEach(() => receiver.stop());

describe("what is delivered", () => {
  test("every answer once, the oldest first, signed, without an identifier, and written down before it leaves", async () => {
    const endpoint = endpointAt("/fhir");
    expect(await deliver(endpoint)).toEqual(count({ delivered: 3 }));
    const { received } = receiver;
    expect(received.map(({ headers }) => claims(headers[SIGNATURE] as string).sub)).toEqual(requests);
    for (const { headers, body } of received) {
      expect(headers["content-type"]).toBe("application/fhir+json");
      expect(new Fhir().validate(JSON.parse(String(body)), { errorOnUnexpected: true }).valid).toBe(true);
      for (const identifier of IDENTIFIERS) expect(body.includes(identifier)).toBe(false);
    }
    const rows = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    const written = rows.filter(({ action }) => action === "deliver");
    expect(written.map(({ request }) => request).sort()).toEqual([...requests].sort());

    expect(await deliver(endpointAt("/fhir"), { again: true })).toEqual(count({}));
    expect(receiver.received).toHaveLength(3);
  });

  test("by STOW-RS the structured report of what has a study; what the archive did not take is given up", async () => {
    receiver.behaviour = ({ body }, response) => {
      const taken = body.includes(requests[0] as string);
      const answer = taken ? {} : { "00081198": { vr: "SQ", Value: [{ "00081197": { vr: "US", Value: [272] } }] } };
      response.writeHead(taken ? 200 : 202, { "content-type": "application/dicom+json" }).end(JSON.stringify(answer));
      return undefined;
    };
    const summary = await deliver(endpointAt("/studies", { format: "sr" }));
    expect(summary).toEqual(
      count({
        delivered: 1,
        dead: 1,
        noStudy: 1,
        problems: [`${requests[1]}: given up. The archive did not take it.`],
      }),
    );
    const [first] = receiver.received;
    const type = first?.headers["content-type"] as string;
    const boundary = /^multipart\/related; type="application\/dicom"; boundary=([\w-]+)$/.exec(type)?.[1] as string;
    const text = first?.body.toString("latin1") ?? "";
    const head = `--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`;
    const tail = `\r\n--${boundary}--\r\n`;
    expect([text.startsWith(head), text.endsWith(tail)]).toEqual([true, true]);
    const [report] = readBack(folder, ["sr", Buffer.from(text.slice(head.length, -tail.length), "latin1")]);
    expect(report).toMatchObject({ class: "ComprehensiveSR" });
  });

  const xml = (tag: string, item: string) =>
    `<?xml version="1.0"?>\n<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"><DicomAttribute keyword="x" tag="${tag}" vr="SQ">\n  ${item}</DicomAttribute></NativeDicomModel>`;
  const ITEM =
    '<Item number="1"><DicomAttribute tag="00081197" vr="US"><Value number="1">272</Value></DicomAttribute></Item>';
  test.each([
    ["failures in XML", 202, xml("00081198", ITEM), false],
    ["failures in XML as if all were well", 200, xml("00081198", ITEM), false],
    ["other failures in XML", 202, xml("0008119A", ITEM), false],
    ["something that is not understood", 202, "accepted", false],
    ["silence", 202, "", false],
    ["an instance that is stored, in XML", 202, xml("00081199", ITEM), true],
    [
      "a list of no failures",
      200,
      `<DicomAttribute tag="00081198" vr="SQ"/>${xml("00081198", "")}${xml("00081199", ITEM)}`,
      true,
    ],
    ["an instance that is stored, in JSON", 202, '{"00081199":{"vr":"SQ","Value":[{}]}}', true],
    ["no body", 200, "", true],
  ])("an archive that answers with %s (%i)", async (what, status, body, taken) => {
    receiver.behaviour = (_received, response) => {
      response.writeHead(status, { "content-type": "application/dicom+xml" }).end(body);
      return undefined;
    };
    const path = `/studies-${encodeURIComponent(what)}`;
    const numbers = { delivered: taken ? 2 : 0, dead: taken ? 0 : 2, noStudy: 1 };
    expect(await deliver(endpointAt(path, { format: "sr" }))).toMatchObject(numbers);
  });

  test("the overlay, drawn for it", async () => {
    expect(await deliver(endpointAt("/pictures", { format: "sc" }))).toEqual(count({ delivered: 2, noStudy: 1 }));
    expect(receiver.received[0]?.body.length).toBeGreaterThan(3 * 160 * 128);
  });

  test("what a model says that is not fit for use stays here, unless it is asked for", async () => {
    const { reports } = workspace.buckets;
    const { objects } = await reports.list({ prefix: "answers/" });
    const name = objects.find((object) => object.name.endsWith(`${requests[2]}.json`))?.name as string;
    const kept = String(await reports.read(name));
    await reports.write(
      name,
      kept.replace('"fit":true,"sentence":"Fit for research."', '"fit":false,"sentence":"Unfit."'),
    );
    expect(await deliver(endpointAt("/unfit"))).toEqual(count({ delivered: 2, unfit: 1 }));
    expect(await deliver(endpointAt("/unfit"), { unfit: true })).toEqual(count({ delivered: 1 }));
    expect(String(receiver.received.at(-1)?.body)).toContain("Unfit.");
    await reports.write(name, kept);
  });
});

describe("what fails", () => {
  test("passes: it is tried again, later each time, and not before the receiver asks for", async () => {
    const behaviours: Behaviour[] = [
      () => 503,
      (_, response) => void response.socket?.destroy(),
      (_, response) => void response.writeHead(429, { "retry-after": "17" }).end(),
    ];
    receiver.behaviour = (received, response) => (behaviours.shift() ?? (() => 201))(received, response);
    expect(await deliver(endpointAt("/later"))).toEqual(count({ delivered: 3 }));
    expect(receiver.received).toHaveLength(6);
    const [first, second, third] = waited as [number, number, number];
    expect(first).toBeGreaterThanOrEqual(500);
    expect(first).toBeLessThanOrEqual(1000);
    expect(second).toBeGreaterThanOrEqual(1000);
    expect(second).toBeLessThanOrEqual(2000);
    expect(third).toBe(17_000);
    const ids = receiver.received.map(({ headers }) => claims(headers[SIGNATURE] as string).jti);
    expect(new Set(ids).size).toBe(6);
  });

  test("does not pass: it is given up at once, is told with each run, and is tried again when asked for", async () => {
    receiver.behaviour = ({ body }) => (body.includes(requests[1] as string) ? 422 : 200);
    const problems = [`${requests[1]}: given up. The endpoint answers 422.`];
    expect(await deliver(endpointAt("/strict"))).toEqual(count({ delivered: 2, dead: 1, problems }));
    expect(await deliver(endpointAt("/strict"))).toEqual(count({ dead: 1 }));
    expect(receiver.received).toHaveLength(3);
    receiver.behaviour = () => 200;
    expect(await deliver(endpointAt("/strict"), { again: true })).toEqual(count({ delivered: 1 }));
    expect(await deliver(endpointAt("/strict"))).toEqual(count({}));
  });

  test("an endpoint that is not there ends the run, and what never gets through is given up after some runs", async () => {
    const nowhere = endpointAt("/nowhere");
    await receiver.stop();
    for (let run = 1; run < RUNS; run++) {
      const { waiting, dead, problems } = await deliver(nowhere);
      expect([waiting, dead, problems.length]).toEqual([3, 0, 3]);
      expect(problems[0]).toMatch(/could not be reached: ECONNREFUSED\.$/);
    }
    expect(waited).toHaveLength((RUNS - 1) * 3 * (ATTEMPTS - 1));
    expect(await deliver(nowhere)).toMatchObject({ delivered: 0, waiting: 0, dead: 3 });
    receiver = await Receiver.start();
  });

  test("one answer that breaks the receiver holds back none of the others", async () => {
    receiver.behaviour = ({ body }) => (body.includes(requests[0] as string) ? 500 : 200);
    expect(await deliver(endpointAt("/fragile"))).toMatchObject({ delivered: 2, waiting: 1, dead: 0 });
  });

  test("an interruption ends it between two answers, and the next run goes on", async () => {
    const stop = new AbortController();
    receiver.behaviour = () => {
      stop.abort();
      return 200;
    };
    await expect(deliver(endpointAt("/stopped"), { signal: stop.signal })).rejects.toThrow();
    const { delivered } = await deliver(endpointAt("/stopped"));
    // The first may have been taken while nobody heard of it any more.
    expect(delivered).toBeGreaterThanOrEqual(2);
    const subjects = receiver.received.map(({ headers }) => claims(headers[SIGNATURE] as string).sub);
    expect(new Set(subjects).size).toBe(3);
  });
});

describe("who may send", () => {
  test("OAuth 2.0: one token for all, and another where it is refused", async () => {
    const tokens = await Receiver.start();
    tokens.behaviour = (_, response) => {
      const token = { access_token: `token-${tokens.received.length}`, token_type: "Bearer", expires_in: 3600 };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(token));
      return undefined;
    };
    receiver.behaviour = ({ headers }) => (headers.authorization === "Bearer token-2" ? 200 : 401);
    const client = { tokenUrl: tokens.at("/token"), id: "us er", secret: "s:e", scope: "system/*.write" };
    try {
      expect(await deliver(endpointAt("/private", { client }))).toEqual(count({ delivered: 3 }));
      expect(receiver.received).toHaveLength(4);
      expect(tokens.received).toHaveLength(2);
      expect(tokens.received[0]?.headers.authorization).toBe(
        `Basic ${Buffer.from("us%20er:s%3Ae").toString("base64")}`,
      );
      expect(String(tokens.received[0]?.body)).toBe("grant_type=client_credentials&scope=system%2F*.write");
      tokens.behaviour = () => 400;
      const refused = await deliver(endpointAt("/private2", { client }));
      expect(refused).toMatchObject({ delivered: 0, dead: 3 });
      expect(refused.problems[0]).toContain("The server of tokens answers 400.");
    } finally {
      await tokens.stop();
    }
  });

  test("mutual TLS: with the certificate it is taken, without it or by another server nothing is sent", async () => {
    const certificates = new Certificates(folder);
    for (const name of ["server", "client"]) certificates.makeAuthority(name);
    const pem = (name: string) => readFileSync(certificates.path(name));
    await receiver.stop();
    receiver = await Receiver.start({
      ...{ key: pem("server-key"), cert: pem("server"), ca: pem("client") },
      ...{ requestCert: true, rejectUnauthorized: true },
    });
    const known = { ca: pem("server") };
    const own = { cert: pem("client"), key: pem("client-key") };
    expect(await deliver(endpointAt("/anonymous", { tls: known }))).toMatchObject({ delivered: 0, waiting: 3 });
    expect(await deliver(endpointAt("/unknown", { tls: own }))).toMatchObject({ delivered: 0, waiting: 3 });
    expect(receiver.received).toHaveLength(0);
    expect(await deliver(endpointAt("/mutual", { tls: { ...known, ...own } }))).toEqual(count({ delivered: 3 }));
  });

  test("no redirection is followed", async () => {
    receiver.behaviour = ({ url }, response) => {
      if (url !== "/moved") return 200;
      response.writeHead(307, { location: receiver.at("/elsewhere").href }).end();
      return undefined;
    };
    // It may be back: nothing is given up.
    expect(await deliver(endpointAt("/moved"))).toMatchObject({ delivered: 0, waiting: 3, dead: 0 });
    expect(receiver.received.every(({ url }) => url === "/moved")).toBe(true);
  });

  test("a server that wants another protocol, or says nothing, has not taken it", async () => {
    receiver.behaviour = ({ url }, response) => {
      if (url === "/silent") response.destroy();
      else response.writeHead(101, { connection: "Upgrade", upgrade: "x" }).end();
      return undefined;
    };
    for (const path of ["/switch", "/silent"])
      expect(await deliver(endpointAt(path))).toMatchObject({ delivered: 0, waiting: 3 });
  });
});

describe("one answer, as the function of the cloud delivers it", () => {
  const STORE = "projects/mri-st-anna/locations/europe-west4/datasets/st-anna-pacs/fhirStores/fhir";
  let deliverAnswer: ReturnType<typeof loadedFunction>["deliverAnswer"];
  /** Objects of the history, the oldest answer first. */
  let objects: string[];
  /** The API that the function posts to: its address is read when the function is loaded. */
  let api: Receiver;
  const before = { ...process.env };

  beforeAll(async () => {
    api = await Receiver.start();
    const place = (part: string) => pathToFileURL(join(folder, "workspace", part)).href;
    Object.assign(process.env, {
      FHIR_STORE: STORE,
      REPORTS_BUCKET: place("reports"),
      WAREHOUSE: place("warehouse"),
      LOG_LEVEL: "fatal",
      HEALTHCARE_API_ENDPOINT: api.at("").href,
    });
    deliverAnswer = loadedFunction().deliverAnswer;
    objects = [];
    for await (const { name } of workspace.buckets.reports.listAll("history/")) objects.unshift(name);
    expect(objects).toHaveLength(3);
  });
  beforeEach(() => {
    api.received.length = 0;
    api.behaviour = () => 200;
  });
  afterAll(async () => {
    process.env = before;
    await api.stop();
  });

  const told = (objectId: string | undefined, more: Readonly<Record<string, string>> = {}) =>
    push(
      deliverAnswer,
      pushed({ eventType: "OBJECT_FINALIZE", bucketId: "reports", objectId: objectId ?? "", ...more }),
    );

  test("goes to the FHIR store as a transaction, once, however many are told of it at once", async () => {
    const answers = await Promise.all([told(objects[0]), told(objects[0]), told(objects[0])]);
    // Who comes second is called again, and finds it done.
    for (const [status] of answers) expect([204, 500]).toContain(status);
    expect(answers.map(([status]) => status)).toContain(204);
    expect(await told(objects[0])).toEqual([204, ""]);
    expect(api.received).toHaveLength(1);
    const [{ url, headers, body }] = api.received as [Received];
    expect([url, headers["content-type"], headers[SIGNATURE]]).toEqual([
      `/v1/${STORE}/fhir`,
      "application/fhir+json",
      undefined,
    ]);
    expect(body.toString()).toContain(requests[0]);
    for (const identifier of IDENTIFIERS) expect(body.toString()).not.toContain(identifier);
    const rows = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    expect(rows.filter(({ action, who }) => action === "deliver" && who === "deliver")).toMatchObject([
      { request: requests[0], result: "fhir" },
    ]);
  });

  test("what fails or is refused comes again, and is delivered when the store takes it", async () => {
    for (const [status, answer] of [
      [503, 500],
      [422, 400],
      [307, 500],
      [200, 204],
      [200, 204],
    ] as const) {
      api.behaviour = () => status;
      expect((await told(objects[1]))[0]).toBe(answer);
    }
    expect(api.received).toHaveLength(4);
  });

  test("who dies over an answer keeps it for ten minutes", async () => {
    // It is not answered: the process is gone before it knows.
    let first: Promise<[number, string]> | undefined;
    const unanswered = await new Promise<ServerResponse>((reached) => {
      api.behaviour = (_received, response) => void reached(response);
      first = told(objects[2]);
    });
    api.behaviour = () => 200;
    expect((await told(objects[2]))[0]).toBe(500);
    const now = Date.now();
    const clock = jest.spyOn(Date, "now").mockImplementation(() => now + 601_000);
    expect((await told(objects[2]))[0]).toBe(204);
    clock.mockRestore();
    expect(api.received).toHaveLength(2);
    unanswered.destroy();
    expect((await first)?.[0]).toBe(500);
  });

  test.each([
    ["another bucket", "history/2026-11/x", { bucketId: "landing" }, 400],
    ["no answer", "answers/x/y.json", {}, 400],
    ["a name that climbs", "history/2026-11/../../../x", {}, 400],
    [
      "an answer that is gone",
      `history/2026-01/${9_999_999_999_999 - Date.UTC(2026, 0, 2)}-${"0".repeat(8)}-0000-4000-8000-${"0".repeat(12)}`,
      {},
      204,
    ],
    ["a deletion", "history/2026-11/x", { eventType: "OBJECT_DELETE" }, 204],
  ])("%s: nothing is sent", async (_what, object, more, status) => {
    expect((await told(object, more))[0]).toBe(status);
    expect(api.received).toEqual([]);
  });

  test("what is no notification is refused", async () => {
    for (const body of [undefined, {}, "{", pushed({})]) expect((await push(deliverAnswer, body))[0]).toBe(400);
  });

  test("an identity of its own signs in by its token", async () => {
    const endpoint = endpointAt("/own", { signer: undefined, identity: async () => "Bearer of its own" });
    expect(await deliver(endpoint)).toEqual(count({ delivered: 3 }));
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill("Bearer of its own"));
  });
});

describe("a receiver outside Google, as the function of the cloud delivers to it", () => {
  const before = { ...process.env };
  let certificates: Certificates;
  let outside: Receiver;
  let tokens: Receiver;
  let api: Receiver;
  let object: string;
  const pem = (name: string) => readFileSync(certificates.path(name), "utf8");
  const load = () => {
    let loaded: ReturnType<typeof loadedFunction> | undefined;
    jest.isolateModules(() => {
      loaded = loadedFunction();
    });
    return loaded as ReturnType<typeof loadedFunction>;
  };

  beforeAll(async () => {
    const scratch = mkdtempSync(join(folder, "certificates-"));
    certificates = new Certificates(scratch);
    certificates.makeAuthority("server");
    certificates.makeAuthority("clients");
    certificates.make("client", "clients");
    const secure = { cert: pem("server"), key: pem("server-key"), ca: pem("clients"), requestCert: true };
    // The certificate is asked for; of the server of tokens, the client's name and secret.
    outside = await Receiver.start({ ...secure, rejectUnauthorized: true });
    tokens = await Receiver.start(secure);
    api = await Receiver.start();
    // The scan of a study: of a picture without one there is no report of DICOM.
    for await (const { name } of workspace.buckets.reports.listAll("history/"))
      if (name.endsWith(requests[0] as string)) object = name;
    const place = (part: string) => pathToFileURL(join(folder, "workspace", part)).href;
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const file = join(scratch, "signing.pem");
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
    signing = await Signer.open(file);
    Object.assign(process.env, {
      FHIR_STORE: "projects/mri-st-anna/locations/europe-west4/datasets/d/fhirStores/outside",
      HEALTHCARE_API_ENDPOINT: api.at("").href,
      REPORTS_BUCKET: place("reports"),
      WAREHOUSE: place("warehouse"),
      LOG_LEVEL: "fatal",
      RECEIVER_URL: outside.at("/dicom-web/studies").href,
      RECEIVER_FORMAT: "sr",
      RECEIVER_SIGNING_KEY: readFileSync(file, "utf8"),
      RECEIVER_SIGN_IN_URL: tokens.at("/token").href,
      RECEIVER_CLIENT_ID: "brain-tumor",
      RECEIVER_CLIENT_SECRET: "out of Secret Manager\n",
      RECEIVER_CERTIFICATE: pem("client"),
      RECEIVER_CERTIFICATE_KEY: pem("client-key"),
      RECEIVER_CA: pem("server"),
    });
  });
  let signing: Signer;
  afterAll(async () => {
    process.env = before;
    await Promise.all([outside.stop(), tokens.stop(), api.stop()]);
  });

  test("it is signed in to and signed for; what it refuses comes again, and the FHIR store has its own once", async () => {
    tokens.behaviour = (_, response) => {
      const token = { access_token: "of the client", token_type: "Bearer", expires_in: 3600 };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(token));
      return undefined;
    };
    const { deliverAnswer } = load();
    const told = () =>
      push(deliverAnswer, pushed({ eventType: "OBJECT_FINALIZE", bucketId: "reports", objectId: object }));
    for (const [status, answer] of [
      [503, 500],
      [403, 400],
      [200, 204],
      [200, 204],
    ] as const) {
      outside.behaviour = () => status;
      expect((await told())[0]).toBe(answer);
    }
    expect([outside.received.length, api.received.length, tokens.received.length]).toEqual([3, 1, 1]);
    const sent = outside.received.at(-1) as Received;
    expect(sent.headers.authorization).toBe("Bearer of the client");
    expect(tokens.received[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from("brain-tumor:out%20of%20Secret%20Manager").toString("base64")}`,
    );
    const delivered = {
      url: outside.at("/dicom-web/studies").href,
      contentType: sent.headers["content-type"] as string,
      body: sent.body,
    };
    const check = (change: Partial<typeof delivered>, isNew: boolean) =>
      checkDelivery({ ...delivered, ...change }, sent.headers[SIGNATURE] as string, {
        keys: signing.publicKeys,
        isNew: () => isNew,
      });
    expect(requests).toContain(await check({}, true));
    await expect(check({ body: Buffer.concat([sent.body, Buffer.of(0)]) }, true)).rejects.toThrow(BadDelivery);
    await expect(check({}, false)).rejects.toThrow("It was delivered before.");
    for (const identifier of IDENTIFIERS) expect(sent.body.includes(identifier)).toBe(false);
  });

  test.each([
    [{ RECEIVER_SIGNING_KEY: "" }, /RECEIVER_URL, RECEIVER_SIGNING_KEY belong together/],
    [{ RECEIVER_CLIENT_SECRET: "" }, /RECEIVER_CLIENT_SECRET is not set/],
    [{ RECEIVER_CERTIFICATE_KEY: "" }, /RECEIVER_CERTIFICATE_KEY is not set/],
    [{ RECEIVER_URL: "http://fhir.example.org" }, /must be an https URL/],
    [
      {
        RECEIVER_SIGN_IN_URL: "",
        RECEIVER_CLIENT_ID: "",
        RECEIVER_CLIENT_SECRET: "",
        RECEIVER_CERTIFICATE: "",
        RECEIVER_CERTIFICATE_KEY: "",
      },
      /nothing to sign in with/,
    ],
    [{ FHIR_STORE: "", RECEIVER_URL: "", RECEIVER_SIGNING_KEY: "" }, /nowhere to deliver to/],
  ])(
    "%#: what does not belong together stops it at its start",
    (change: Readonly<Record<string, string>>, sentence) => {
      const given = { ...process.env };
      for (const [name, value] of Object.entries(change)) {
        if (value === "") delete process.env[name];
        else process.env[name] = value;
      }
      try {
        expect(load).toThrow(sentence);
      } finally {
        process.env = given;
      }
    },
  );
});

describe("the receiver's check", () => {
  const url = "https://fhir.hospital.example/r4";
  const contentType = "application/fhir+json";
  const body = Buffer.from('{"resourceType":"Bundle"}');
  const delivered = { url, contentType, body };
  let signature: string;
  beforeAll(async () => {
    signature = await signer.sign(delivered, "request-1");
  });

  const check = (
    change: Partial<typeof delivered> = {},
    { by = signature, seen = new Set<string>(), ...more } = {} as {
      by?: string;
      seen?: Set<string>;
      now?: number;
      keys?: typeof signer.publicKeys;
    },
  ) =>
    checkDelivery({ ...delivered, ...change }, by, {
      keys: signer.publicKeys,
      isNew: (jti) => !seen.has(jti) && seen.add(jti) !== undefined,
      now: claims(signature).iat as number,
      ...more,
    });

  test("takes what was signed, once", async () => {
    const seen = new Set<string>();
    expect(await check({}, { seen })).toBe("request-1");
    await expect(check({}, { seen })).rejects.toThrow(new BadDelivery("It was delivered before."));
  });

  test("is that of RFC 7515: Node's own cryptography says the same", () => {
    const [header, , end] = signature.split(".") as [string, string, string];
    const key = createPublicKey({ key: signer.publicKeys.keys[0] as JsonWebKey, format: "jwk" });
    const valid = (content: Buffer) =>
      verify(
        "sha256",
        Buffer.from(`${header}.${content.toString("base64url")}`),
        { key, dsaEncoding: "ieee-p1363" },
        Buffer.from(end, "base64url"),
      );
    expect([valid(body), valid(Buffer.from(`${body} `))]).toEqual([true, false]);
    expect(JSON.stringify(signer.publicKeys)).not.toContain('"d"');
  });

  test("finds every byte that was changed, in body and signature", async () => {
    for (let i = 0; i < body.length; i++) {
      const changed = Buffer.from(body);
      changed[i] = (changed[i] as number) ^ 1;
      await expect(check({ body: changed })).rejects.toThrow(BadDelivery);
    }
    for (const other of [body.subarray(1), Buffer.concat([body, Buffer.of(32)]), Buffer.alloc(0)])
      await expect(check({ body: other })).rejects.toThrow("It is not what was signed.");
    const [header, , end] = signature.split(".") as [string, string, string];
    const later = { ...claims(signature), iat: (claims(signature).iat as number) + 1 };
    const forged = Buffer.from(JSON.stringify(later)).toString("base64url");
    await expect(check({}, { by: `${forged}..${end}` })).rejects.toThrow("It is not what was signed.");
    const none = Buffer.from(JSON.stringify({ ...claims(signature), alg: "none" })).toString("base64url");
    await expect(check({}, { by: `${none}..` })).rejects.toThrow("It carries no detached signature.");
    await expect(check({}, { by: `${none}..${end}` })).rejects.toThrow(BadDelivery);
    await expect(check({}, { by: `${header}.${body.toString("base64url")}.${end}` })).rejects.toThrow(
      "It carries no detached signature.",
    );
    await expect(checkDelivery(delivered, undefined, { keys: signer.publicKeys, isNew: () => true })).rejects.toThrow(
      "It carries no detached signature.",
    );
    await expect(check({}, { by: "" })).rejects.toThrow("It carries no detached signature.");
  });

  test("finds another receiver, another type, another time and another key", async () => {
    await expect(check({ url: `${url}/other` })).rejects.toThrow("It was signed for another receiver.");
    await expect(check({ contentType: "application/json" })).rejects.toThrow(
      "It was signed as another type of content.",
    );
    const at = claims(signature).iat as number;
    for (const now of [at + 301, at - 301])
      await expect(check({}, { now })).rejects.toThrow("It was signed more than 5 minutes from now.");
    for (const now of [at + 300, at - 300]) await expect(check({}, { now })).resolves.toBe("request-1");
    await expect(check({}, { keys: { keys: [] } })).rejects.toThrow("It is signed by a key that is not known.");
  });
});

test("a key that cannot sign is a sentence that says how one is made", async () => {
  const file = join(folder, "wrong.pem");
  await expect(Signer.open(file)).rejects.toThrow(/wrong\.pem cannot be read \(ENOENT\)\. Make one: openssl genpkey/);
  writeFileSync(file, "no key");
  await expect(Signer.open(file)).rejects.toThrow("is no private key in PEM");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
  await expect(Signer.open(file)).rejects.toThrow("is no key of the curve P-256");
});
