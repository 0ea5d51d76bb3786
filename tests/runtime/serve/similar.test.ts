import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import { decodeCurated, pixelSha256 } from "../../../runtime/imaging";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, localCallers, type Prediction } from "../../../runtime/serve";
import { KnownShelf } from "../../../runtime/serve/known-shelf";
import type { ProblemDocument, Similar } from "../../../runtime/serve/schemas";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { storeEvaluation } from "../../support/evaluation";
import { Issuer, newKey, seconds, token } from "../../support/issuer";
import { firstPage, type Known, mirrored, slicePng, storeKnown } from "../../support/known-scans";
import { promote, storeModel, until } from "../../support/served-model";

const OTHER_MODEL = "bright-spot-0002";
const AUDIENCE = "https://serve.example.org";
const DOCTOR = "dr@hospital.org";
const NURSE = "nurse@hospital.org";
const silent = pino({ level: "silent" });
const key = newKey();
const hex = (text: string) => createHash("sha256").update(text).digest("hex");

let folder: string;
let workspace: Workspace;
let issuer: Issuer;
let url: string;
const servers: FastifyInstance[] = [];

async function listening(): Promise<string> {
  const { models, reports, curated } = workspace.buckets;
  const app = await buildServer({
    ...{ models, reports, curated, warehouse: workspace.warehouse, log: silent, refreshSeconds: 0.05 },
    ...localCallers("127.0.0.1", {
      AUTH: "oidc",
      AUTH_AUDIENCE: AUDIENCE,
      AUTH_JWKS: issuer.url,
      AUTH_ROLES: JSON.stringify({ viewer: ["*@hospital.org"], clinician: [DOCTOR] }),
    }),
  });
  servers.push(app);
  return app.listen({ port: 0, host: "127.0.0.1" });
}

function asking(path: string, who = DOCTOR, init: RequestInit = {}, at = url): Promise<Response> {
  const claims = { iss: "https://accounts.google.com", aud: AUDIENCE, email: who, email_verified: true };
  const authorization = `Bearer ${token(key, { ...claims, exp: seconds() + 600 })}`;
  return fetch(`${at}${path}`, { ...init, headers: { authorization } });
}

async function ask<T>(path: string, who = DOCTOR, at = url): Promise<{ status: number; body: T }> {
  const response = await asking(path, who, {}, at);
  return { status: response.status, body: (await response.json()) as T };
}

async function send(file: Buffer, at = url): Promise<Prediction> {
  const response = await asking("/v1/predictions", DOCTOR, { method: "POST", body: new Uint8Array(file) }, at);
  expect(response.status).toBe(200);
  return (await response.json()) as Prediction;
}

const similar = (id: string, query = "", at = url) => ask<Similar>(`/v1/predictions/${id}/similar${query}`, DOCTOR, at);
const problem = async (path: string, who = DOCTOR) => {
  const { status, body } = await ask<ProblemDocument>(path, who);
  return [status, body.code];
};

/** Ten imaginary patients with a mass and ten without, a slice each. */
const others: Known[] = [];
/** What the asked scan may never be shown beside: by what each is linked to it. */
const linked: Record<string, Known> = {};
let asked: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "similar-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  issuer = await Issuer.start(key);
  for (const id of [BRIGHT_SPOT.id, OTHER_MODEL]) await storeModel(workspace, id);
  await promote(workspace);
  asked = await slicePng(1, 0, true);
  for (let patient = 10; patient < 16; patient++) {
    const ill = patient % 2 === 0;
    const file = await slicePng(patient, 0.1, ill);
    others.push({
      id: hex(`other ${patient}`),
      file,
      label: ill ? "Cancer" : "Non-Cancer",
      split: ill ? "train" : "test",
    });
  }
  const plant = (name: string, file: Buffer, more: Partial<Known> = {}) => {
    linked[name] = { id: hex(name), file, label: "Cancer", ...more };
  };
  plant("equal", await slicePng(1, 0, true), { patient: "p" });
  plant("a mirror image, encoded anew", await slicePng(1, 0, true, mirrored), { group: "g" });
  plant("of the same patient", await slicePng(1, 0.3, true), { patient: "p" });
  plant("in the group of the mirror image", await slicePng(20, 0.3, true), { group: "g" });
  await storeKnown(workspace, BRIGHT_SPOT.id, [
    ...others,
    ...Object.values(linked),
    { id: hex("unlabelled"), file: await slicePng(30, 0, true), label: null },
  ]);
  url = await listening();
});

afterAll(async () => {
  await Promise.all(servers.map((app) => app.close()));
  await issuer.stop();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

describe("scans that are like the one of an answer", () => {
  let answer: Prediction;
  beforeAll(async () => {
    answer = await send(asked);
  });

  test("are labelled ones of others: none that is the same picture, a near-duplicate, or of the same patient or group", async () => {
    const { status, body } = await similar(answer.id, "?limit=50");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: answer.id,
      model: BRIGHT_SPOT.id,
      complete: true,
      known: 10,
      known_cancer: expect.any(Number),
      excluded: 4,
    });
    expect(body.items.map(({ id }) => id).sort()).toEqual(others.map(({ id }) => id).sort());
    for (const { id, label, split, picture, similarity } of body.items) {
      expect(others.find((one) => one.id === id)).toMatchObject({ label, split });
      expect(picture).toBe(`/v1/scans/${id}/picture`);
      expect(Math.abs(similarity)).toBeLessThanOrEqual(1);
    }
    const similarities = body.items.map(({ similarity }) => similarity);
    expect(similarities).toEqual([...similarities].sort((a, b) => b - a));
    // For a scan of nobody's they are all there.
    const stranger = await send(await slicePng(40, 0.05, true));
    const all = (await similar(stranger.id, "?limit=50")).body;
    expect(all.excluded).toBe(0);
    expect(all.items.map(({ id }) => id)).toEqual(expect.arrayContaining(Object.values(linked).map(({ id }) => id)));
  });

  test("with how many of the nearest people hold for Cancer, however few are shown", async () => {
    const { body } = await similar(answer.id, "?limit=1");
    expect(body.items).toHaveLength(1);
    const cancer = others.filter(({ label }) => label === "Cancer").length;
    expect(body.agreement).toEqual({ neighbours: others.length, cancer, auc: null });
  });

  test("a limit is a whole number from 1 to 50", async () => {
    for (const limit of ["0", "51", "1.5", "x", "-1", "1&limit=2"])
      expect([limit, await problem(`/v1/predictions/${answer.id}/similar?limit=${limit}`)]).toEqual([
        limit,
        [400, "bad-query"],
      ]);
    expect(await problem(`/v1/predictions/${"0".repeat(64)}/similar`)).toEqual([404, "not-found"]);
  });

  test("are the same after the server was started anew", async () => {
    const again = await listening();
    expect(await similar(answer.id, "", again)).toEqual(await similar(answer.id));
  });

  test("cannot be looked for where an earlier version kept the answer, and it says what to do", async () => {
    const early = await send(await slicePng(41, 0, false));
    const { reports } = workspace.buckets;
    const { objects } = await reports.list({ prefix: `answers/${early.id}/`, pageSize: 1 });
    const name = objects[0]?.name as string;
    const { features: _, ...kept } = JSON.parse(String(await reports.read(name)));
    await reports.write(name, JSON.stringify(kept));
    const { status, body } = await ask<ProblemDocument>(`/v1/predictions/${early.id}/similar`);
    expect([status, body.code, body.detail]).toEqual([
      409,
      "features-not-kept",
      expect.stringMatching(/Send the scan again\.$/),
    ]);
  });
});

describe("the picture of a known scan", () => {
  const pathOf = ({ id }: Known) => `/v1/scans/${id}/picture`;

  test("is shown to clinicians, and who saw it is written down first", async () => {
    const [scan] = others as [Known];
    const response = await asking(pathOf(scan));
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/png"]);
    const page = await firstPage(scan.file);
    expect(pixelSha256(await decodeCurated(Buffer.from(await response.arrayBuffer())))).toBe(pixelSha256(page));
    const audited = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    expect(audited.find(({ request }) => request === response.headers.get("x-request-id"))).toMatchObject({
      ...{ action: "view-scan", who: DOCTOR, role: "clinician", subject: scan.id, sha256: pixelSha256(page) },
    });
  });

  test("is not shown to viewers, who may see which scans are similar, and it is written down that they did", async () => {
    const [scan] = others as [Known];
    expect(await problem(pathOf(scan), NURSE)).toEqual([403, "forbidden"]);
    // Nor are they told what there is.
    expect(await problem(`/v1/scans/${"0".repeat(64)}/picture`, NURSE)).toEqual([403, "forbidden"]);
    const answer = await send(asked);
    const looked = await asking(`/v1/predictions/${answer.id}/similar`, NURSE);
    expect(looked.status).toBe(200);
    const audited = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    expect(audited.filter(({ request }) => request === looked.headers.get("x-request-id"))).toMatchObject([
      { action: "view-similar", who: NURSE, role: "viewer", subject: answer.id },
    ]);
    expect(audited.some(({ action, who }) => action === "view-scan" && who === NURSE)).toBe(false);
  });

  test("by its id alone: nothing else of any bucket is reached", async () => {
    const [scan] = others as [Known];
    const sha256 = pixelSha256(await firstPage(scan.file));
    for (const id of [
      sha256,
      hex("unlabelled"),
      hex("nobody's"),
      scan.id.toUpperCase(),
      `${scan.id}.png`,
      `..%2F..%2Fimages%2F${sha256}`,
      `${scan.id}%00`,
      "",
    ])
      expect([id, await problem(`/v1/scans/${id}/picture`)]).toEqual([id, [404, "not-found"]]);
    expect(await problem(`${pathOf(scan)}?page=2`)).toEqual([404, "not-found"]);
  });

  test("that is damaged or gone is not shown, and that is said", async () => {
    const { curated } = workspace.buckets;
    const scan = others[1] as Known;
    const name = `images/${pixelSha256(await firstPage(scan.file))}.png`;
    const before = await curated.read(name);
    const foreign = await curated.read(`images/${pixelSha256(await firstPage((others[2] as Known).file))}.png`);
    for (const damage of [
      () => curated.write(name, foreign),
      () => curated.write(name, before.subarray(0, 99)),
      () => curated.delete(name),
    ]) {
      await damage();
      expect(await problem(pathOf(scan))).toEqual([500, "scan-damaged"]);
    }
    await curated.write(name, before);
    expect((await asking(pathOf(scan))).status).toBe(200);
  });
});

test("another model is compared by its own features, once it has any; answers of the one before by theirs", async () => {
  const before = await send(asked);
  await storeEvaluation(workspace.buckets.reports, OTHER_MODEL, 0.9, {
    fit: false,
    sentence: "Unfit.",
    reasons: ["x"],
  });
  await promote(workspace, OTHER_MODEL);
  const answer = await until(
    () => send(asked),
    ({ model }) => model === OTHER_MODEL,
  );
  const { status, body } = await ask<ProblemDocument>(`/v1/predictions/${answer.id}/similar`);
  expect([status, body.code]).toEqual([409, "no-features"]);
  expect(body.detail).toMatch(/by the model bright-spot-0002 yet.*npm run score/);
  expect((await similar(before.id)).body).toMatchObject({ model: BRIGHT_SPOT.id, known: 10 });
  await storeKnown(
    workspace,
    OTHER_MODEL,
    others.map((scan) => ({ ...scan })),
  );
  const again = await listening();
  expect((await similar(answer.id, "", again)).body).toMatchObject({ model: OTHER_MODEL, known: others.length });
});

describe("the shelf of known scans", () => {
  const model = BRIGHT_SPOT.id;
  let now = 0;
  const shelfOf = (answer: () => Promise<readonly unknown[]>) =>
    new KnownShelf({ ask: answer as never }, workspace.buckets.reports, silent, () => now);
  const known = {
    id: "a",
    sha256: "a",
    label: "Cancer",
    group: "a",
    split: "train",
    patient: null,
    phash: null,
    features: [1],
  };

  test("looks again where there was nothing, after a while, and where it could not be read", async () => {
    const answers: (() => Promise<readonly unknown[]>)[] = [
      async () => [],
      async () => {
        throw new Error("damaged");
      },
      async () => [known],
    ];
    let asked = 0;
    const shelf = shelfOf(() => (answers[asked++] as () => Promise<readonly unknown[]>)());
    await expect(shelf.of(model)).rejects.toMatchObject({ code: "no-features", status: 409 });
    await expect(shelf.of(model)).rejects.toMatchObject({ code: "no-features" });
    expect(asked).toBe(1);
    now += 11_000;
    // What is known from before stays known: that there is nothing.
    await expect(shelf.of(model)).rejects.toMatchObject({ code: "no-features" });
    expect(asked).toBe(2);
    now += 11_000;
    expect((await shelf.of(model)).known.size).toBe(1);
    expect(asked).toBe(3);
    const broken = shelfOf(async () => {
      throw new Error("damaged");
    });
    broken.prepare(model);
    await expect(broken.of(model)).rejects.toMatchObject({ code: "similar-unavailable", status: 503 });
    await broken.close();
  });

  test("what is old is given while it is read again, and what cannot be read then takes nothing away", async () => {
    let scans: unknown[] | Error = [known];
    const shelf = shelfOf(async () => {
      if (scans instanceof Error) throw scans;
      return scans;
    });
    expect((await shelf.of(model)).known.size).toBe(1);
    scans = [known, { ...known, id: "b", sha256: "b", group: "b" }];
    now += 16 * 60_000;
    expect((await shelf.of(model)).known.size).toBe(1);
    await shelf.close();
    expect((await shelf.of(model)).known.size).toBe(2);
    scans = new Error("damaged");
    now += 16 * 60_000;
    await shelf.of(model);
    await shelf.close();
    expect((await shelf.of(model)).known.size).toBe(2);
    expect(await shelf.find("b")).toMatchObject({ id: "b" });
  });

  test("holds no more than two models, and reads for all who ask at once but once", async () => {
    let asked = 0;
    const shelf = shelfOf(async () => {
      asked++;
      return [known];
    });
    await Promise.all([shelf.of("one"), shelf.of("one"), shelf.of("two")]);
    expect(asked).toBe(2);
    await shelf.of("three");
    await shelf.of("two");
    expect(asked).toBe(3);
    await shelf.of("one");
    expect(asked).toBe(4);
  });

  test("rows that are damaged in the warehouse stop the question and nothing else", async () => {
    const { warehouse } = workspace.buckets;
    await warehouse.create("features_deep/damaged.jsonl", "{not json\n");
    const again = await listening();
    const answer = await send(asked, again);
    expect((await asking(`/v1/predictions/${answer.id}/similar`, DOCTOR, {}, again)).status).toBe(503);
    expect((await asking(`/v1/predictions/${answer.id}`, DOCTOR, {}, again)).status).toBe(200);
    await warehouse.delete("features_deep/damaged.jsonl");
  });
});

test("a clinician gives feedback and cannot confirm it", async () => {
  const { id } = await send(await slicePng(1, 0, true));
  const say = async (value: unknown) => {
    const body = new Blob([JSON.stringify(value)], { type: "application/json" });
    return (await asking(`/v1/predictions/${id}/feedback`, DOCTOR, { method: "POST", body })).status;
  };
  expect([await say({ label: "Cancer", confirm: true }), await say({ label: "Cancer", confirm: false })]).toEqual([
    403, 200,
  ]);
});
