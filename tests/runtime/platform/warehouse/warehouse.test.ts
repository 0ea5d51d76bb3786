import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageForLogs } from "../../../../runtime/platform/names-in-logs";
import { DirectoryStore, GcsStore, type ObjectStore } from "../../../../runtime/platform/stores";
import { creatableOnly } from "../../../../runtime/platform/stores/narrow-store";
import {
  type Column,
  DATASET_COUNTS,
  DamagedRowsError,
  type ImageRow,
  LAYOUTS,
  ObjectStoreWarehouse,
  PLANNED_IMAGES,
  TABLE_NAMES,
  TABLES,
} from "../../../../runtime/platform/warehouse";
import { type GcsServer, startGcsServer } from "../../../support/gcs-server";
import { imageRow } from "../../../support/image-row";

let server: GcsServer;
let scratch: string;
beforeAll(async () => {
  server = await startGcsServer();
  await server.createBucket("warehouse");
  scratch = mkdtempSync(join(tmpdir(), "warehouse [1]* it's-"));
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const image = (id: string, more: Partial<ImageRow> = {}) =>
  imageRow(id, { source: `Cancer/${id} "quoted", 🧠.png`, generation: 1_790_000_000_123_456, ...more });

const stores: Record<string, () => Promise<ObjectStore>> = {
  "a directory": async () => new DirectoryStore(join(scratch, "warehouse")),
  "a bucket": async () => GcsStore.open("gs://warehouse", server.endpoint),
};

describe.each(Object.entries(stores))("tables in %s", (_name, open) => {
  let store: ObjectStore;
  let warehouse: ObjectStoreWarehouse;
  beforeAll(async () => {
    store = await open();
    warehouse = new ObjectStoreWarehouse(store);
    await warehouse.append("images", "a", [image("a1")]);
  });
  afterAll(() => warehouse.close());

  const counted = async () => (await warehouse.ask(DATASET_COUNTS, {}))[0]?.images;

  test("a row under a name that can be that of no other is added without reading", async () => {
    const blind = new ObjectStoreWarehouse(creatableOnly(store));
    const row = image("u");
    await blind.append("images", "unique", [row], { unique: true });
    await blind.append("images", "unique", [row], { unique: true });
    await expect(blind.append("images", "unique", [row])).rejects.toThrow("exists already and is not overwritten");
    expect(await warehouse.batch("images", "unique")).toEqual([row]);
    await store.delete("images/unique.jsonl");
  });

  const line = `${JSON.stringify(image("z"))}\n`;
  test.each([
    ["cut within a row", line.slice(0, 200), "line 1 is cut short"],
    ["cut within the second row", line + line.slice(0, 40), "line 2 is cut short"],
    ["cut before the last line feed", line + line.trimEnd(), "line 2 is cut short"],
    ["empty", "", "it is empty"],
    ["garbage", "\0\0\0\0\n", "line 1 is no JSON"],
    ["another text", "ERROR 503: try again later\n", "line 1 is no JSON"],
    ["of another kind", `${line}[1, 2]\n`, "line 2 is no JSON object"],
    ["a row that lacks what every row has", `${line}{"id":"z"}\n`, "line 2 is damaged (A row of images has no source)"],
    [
      "a row of other values",
      line.replace("256", '"wide"'),
      "line 1 is damaged (A row of images has a width that is no INT64)",
    ],
  ])("a file that is %s is named, with what to do, by whoever reads it", async (_, content, what) => {
    await store.write("images/damaged.jsonl", content);
    for (const read of [
      () => warehouse.rows("images"),
      () => warehouse.batch("images", "damaged"),
      () => warehouse.ask(DATASET_COUNTS, {}),
      () => warehouse.extract(PLANNED_IMAGES, {}, join(scratch, "damaged.parquet")),
      () => warehouse.append("images", "damaged", [image("z")]),
    ]) {
      const outcome = await read().catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(DamagedRowsError);
      expect((outcome as Error).message).toBe(
        `The rows of images in ${store.uri}/images/damaged.jsonl cannot be read: ${what}. Restore it from a backup or an ` +
          "earlier generation, or delete it and run npm run ingest again, which writes it anew.",
      );
    }
    await store.delete("images/damaged.jsonl");
    expect(await counted()).toBe(1);
  });

  test("rows of an earlier version lack what came later; what no version knows is left out", async () => {
    const { recipe: _, hash: __, ...early } = image("early");
    await store.write("images/early.jsonl", `${JSON.stringify({ ...early, group: "g", split: "test", more: 1 })}\n`);
    expect(await warehouse.batch("images", "early")).toEqual([image("early", { recipe: null, hash: null })]);
    await store.delete("images/early.jsonl");
  });
});

test("bytes that a machine's death changed under a directory store are named too", async () => {
  const folder = join(scratch, "dead");
  const store = new DirectoryStore(join(folder, "warehouse"));
  const warehouse = new ObjectStoreWarehouse(store);
  await warehouse.append("images", "a", [image("a1")]);
  const path = join(folder, "warehouse", "images", "a.jsonl");
  truncateSync(path, 100);
  await expect(warehouse.ask(DATASET_COUNTS, {})).rejects.toThrow(
    /images\/a\.jsonl cannot be read: line 1 is cut short/,
  );

  // Of the same size and time: only the checksum tells.
  await warehouse.append("images", "b", [image("b1")]);
  await store.delete("images/a.jsonl");
  const file = join(folder, "warehouse", "images", "b.jsonl");
  const { mtimeMs, size } = statSync(file);
  writeFileSync(file, "x".repeat(size));
  utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
  await expect(warehouse.rows("images")).rejects.toThrow(
    /images\/b\.jsonl cannot be read: its bytes are not those that were stored\. Restore it/,
  );
  await warehouse.close();
});

test("every table says what can be done about rows that cannot be read", () => {
  for (const table of Object.keys(TABLES) as (keyof typeof TABLES)[])
    expect(new DamagedRowsError(table, "x", "it is empty").message).toMatch(/^The rows of .*\. (Restore|Delete) /);
});

test("every table says whose its rows are by texts that it has; one that names a scan or a person is somebody's", () => {
  const naming = ["sha256", "request", "patient", "accession", "subject"];
  for (const table of TABLE_NAMES) {
    const { of } = LAYOUTS[table];
    const columns: readonly Column[] = TABLES[table];
    if (of === null) {
      const found = columns.filter(({ name, pseudonym }) => pseudonym || naming.includes(name)).map(({ name }) => name);
      expect([table, found]).toEqual([table, []]);
    } else if (of !== "in part") {
      const texts = columns
        .filter(({ type, mode }) => type === "STRING" && mode !== "REPEATED")
        .map(({ name }) => name);
      expect([table, texts]).toEqual([table, expect.arrayContaining(Object.keys(of))]);
      expect(Object.keys(of).length).toBeGreaterThan(0);
    }
  }
});

test("a log says which rows cannot be read and what to do, without the place of the store", () => {
  const error = new DamagedRowsError(
    "images",
    "file:///home/mueller/ws/warehouse/images/ab.jsonl",
    "line 1 is cut short",
  );
  expect(messageForLogs(error)).toMatch(
    /^The rows of images in images\/ab\.jsonl cannot be read: line 1 .* Restore it/,
  );
});

test("questions leave nothing on the disk", () => {
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`warehouse-${process.pid}-`))).toEqual([]);
});
