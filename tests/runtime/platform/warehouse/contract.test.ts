import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { DirectoryStore, GcsStore } from "../../../../runtime/platform/stores";
import {
  BigQueryWarehouse,
  CURRENT_IMAGES,
  DATASET_COUNTS,
  DifferentRowsError,
  type ImageRow,
  LABELLED_IMAGES,
  ObjectStoreWarehouse,
  openWarehouse,
  PLANNED_IMAGES,
  type Row,
  TABLE_NAMES,
  type Warehouse,
} from "../../../../runtime/platform/warehouse";
import { BigQueryServer } from "../../../support/bigquery-server";
import { type GcsServer, startGcsServer } from "../../../support/gcs-server";
import { assignmentRow, imageRow } from "../../../support/image-row";

const BUILT = join(__dirname, "../../../../dist/runtime/platform/warehouse/index.js");

/* What whoever uses a warehouse relies on, whichever it is. */

let gcs: GcsServer;
let bigQuery: BigQueryServer;
let scratch: string;
beforeAll(async () => {
  gcs = await startGcsServer();
  await gcs.createBucket("warehouse");
  bigQuery = await BigQueryServer.start();
  await bigQuery.createDataset("contract");
  scratch = mkdtempSync(join(tmpdir(), "contract [1]* it's-"));
});
afterAll(async () => {
  await bigQuery.stop();
  await gcs.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const image = (id: string, more: Partial<ImageRow> = {}) =>
  imageRow(id, { source: `Cancer/${id} "quoted", 🧠.png`, generation: 1_790_000_000_123_456, ...more });

const KINDS: Readonly<Record<string, () => Promise<Warehouse>>> = {
  "a directory": async () => new ObjectStoreWarehouse(new DirectoryStore(join(scratch, "warehouse"))),
  "a bucket": async () => new ObjectStoreWarehouse(await GcsStore.open("gs://warehouse", gcs.endpoint)),
  "a BigQuery dataset": async () =>
    new BigQueryWarehouse(bigQuery.uri("contract"), {
      endpoints: bigQuery.endpoints,
      streams: join(scratch, "streams"),
    }),
};

describe.each(Object.entries(KINDS))("a warehouse in %s", (_name, open) => {
  let warehouse: Warehouse;
  beforeAll(async () => {
    warehouse = await open();
  });
  afterAll(() => warehouse.close());

  const counted = async () => (await warehouse.ask(DATASET_COUNTS, {}))[0]?.images;

  test("has every table, and an empty one has no rows and can be asked", async () => {
    for (const table of TABLE_NAMES) expect([table, await warehouse.rows(table)]).toEqual([table, []]);
    expect(await warehouse.batch("images", "none")).toBeUndefined();
    expect(await warehouse.batches("images")).toEqual([]);
    expect(await warehouse.ask(CURRENT_IMAGES, {})).toEqual([]);
    expect(await counted()).toBe(0);
  });

  test("gives rows back as they were added", async () => {
    await warehouse.append("images", "b/1", [image("b1"), image("b2", { label: null, width: null })]);
    await warehouse.append("images", "a", [image("a1")]);
    expect(await warehouse.batches("images")).toEqual(["a", "b/1"]);
    expect(await warehouse.batches("images", "b/")).toEqual(["b/1"]);
    expect(await warehouse.batch("images", "b/1")).toEqual([image("b1"), image("b2", { label: null, width: null })]);
    expect(await warehouse.rows("images")).toEqual([
      { batch: "a", row: image("a1") },
      { batch: "b/1", row: image("b1") },
      { batch: "b/1", row: image("b2", { label: null, width: null }) },
    ]);
    expect(await warehouse.ask(CURRENT_IMAGES, {})).toEqual([
      { ...image("a1"), blanked: null, group: null, split: null },
      { ...image("b1"), blanked: null, group: null, split: null },
      { ...image("b2", { label: null, width: null }), blanked: null, group: null, split: null },
    ]);
  });

  test("extracts an answer as a Parquet file, with types where all is null, and leaves nothing beside it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "extracted-"));
    const file = join(folder, "answer.parquet");
    await warehouse.extract(PLANNED_IMAGES, {}, file);
    expect(readdirSync(folder)).toEqual(["answer.parquet"]);
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const rows = (await connection.runAndReadAll(`SELECT * FROM '${file}'`)).getRowObjectsJson();
    const types = await connection.runAndReadAll(`SELECT typeof(revision), typeof(disputed) FROM '${file}' LIMIT 1`);
    connection.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true });
    const asked = await warehouse.ask(PLANNED_IMAGES, {});
    expect(asked.length).toBeGreaterThan(2);
    const numbers = (row: object) =>
      Object.fromEntries(
        Object.entries(row).map(([key, value]) => [key, typeof value === "number" ? `${value}` : value]),
      );
    expect(rows.map(numbers)).toEqual(asked.map(numbers));
    expect(types.getRows()).toEqual([["BIGINT", "BOOLEAN"]]);
  });

  test("keeps the order of a batch's rows, and every kind of value", async () => {
    const features = Array.from({ length: 300 }, (_, i) => ({
      ...{ id: `${(i * 7919) % 300}`, recipe: "r", pca: "p" },
      values: i === 0 ? [] : [i / 3, -2e-7, 0, 1e300],
    }));
    await warehouse.append("features_pca", "r/p/00", features);
    expect(await warehouse.batch("features_pca", "r/p/00")).toEqual(features);
    const said: Row<"feedback"> = {
      ...{
        feedback: "f",
        request: "q",
        id: "i",
        label: "Cancer",
        who: "d@h.org",
        supersedes: null,
        scope: null,
        confirmed: null,
      },
      comment: 'it\'s "odd"\n\\ \t 🧠 \u0000 é; DROP TABLE',
      given_at: "2099-12-31T23:59:59.999Z",
    };
    await warehouse.append("feedback", "f", [said], { unique: true });
    expect(await warehouse.rows("feedback")).toEqual([{ batch: "f", row: said }]);
  });

  test("takes equal rows again, at another time too; what stands stays as it is", async () => {
    await warehouse.append("images", "a", [Object.fromEntries(Object.entries(image("a1")).reverse()) as ImageRow]);
    await warehouse.append("images", "a", [image("a1", { ingested_at: "2030-01-01T00:00:00.000Z" })]);
    expect(await warehouse.batch("images", "a")).toEqual([image("a1")]);
  });

  test("refuses other rows under a name that is taken, and tells none of their values", async () => {
    const other = warehouse.append("images", "b/1", [
      image("b1"),
      image("b2", { label: null, width: null, patient: "Jane", source: "Cancer/Jane Doe.png" }),
    ]);
    await expect(other).rejects.toThrow(DifferentRowsError);
    await expect(other).rejects.toThrow(
      /^Rows of images were not added as b\/1: other rows of that name are in .*images.* already: row 2 has another source, patient\. /,
    );
    await expect(other).rejects.not.toThrow(/Jane/);
    await expect(warehouse.append("images", "b/1", [image("b1")])).rejects.toThrow(/2 rows instead of 1/);
    expect(await warehouse.batch("images", "b/1")).toHaveLength(2);
  });

  test("lets one win of many who add rows under one name at once, and loses or mixes no row", async () => {
    const writers = Array.from({ length: 6 }, (_, i) =>
      assignmentRow(image("race"), {
        group: `g${i % 2}`,
        split: "test",
        assigned_at: `2026-01-0${i + 1}T00:00:00.000Z`,
      }),
    );
    const second = await open();
    const outcomes = await Promise.allSettled(
      writers.map((row, i) => (i < 3 ? warehouse : second).append("assignments", "race", [row])),
    );
    const rows = await warehouse.rows("assignments");
    expect(rows).toHaveLength(1);
    expect(await second.rows("assignments")).toEqual(rows);
    for (const [i, outcome] of outcomes.entries())
      expect(outcome.status).toBe(writers[i]?.group === rows[0]?.row.group ? "fulfilled" : "rejected");
    await second.close();
  });

  test("takes a row whose name can be that of no other once, however often it comes", async () => {
    const row = { ...image("u"), source: "Unlabelled/u.png" };
    const second = await open();
    await Promise.all([warehouse, second, warehouse].map((one) => one.append("images", "u", [row], { unique: true })));
    await second.close();
    expect((await warehouse.rows("images")).filter(({ batch }) => batch === "u")).toEqual([{ batch: "u", row }]);
    expect((await warehouse.ask(CURRENT_IMAGES, {})).filter(({ id }) => id === "u")).toHaveLength(1);
    expect(await counted()).toBe(4);
  });

  test("answers a question that has typed parameters, with plain values", async () => {
    expect(await warehouse.ask(LABELLED_IMAGES, { collection: "' or 1=1 --" })).toEqual([
      { labelled: 3, collected: 0 },
    ]);
    await expect(warehouse.ask(LABELLED_IMAGES, {} as { collection: string })).rejects.toThrow(/collection/);
  });

  test("shows rows that others add meanwhile to the next question", async () => {
    const other = await open();
    await other.append("images", "c", [image("c1")]);
    await other.close();
    expect(await counted()).toBe(5);
  });

  test("is asked side by side, also while rows are added", async () => {
    const added = Array.from({ length: 20 }, (_, i) =>
      warehouse.append("audit", `r${i}`, [auditRow(`r${i}`)], { unique: true }),
    );
    expect(await Promise.all(Array.from({ length: 3 }, counted))).toEqual(Array(3).fill(5));
    await Promise.all(added);
    expect(await warehouse.rows("audit")).toHaveLength(20);
  });

  test("can be asked after it was closed, and added to", async () => {
    await warehouse.close();
    await warehouse.append("audit", "again", [auditRow("again")], { unique: true });
    expect(await warehouse.batch("audit", "again")).toEqual([auditRow("again")]);
  });

  test("refuses a row without a required value, and one of another type, and a batch of none", async () => {
    const add = (row: object) => warehouse.append("images", "bad", [{ ...image("x"), ...row } as ImageRow]);
    await expect(add({ source: undefined })).rejects.toThrow("A row of images has no source.");
    await expect(add({ width: "256" })).rejects.toThrow("A row of images has a width that is no INT64.");
    await expect(add({ ingested_at: "yesterday" })).rejects.toThrow("that is no TIMESTAMP");
    await expect(warehouse.append("images", "bad", [])).rejects.toThrow("one or more rows");
    expect(await warehouse.batches("images")).toEqual(["a", "b/1", "c", "u"]);
  });
});

function auditRow(request: string): Row<"audit"> {
  return {
    ...{ request, action: "predict", who: "d@h.org", role: "clinician", subject: null },
    ...{ sha256: null, model: null, recipe: null, result: "Cancer" },
    recorded_at: "2026-03-04T05:06:07.890Z",
  };
}

test("a warehouse is opened by its URI, and what BigQuery needs is loaded for BigQuery alone", () => {
  // In a process of its own: jest keeps its own account of what is loaded.
  const script = `const { openWarehouse } = require(process.argv[1]);
    (async () => {
      const kinds = [];
      for (const uri of process.argv.slice(2)) {
        const warehouse = await openWarehouse(uri);
        if (kinds.length < 2) await warehouse.close();
        kinds.push([warehouse.constructor.name, Object.keys(require.cache).some((file) => /google-cloud.bigquery|google-gax/.test(file))]);
      }
      console.log(JSON.stringify(kinds));
    })();`;
  const uris = [join(scratch, "opened"), "gs://warehouse", "bigquery://some-project/some_dataset?maximumGib=3"];
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", script, BUILT, ...uris], { encoding: "utf8" });
  expect([stderr, JSON.parse(stdout || "null")]).toEqual([
    "",
    [
      ["ObjectStoreWarehouse", false],
      ["ObjectStoreWarehouse", false],
      ["BigQueryWarehouse", false],
    ],
  ]);
});

test.each([
  ["bigquery://p", "is no dataset: write bigquery://PROJECT/DATASET"],
  ["bigquery://some-project/a-b", "is no dataset"],
  ["bigquery://some-project/`; DROP", "is no dataset"],
  ["bigquery://some-project/d?maximumGib=0", 'maximumGib is "0": it must be a whole number from 1 on'],
  ["bigquery://some-project/d?maximumGb=1&maximumGib=x", '"maximumGb" is no setting'],
  ["s3://bucket", "is neither gs://BUCKET"],
])("the URI %s is refused", async (uri, why) => {
  await expect(openWarehouse(uri)).rejects.toThrow(why);
});
