import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirectoryStore } from "../../../runtime/platform/stores/directory-store";
import { GcsStore } from "../../../runtime/platform/stores/gcs-store";
import type { ObjectStore } from "../../../runtime/platform/stores/object-store";
import { ObjectStoreWarehouse } from "../../../runtime/platform/warehouse/object-store-warehouse";
import type { ImageRow } from "../../../runtime/platform/warehouse/tables";
import { type GcsServer, startGcsServer } from "../../support/gcs-server";

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

function image(id: string, more: Partial<ImageRow> = {}): ImageRow {
  return {
    id,
    source: `Cancer/${id} "quoted", 🧠.png`,
    generation: 1_790_000_000_123_456,
    label: "Cancer",
    status: "curated",
    reason: null,
    format: "png",
    width: 256,
    height: 128,
    bytes: 1000,
    sha256: id,
    phash: id,
    group: null,
    patient: null,
    duplicate_of: null,
    ingested_at: "2026-03-04T05:06:07.890Z",
    message: null,
    split: null,
    given_split: null,
    collection: null,
    subtype: null,
    view: null,
    mask: null,
    ...more,
  };
}

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
  });
  afterAll(() => warehouse.close());

  test("an empty table is an empty view with every column", async () => {
    expect(await warehouse.rows("images")).toEqual([]);
    expect(await warehouse.batch("images", "none")).toBeUndefined();
    expect(await warehouse.query("SELECT count(*) AS n, max(width) AS w, max(phash) AS p FROM images")).toEqual([
      { n: 0, w: null, p: null },
    ]);
    expect(await warehouse.query("SELECT request, probability FROM predictions")).toEqual([]);
  });

  test("rows come back as they were appended", async () => {
    await warehouse.append("images", "b", [image("b1"), image("b2", { label: null, width: null })]);
    await warehouse.append("images", "a", [image("a1")]);
    expect(await warehouse.batches("images")).toEqual(["a", "b"]);
    expect(await warehouse.batches("images", "b")).toEqual(["b"]);
    expect(await warehouse.rows("images")).toEqual([
      { batch: "a", row: image("a1") },
      { batch: "b", row: image("b1") },
      { batch: "b", row: image("b2", { label: null, width: null }) },
    ]);
  });

  test("a batch that is appended again replaces itself, and equal rows are equal bytes", async () => {
    const before = await store.read("images/a.jsonl");
    await warehouse.append("images", "a", [Object.fromEntries(Object.entries(image("a1")).reverse()) as ImageRow]);
    expect(await store.read("images/a.jsonl")).toEqual(before);
    expect(await warehouse.query("SELECT count(*) AS n FROM images")).toEqual([{ n: 3 }]);
  });

  test("a query gives plain values", async () => {
    const rows = await warehouse.query(
      'SELECT id, source, generation, width, ingested_at, "group", width / 3.0 AS third FROM images WHERE width = ? AND id > ? ORDER BY id',
      [256, "a2"],
    );
    expect(rows).toEqual([
      {
        id: "b1",
        source: image("b1").source,
        generation: 1_790_000_000_123_456,
        width: 256,
        ingested_at: "2026-03-04T05:06:07.890Z",
        group: null,
        third: expect.closeTo(85.3333, 3),
      },
    ]);
  });

  test("rows that others append meanwhile are seen by the next query", async () => {
    const other = new ObjectStoreWarehouse(await open());
    await other.append("images", "c", [image("c1")]);
    await other.close();
    expect(await warehouse.query("SELECT count(*) AS n FROM images")).toEqual([{ n: 4 }]);
  });

  test("queries run side by side", async () => {
    const counts = await Promise.all(
      Array.from({ length: 5 }, () => warehouse.query("SELECT count(*) AS n FROM images, predictions")),
    );
    expect(counts.flat()).toEqual(Array(5).fill({ n: 0 }));
  });

  test("a row without a required value is refused", async () => {
    await expect(
      warehouse.append("images", "bad", [{ ...image("x"), source: undefined as unknown as string }]),
    ).rejects.toThrow(/images has no source/);
    expect(await warehouse.batches("images")).toEqual(["a", "b", "c"]);
  });
});

test("queries of a bucket leave nothing on the disk", () => {
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`warehouse-${process.pid}-`))).toEqual([]);
});
