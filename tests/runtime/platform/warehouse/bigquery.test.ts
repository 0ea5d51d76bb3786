import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageForLogs } from "../../../../runtime/platform/names-in-logs";
import {
  BigQueryWarehouse,
  CURRENT_IMAGES,
  DATASET_COUNTS,
  DamagedRowsError,
  type Row,
  TABLES,
  tableResource,
} from "../../../../runtime/platform/warehouse";
import { RowEncoder } from "../../../../runtime/platform/warehouse/bigquery/row-encoder";
import { BigQueryServer } from "../../../support/bigquery-server";
import { CuttingProxy } from "../../../support/cutting-proxy";
import { imageRow } from "../../../support/image-row";

/* What BigQuery alone can do to a warehouse: lose answers and streams, be of another version, refuse. */

let server: BigQueryServer;
let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "bigquery-"));
  server = await BigQueryServer.start(join(scratch, "server"));
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const act = (request: string): Row<"audit"> => ({
  ...{ request, action: "predict", who: "d@h.org", role: "clinician", subject: null },
  ...{ sha256: null, model: null, recipe: null, result: null, recorded_at: "2026-01-01T00:00:00.000Z" },
});
/** As they are in the table, without a reader that takes each batch once. */
const stored = async (dataset: string, table = "audit") =>
  (
    await server.query(`SELECT batch FROM \`local-project.${dataset}.${table}\` WHERE batch IS NOT NULL ORDER BY batch`)
  ).map(({ batch }) => batch);

test("rows whose acknowledgement is lost are stored once", async () => {
  await server.createDataset("lost");
  const proxy = await CuttingProxy.start(Number(server.endpoints.storage.split(":")[1]));
  const endpoints = { ...server.endpoints, storage: `127.0.0.1:${proxy.port}` };
  const warehouse = new BigQueryWarehouse(server.uri("lost"), { endpoints });
  const names: string[] = [];
  const add = async (name: string) => {
    names.push(name);
    await warehouse.append("audit", name, [act(name)], { unique: true });
  };
  await add("first");
  for (const round of [1, 2, 3]) {
    // Twice in one round: the second try of a request is lost too.
    proxy.loseAnswers(round === 3 ? 2 : 1, 300);
    await Promise.all(Array.from({ length: 10 }, (_, i) => add(`${round}-${i}`)));
  }
  expect(proxy.lost).toBe(4);
  expect(await stored("lost")).toEqual([...names].sort());
  await warehouse.close();
  await proxy.stop();
});

test("a stream that was opened before the first row takes it, also rows that come while it is being opened", async () => {
  await server.createDataset("warm");
  const streams = join(scratch, "streams-of-warm");
  const warehouse = new BigQueryWarehouse(server.uri("warm"), { endpoints: server.endpoints, streams });
  const warmed = warehouse.warm(["audit", "predictions"]);
  const early = warehouse.append("audit", "early", [act("early")], { unique: true });
  await warmed;
  const opened = readdirSync(streams);
  expect(opened).toHaveLength(2);
  await early;
  await warehouse.append("audit", "late", [act("late")], { unique: true });
  expect(readdirSync(streams)).toEqual(opened);
  expect(await stored("warm")).toEqual(["early", "late"]);
  await warehouse.close();
  expect(readdirSync(streams)).toEqual([]);
  // What is wrong the first rows hear, and nobody before.
  const nowhere = new BigQueryWarehouse(server.uri("nowhere"), { endpoints: server.endpoints });
  await nowhere.warm(["audit"]);
  await expect(nowhere.append("audit", "a", [act("a")], { unique: true })).rejects.toThrow(/nowhere/);
  await nowhere.close();
});

test("a server that is started anew, and knows no stream any more, loses and doubles no row", async () => {
  await server.createDataset("anew");
  const warehouse = new BigQueryWarehouse(server.uri("anew"), { endpoints: server.endpoints });
  const names = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, "0"));
  await warehouse.append("audit", "00", [act("00")], { unique: true });
  let next = 1;
  const work = async () => {
    for (let i = next++; i < names.length; i = next++) {
      const name = names[i] as string;
      await warehouse.append("audit", name, [act(name)], { unique: true });
      if (i === 20) {
        await server.stop();
        await server.run();
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  expect(await stored("anew")).toEqual(names);
  await warehouse.close();
});

test("who vouches for rows is told of values that this version does not know, of an empty column and a known row nothing", async () => {
  const dataset = await server.createDataset("newer");
  const warehouse = new BigQueryWarehouse(server.uri("newer"), { endpoints: server.endpoints });
  const columns = [...TABLES.audit, { name: "batch", type: "STRING" }, { name: "attempt", type: "STRING" }];
  const known = columns.map(({ name, type }) => `\`${name}\` ${type}`);
  await server.query(
    `CREATE TABLE \`${dataset}.audit\` (${known.join(", ")}, batch_row INT64, ward STRING, tags ARRAY<STRING>)`,
  );
  const row = (batch: string) => ({ ...act(batch), batch, batch_row: 0, attempt: "0" });
  await server.insert(dataset, "audit", [row("a"), { ...row("b"), ward: "7" }, { ...row("c"), tags: ["x"] }]);
  const found = await warehouse.someBatches("audit", ["a", "b", "c"]);
  expect(found.get("a")).toMatchObject([{ request: "a" }]);
  for (const [batch, column] of [
    ["b", "ward"],
    ["c", "tags"],
  ] as const) {
    expect(found.get(batch)).toBeInstanceOf(DamagedRowsError);
    expect((found.get(batch) as DamagedRowsError).message).toMatch(
      new RegExp(`row 1 of ${batch} has ${column}, of which this version does not know`),
    );
  }
  // Others read on: what an earlier version does not know is no fault of a row.
  expect(await warehouse.batch("audit", "b")).toMatchObject([{ request: "b" }]);
  await warehouse.close();
});

test("a table of an earlier version gets the columns that it lacks, keeps its rows, and both can be added to", async () => {
  const dataset = await server.createDataset("earlier");
  const later = ["recipe", "hash", "batch", "batch_row", "attempt"];
  const early = TABLES.images.filter(({ name }) => !later.includes(name));
  const columns = early.map(({ name, type, mode }) => `\`${name}\` ${type}${mode === "REQUIRED" ? " NOT NULL" : ""}`);
  await server.query(`CREATE TABLE \`${dataset}.images\` (${columns.join(", ")})`);
  const { recipe: _, hash: __, ...old } = imageRow("old");
  await server.insert(dataset, "images", [{ ...old, group: "g", split: "test" }]);

  const front = await server.patching();
  const warehouse = new BigQueryWarehouse(server.uri("earlier"), { endpoints: front.endpoints });
  expect(await warehouse.migrate(["images"])).toEqual([
    "local-project.earlier.images has the columns hash, recipe, batch, batch_row, attempt now.",
  ]);
  await warehouse.append("images", "new", [imageRow("new")]);
  // An old writer goes on.
  await server.insert(dataset, "images", [{ ...old, id: "old2", source: "Cancer/old2.png" }]);
  expect(await warehouse.ask(CURRENT_IMAGES, {})).toMatchObject([
    imageRow("new"),
    { id: "old", hash: null, recipe: null, group: "g", split: "test" },
    { id: "old2", hash: null },
  ]);
  await warehouse.close();
  await front.stop();
});

test("a writer goes on when another version adds a column to the table under its open stream", async () => {
  await server.createDataset("later");
  const warehouse = new BigQueryWarehouse(server.uri("later"), { endpoints: server.endpoints });
  await warehouse.append("audit", "a", [act("a")], { unique: true });
  const front = await server.patching();
  const tomorrow = { name: "of_tomorrow", type: "STRING", mode: "NULLABLE" };
  const patched = await fetch(
    `${front.endpoints.rest}/bigquery/v2/projects/local-project/datasets/later/tables/audit`,
    {
      method: "PATCH",
      body: JSON.stringify({ schema: { fields: [...tableResource("audit").schema.fields, tomorrow] } }),
    },
  );
  expect(patched.status).toBe(200);
  await front.stop();
  await warehouse.append("audit", "b", [act("b")], { unique: true });
  await warehouse.append("audit", "c", [act("c")], { unique: true });
  expect(await stored("later")).toEqual(["a", "b", "c"]);
  expect(await warehouse.rows("audit")).toEqual(["a", "b", "c"].map((batch) => ({ batch, row: act(batch) })));
  await warehouse.close();
});

test("of several attempts to add a batch the first counts, for every reader", async () => {
  const dataset = await server.createDataset("attempts");
  const warehouse = new BigQueryWarehouse(server.uri("attempts"), { endpoints: server.endpoints });
  await warehouse.append("images", "a", [imageRow("a")]);
  const late = { ...imageRow("a", { width: 1 }), batch: "a", batch_row: 0, attempt: "9999-01-01T00:00:00.000Z/x/0" };
  await server.insert(dataset, "images", [late]);
  expect(await warehouse.batch("images", "a")).toEqual([imageRow("a")]);
  expect((await warehouse.ask(DATASET_COUNTS, {}))[0]?.images).toBe(1);
  await server.insert(dataset, "images", [{ ...late, width: 2, attempt: "0-import/x" }]);
  expect(await warehouse.rows("images")).toEqual([{ batch: "a", row: imageRow("a", { width: 2 }) }]);
  await expect(warehouse.append("images", "a", [imageRow("a")])).rejects.toThrow("row 1 has another width");
  await warehouse.close();
});

test("a batch that one request cannot hold is added as a whole, also where an answer is lost on the way", async () => {
  await server.createDataset("large");
  const proxy = await CuttingProxy.start(Number(server.endpoints.storage.split(":")[1]));
  const endpoints = { ...server.endpoints, storage: `127.0.0.1:${proxy.port}` };
  const warehouse = new BigQueryWarehouse(server.uri("large"), { endpoints });
  const rows = Array.from({ length: 30 }, (_, i) => ({ ...act(`of-many-${i}`), result: `${i}`.repeat(400_000) }));
  const small = warehouse.append("audit", "beside", [act("beside")], { unique: true });
  await warehouse.append("audit", "whole", rows);
  proxy.loseAnswers(1, 10_000);
  await warehouse.append("audit", "cut", rows);
  await small;
  expect(proxy.lost).toBe(1);
  expect(await warehouse.batch("audit", "whole")).toEqual(rows);
  expect(await warehouse.batch("audit", "cut")).toEqual(rows);
  expect(await stored("large")).toEqual(["beside", ...rows.map(() => "cut"), ...rows.map(() => "whole")]);
  await warehouse.close();
  await proxy.stop();
});

test("a row that one request cannot hold is refused, and nothing of its batch is stored", async () => {
  await server.createDataset("wide");
  const warehouse = new BigQueryWarehouse(server.uri("wide"), { endpoints: server.endpoints });
  const rows = [act("a"), { ...act("b"), result: "x".repeat(9_100_000) }];
  await expect(warehouse.append("audit", "a", rows, { unique: true })).rejects.toThrow(
    /^A row of a batch is 10 MB; at most 9 MB are added at once\.$/,
  );
  expect(await warehouse.batch("audit", "a")).toBeUndefined();
  await warehouse.close();
});

test("values beyond what JSON shows are encoded as BigQuery reads them", () => {
  const encoder = new RowEncoder([
    { name: "at", type: "TIMESTAMP", mode: "REQUIRED", description: "" },
    { name: "none", type: "STRING", mode: "NULLABLE", description: "" },
  ]);
  const varint = (value: bigint) => {
    const bytes: number[] = [];
    for (let left = value; ; left >>= 7n) {
      if (left < 128n) return [...bytes, Number(left)];
      bytes.push(Number(left & 127n) | 128);
    }
  };
  expect([...encoder.encode({ at: "2026-01-01T00:00:00.123456Z", none: null })]).toEqual([
    8,
    ...varint(1_767_225_600_123_456n),
  ]);
});

test("a table is made as the construct makes it: partitions, clusters, a filter that is demanded, descriptions", () => {
  expect(tableResource("audit")).toMatchObject({
    timePartitioning: { type: "DAY", field: "recorded_at" },
    requirePartitionFilter: true,
    clustering: { fields: ["who", "action", "subject"] },
  });
  expect(tableResource("features_pca")).not.toHaveProperty("timePartitioning");
});

describe("a refusal is a sentence that says what to do, and holds nothing of a row", () => {
  let refusing: Server;
  let answers: { status: number; reason: string; message: string }[] = [];
  let asked: { url: string; body: string }[] = [];
  beforeAll(async () => {
    refusing = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => {
        body += part;
      });
      request.on("end", () => {
        asked.push({ url: String(request.url), body });
        response.setHeader("content-type", "application/json");
        if (request.method === "GET")
          return void response.end(JSON.stringify(request.url?.includes("/tables/") ? tableResource("images") : {}));
        const { status, reason, message } = answers.shift() ?? { status: 500, reason: "backendError", message: "" };
        response.statusCode = status;
        response.end(JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }));
      });
    });
    await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => new Promise((resolve) => refusing.close(resolve)));

  const ask = async (given: typeof answers, uri = "bigquery://some-project/d") => {
    answers = [...given];
    asked = [];
    const { port } = refusing.address() as { port: number };
    const endpoints = { rest: `http://127.0.0.1:${port}`, storage: "127.0.0.1:1" };
    const warehouse = new BigQueryWarehouse(uri, { endpoints, patienceMs: 100 });
    return warehouse.batch("images", "Jane").catch((error: unknown) => error as Error & { code?: string });
  };

  test.each([
    [
      403,
      "accessDenied",
      "ConfigurationError",
      /BigQuery refuses it to this identity in some-project\.d\. .*roles\/bigquery\.jobUser/,
    ],
    [404, "notFound", "ConfigurationError", /some-project\.d does not exist, or is not visible to this identity/],
    [
      403,
      "quotaExceeded",
      "WarehouseUnavailableError",
      /a quota of BigQuery is used up \(quotaExceeded\)\. Try again later/,
    ],
    [
      400,
      "bytesBilledLimitExceeded",
      "WarehouseError",
      /it would read 70 GiB of some-project\.d, .* raise the limit: \?maximumGib=N/,
    ],
    [400, "invalidQuery", "WarehouseError", /BigQuery answers invalidQuery for some-project\.d/],
  ])("%i %s", async (status, reason, name, sentence) => {
    const message = `Query exceeded limit for bytes billed: 1. 75161927680 or higher required. 'Jane Doe'`;
    const error = (await ask([{ status, reason, message }])) as Error;
    expect([error.name, error.message]).toEqual([name, expect.stringMatching(sentence)]);
    for (const told of [error.message, messageForLogs(error)]) expect(told).not.toMatch(/Jane/);
  });

  test("every question says what it may cost", async () => {
    await ask([{ status: 400, reason: "invalidQuery", message: "" }], "bigquery://some-project/d?maximumGib=7");
    const [job] = asked.filter(({ body }) => body.includes("SELECT"));
    expect(JSON.stringify(JSON.parse(String(job?.body)))).toContain(`"maximumBytesBilled":"${7 * 1024 ** 3}"`);
    // What is asked for is a parameter and no part of the text.
    expect(JSON.parse(String(job?.body)).query).not.toContain("Jane");
  });

  test("a service that stays busy is asked again, and then given up", async () => {
    const error = (await ask([])) as Error;
    expect([error.name, error.message]).toEqual([
      "WarehouseUnavailableError",
      expect.stringMatching(
        /BigQuery cannot be reached, or does not answer \(backendError\)\. Try again in some minutes/,
      ),
    ]);
    expect(asked.filter(({ body }) => body.includes("SELECT")).length).toBeGreaterThan(1);
  });
});

describe("with a second account to ask as", () => {
  const READER = "anna-serve-reader@mri-anna.iam.gserviceaccount.com";
  /** What was asked, by which token. */
  let asked: string[] = [];
  let allowed = true;
  let google: Server;
  const started = { rest: "" };
  beforeAll(async () => {
    // Gives out tokens of the reader, and hands everything else on to BigQuery.
    google = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", async () => {
        const { method = "GET", url = "" } = request;
        const token = String(request.headers.authorization).replace("Bearer ", "");
        response.setHeader("content-type", "application/json");
        if (url.endsWith(":generateAccessToken")) {
          asked.push(`${token}: ${url.replace("/v1/projects/-/serviceAccounts/", "")}`);
          const error = { code: 403, status: "PERMISSION_DENIED", message: "Permission denied." };
          response.statusCode = allowed ? 200 : 403;
          const expireTime = new Date(Date.now() + 3_600_000).toISOString();
          return void response.end(JSON.stringify(allowed ? { accessToken: "reader", expireTime } : { error }));
        }
        asked.push(`${token}: ${method} ${/\/(queries|jobs|tables)\b/.exec(url)?.[1]}`);
        const body = Buffer.concat(parts);
        const answer = await fetch(`${server.endpoints.rest}${url}`, {
          method,
          headers: { "content-type": "application/json" },
          ...(body.length > 0 ? { body } : {}),
        });
        response.statusCode = answer.status;
        response.end(Buffer.from(await answer.arrayBuffer()));
      });
    });
    await new Promise<void>((resolve) => google.listen(0, "127.0.0.1", resolve));
    started.rest = `http://127.0.0.1:${(google.address() as { port: number }).port}`;
  });
  afterAll(() => new Promise((resolve) => google.close(resolve)));

  const open = () =>
    new BigQueryWarehouse(server.uri("reader"), {
      reader: READER,
      endpoints: { ...server.endpoints, rest: started.rest, credentials: started.rest },
    });

  test("rows are added as itself, and everything is asked as the other", async () => {
    await server.createDataset("reader");
    const warehouse = open();
    asked = [];
    await warehouse.append("audit", "a", [act("a")], { unique: true });
    expect(asked.length).toBeGreaterThan(0);
    for (const one of asked) expect(one).toMatch(/^test: (GET|POST) /);
    asked = [];
    expect(await warehouse.rows("audit")).toEqual([{ batch: "a", row: act("a") }]);
    expect(asked.shift()).toBe(`test: ${READER}:generateAccessToken`);
    expect(asked).toContainEqual(expect.stringMatching(/: POST (queries|jobs)$/));
    for (const one of asked) expect(one).toMatch(/^reader: /);
    await warehouse.close();
  });

  test("what may not act as the other can add rows all the same, and is told what it lacks when it asks", async () => {
    allowed = false;
    const warehouse = open();
    await warehouse.append("audit", "b", [act("b")], { unique: true });
    await expect(warehouse.rows("audit")).rejects.toThrow(
      /may not act as the account that WAREHOUSE_READER names\. It needs roles\/iam\.serviceAccountTokenCreator/,
    );
    await warehouse.close();
  });
});

test("a dataset that is not there is said to be so, by whoever reads or adds", async () => {
  const warehouse = new BigQueryWarehouse(server.uri("nowhere"), { endpoints: server.endpoints });
  for (const use of [
    () => warehouse.rows("images"),
    () => warehouse.append("audit", "a", [act("a")], { unique: true }),
  ])
    await expect(use()).rejects.toThrow(/local-project\.nowhere does not exist, or is not visible to this identity/);
  await warehouse.close();
});
