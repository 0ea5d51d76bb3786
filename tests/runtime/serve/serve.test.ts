import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import sharp from "sharp";
import { ConfigurationError, parseEnv } from "../../../runtime/platform/config";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { considerPromotion } from "../../../runtime/promotion";
import { buildServer, type Prediction, serveContract, serveWorkspace } from "../../../runtime/serve";
import { BRIGHT_SPOT, headPixels, headPng } from "../../support/bright-spot";
import { promote, storeModel, until } from "../../support/served-model";

const SPOT = { x: 120, y: 110, radius: 16 };
const log = pino({ level: "silent" });

let folder: string;
let workspace: Workspace;
let app: FastifyInstance;
let ill: Buffer;
let well: Buffer;

function server(target: Workspace, overrides: Partial<Parameters<typeof buildServer>[0]> = {}) {
  return buildServer({
    models: target.buckets.models,
    reports: target.buckets.reports,
    warehouse: target.warehouse,
    log,
    refreshSeconds: 0.05,
    ...overrides,
  });
}

function post(payload: Buffer, headers: Record<string, string> = {}, to = app) {
  return to.inject({ method: "POST", url: "/v1/predictions", payload, headers });
}

function multipart(field: string, content: Buffer) {
  const boundary = "----boundary";
  const payload = Buffer.concat([
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n--${boundary}\r\n` +
        `Content-Disposition: form-data; name="${field}"; filename="a b.png"\r\nContent-Type: text/plain\r\n\r\n`,
    ),
    content,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  return { payload, headers: { "content-type": `multipart/form-data; boundary=${boundary}` } };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "serve-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  app = await server(workspace);
  ill = await headPng(240, 200, SPOT);
  well = await headPng(240, 200);
});

afterAll(async () => {
  await app.close();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

describe("POST /v1/predictions", () => {
  test("answers with everything that is promised", async () => {
    const response = await post(ill, { "content-type": "image/png" });
    expect(response.statusCode).toBe(200);
    const answer = response.json<Prediction>();
    expect(answer).toMatchObject({
      request: response.headers["x-request-id"],
      id: expect.stringMatching(/^[0-9a-f]{64}$/),
      model: BRIGHT_SPOT.id,
      recipe: BRIGHT_SPOT.recipe,
      label: "Cancer",
      decision: "Cancer",
      threshold: 0.5,
      disclaimer: expect.stringMatching(/not for diagnostic use/i),
      page: 1,
      pages: 1,
      width: 240,
      height: 200,
      synthetic: true,
    });
    expect(answer.probability).toBeGreaterThan(0.9);
    expect(answer.probability).toBeLessThanOrEqual(1);
    expect(Math.hypot(answer.peak.x - SPOT.x, answer.peak.y - SPOT.y)).toBeLessThan(SPOT.radius);

    const healthy = (await post(well)).json<Prediction>();
    expect(healthy).toMatchObject({ label: "Non-Cancer", decision: "Non-Cancer" });
    expect(healthy.id).not.toBe(answer.id);
  });

  test("its overlay and original are pictures of the scan's size", async () => {
    const answer = (await post(ill)).json<Prediction>();
    for (const path of [answer.overlay, answer.original]) {
      const picture = await app.inject(path);
      expect(picture.statusCode).toBe(200);
      expect(Number(picture.headers["content-length"])).toBe(picture.rawPayload.length);
      expect(picture.headers["content-type"]).toBe("image/png");
      expect(await sharp(picture.rawPayload).metadata()).toMatchObject({ format: "png", width: 240, height: 200 });
    }
    const [overlay, original] = await Promise.all(
      [answer.overlay, answer.original].map(async (path) => (await app.inject(path)).rawPayload),
    );
    expect(overlay?.equals(original as Buffer)).toBe(false);
  });

  test.each<[string, Record<string, string>]>([
    ["no content type", {}],
    ["its own content type", { "content-type": "image/png" }],
    ["a wrong content type", { "content-type": "application/json" }],
    ["a form's content type", { "content-type": "application/x-www-form-urlencoded" }],
    ["a content type that is none", { "content-type": "no such thing ;;" }],
  ])("takes raw bytes with %s", async (_, headers) => {
    const response = await post(ill, headers);
    expect(response.statusCode).toBe(200);
    expect(response.json<Prediction>().label).toBe("Cancer");
  });

  test("takes multipart with a field file", async () => {
    const body = multipart("file", ill);
    const response = await post(body.payload, body.headers);
    expect(response.statusCode).toBe(200);
    const { id } = (await post(ill)).json<Prediction>();
    expect(response.json<Prediction>().id).toBe(id);
    const unnamed = Buffer.from(body.payload.toString("latin1").replace('; filename="a b.png"', ""), "latin1");
    expect((await post(unnamed, body.headers)).json<Prediction>().id).toBe(id);
  });

  test("takes other formats by their bytes, and of several pages answers for the most suspicious", async () => {
    const side = 160;
    const pages = [undefined, undefined, { x: 80, y: 70, radius: 16 }].map((spot, i) =>
      headPixels(side, side, spot, i),
    );
    const tiff = await sharp(Buffer.concat(pages), {
      raw: { width: side, height: side * 3, channels: 1, pageHeight: side },
    })
      .tiff({ compression: "lzw" })
      .toBuffer();
    const answer = (await post(tiff, { "content-type": "image/jpeg" })).json<Prediction>();
    expect(answer).toMatchObject({ page: 3, pages: 3, width: side, height: side, label: "Cancer" });
  });

  test("leaves one audit row a request, also for the same scan", async () => {
    const first = await post(well);
    const second = await post(well);
    const rows = (await workspace.warehouse.rows("predictions")).map(({ batch, row }) => ({ batch, ...row }));
    expect(first.json<Prediction>().request).not.toBe(second.json<Prediction>().request);
    for (const response of [first, second]) {
      const { request } = response.json<Prediction>();
      const mine = rows.filter((row) => row.request === request);
      expect(mine).toHaveLength(1);
      const answer = response.json<Prediction>();
      expect(mine[0]).toMatchObject({
        batch: request,
        id: answer.id,
        model: answer.model,
        recipe: answer.recipe,
        probability: answer.probability,
        decision: answer.decision,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    }
  });
});

describe("errors are problem+json with a stable code", () => {
  const expectProblem = (response: Awaited<ReturnType<typeof post>>, status: number, code: string) => {
    expect(response.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(response.statusCode).toBe(status);
    const problem = response.json<{ title: string; detail: string }>();
    expect(problem).toMatchObject({ type: expect.any(String), status, code });
    expect(problem.title).not.toBe("");
    expect(problem.detail).toMatch(/\.$/);
  };

  test("no bytes", async () => {
    expectProblem(await post(Buffer.alloc(0)), 400, "empty-file");
    expectProblem(await app.inject({ method: "POST", url: "/v1/predictions" }), 400, "empty-file");
    const body = multipart("file", Buffer.alloc(0));
    expectProblem(await post(body.payload, body.headers), 400, "empty-file");
  });

  test("bytes that are no scan", async () => {
    expectProblem(await post(Buffer.from("plain text"), { "content-type": "image/png" }), 415, "unsupported-format");
    expectProblem(await post(Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>")), 415, "unsupported-format");
  });

  test("a truncated scan", async () => {
    expectProblem(await post(ill.subarray(0, ill.length >> 1)), 422, "truncated");
  });

  test("multipart without the field file, and multipart that is none", async () => {
    const body = multipart("scan", ill);
    expectProblem(await post(body.payload, body.headers), 400, "no-file");
    expectProblem(await post(ill, { "content-type": "multipart/form-data" }), 400, "bad-multipart");
    expectProblem(await post(ill, { "content-type": "multipart/form-data; boundary=x" }), 400, "bad-multipart");
    const cut = body.payload.subarray(0, body.payload.length - 20);
    expectProblem(await post(cut, body.headers), 400, "bad-multipart");
  });

  test("a form of a million fields, which would take a minute to read", async () => {
    const field = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n';
    for (const boundary of ["b", "a; boundary=b"]) {
      const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
      expectProblem(await post(Buffer.alloc(50 * 2 ** 20, field), headers), 400, "bad-multipart");
    }
  }, 15_000);

  test("too many bytes, raw and multipart, and the server goes on", async () => {
    const small = await server(workspace, { maxBodyBytes: 1000 });
    const large = Buffer.alloc(200_000, 1);
    expectProblem(await post(large, {}, small), 413, "file-too-large");
    expectProblem(await post(Buffer.alloc(1001, 1), {}, small), 413, "file-too-large");
    const body = multipart("file", Buffer.alloc(5000, 1));
    expectProblem(await post(body.payload, body.headers, small), 413, "file-too-large");
    expectProblem(await post(Buffer.alloc(1000, 1), {}, small), 415, "unsupported-format");
    await small.close();
  });

  test("other methods, unknown paths and ids", async () => {
    const wrong = await app.inject({ method: "PUT", url: "/v1/predictions" });
    expectProblem(wrong, 405, "method-not-allowed");
    expect(wrong.headers.allow).toBe("GET, HEAD, POST");
    const probe = await app.inject({ method: "DELETE", url: "/healthz" });
    expectProblem(probe, 405, "method-not-allowed");
    expect(probe.headers.allow).toBe("GET, HEAD");
    expectProblem(await app.inject("/nothing"), 404, "not-found");
    expectProblem(await app.inject(`/v1/predictions/${"0".repeat(64)}/overlay`), 404, "not-found");
    expectProblem(await app.inject("/v1/predictions/..%2F..%2Fcurrent/overlay"), 404, "not-found");
  });

  test("a scan that costs too much is refused by its headers, and its limits are configuration", async () => {
    const small = await server(workspace, { maxPages: 2, maxMegapixels: 1 });
    const pages = async (width: number, height: number, count: number) =>
      sharp({ create: { width, height: height * count, channels: 3, background: "black", pageHeight: height } })
        .toColourspace("b-w")
        .tiff({ compression: "deflate" })
        .toBuffer();
    const cases: [number, number, number, string, RegExp][] = [
      [64, 64, 3, "too-many-pages", /more than 2 pages/],
      [1024, 1024, 1, "too-many-pixels", /at most 1,000,000 pixels/],
      [16, 400, 2, "too-small", /at least 32/],
      [1000, 1000, 2, "blank-image", /blank/],
    ];
    for (const [width, height, count, code, detail] of cases) {
      const response = await post(await pages(width, height, count), {}, small);
      expectProblem(response, 422, code);
      expect(response.json<{ detail: string }>().detail).toMatch(detail);
    }
    await small.close();
  });

  test("another site's page may not send scans", async () => {
    expectProblem(await post(ill, { "sec-fetch-site": "cross-site" }), 403, "cross-site");
  });

  test("a full queue sends away with Retry-After, and is free again afterwards", async () => {
    const narrow = await server(workspace, { queueLimit: 2 });
    const responses = await Promise.all(Array.from({ length: 6 }, () => post(ill, {}, narrow)));
    const refused = responses.filter((response) => response.statusCode !== 200);
    expect(responses.length - refused.length).toBeGreaterThanOrEqual(2);
    expect(refused.length).toBeGreaterThanOrEqual(1);
    for (const response of refused) {
      expectProblem(response, 503, "busy");
      expect(Number(response.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    }
    for (let i = 0; i < 3; i++) expectProblem(await post(Buffer.from("x"), {}, narrow), 415, "unsupported-format");
    expect((await post(ill, {}, narrow)).statusCode).toBe(200);
    await narrow.close();
  });
});

describe("probes, metrics and the page", () => {
  test("healthz, readyz and the contract's paths agree", async () => {
    expect((await app.inject(serveContract.health.liveness)).statusCode).toBe(200);
    const ready = await app.inject(serveContract.health.startup);
    expect(ready.statusCode).toBe(200);
    expect(ready.json()).toMatchObject({ model: BRIGHT_SPOT.id });
    expect((await app.inject("/v1/model")).json()).toMatchObject({ id: BRIGHT_SPOT.id, synthetic: true });
  });

  test("metrics count predictions and refusals", async () => {
    const own = await server(workspace);
    await post(ill, {}, own);
    await post(Buffer.from("x"), {}, own);
    const response = await own.inject("/metrics");
    expect(response.headers["content-type"]).toMatch(/^text\/plain/);
    expect(response.body).toContain(`serve_predictions_total{model="${BRIGHT_SPOT.id}",decision="Cancer"} 1`);
    expect(response.body).toContain('serve_refusals_total{code="unsupported-format"} 1');
    expect(response.body).toContain("serve_ready 1");
    expect(response.body).toContain("serve_requests_in_progress 0");
    expect(response.body).toContain("process_resident_memory_bytes");
    await own.close();
  });

  test("the page names no other host, has no inline script or style, and a policy that forbids them", async () => {
    const page = await app.inject("/");
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
    const policy = String(page.headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(page.body).not.toMatch(/<script(?![^>]*src=)|<style|\son[a-z]+=|style="/);
    expect(page.body).toMatch(/not for diagnostic use/i);
    for (const [, path] of page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      expect((await app.inject(path as string)).statusCode).toBe(200);
    }
  });
});

describe("the promoted model", () => {
  test("none, then one, then another, then one that cannot be used", async () => {
    const other = await openWorkspace(join(folder, "promotion"));
    const own = await server(other);
    const before = await own.inject("/readyz");
    expect(before.statusCode).toBe(503);
    expect(before.json()).toMatchObject({
      code: "no-model",
      detail: expect.stringMatching(/No model has been promoted/),
    });
    expect((await own.inject("/healthz")).statusCode).toBe(200);
    const refused = await post(ill, {}, own);
    expect(refused.statusCode).toBe(503);
    expect(refused.json()).toMatchObject({ code: "no-model" });
    expect(refused.headers["retry-after"]).toBeDefined();

    await storeModel(other, "model-one");
    await promote(other, "model-one");
    await until(
      () => own.inject("/readyz"),
      (response) => response.statusCode === 200,
    );
    expect((await post(ill, {}, own)).json<Prediction>().model).toBe("model-one");

    await storeModel(other, "model-two");
    await promote(other, "model-two");
    const answers = await until(
      () => Promise.all([post(ill, {}, own), post(well, {}, own)]),
      ([first]) => first.json<Prediction>().model === "model-two",
    );
    for (const response of answers) expect(response.statusCode).toBe(200);

    await storeModel(other, "model-bad", "r0-0000000000");
    await promote(other, "model-bad");
    const metrics = await until(
      () => own.inject("/metrics"),
      (response) => /serve_promotion_failures_total [1-9]/.test(response.body),
    );
    expect(metrics.body).toContain('serve_model_info{model="model-two"');
    expect((await post(ill, {}, own)).json<Prediction>().model).toBe("model-two");

    await promote(other, "model-one");
    await until(
      () => post(ill, {}, own),
      (response) => response.json<Prediction>().model === "model-one",
    );
    await own.close();
    await other.close();
  });

  test("a pointer that cannot be read is no model, and readyz says so", async () => {
    const other = await openWorkspace(join(folder, "pointer"));
    await other.buckets.models.write("current.json", "{");
    const own = await server(other);
    const ready = await own.inject("/readyz");
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toMatchObject({ code: "no-model", detail: expect.stringMatching(/pointer/) });
    await own.close();
    await other.close();
  });

  test("a damaged model is not served and readyz says why", async () => {
    const other = await openWorkspace(join(folder, "damaged"));
    await storeModel(other, "model-one");
    await other.buckets.models.write("model-one/weights.bin", Buffer.alloc(100));
    await promote(other, "model-one");
    const own = await server(other);
    const ready = await own.inject("/readyz");
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toMatchObject({ detail: expect.stringMatching(/weights.bin is not the file that was saved/) });
    await own.close();
    await other.close();
  });

  test("a model whose files are copied whole later is served then, also where the clock was put back meanwhile", async () => {
    const other = await openWorkspace(join(folder, "later"));
    const { models } = other.buckets;
    await storeModel(other, "model-one");
    const whole = await models.read("model-one/weights.bin");
    await models.write("model-one/weights.bin", Buffer.alloc(100));
    await promote(other, "model-one");
    const own = await server(other);
    const clock = Date.now;
    const passing = performance.now.bind(performance);
    let passed = 0;
    jest.spyOn(Date, "now").mockImplementation(() => clock() - 3_600_000);
    jest.spyOn(performance, "now").mockImplementation(() => passing() + passed);
    try {
      expect((await own.inject("/readyz")).statusCode).toBe(503);
      await models.write("model-one/weights.bin", whole);
      passed = 31_000;
      await until(
        () => own.inject("/readyz"),
        ({ statusCode }) => statusCode === 200,
      );
    } finally {
      jest.restoreAllMocks();
    }
    await own.close();
    await other.close();
  });
});

describe("the verdict on the model", () => {
  const FIT = { fit: true, sentence: "Fit for research.", reasons: [] };

  test("of a pointer without one is that nothing is known; it is in every answer", async () => {
    const model = (await app.inject("/v1/model")).json<{ verdict: unknown }>();
    const unknown = { fit: false, sentence: expect.stringMatching(/^Not fit for use: /), reasons: ["not-evaluated"] };
    expect(model.verdict).toEqual(unknown);
    expect((await post(ill)).json<Prediction>().verdict).toEqual(unknown);
  });

  test("follows the pointer, of the same model without loading it again, and keeps to the model that is served", async () => {
    const other = await openWorkspace(join(folder, "verdict"));
    const { models } = other.buckets;
    await storeModel(other, "model-one");
    await promote(other, "model-one");
    const own = await server(other);
    const verdict = async () => (await own.inject("/v1/model")).json<{ verdict: Prediction["verdict"] }>().verdict;
    expect((await verdict()).fit).toBe(false);

    const challenger = { model: "model-one", testSet: "a", auc: 0.9, verdict: FIT, scans: undefined };
    const measure = () => Promise.reject(new Error("not asked for"));
    await considerPromotion({ models, challenger, measure, reference: undefined, asker: "program" });
    // Were it loaded again, this would be noticed.
    await models.write("model-one/weights.bin", Buffer.alloc(100));
    await until(verdict, ({ fit }) => fit);
    expect((await post(ill, {}, own)).json<Prediction>()).toMatchObject({ model: "model-one", verdict: FIT });

    // The next one cannot be used: answers stay those of the first, and so does the verdict.
    await promote(other, "model-bad", { verdict: { ...FIT, sentence: "Of another model." } });
    await until(
      () => own.inject("/metrics"),
      ({ body }) => /serve_promotion_failures_total [1-9]/.test(body),
    );
    expect((await post(ill, {}, own)).json<Prediction>()).toMatchObject({ model: "model-one", verdict: FIT });
    await own.close();
    await other.close();
  });
});

describe("the process", () => {
  test("listens on a free loopback port, answers over HTTP, and a busy port is a plain error", async () => {
    const running = await serveWorkspace({ workspace: workspace.directory, port: 0, log });
    expect(running.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const response = await fetch(`${running.url}/v1/predictions`, { method: "POST", body: new Uint8Array(ill) });
    const answer = (await response.json()) as Prediction;
    expect((await fetch(new URL(answer.overlay, running.url))).status).toBe(200);
    const port = Number(new URL(running.url).port);
    await expect(serveWorkspace({ workspace: workspace.directory, port, log })).rejects.toThrow(ConfigurationError);
    await running.close();
    await expect(fetch(`${running.url}/healthz`)).rejects.toThrow();
  });

  test("a wrong environment lists every problem", () => {
    const given = { MODELS_BUCKET: "gs://models-bucket", REPORTS_BUCKET: "reports", PORT: "99999" };
    expect(() => parseEnv(serveContract.env, given)).toThrow(ConfigurationError);
    try {
      parseEnv(serveContract.env, given);
    } catch (error) {
      const { message } = error as Error;
      for (const name of ["REPORTS_BUCKET", "WAREHOUSE", "PORT"]) expect(message).toContain(name);
      expect(message).not.toContain("MODELS_BUCKET");
    }
    const parsed = parseEnv(serveContract.env, {
      AUTH: "none",
      MODELS_BUCKET: "gs://models-bucket",
      REPORTS_BUCKET: "file:///tmp/reports",
      CURATED_BUCKET: "gs://curated",
      LANDING_BUCKET: "gs://landing",
      PSEUDONYM_KEY: "local:secret",
      WAREHOUSE: "gs://warehouse",
    });
    expect(parsed).toMatchObject({ PORT: 8080, HOST: "0.0.0.0", MAX_BODY_MIB: 64, LOG_LEVEL: "info" });
    expect(parsed).toMatchObject({ MAX_PAGES: 64, MAX_MEGAPIXELS: 25, QUEUE_LIMIT: 16 });
  });
});
