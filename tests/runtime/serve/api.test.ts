import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import sharp from "sharp";
import { leafOfRow } from "../../../runtime/audit";
import { decodeCurated, encodePng, pixelSha256 } from "../../../runtime/imaging";
import { creatableOnly, DirectoryStore, readableOnly } from "../../../runtime/platform/stores";
import type { PredictionRow } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { type Canary, noteLook, type SeenCanary, setCanary } from "../../../runtime/registry";
import { buildServer, NothingToReplay, replay } from "../../../runtime/serve";
import { serveContract } from "../../../runtime/serve/contract";
import { sweepOnce } from "../../../runtime/serve/kept/sweep";
import { TimeIndex } from "../../../runtime/serve/kept/time-index";
import type {
  Batch,
  Comparison,
  Feedback,
  FeedbackPage,
  History,
  ModelDetail,
  ModelList,
  Prediction,
  ProblemDocument,
  Promotion,
  SaliencyMap,
} from "../../../runtime/serve/schemas";
import { BRIGHT_SPOT, headPixels, headPng } from "../../support/bright-spot";
import { storeEvaluation } from "../../support/evaluation";
import { promote, storeModel, until } from "../../support/served-model";
import { writeTiff } from "../imaging/tiff-writer";

const SPOT = { x: 80, y: 70, radius: 16 };
const SIDE = 160;
const DAY = 86_400_000;
const UNFIT = { fit: false, sentence: "Not fit for use.", reasons: ["few-groups"] };
const FIT = { fit: true, sentence: "Fit for research.", reasons: [] };

let folder: string;
let workspace: Workspace;
let url: string;
let scan: Buffer;
const servers: FastifyInstance[] = [];

async function listening(overrides: Partial<Parameters<typeof buildServer>[0]> = {}): Promise<string> {
  const { models, reports } = workspace.buckets;
  const app = await buildServer({
    models,
    pointer: models,
    reports: { ...readableOnly(reports), ...creatableOnly(reports, serveContract.createsBelow.reports) },
    landing: workspace.buckets.landing,
    warehouse: workspace.warehouse,
    log: pino({ level: "silent" }),
    refreshSeconds: 0.05,
    ...overrides,
  });
  servers.push(app);
  return app.listen({ port: 0, host: "127.0.0.1" });
}

async function ask<T>(
  path: string,
  init?: RequestInit,
  at = url,
): Promise<{ status: number; body: T; headers: Headers }> {
  const response = await fetch(`${at}${path}`, init);
  return { status: response.status, body: (await response.json()) as T, headers: response.headers };
}

const post = <T = Prediction>(body: Buffer, headers: Record<string, string> = {}, at = url) =>
  ask<T>("/v1/predictions", { method: "POST", body: new Uint8Array(body), headers }, at);

const send = <T>(path: string, value: unknown, headers: Record<string, string> = {}) =>
  ask<T>(path, { method: "POST", body: JSON.stringify(value), headers });

async function picture(path: string): Promise<Buffer> {
  const response = await fetch(`${url}${path}`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("image/png");
  return Buffer.from(await response.arrayBuffer());
}

/** Two pages of 16 bits, of which the second shows a spot. */
function deepScan(variant = 0): Buffer {
  return writeTiff(
    [undefined, SPOT].map((spot, index) => ({
      width: SIDE,
      height: SIDE,
      bits: 16,
      values: Uint16Array.from(headPixels(SIDE, SIDE, spot, index + variant), (value, i) =>
        value === 0 ? 0 : value * 200 + (i % 7),
      ),
    })),
  );
}

/** Where the newest answer of an id is kept. */
async function keptName(id: string): Promise<string> {
  const { objects } = await workspace.buckets.reports.list({ prefix: `answers/${id}/`, pageSize: 1 });
  return objects[0]?.name as string;
}

/** The name of a kept page. */
const pageName = ({ id, slices, receipt }: Prediction, page: number) =>
  `answers/${id}/pages-${receipt.answered_at.slice(0, 10)}/${slices[page - 1]?.sha256}.png`;

/** Changes one pixel of a kept page by one grey level. */
async function changePixel(name: string): Promise<void> {
  const { reports } = workspace.buckets;
  const image = await decodeCurated(await reports.read(name));
  const pixels = image.pixels.slice();
  const middle = pixels.length >> 1;
  pixels[middle] = (pixels[middle] as number) ^ 1;
  await reports.write(name, await encodePng({ ...image, pixels } as typeof image));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "api-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  url = await listening();
  scan = await headPng(SIDE, SIDE, SPOT);
});

afterAll(async () => {
  await Promise.all(servers.map((app) => app.close()));
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

describe("what is kept of an answer", () => {
  let answer: Prediction;
  beforeAll(async () => {
    answer = (await post(deepScan())).body;
  });

  test("every page: lossless at full size and depth, without metadata, named by what it shows", async () => {
    expect(answer).toMatchObject({ pages: 2, page: 2, label: "Cancer" });
    expect(answer.slices).toHaveLength(2);
    expect(Math.max(...answer.slices.map(({ probability }) => probability))).toBe(answer.probability);
    const wanted = [undefined, SPOT].map((spot, index) =>
      Uint16Array.from(headPixels(SIDE, SIDE, spot, index), (value, i) => (value === 0 ? 0 : value * 200 + (i % 7))),
    );
    for (const [index, slice] of answer.slices.entries()) {
      expect(slice).toMatchObject({ page: index + 1, width: SIDE, height: SIDE, depth: 16 });
      const png = await picture(slice.pixels);
      const image = await decodeCurated(png);
      expect(image.depth).toBe(16);
      expect(Buffer.from(image.pixels).equals(Buffer.from(wanted[index] as Uint16Array))).toBe(true);
      expect(pixelSha256(image)).toBe(slice.sha256);
      expect(png.toString("latin1").match(/(tEXt|iTXt|zTXt|eXIf|tIME)/)).toBeNull();
    }
    const names: string[] = [];
    for await (const { name } of workspace.buckets.reports.listAll(`answers/${answer.id}/`)) names.push(name);
    expect(names).toHaveLength(3);
  });

  test("the map, which the overlay is drawn from when it is asked for, at any opacity", async () => {
    const { body: map } = await ask<SaliencyMap>(answer.map.path);
    expect(map).toMatchObject({
      page: 2,
      rows: answer.map.rows,
      columns: answer.map.columns,
      width: SIDE,
      height: SIDE,
    });
    expect(map.values).toHaveLength(map.rows * map.columns);
    const strongest = map.values.indexOf(Math.max(...map.values));
    const cell = map.square.side / map.columns;
    const centre = {
      x: map.square.x + ((strongest % map.columns) + 0.5) * cell,
      y: map.square.y + (Math.floor(strongest / map.columns) + 0.5) * cell,
    };
    expect(Math.hypot(centre.x - SPOT.x, centre.y - SPOT.y)).toBeLessThan(2 * SPOT.radius);
    const raw = async (path: string) =>
      sharp(await picture(path))
        .raw()
        .toBuffer({ resolveWithObject: true });
    const [none, some, full] = await Promise.all(
      ["?opacity=0", "", "?opacity=1"].map((query) => raw(answer.overlay + query)),
    );
    const distance = (a: Buffer, b: Buffer) => a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] as number)), 0);
    expect(none?.info).toMatchObject({ width: SIDE, height: SIDE, channels: 3 });
    const [nothing, usual, all] = [none, some, full].map((drawn) => drawn?.data as Buffer) as [Buffer, Buffer, Buffer];
    expect(nothing.every((value, i) => value === nothing[i - (i % 3)])).toBe(true);
    expect(distance(nothing, usual)).toBeGreaterThan(0);
    expect(distance(nothing, all)).toBeGreaterThan(1.3 * distance(nothing, usual));
    for (const plain of ["0.30000000000000004", "1.00"]) await picture(`${answer.overlay}?opacity=${plain}`);
  });

  test("what the model saw, of any page", async () => {
    const seen = await picture(answer.pictures.seen);
    expect(await sharp(seen).metadata()).toMatchObject({ width: 128, height: 128, channels: 1 });
    expect((await picture(`${answer.pictures.seen}?page=2`)).equals(seen)).toBe(true);
    expect((await picture(`${answer.pictures.seen}?page=1`)).equals(seen)).toBe(false);
    expect(await ask<ProblemDocument>(`${answer.pictures.seen}?page=3`)).toMatchObject({
      status: 404,
      body: { detail: "The prediction has no page 3. It was drawn from: 1, 2." },
    });
  });

  test("a page that was changed, cut or taken away is shown by no route, and each says which page it is", async () => {
    const { reports } = workspace.buckets;
    const { body } = await post(deepScan(60));
    const name = pageName(body, 2);
    const before = await reports.read(name);
    const shown = [body.slices[1]?.pixels as string, body.overlay, body.original, body.pictures.seen];
    const damage: [string, () => Promise<unknown>][] = [
      ["has other pixels than it was kept with", () => changePixel(name)],
      ["cannot be read any more", () => reports.write(name, before.subarray(0, before.length >> 1))],
      ["is not there any more", () => reports.delete(name)],
    ];
    for (const [what, harm] of damage) {
      await reports.write(name, before);
      await harm();
      for (const path of shown)
        expect(await ask<ProblemDocument>(path)).toMatchObject({
          status: 500,
          body: {
            code: "kept-damaged",
            detail: expect.stringMatching(
              new RegExp(`^Page 2 of the answer ${body.request} ${what}\\. Send the scan again`),
            ),
          },
        });
      expect((await picture(body.slices[0]?.pixels as string)).length).toBeGreaterThan(0);
    }
    await reports.write(name, before);
    await picture(body.slices[1]?.pixels as string);
    await reports.write(await keptName(body.id), "{");
    expect(await ask<ProblemDocument>(`/v1/predictions/${body.id}`)).toMatchObject({
      status: 500,
      body: { code: "kept-damaged", detail: expect.stringContaining(body.request) },
    });
    expect((await post(deepScan(60))).status).toBe(200);
    expect((await ask(`/v1/predictions/${body.id}`)).status).toBe(200);
  });

  test("an id means its newest answer", async () => {
    const again = (await post(deepScan())).body;
    expect(again.id).toBe(answer.id);
    expect(again.request).not.toBe(answer.request);
    expect((await ask<Prediction>(`/v1/predictions/${answer.id}`)).body).toEqual(again);
  });

  test("all of it is over with its days: nothing is shown then, and a sweep leaves nothing of it", async () => {
    const { reports } = workspace.buckets;
    const short = await listening({ keepDays: 1 });
    const other = await headPng(SIDE, SIDE, SPOT, 77);
    const { body } = await post(other, {}, short);
    expect(Date.parse(body.receipt.kept_until)).toBeLessThanOrEqual(Date.now() + DAY);
    expect(Date.parse(body.receipt.kept_until)).toBeGreaterThan(Date.now());
    const later = Date.parse(body.receipt.kept_until) + 1;
    const clock = jest.spyOn(Date, "now").mockReturnValue(later);
    try {
      expect(await ask<ProblemDocument>(`/v1/predictions/${body.id}`)).toMatchObject({ status: 404 });
      expect((await ask<ProblemDocument>(body.overlay)).body.code).toBe("not-found");
      const [line] = (await ask<History>(`/v1/predictions?id=${body.id}`)).body.items;
      expect(line).toMatchObject({ request: body.request, kept: false });
      await expect(replay(workspace, body.request)).rejects.toThrow(/^Nothing is left of the answer/);
    } finally {
      clock.mockRestore();
    }
    const own = new DirectoryStore(join(folder, "swept", "reports"));
    await own.create(`answers/${body.id}/pages-2026-01-01/x.png`, "pixels");
    await own.create("answers/young.json", "{}");
    await own.create("history/2026-01/x", "");
    expect(await sweepOnce(own, 30, Date.now() + 29 * DAY)).toBe(0);
    expect(await sweepOnce(own, 30, Date.now() + 31 * DAY)).toBe(2);
    const left: string[] = [];
    for await (const { name } of own.listAll()) left.push(name);
    expect(left).toEqual(["history/2026-01/x"]);
    expect(reports.uri).not.toBe(own.uri);
  });
});

test("a number of a query is a plain decimal one, given once", async () => {
  const { body } = await post(scan);
  const paths = [
    ["opacity", `${body.overlay}?`],
    ["page", `${body.pictures.seen}?`],
    ["limit", "/v1/predictions?"],
    ["limit", "/v1/feedback?"],
    ["limit", "/v1/worklist?"],
  ] as const;
  const wrong = [
    "",
    "0x1",
    "1e0",
    "1e-1",
    "+1",
    "-0",
    "-1",
    " 1",
    "1%20",
    "1.",
    ".5",
    "01",
    "1,0",
    "NaN",
    "Infinity",
    "1_0",
  ];
  for (const [name, path] of paths) {
    expect((await fetch(`${url}${path}${name}=1`)).status).toBe(200);
    const asked = [...wrong.map((text) => `${name}=${text}`), `${name}=1&${name}=1`, `${name}=99999999999999999999`];
    for (const query of [...asked, ...(name === "opacity" ? ["opacity=1.01"] : ["page=1.5&limit=1.5"])])
      expect([query, await ask<ProblemDocument>(path + query)]).toMatchObject([
        query,
        { status: 400, body: { code: "bad-query", detail: expect.stringMatching(new RegExp(`"${name}": .+\\.$`)) } },
      ]);
  }
});

describe("a receipt", () => {
  test("gives the answer again, equal, page by page", async () => {
    const { body } = await post(deepScan());
    expect(body.receipt).toMatchObject({
      request: body.request,
      model: BRIGHT_SPOT.id,
      file_sha256: createHash("sha256").update(deepScan()).digest("hex"),
      pages: body.slices.map(({ page, sha256 }) => ({ page, sha256 })),
    });
    const [row] = (await workspace.warehouse.batch("predictions", body.request)) ?? [];
    expect(body.receipt.leaf).toBe(leafOfRow("predictions", row as PredictionRow));
    const replayed = await replay(workspace, body.request);
    expect(replayed).toMatchObject({
      equal: true,
      pages: 2,
      id: body.id,
      sentence: expect.stringMatching(/^Equal\. /),
    });
    expect(replayed.difference.probability).toBeLessThanOrEqual(1e-6);
  });

  test("says so where it is not equal, and where there is nothing to go by", async () => {
    const { body } = await post(await headPng(SIDE, SIDE, SPOT, 31));
    const { reports, models } = workspace.buckets;
    const [kept] = (await reports.list({ prefix: `answers/${body.id}/`, pageSize: 1 })).objects;
    const stored = JSON.parse((await reports.read(kept?.name as string)).toString()) as { prediction: Prediction };
    stored.prediction.slices = stored.prediction.slices.map((slice) => ({
      ...slice,
      probability: slice.probability - 1e-4,
    }));
    await reports.write(kept?.name as string, JSON.stringify(stored));
    expect(await replay(workspace, body.request)).toMatchObject({
      equal: false,
      sentence: expect.stringMatching(/^NOT equal\. /),
    });
    for (const request of ["nonsense", "0".repeat(36)])
      await expect(replay(workspace, request)).rejects.toThrow(NothingToReplay);
    const metadata = `${BRIGHT_SPOT.id}/metadata.json`;
    const before = await models.read(metadata);
    await models.write(metadata, `${before.toString()}\n`);
    await expect(replay(workspace, body.request)).rejects.toThrow(/has other files than the one that gave the answer/);
    await models.write(metadata, before);
  });
});

describe("a replay of what was changed", () => {
  type Kept = {
    prediction: Prediction;
    map: { rows: number; columns: number; values: number[] };
    geometry: { left: number };
    who: string;
  };
  let body: Prediction;
  let name: string;
  let whole: Buffer;
  beforeAll(async () => {
    body = (await post(deepScan(40))).body;
    name = await keptName(body.id);
    whole = await workspace.buckets.reports.read(name);
  });

  const changes: [string, RegExp, (kept: Kept) => void][] = [
    [
      "no slices",
      /no page of it is kept/,
      ({ prediction }) => {
        prediction.slices = [];
      },
    ],
    [
      "a page less, everywhere",
      /id is kept as/,
      ({ prediction }) => {
        prediction.slices = prediction.slices.slice(1);
        prediction.receipt.pages = prediction.receipt.pages.slice(1);
        prediction.pages = 1;
      },
    ],
    [
      "no slice of the page that it is about",
      /sha256 is kept as nothing, and in the audited row/,
      ({ prediction }) => {
        prediction.slices = prediction.slices.slice(0, 1);
      },
    ],
    [
      "the page that it is about",
      /page is kept as 1, and now it is 2/,
      ({ prediction }) => {
        prediction.page = 1;
      },
    ],
    [
      "the probability alone",
      /probability is kept as 0\.25, and in the audited row .*probability is kept as 0\.25, and now it is/,
      ({ prediction }) => {
        prediction.probability = 0.25;
      },
    ],
    [
      "the label",
      /label is kept as "Non-Cancer", and in the audited row it is "Cancer"; .*and now it is "Cancer"/,
      ({ prediction }) => {
        prediction.label = "Non-Cancer";
      },
    ],
    [
      "the decision",
      /decision is kept as "Uncertain", and in the audited row it is "Cancer"/,
      ({ prediction }) => {
        prediction.decision = "Uncertain";
      },
    ],
    [
      "the threshold",
      /threshold is kept as 0\.9, and in the audited row it is 0\.5/,
      ({ prediction }) => {
        prediction.threshold = 0.9;
      },
    ],
    [
      "the hash of a page in the receipt",
      /receipt\.pages\.0\.sha256/,
      ({ prediction }) => {
        prediction.receipt.pages[0] = { page: 1, sha256: "0".repeat(64) };
      },
    ],
    [
      "a number of the map",
      /the map is another one/,
      ({ map }) => {
        map.values[3] = (map.values[3] as number) + 1;
      },
    ],
    [
      "the shape of the map",
      /map\.rows is kept as/,
      ({ map }) => {
        map.rows *= 2;
      },
    ],
    [
      "the place of the map",
      /geometry\.left is kept as/,
      ({ geometry }) => {
        geometry.left += 1;
      },
    ],
    [
      "the strongest place",
      /peak\.x is kept as 0/,
      ({ prediction }) => {
        prediction.peak.x = 0;
      },
    ],
    [
      "who asked",
      /who is kept as "another"/,
      (kept) => {
        kept.who = "another";
      },
    ],
  ];
  test.each(changes)("%s: NOT equal, and it says so", async (_, said, change) => {
    const { reports } = workspace.buckets;
    const kept = JSON.parse(whole.toString()) as Kept;
    change(kept);
    await reports.write(name, JSON.stringify(kept));
    try {
      const replayed = await replay(workspace, body.request);
      expect(replayed.equal).toBe(false);
      expect(replayed.sentence).toMatch(/^NOT equal\. What differs: /);
      expect(replayed.differs.join("; ")).toMatch(said);
    } finally {
      await reports.write(name, whole);
    }
    expect(await replay(workspace, body.request)).toMatchObject({ equal: true, differs: [] });
  });

  test("one pixel of any page, or its file", async () => {
    const { reports } = workspace.buckets;
    for (const page of [1, 2]) {
      const file = pageName(body, page);
      const before = await reports.read(file);
      await changePixel(file);
      expect(await replay(workspace, body.request)).toMatchObject({
        equal: false,
        probability: { answered: body.probability, now: null },
        sentence: expect.stringContaining(`Page ${page} of the answer ${body.request} has other pixels`),
      });
      await reports.write(file, before.subarray(0, before.length >> 1));
      expect((await replay(workspace, body.request)).sentence).toMatch(
        new RegExp(`^NOT equal.* Page ${page} of the answer ${body.request} cannot be read any more`),
      );
      await reports.write(file, before);
    }
    expect((await replay(workspace, body.request)).equal).toBe(true);
  });

  test("what is kept is no answer any more: there is nothing to replay, and it says of which", async () => {
    const { reports } = workspace.buckets;
    for (const broken of ["{", "null", JSON.stringify({ prediction: { request: body.request } })]) {
      await reports.write(name, broken);
      const failed = await replay(workspace, body.request).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(NothingToReplay);
      expect((failed as Error).message).toContain(
        `What is kept of the answer ${body.request} is not as it was written`,
      );
    }
    await reports.write(name, whole);
  });
});

describe("history", () => {
  test("is a page at a time, the newest first, and holds still while more comes", async () => {
    const sent: string[] = [];
    for (let variant = 0; variant < 5; variant++)
      sent.unshift((await post(await headPng(SIDE, SIDE, variant % 2 ? SPOT : undefined, variant))).body.request);
    const first = (await ask<History>("/v1/predictions?limit=2")).body;
    expect(first.items.map(({ request }) => request)).toEqual(sent.slice(0, 2));
    await post(scan);
    const second = (await ask<History>(`/v1/predictions?limit=2&cursor=${first.next}`)).body;
    expect(second.items.map(({ request }) => request)).toEqual(sent.slice(2, 4));
    const all = (await ask<History>("/v1/predictions?limit=200")).body;
    expect(all.next).toBeNull();
    const rows = await workspace.warehouse.rows("predictions");
    expect(all.items).toHaveLength(rows.length);
    expect(all.items[0]).toMatchObject({ who: "local", kept: true, model: BRIGHT_SPOT.id });
    expect(rows.every(({ row }) => row.who === "local")).toBe(true);
  });

  test("is filtered by decision, model, id, and time, and says what is wrong with a filter", async () => {
    const everything = (await ask<History>("/v1/predictions?limit=200")).body.items;
    const of = async (query: string) => (await ask<History>(`/v1/predictions?limit=200&${query}`)).body.items;
    const cancer = await of("decision=Cancer");
    expect(cancer).toEqual(everything.filter(({ decision }) => decision === "Cancer"));
    expect(cancer.length).toBeLessThan(everything.length);
    expect(await of("model=another-model")).toEqual([]);
    const id = everything[0]?.id as string;
    expect(await of(`id=${id.slice(0, 12)}`)).toEqual(everything.filter((item) => item.id === id));
    const middle = everything[2]?.answered_at as string;
    expect(await of(`from=${middle}`)).toEqual(everything.filter(({ answered_at }) => answered_at >= middle));
    expect(await of(`to=${middle}`)).toEqual(everything.filter(({ answered_at }) => answered_at < middle));
    expect(await of("to=2026-01-02")).toEqual([]);
    expect(await of("to=9999-12-31")).toEqual(everything);
    for (const wrong of ["limit=0", "limit=many", "decision=Perhaps", "cursor=x", "from=yesterday", "id=XYZ"])
      expect(await ask<ProblemDocument>(`/v1/predictions?${wrong}`)).toMatchObject({
        status: 400,
        body: { code: "bad-query", detail: expect.stringMatching(new RegExp(`"${wrong.split("=")[0]}": .+\\.$`)) },
      });
  });

  test("goes on over months, and past what it does not look at in one go", async () => {
    const index = new TimeIndex(workspace.buckets.reports, "test-index");
    const at = [Date.UTC(2026, 0, 5), Date.UTC(2026, 2, 1), Date.UTC(2026, 2, 31), Date.UTC(2026, 4, 1)].map(
      (t) => new Date(t),
    );
    const id = (n: number) => `00000000-0000-0000-0000-00000000000${n}`;
    for (const [n, time] of at.entries()) await index.add(time, id(n), { odd: String(n % 2) });
    const wanted = () => true;
    const first = await index.page({ limit: 3, wanted });
    expect(first.entries.map(({ at: time }) => time)).toEqual([at[3], at[2], at[1]]);
    const rest = await index.page({ limit: 3, cursor: first.next as string, wanted });
    expect(rest).toMatchObject({ entries: [{ at: at[0] }], next: null });
    const odd = await index.page({ limit: 1, wanted: ({ facts }) => facts.odd === "1" });
    expect(odd).toMatchObject({ entries: [{ at: at[3] }] });
    expect(await index.page({ limit: 3, cursor: odd.next as string, wanted })).toMatchObject({ entries: [{}, {}] });
  });
});

describe("feedback", () => {
  test("is kept in a row and on its answer; a person's later one replaces the earlier", async () => {
    const { body: answer } = await post(await headPng(SIDE, SIDE, SPOT, 50));
    const path = `/v1/predictions/${answer.id}/feedback`;
    const first = await send<Feedback>(path, { label: "Non-Cancer", comment: "An artefact." });
    expect(first).toMatchObject({
      status: 200,
      body: { request: answer.request, id: answer.id, agrees: false, who: "local", supersedes: null },
    });
    const second = await send<Feedback>(path, { label: "Cancer" });
    expect(second.body).toMatchObject({ agrees: true, comment: null, supersedes: first.body.feedback });
    expect((await ask<FeedbackPage>(path)).body.items).toEqual([second.body, first.body]);
    const rows = (await workspace.warehouse.rows("feedback")).map(({ row }) => row);
    expect(rows).toContainEqual(
      expect.objectContaining({ feedback: second.body.feedback, supersedes: first.body.feedback }),
    );
    expect((await ask<FeedbackPage>("/v1/feedback?agrees=false&limit=10")).body).toEqual({
      items: [first.body],
      next: null,
    });
    expect((await ask<FeedbackPage>("/v1/feedback")).body.items).toEqual([second.body, first.body]);
  });

  test.each<[string, string, number, string, RegExp]>([
    ["no JSON", "label=Cancer", 400, "bad-body", /no JSON/],
    ["an unknown label", '{"label":"Maybe"}', 400, "bad-body", /"label"/],
    ["an unknown field", '{"label":"Cancer","labels":1}', 400, "bad-body", /labels/],
    ["everything wrong at once", '{"label":1,"comment":2}', 400, "bad-body", /"label".*"comment"/],
    ["too much", JSON.stringify({ label: "Cancer", comment: "x".repeat(20_000) }), 413, "body-too-large", /16 KiB/],
    ["a comment with a NUL", '{"label":"Cancer","comment":"a\\u0000b"}', 400, "bad-body", /"comment": must be text/],
    [
      "a comment with an escape",
      '{"label":"Cancer","comment":"\\u001b[31m"}',
      400,
      "bad-body",
      /"comment": must be text/,
    ],
    ["half a character", '{"label":"Cancer","comment":"a\\ud83db"}', 400, "bad-body", /"comment": must be text/],
    ["the other half", '{"label":"Cancer","comment":"\\udc00"}', 400, "bad-body", /"comment": must be text/],
    [
      "a comment that is too long",
      JSON.stringify({ label: "Cancer", comment: "x".repeat(3000) }),
      400,
      "bad-body",
      /2000/,
    ],
  ])("with %s is a problem", async (_, body, status, code, detail) => {
    const { body: answer } = await post(scan);
    const reply = await ask<ProblemDocument>(`/v1/predictions/${answer.id}/feedback`, { method: "POST", body });
    expect(reply).toMatchObject({ status, body: { code, detail: expect.stringMatching(detail) } });
  });

  test("that is no UTF-8 is refused, and whatever is text is kept as it was sent", async () => {
    const { body: answer } = await post(scan);
    const path = `/v1/predictions/${answer.id}/feedback`;
    const broken = Buffer.concat([
      Buffer.from('{"label":"Cancer","comment":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    expect(await ask<ProblemDocument>(path, { method: "POST", body: new Uint8Array(broken) })).toMatchObject({
      status: 400,
      body: { code: "bad-body", detail: expect.stringMatching(/UTF-8/) },
    });
    const comment = "Grüße,\n\tשלום \u{1f9e0} \u{10ffff} \ufffd \u00a0";
    expect((await send<Feedback>(path, { label: "Cancer", comment })).body.comment).toBe(comment);
    expect((await workspace.warehouse.rows("feedback")).map(({ row }) => row.comment)).toContain(comment);
  });

  /** Feedback of one person on one answer, from the first on, as each names the one before; and what names none of them. */
  const chainOf = (given: readonly Feedback[]) => {
    const by = new Map(given.map((feedback) => [feedback.supersedes, feedback.feedback]));
    const chain: string[] = [];
    for (let next = by.get(null); next !== undefined; next = by.get(next)) chain.push(next);
    return chain;
  };

  test("of one person many times at once, over two instances, is a chain all the same", async () => {
    const other = await listening();
    const { body: answer } = await post(await headPng(SIDE, SIDE, SPOT, 51));
    const path = `/v1/predictions/${answer.id}/feedback`;
    const given = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        ask<Feedback>(
          path,
          { method: "POST", body: JSON.stringify({ label: i % 3 ? "Cancer" : "Non-Cancer", comment: String(i) }) },
          i % 2 ? url : other,
        ),
      ),
    );
    expect(given.map(({ status }) => status)).toEqual(given.map(() => 200));
    const chain = chainOf(given.map(({ body }) => body));
    expect(chain).toHaveLength(given.length);
    // The newest first, by whatever it is listed.
    const listed = (await ask<FeedbackPage>(path)).body.items;
    expect(listed.map(({ feedback }) => feedback)).toEqual([...chain].reverse());
    const rows = (await workspace.warehouse.rows("feedback"))
      .map(({ row }) => row)
      .filter(({ id }) => id === answer.id);
    expect(rows).toHaveLength(given.length);
    expect(new Set(rows.map(({ supersedes }) => supersedes)).size).toBe(given.length);
  });

  test("that broke off before its row is written by the next one, which names it", async () => {
    const { body: answer } = await post(await headPng(SIDE, SIDE, SPOT, 52));
    const path = `/v1/predictions/${answer.id}/feedback`;
    const failing = await listening({
      warehouse: Object.create(workspace.warehouse, {
        append: {
          value: async (table: string, ...rest: [never, never]) => {
            if (table === "feedback") throw new Error("The process died here.");
            return workspace.warehouse.append(table as "audit", ...rest);
          },
        },
      }),
    });
    const body = JSON.stringify({ label: "Non-Cancer", comment: "the first" });
    expect(await ask(path, { method: "POST", body }, failing)).toMatchObject({ status: 500 });
    expect((await ask<FeedbackPage>(path)).body.items).toEqual([]);
    const next = await send<Feedback>(path, { label: "Cancer", comment: "the second" });
    const items = (await ask<FeedbackPage>(path)).body.items;
    expect(items.map(({ comment }) => comment)).toEqual(["the second", "the first"]);
    expect(next.body.supersedes).toBe(items[1]?.feedback);
    const rows = (await workspace.warehouse.rows("feedback")).map(({ row }) => row.feedback);
    expect(rows).toEqual(expect.arrayContaining(items.map(({ feedback }) => feedback)));
  });

  test("on what was never answered is 404", async () => {
    const reply = await send<ProblemDocument>(`/v1/predictions/${"0".repeat(64)}/feedback`, { label: "Cancer" });
    expect(reply).toMatchObject({ status: 404, body: { code: "not-found" } });
  });
});

describe("Idempotency-Key", () => {
  const rows = async () => (await workspace.warehouse.rows("predictions")).length;

  test("a request that is sent again is answered once, by another instance too", async () => {
    const other = await listening();
    const before = await rows();
    const first = await post(scan, { "idempotency-key": "key-1" });
    const again = await post(scan, { "idempotency-key": "key-1" }, other);
    expect(again.body).toEqual(first.body);
    expect([first, again].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"]);
    expect(await rows()).toBe(before + 1);
    const more = await post(scan, { "idempotency-key": "key-2" });
    expect(more.body.request).not.toBe(first.body.request);
  });

  test("the same key for another scan is refused, a key that is none too; what is wrong with a file stays wrong", async () => {
    await post(scan, { "idempotency-key": "key-3" });
    const reused = await post<ProblemDocument>(await headPng(SIDE, SIDE), { "idempotency-key": "key-3" });
    expect(reused).toMatchObject({ status: 422, body: { code: "idempotency-key-reused" } });
    expect(await post<ProblemDocument>(scan, { "idempotency-key": "k".repeat(300) })).toMatchObject({ status: 400 });
    const text = Buffer.from("text");
    const [first, again] = [
      await post<ProblemDocument>(text, { "idempotency-key": "key-4" }),
      await post<ProblemDocument>(text, { "idempotency-key": "key-4" }),
    ];
    expect(first).toMatchObject({ status: 415, body: { code: "unsupported-format" } });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  });

  test("of many at once, over two instances, one is done and the others are told to wait", async () => {
    const other = await listening();
    const before = await rows();
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        post<Prediction & ProblemDocument>(scan, { "idempotency-key": "key-5" }, i % 2 ? url : other),
      ),
    );
    expect(await rows()).toBe(before + 1);
    for (const { status, body, headers } of all) {
      if (status === 200) continue;
      expect({ status, code: body.code }).toEqual({ status: 409, code: "in-progress" });
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    }
    const requests = new Set(all.flatMap(({ status, body }) => (status === 200 ? [body.request] : [])));
    expect(requests.size).toBe(1);
  });

  test("an answer that is there too late is not given, and is the answer when it is asked for again", async () => {
    const now = performance.now.bind(performance);
    let passed = 0;
    const clock = jest.spyOn(performance, "now").mockImplementation(() => now() + passed);
    const { reports } = workspace.buckets;
    const slow = await listening({
      deadlineSeconds: 600,
      reports: Object.create(reports, {
        create: {
          value: (name: string, ...rest: [string]) => {
            if (name.endsWith("-reply.json")) passed = 601_000;
            return reports.create(name, ...rest);
          },
        },
      }),
    });
    try {
      const headers = { "idempotency-key": "key-late" };
      const late = await post<ProblemDocument>(scan, headers, slow);
      expect(late).toMatchObject({ status: 503, body: { code: "too-late" } });
      expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
      const again = await post(scan, headers, slow);
      expect(again).toMatchObject({ status: 200, body: { label: "Cancer" } });
      expect(again.headers.get("idempotency-replayed")).toBe("true");
    } finally {
      clock.mockRestore();
    }
  });

  test("what failed for the moment can be sent again", async () => {
    const late = await listening({ deadlineSeconds: 0.001 });
    const failed = await post<ProblemDocument>(scan, { "idempotency-key": "key-6" }, late);
    expect(failed).toMatchObject({ status: 503, body: { code: "too-late" } });
    expect(Number(failed.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await post(scan, { "idempotency-key": "key-6" })).status).toBe(200);
  });
});

describe("a batch", () => {
  const batch = <T = Batch>(files: readonly (readonly [string, Buffer])[], at = url) => {
    const form = new FormData();
    for (const [name, bytes] of files) form.append("file", new Blob([new Uint8Array(bytes)]), name);
    return ask<T>("/v1/predictions/batch", { method: "POST", body: form }, at);
  };

  test("of 64 files of which 20 are bad: each has its own answer or problem, in their order", async () => {
    const files = Array.from({ length: 64 }, (_, i): [string, Buffer] =>
      i % 3 === 1 && i < 60
        ? [`${i}.png`, [Buffer.from("text"), scan.subarray(0, 200), Buffer.alloc(0)][(i % 9) % 3] as Buffer]
        : [`${i}.png`, scan],
    );
    const bad = files.filter(([, bytes]) => bytes !== scan).length;
    expect(bad).toBe(20);
    // However slow the machine is.
    const reply = await batch(files, await listening({ deadlineSeconds: 600 }));
    expect(reply.status).toBe(200);
    expect(reply.body.items.map(({ name }) => name)).toEqual(files.map(([name]) => name));
    for (const [index, item] of reply.body.items.entries()) {
      const good = files[index]?.[1] === scan;
      expect(item.status === 200).toBe(good);
      if (good) expect(item).toMatchObject({ prediction: { label: "Cancer" } });
      else expect(item).toMatchObject({ problem: { status: item.status, detail: expect.stringMatching(/\.$/) } });
    }
    const requests = reply.body.items.flatMap(({ prediction }) => prediction?.request ?? []);
    expect(new Set(requests).size).toBe(44);
  }, 120_000);

  test("of too many files, of none, or that is no form, is refused as a whole", async () => {
    const tiny = Buffer.from("x");
    expect(await batch<ProblemDocument>(Array.from({ length: 65 }, (_, i) => [`${i}`, tiny]))).toMatchObject({
      status: 400,
      body: { code: "too-many-files" },
    });
    expect(await batch<ProblemDocument>([])).toMatchObject({ status: 400 });
    const plain = new FormData();
    plain.append("file", "no file, but a text");
    expect(await ask<ProblemDocument>("/v1/predictions/batch", { method: "POST", body: plain })).toMatchObject({
      status: 400,
      body: { code: "bad-multipart" },
    });
    expect(
      await ask<ProblemDocument>("/v1/predictions/batch", { method: "POST", body: new Uint8Array(scan) }),
    ).toMatchObject({
      status: 415,
      body: { code: "not-multipart" },
    });
  });

  test("has a bound on all its bytes together", async () => {
    const small = await listening({ maxBodyBytes: 2 ** 20 });
    const form = new FormData();
    for (let i = 0; i < 3; i++) form.append("file", new Blob([new Uint8Array(2 ** 20)]), `${i}`);
    expect(await ask<ProblemDocument>("/v1/predictions/batch", { method: "POST", body: form }, small)).toMatchObject({
      status: 413,
      body: { code: "file-too-large", detail: expect.stringMatching(/together/) },
    });
  });
});

describe("models", () => {
  beforeAll(async () => {
    const { reports, models } = workspace.buckets;
    await storeModel(workspace, "model-better");
    await storeModel(workspace, "model-worse");
    await storeModel(workspace, "model-other-set");
    await storeModel(workspace, "model-recipe", "r0-0000000000");
    await storeEvaluation(reports, BRIGHT_SPOT.id, 0.8, UNFIT);
    await storeEvaluation(reports, "model-better", 0.9, UNFIT);
    await storeEvaluation(reports, "model-worse", 0.7, UNFIT);
    await storeEvaluation(reports, "model-other-set", 0.95, UNFIT, "e".repeat(64));
    await storeEvaluation(reports, "model-recipe", 0.99, FIT);
    await storeModel(workspace, "model-unmeasured");
    const epochs = [{ epoch: 1, loss: 0.5, imagesPerSecond: 10, validation: { loss: 0.4, auc: 0.8 } }];
    await models.write("model-better/training.json", JSON.stringify({ chosen: 1, epochs }));
  });

  test("are listed, with what is known of each", async () => {
    const { body } = await ask<ModelList>("/v1/models");
    expect(body.current).toMatchObject({ model: BRIGHT_SPOT.id, previous: null });
    const by = new Map(body.items.map((item) => [item.id, item]));
    expect(by.get(BRIGHT_SPOT.id)).toMatchObject({ current: true, usable: true, test: { auc: 0.8, n: 40 } });
    expect(by.get("model-recipe")).toMatchObject({ usable: false, problem: expect.stringMatching(/recipe/) });
    expect(by.get("model-unmeasured")).toMatchObject({ test: null, verdict: null, current: false });
  });

  test("one that is tried out is told of: since when, what the test said last, and what to do", async () => {
    const { models } = workspace.buckets;
    const at = "2026-11-27T08:00:00.000Z";
    const begun: Canary = {
      ...{ candidate: "model-better", stable: BRIGHT_SPOT.id, mode: "traffic", state: "running", share: 10 },
      ...{ revision: "st-anna-serve-c0123abcd", startedAt: at, shareSince: "2026-11-27T09:00:00.000Z" },
      ...{ looks: 0, labelled: 0, reason: "It is tried out.", plan: 1, look: null },
    };
    const canary = async () => (await ask<ModelList>("/v1/models")).body.canary;
    expect(await canary()).toBeNull();
    const running = await setCanary(models, begun, undefined);
    expect(await canary()).toEqual({
      ...{ candidate: "model-better", stable: BRIGHT_SPOT.id, mode: "traffic", state: "running", share: 10 },
      ...{ started_at: at, share_since: "2026-11-27T09:00:00.000Z", reason: "It is tried out.", judged: null },
      next: {
        sentence: expect.stringMatching(/^Nobody has advanced it/),
        commands: ["npm run models -- canary advance"],
      },
    });
    const finding = { clause: "canary.errors", state: "open", missing: 12, sentence: "Not shown yet." } as const;
    const look = { at: "2026-11-28T08:00:00.000Z", outcome: "hold", findings: [finding] } as const;
    const looked = await noteLook(models, running as SeenCanary, { look: { ...look, findings: [finding] } });
    expect(await canary()).toMatchObject({ judged: look, next: { sentence: expect.stringMatching(/^Wait/) } });
    await setCanary(models, { ...begun, state: "aborted", share: 0, reason: "Enough." }, looked);
    expect(await canary()).toMatchObject({ state: "aborted", reason: "Enough.", next: null });
  });

  test("one is shown with card, evaluation and training curve; one that is not there is 404", async () => {
    const { body } = await ask<ModelDetail>("/v1/models/model-better");
    expect(body).toMatchObject({
      card: expect.stringMatching(/^# model-better\n\n## History\n/),
      guard: false,
      training: { chosen: 1, epochs: [{ loss: 0.5 }] },
    });
    expect(body.evaluation).toMatchObject({ test: { ece: { value: null } }, roc: [{ threshold: null }] });
    for (const path of [
      "/v1/models/model-nothing",
      "/v1/models/..%2Fcurrent",
      "/v1/models/UPPER",
      `/v1/models/${"a".repeat(5000)}`,
    ])
      expect(await ask<ProblemDocument>(path)).toMatchObject({ status: 404, body: { code: "not-found" } });
  });

  test("two are compared by the change plan's rule", async () => {
    const compare = async (a: string, b: string) => (await ask<Comparison>(`/v1/models/compare?a=${a}&b=${b}`)).body;
    const better = await compare(BRIGHT_SPOT.id, "model-better");
    expect(better).toMatchObject({ comparable: true, rule: { promotes: true } });
    expect(better.metrics.find(({ name }) => name === "auc")?.difference).toBeCloseTo(0.1);
    expect(better.metrics.find(({ name }) => name === "ece")?.difference).toBeNull();
    expect((await compare(BRIGHT_SPOT.id, "model-worse")).rule).toMatchObject({ promotes: false });
    expect(await compare(BRIGHT_SPOT.id, "model-other-set")).toMatchObject({
      comparable: false,
      rule: { promotes: false, reason: expect.stringMatching(/different test sets/) },
    });
    expect(await ask("/v1/models/compare?a=model-better&b=model-nothing")).toMatchObject({ status: 404 });
    expect(await ask("/v1/models/compare?a=model-better")).toMatchObject({ status: 400 });
  });

  test("one is promoted by the rule alone, and rolled back, and answers follow at once", async () => {
    const promoteOver = (id: string) =>
      ask<Promotion & ProblemDocument>(`/v1/models/${id}/promote`, { method: "POST" });
    const refused: [string, number, string][] = [
      ["model-worse", 409, "not-promoted"],
      ["model-other-set", 409, "not-comparable"],
      ["model-recipe", 409, "unusable-model"],
      ["model-unmeasured", 409, "not-evaluated"],
      ["model-nothing", 404, "not-found"],
    ];
    for (const [id, status, code] of refused) expect(await promoteOver(id)).toMatchObject({ status, body: { code } });
    expect((await post(scan)).body.model).toBe(BRIGHT_SPOT.id);
    expect(await promoteOver("model-better")).toMatchObject({
      status: 200,
      body: {
        current: "model-better",
        previous: BRIGHT_SPOT.id,
        reason: expect.stringMatching(/the better one serves/),
      },
    });
    expect((await post(scan)).body.model).toBe("model-better");
    const rollback = () => ask<Promotion>("/v1/models/rollback", { method: "POST" });
    expect(await rollback()).toMatchObject({
      status: 200,
      body: { current: BRIGHT_SPOT.id, previous: "model-better", reason: expect.stringMatching(/by local/) },
    });
    expect((await post(scan)).body).toMatchObject({ model: BRIGHT_SPOT.id, verdict: UNFIT });
    await until(
      async () => (await ask<ModelList>("/v1/models")).body,
      ({ current }) => current?.model === BRIGHT_SPOT.id,
    );
  });

  test("one with a byte that was changed is shown as one that is not usable, promoted by nobody and rolled back to by nobody", async () => {
    const { models, reports } = workspace.buckets;
    const id = "model-damaged";
    await storeModel(workspace, id);
    await storeEvaluation(reports, id, 0.99, UNFIT);
    const shown = async () => {
      const { items } = (await ask<ModelList>("/v1/models")).body;
      const { usable, problem } = (await ask<ModelDetail>(`/v1/models/${id}`)).body;
      expect(items.find((item) => item.id === id)).toMatchObject({ usable, problem });
      return problem;
    };
    const promoted = async (path: string) =>
      (await ask<ProblemDocument>(`/v1/models/${path}`, { method: "POST" })).body;
    expect(await shown()).toBeNull();
    const read = jest.spyOn(models, "read");
    expect(await shown()).toBeNull();
    expect(read.mock.calls.filter(([name]) => name.endsWith(".onnx") || name.endsWith(".bin"))).toEqual([]);
    read.mockRestore();
    for (const file of ["model.onnx", "weights.bin", "model.json"]) {
      const before = await models.read(`${id}/${file}`);
      const bytes = Buffer.from(before);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      await models.write(`${id}/${file}`, bytes);
      expect(await shown()).toMatch(`${file} is not the file that was saved`);
      expect(await promoted(`${id}/promote`)).toMatchObject({
        code: "unusable-model",
        detail: expect.stringContaining(file),
      });
      await models.write(`${id}/${file}`, before);
      expect(await shown()).toBeNull();
    }
    // It is the one before, and damaged since.
    await promote(workspace, id);
    await promote(workspace, BRIGHT_SPOT.id);
    await models.write(`${id}/model.onnx`, "another");
    expect(await promoted("rollback")).toMatchObject({ status: 409, code: "unusable-model" });
    expect((await ask<ModelList>("/v1/models")).body.current).toMatchObject({ model: BRIGHT_SPOT.id, previous: id });
    expect((await post(scan)).body.model).toBe(BRIGHT_SPOT.id);
  });

  test("a server that may not move the pointer says so", async () => {
    const reader = await listening({ pointer: undefined });
    expect(await ask("/v1/models/rollback", { method: "POST" }, reader)).toMatchObject({
      status: 409,
      body: { code: "pointer-not-writable" },
    });
  });
});

describe("the API's document", () => {
  type Operations = Record<string, Record<string, { responses: Record<string, unknown> }>>;

  test("is OpenAPI 3.1, has every route, and declares problems for each", async () => {
    const { body } = await ask<{ openapi: string; paths: Operations; components: { schemas: object } }>(
      "/openapi.json",
    );
    expect(body.openapi).toBe("3.1.0");
    expect(
      Object.entries(body.paths)
        .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
        .sort(),
    ).toEqual([
      "get /docs",
      "get /healthz",
      "get /metrics",
      "get /openapi.json",
      "get /readyz",
      "get /v1/feedback",
      "get /v1/me",
      "get /v1/model",
      "get /v1/models",
      "get /v1/models/compare",
      "get /v1/models/{id}",
      "get /v1/monitoring",
      "get /v1/predictions",
      "get /v1/predictions/{id}",
      "get /v1/predictions/{id}/feedback",
      "get /v1/predictions/{id}/map",
      "get /v1/predictions/{id}/original",
      "get /v1/predictions/{id}/overlay",
      "get /v1/predictions/{id}/pages/{page}",
      "get /v1/predictions/{id}/report",
      "get /v1/predictions/{id}/similar",
      "get /v1/samples",
      "get /v1/samples/{name}",
      "get /v1/scans/{id}/picture",
      "get /v1/studies/{study}",
      "get /v1/studies/{study}/overlay",
      "get /v1/worklist",
      "post /dicomweb/studies",
      "post /dicomweb/studies/{study}",
      "post /v1/models/rollback",
      "post /v1/models/{id}/promote",
      "post /v1/predictions",
      "post /v1/predictions/batch",
      "post /v1/predictions/{id}/feedback",
    ]);
    const problem = { $ref: "#/components/schemas/Problem" };
    for (const methods of Object.values(body.paths))
      for (const { responses } of Object.values(methods))
        for (const status of ["400", "401", "403", "404", "429", "500", "503"])
          expect(responses[status]).toMatchObject({ content: { "application/problem+json": { schema: problem } } });
    expect(body.components.schemas).toHaveProperty("Prediction");
    const text = JSON.stringify(body);
    expect(text).not.toMatch(/"nullable"|"\$schema"/);
    const named = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref as string));
    expect(named).toContain("#/components/schemas/FeedbackGiven");
    for (const ref of named) expect(body).toHaveProperty(ref.slice(2).split("/"));
  });

  test("is a page for people without a script, under a policy that forbids them", async () => {
    const page = await fetch(`${url}/docs`);
    const html = await page.text();
    const policy = String(page.headers.get("content-security-policy"));
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    expect(html).not.toMatch(/<script|<style|\sstyle=|\son[a-z]+=/);
    for (const path of ["/v1/predictions/batch", "/v1/models/{id}/promote"]) expect(html).toContain(path);
    expect(html).toMatch(/not for diagnostic use/i);
    expect((await fetch(`${url}/docs.css`)).headers.get("content-type")).toMatch(/^text\/css/);
  });
});

test("each path takes its own methods only", async () => {
  const wrong: [string, string, string][] = [
    ["GET", "/v1/predictions/batch", "POST"],
    ["DELETE", "/v1/predictions", "GET, HEAD, POST"],
    ["GET", "/v1/models/rollback", "POST"],
    ["POST", "/v1/models", "GET, HEAD"],
    ["PUT", `/v1/predictions/${"0".repeat(64)}/feedback`, "GET, HEAD, POST"],
    ["POST", "/docs", "GET, HEAD"],
  ];
  for (const [method, path, allow] of wrong) {
    const reply = await ask<ProblemDocument>(path, { method });
    expect(reply).toMatchObject({ status: 405, body: { code: "method-not-allowed" } });
    expect(reply.headers.get("allow")).toBe(allow);
  }
});
