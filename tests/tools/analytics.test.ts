import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AuditRow,
  BigQueryWarehouse,
  type FeaturesDeepRow,
  type ImageRow,
  type PredictionRow,
  type Row,
  TABLE_NAMES,
  type TableName,
  VIEWS,
} from "../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { analysesIn, analytics, questionOf } from "../../tools/analytics";
import { BigQueryServer } from "../support/bigquery-server";
import { assignmentRow, imageRow } from "../support/image-row";

const analyses = analysesIn(readFileSync(join(__dirname, "../../docs/analytics.md"), "utf8"));

/** Twelve scans of six patients in two collections; some are refused, one lies there under a second name. */
const images: ImageRow[] = Array.from({ length: 12 }, (_, i) => ({
  ...imageRow(`scan-${String(i).padStart(2, "0")}`, {
    label: i % 3 === 0 ? "Cancer" : "Non-Cancer",
    patient: `p${i >> 1}`,
    collection: i < 8 ? "A" : null,
  }),
}));
const second = { ...images[0], id: "second-name", source: "Cancer/second.png" } as ImageRow;
const refused = [1, 2, 3].map((n) =>
  imageRow(`bad-${n}`, {
    ...{ status: "quarantined", label: null, sha256: null, phash: null },
    reason: n < 3 ? "truncated" : "too-small",
    ingested_at: `2026-0${n < 3 ? 2 : 3}-10T00:00:00.000Z`,
  }),
);
const SPLITS = ["train", "train", "validation", "test", "test", "test"] as const;
const assignments = images.map((image, i) =>
  assignmentRow(image, { group: `g${i >> 1}`, split: SPLITS[i >> 1] as (typeof SPLITS)[number] }),
);

const prediction = (n: number, more: Partial<PredictionRow> = {}): PredictionRow => ({
  request: `request-${n}`,
  id: `answer-${n}`,
  model: "one",
  recipe: "r",
  probability: 0.5,
  label: "Cancer",
  decision: "Cancer",
  threshold: 0.5,
  sha256: `other-${n}`,
  predicted_at: "2026-02-03T04:05:06.000Z",
  who: "dr@hospital.org",
  milliseconds: null,
  ...more,
});
const asked = [
  prediction(1, { probability: 0.9 }),
  prediction(2, { probability: 0.5, decision: "Uncertain" }),
  prediction(3, { probability: 0.1, label: "Non-Cancer", decision: "Non-Cancer" }),
  prediction(4, {
    probability: 0.2,
    label: "Non-Cancer",
    decision: "Non-Cancer",
    predicted_at: "2026-03-01T00:00:00.000Z",
  }),
  prediction(5, { model: "two", predicted_at: "2026-03-01T00:00:00.000Z" }),
];
/** The test split is scans 6 to 11: 6 and 9 are Cancer; the model misses 9 and sounds one false alarm, for 7. */
const scored = images.slice(6).map(({ sha256 }, i) => {
  const label = i < 2 ? "Cancer" : "Non-Cancer";
  return prediction(100 + i, { sha256: sha256 as string, label, decision: label, who: null });
});

const said = (
  feedback: string,
  n: number,
  label: string,
  who: string,
  supersedes: string | null = null,
): Row<"feedback"> => ({
  ...{
    feedback,
    request: `request-${n}`,
    id: `answer-${n}`,
    label,
    comment: null,
    who,
    supersedes,
    scope: null,
    confirmed: null,
  },
  given_at: "2026-03-02T00:00:00.000Z",
});
const feedback = [
  said("f1", 1, "Non-Cancer", "a@hospital.org"),
  // He thinks again.
  said("f2", 1, "Cancer", "a@hospital.org", "f1"),
  said("f3", 3, "Cancer", "a@hospital.org"),
  said("f4", 3, "Non-Cancer", "b@hospital.org"),
  said("f5", 5, "Non-Cancer", "b@hospital.org"),
];

const look = (n: number, action: string, subject: string, who = "a@hospital.org"): AuditRow => ({
  ...{ request: `look-${n}`, action, who, role: "clinician", subject, sha256: null, model: null, recipe: null },
  result: null,
  recorded_at: "2026-03-03T00:00:00.000Z",
});
const audit = [
  look(1, "view-overlay", "answer-1"),
  look(2, "view-overlay", "answer-1"),
  look(3, "view-scan", "scan-03"),
  look(4, "view-scan", "scan-06"),
  look(5, "history", "answer-2", "b@hospital.org"),
];
const features = [0, 1, 2, 0].map(
  (n, i): FeaturesDeepRow => ({
    ...{ id: `f${i}`, sha256: `scan-0${n}`, recipe: i === 3 ? "earlier" : "r", backbone: "one", features: [1, 2] },
    extracted_at: "2026-03-03T00:00:00.000Z",
  }),
);

/** A day that was told of twice, of which the second telling counts, and the one after it. */
const told = (
  day: string,
  revision: number,
  name: string,
  more: Partial<Row<"monitoring">> = {},
): Row<"monitoring"> => ({
  ...{ model: "one", day, name, part: null, value: null, low: null, high: null, scans: null, detail: null, revision },
  ...{ computed_at: "2026-03-04T00:00:00.000Z", ...more },
});
const monitoring = [
  told("2026-03-01", 1, "answers", { value: 7 }),
  told("2026-03-01", 1, "alarm", { part: "feedback", value: 1, detail: "{}" }),
  told("2026-03-01", 2, "answers", { value: 8 }),
  told("2026-03-01", 2, "uncertain", { value: 0.25 }),
  told("2026-03-01", 2, "quarantined", { part: "truncated", value: 2 }),
  told("2026-03-01", 2, "quarantined", { part: "too-small", value: 1 }),
  told("2026-03-01", 2, "refused", { part: "not-a-brain-scan", value: 3 }),
  told("2026-03-01", 2, "failed", { part: "busy", value: 4 }),
  told("2026-03-01", 2, "latency", { part: "median", value: 200 }),
  told("2026-03-01", 2, "latency", { part: "p95", value: 900 }),
  told("2026-03-01", 2, "accuracy-estimated", { value: 0.875, low: 0.75, high: 1, scans: 40 }),
  told("2026-03-01", 2, "accuracy-estimated", { part: "view=axial", detail: "too-few", scans: 4 }),
  told("2026-03-01", 2, "accuracy-feedback", { value: 0.5, low: 0.25, high: 0.75, scans: 4 }),
  told("2026-03-02", 1, "answers", { value: 0 }),
  told("2026-03-02", 1, "alarm", { part: "input", value: 1, detail: '{"since":"2026-03-01"}' }),
];

const ROWS: { readonly [T in TableName]?: readonly Row<T>[] } = {
  ...{ images: [...images, second, ...refused], assignments, predictions: [...asked, ...scored] },
  ...{ feedback, audit, features_deep: features, monitoring },
};

/** What is due, by hand. */
const DUE: readonly (readonly Record<string, unknown>[])[] = [
  [
    { label: "Cancer", split: "none yet", pictures: 1, groups_of_them: 0, patients: 1 },
    { label: "Cancer", split: "test", pictures: 2, groups_of_them: 2, patients: 2 },
    { label: "Cancer", split: "train", pictures: 2, groups_of_them: 2, patients: 2 },
    { label: "Non-Cancer", split: "test", pictures: 4, groups_of_them: 3, patients: 3 },
    { label: "Non-Cancer", split: "train", pictures: 2, groups_of_them: 2, patients: 2 },
    { label: "Non-Cancer", split: "validation", pictures: 2, groups_of_them: 1, patients: 1 },
  ],
  [
    { year: 2026, month: 2, reason: "truncated", files: 2 },
    { year: 2026, month: 3, reason: "too-small", files: 1 },
  ],
  [
    { collection: "A", pictures: 8, cancer_share: 0.375 },
    { collection: "not known", pictures: 4, cancer_share: 0.25 },
  ],
  [
    { year: 2026, month: 2, model: "one", answers: 3, cancer: 1, uncertain: 1, mean_probability: 0.5 },
    { year: 2026, month: 3, model: "one", answers: 1, cancer: 0, uncertain: 0, mean_probability: 0.2 },
    { year: 2026, month: 3, model: "two", answers: 1, cancer: 1, uncertain: 0, mean_probability: 0.5 },
  ],
  [
    { model: "one", opinions: 3, agree: 2, missed_tumours: 1, false_alarms: 0 },
    { model: "two", opinions: 1, agree: 0, missed_tumours: 0, false_alarms: 1 },
  ],
  [{ request: "request-3", people: 2, for_cancer: 1 }],
  [{ model: "one", pictures: 6, sensitivity: 0.5, specificity: 0.75 }],
  [
    { who: "a@hospital.org", role: "clinician", action: "view-overlay", times: 2, subjects: 1 },
    { who: "a@hospital.org", role: "clinician", action: "view-scan", times: 2, subjects: 2 },
    { who: "b@hospital.org", role: "clinician", action: "history", times: 1, subjects: 1 },
  ],
  [
    { request: "request-2", decision: "Uncertain", who: "dr@hospital.org" },
    { request: "request-5", decision: "Cancer", who: "dr@hospital.org" },
  ],
  [{ backbone: "one", pictures: 3, share: 0.25 }],
  [
    {
      ...{ model: "one", day: "2026-03-01", answers: 8, uncertain_share: 0.25, pages_quarantined: 3, refused: 3 },
      ...{ failed: 4, p95_milliseconds: 900 },
    },
    {
      ...{ model: "one", day: "2026-03-02", answers: 0, uncertain_share: null, pages_quarantined: 0, refused: 0 },
      ...{ failed: 0, p95_milliseconds: null },
    },
  ],
  [{ day: "2026-03-02", model: "one", watch: "input", detail: '{"since":"2026-03-01"}' }],
  [
    {
      ...{ model: "one", day: "2026-03-01", of_which: "all", estimated: 0.875, estimated_low: 0.75, estimated_high: 1 },
      ...{ by_feedback: 0.5, labels: 4 },
    },
    {
      ...{ model: "one", day: "2026-03-01", of_which: "view=axial", estimated: null, estimated_low: null },
      ...{ estimated_high: null, by_feedback: null, labels: null },
    },
  ],
];

let folder: string;
let server: BigQueryServer;
let dataset: string;
let workspace: Workspace;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "analytics-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  server = await BigQueryServer.start();
  dataset = await server.createDataset("hospital");
  const cloud = new BigQueryWarehouse(server.uri("hospital"), { endpoints: server.endpoints });
  await cloud.migrate(TABLE_NAMES);
  for (const table of TABLE_NAMES) {
    const rows = (ROWS[table] ?? []) as readonly Row<TableName>[];
    if (rows.length === 0) continue;
    for (const warehouse of [workspace.warehouse, cloud]) await warehouse.append<TableName>(table, "all", rows);
  }
  await cloud.close();
  for (const { name, query } of VIEWS) await server.createView(dataset, name, query(dataset));
});
afterAll(async () => {
  await workspace.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("questions are numbered as they stand", () => {
  expect(analyses.map(({ title }) => title.replace(/\..*/, ""))).toEqual(DUE.map((_, i) => String(i + 1)));
});

test.each(analyses.map((analysis, i) => ({ ...analysis, due: DUE[i] })))(
  "$title The same is answered by BigQuery, as a person pastes it there, and over files",
  async ({ due, ...analysis }) => {
    const pasted = analysis.sql.replaceAll("DATASET", dataset);
    expect(pasted).toContain(dataset);
    expect(await server.query(pasted)).toEqual(due);
    expect(await workspace.warehouse.ask(questionOf(analysis), {})).toEqual(due);
  },
);

test("BigQuery is asked by the person, not by a process with other rights", async () => {
  const cloud = new BigQueryWarehouse(server.uri("hospital"), { endpoints: server.endpoints });
  await expect(cloud.ask(questionOf({ title: "own", sql: "SELECT 1 AS n" }), {})).rejects.toThrow(
    /"own" is SQL from outside: a person asks BigQuery it themselves/,
  );
  await cloud.close();
});

describe("npm run analytics", () => {
  let said: string;
  beforeEach(() => {
    said = "";
    for (const stream of [process.stdout, process.stderr])
      jest.spyOn(stream, "write").mockImplementation((text) => {
        said += String(text);
        return true;
      });
  });
  afterEach(() => jest.restoreAllMocks());
  const out = () => join(folder, "workspace");

  test("answers all, one, and those of a file, with a table that a terminal shows", async () => {
    expect(await analytics(["--out", out()])).toBe(0);
    for (const { title } of analyses) expect(said).toContain(`\n${title}\n`);
    expect(said).toMatch(/^one +6 +0\.5000 +0\.7500$/m);
    said = "";
    expect(await analytics(["--out", out(), "--number", "6"])).toBe(0);
    expect(said).toMatch(/request-3 +2 +1/);
    expect(said).not.toContain("What was refused");
    const own = join(folder, "own.sql");
    writeFileSync(own, "SELECT COUNT(*) AS n FROM `DATASET.audit` WHERE who = 'b@hospital.org';\n");
    said = "";
    expect(await analytics(["--out", out(), "--file", own])).toBe(0);
    expect(said).toMatch(/\nn\n-\n1\n/);
  });

  test("says all that is wrong with how it is called, and what a table is called; SQL that fails ends with 1", async () => {
    expect(await analytics(["--out", join(folder, "none"), "--number", "14", "--file", "none.sql"])).toBe(2);
    for (const problem of [
      /none is not there/,
      /no question 14: they are 1 to 13/,
      /not both/,
      /none\.sql is not there/,
    ])
      expect(said).toMatch(problem);
    const own = join(folder, "wrong.sql");
    writeFileSync(own, "SELECT * FROM `DATASET.patients`");
    expect(await analytics(["--out", out(), "--file", own])).toBe(2);
    expect(said).toMatch(/there is no table patients; there are images, /);
    writeFileSync(own, "SELECT nothing FROM `DATASET.audit`");
    expect(await analytics(["--out", out(), "--file", own])).toBe(1);
    expect(said).toMatch(/nothing/);
    expect(await analytics([])).toBe(2);
  });

  describe("SQL from outside", () => {
    const SECRET = "known to its owner alone";
    const asks = async (sql: string) => {
      said = "";
      const own = join(folder, "own.sql");
      writeFileSync(own, sql);
      const code = await analytics(["--out", out(), "--file", own]);
      return { code, said };
    };
    let secret: string;
    let outside: string;
    let requests: number;
    const neighbour = createServer((_, response) => {
      requests++;
      response.end("a,b\n1,2\n");
    });
    let url: string;

    beforeAll(async () => {
      outside = join(folder, "outside");
      secret = join(folder, "secret.csv");
      writeFileSync(secret, `a\n${SECRET}\n`);
      await new Promise<void>((listening) => neighbour.listen(0, "127.0.0.1", listening));
      url = `http://127.0.0.1:${(neighbour.address() as AddressInfo).port}/x.csv`;
    });
    afterAll(() => new Promise((closed) => neighbour.close(closed)));
    beforeEach(() => {
      requests = 0;
    });

    /** SECRET, OUTSIDE and URL stand for what is not there yet. */
    test.each([
      ["reads a file as CSV", "SELECT * FROM read_csv('SECRET')", 1],
      ["reads a file as text", "SELECT content FROM read_text('SECRET')", 1],
      ["reads a file's bytes", "SELECT * FROM read_blob('SECRET')", 1],
      ["reads a file by its name alone", "SELECT * FROM 'SECRET'", 1],
      ["reads a file within a text that is a query", "SELECT * FROM query('SELECT * FROM read_text(''SECRET'')')", 1],
      ["reads a file in a subquery", "SELECT (SELECT content FROM read_text('SECRET')) FROM `DATASET.audit`", 1],
      ["looks into a file", "SELECT * FROM sniff_csv('SECRET')", 1],
      ["lists a folder", "SELECT * FROM glob('/*')", 1],
      ["climbs out of what it may read", "SELECT * FROM read_text('/tmp/../SECRET')", 1],
      ["reads the rows of a table that it does not name", "SELECT * FROM read_text('WORKSPACE/warehouse/audit/*')", 1],
      ["asks a server", "SELECT * FROM read_csv('URL')", 1],
      ["writes a file", "COPY (SELECT 1) TO 'OUTSIDE'", 1],
      ["writes a table", "COPY `DATASET.audit` TO 'OUTSIDE' (FORMAT parquet)", 1],
      ["writes all tables", "EXPORT DATABASE 'OUTSIDE'", 1],
      ["runs a file", "IMPORT DATABASE 'OUTSIDE'", 1],
      ["attaches a database", "ATTACH 'OUTSIDE' AS other", 2],
      ["installs an extension", "INSTALL httpfs", 2],
      ["loads an extension", "LOAD httpfs", 2],
      ["keeps a secret", "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')", 1],
      ["writes a log", "CALL enable_logging(storage = 'file', storage_path = 'OUTSIDE')", 2],
      ["writes a profile", "PRAGMA profiling_output = 'OUTSIDE'", 2],
      ["unlocks the engine", "SET enable_external_access = true", 2],
      ["moves what it may read", "SET allowed_paths = ['SECRET']", 2],
      ["changes what it asks", "DROP VIEW `DATASET.audit`", 2],
      ["hides behind a question", "SELECT 1; COPY (SELECT 1) TO 'OUTSIDE'", 2],
      ["unlocks before a question", "RESET enable_external_access; SELECT * FROM read_text('SECRET')", 2],
      ["says nothing", "-- a comment", 2],
    ])("that %s is refused", async (_, sql, code) => {
      const before = readdirSync(folder);
      const attack = sql
        .replaceAll("SECRET", sql.includes("TYPE s3") ? "SECRET" : secret)
        .replaceAll("OUTSIDE", outside)
        .replaceAll("WORKSPACE", out())
        .replaceAll("URL", url);
      const answer = await asks(attack);
      expect(answer).toMatchObject({ code });
      expect(answer.said).not.toContain(SECRET);
      expect(answer.said).not.toContain("b@hospital.org");
      expect(requests).toBe(0);
      expect(readdirSync(folder).filter((name) => name !== "own.sql")).toEqual(
        before.filter((name) => name !== "own.sql"),
      );
    });

    test("what is refused is said in words; a question in all of DuckDB's SQL is answered", async () => {
      expect((await asks("SELECT 1; SELECT 2")).said).toMatch(/it is 2 statements; ask one SELECT at a time/);
      expect((await asks("DROP VIEW `DATASET.audit`")).said).toMatch(/it is DROP; a question is one SELECT/);
      expect((await asks("SELECT * FROM read_text('/etc/hostname')")).said).toMatch(/disabled by configuration/);
      const { code, said: answer } = await asks(
        "-- of my own\nWITH theirs AS (SELECT * FROM `DATASET.audit`)\nSELECT who, regexp_extract(who, '^[a-z]+') AS name FROM theirs ORDER BY 1 DESC LIMIT 1; -- done\n",
      );
      expect({ code, answer }).toMatchObject({ code: 0, answer: expect.stringMatching(/b@hospital\.org +b\n/) });
      expect(await workspace.warehouse.ask(questionOf({ title: "a", sql: "SELECT 1 AS n" }), {})).toEqual([{ n: 1 }]);
    });
  });
});
