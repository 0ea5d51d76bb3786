import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentProgress } from "../../../../runtime/platform/progress";
import { DirectoryStore } from "../../../../runtime/platform/stores";
import {
  BigQueryWarehouse,
  CURRENT_IMAGES,
  DamagedRowsError,
  importTables,
  ObjectStoreWarehouse,
  TABLE_NAMES,
} from "../../../../runtime/platform/warehouse";
import { BigQueryServer } from "../../../support/bigquery-server";
import { imageRow } from "../../../support/image-row";

const CLI = join(__dirname, "../../../../dist/runtime/cli/main.js");

let server: BigQueryServer;
let scratch: string;
let files: ObjectStoreWarehouse;
let store: DirectoryStore;
beforeAll(async () => {
  server = await BigQueryServer.start();
  scratch = mkdtempSync(join(tmpdir(), "import it's-"));
  store = new DirectoryStore(join(scratch, "warehouse"));
  files = new ObjectStoreWarehouse(store);
  await files.append("images", "a", [imageRow("a1"), imageRow("a2", { source: 'Cancer/"é" \n🧠.png', label: null })]);
  await files.append("images", "b/c", [imageRow("b1")]);
  await files.append("features_pca", "f", [{ id: "a1", recipe: "r", pca: "p", values: [1.5, -2e-7] }]);
});
afterAll(async () => {
  await files.close();
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const dataset = async (name: string) => {
  await server.createDataset(name);
  return new BigQueryWarehouse(server.uri(name), { endpoints: server.endpoints });
};
const watched = () => ({ progress: silentProgress, signal: new AbortController().signal });
const raw = async (name: string) =>
  Number((await server.query(`SELECT COUNT(*) AS n FROM \`local-project.${name}.images\``))[0]?.n);

test("tables are loaded once, with their batches; a second time adds nothing, and what came meanwhile is added", async () => {
  const cloud = await dataset("once");
  expect(await importTables(files, cloud, TABLE_NAMES, watched())).toContainEqual({
    ...{ table: "images", batches: 2, skipped: 0, rows: 3 },
  });
  for (const table of TABLE_NAMES) expect(await cloud.rows(table)).toEqual(await files.rows(table));
  expect(await cloud.ask(CURRENT_IMAGES, {})).toEqual(await files.ask(CURRENT_IMAGES, {}));
  // Rows that are there already are there for whoever adds them again.
  await cloud.append("images", "b/c", [imageRow("b1")]);

  await files.append("images", "later", [imageRow("later")]);
  expect(await importTables(files, cloud, ["images"], watched())).toEqual([
    { table: "images", batches: 1, skipped: 2, rows: 1 },
  ]);
  expect(await raw("once")).toBe(4);
  await store.delete("images/later.jsonl");
  await cloud.close();
});

test("two imports at once leave every row once", async () => {
  const one = await dataset("twice");
  const other = new BigQueryWarehouse(server.uri("twice"), { endpoints: server.endpoints });
  await one.migrate(TABLE_NAMES);
  await Promise.all([one, other].map((cloud) => importTables(files, cloud, TABLE_NAMES, watched())));
  for (const table of TABLE_NAMES) expect(await one.rows(table)).toEqual(await files.rows(table));
  // The test's server takes two jobs of one name at once, which BigQuery does not: readers see each batch once all the same.
  await Promise.all([one.close(), other.close()]);
});

test("a damaged batch stops it, named; after its repair it goes on", async () => {
  const cloud = await dataset("damaged");
  await store.write("images/z.jsonl", "{");
  await expect(importTables(files, cloud, ["images"], watched())).rejects.toThrow(DamagedRowsError);
  await store.delete("images/z.jsonl");
  await importTables(files, cloud, ["images"], watched());
  expect(await cloud.rows("images")).toEqual(await files.rows("images"));
  await cloud.close();
});

test("the command loads, says what it did, and leaves nothing on the disk", async () => {
  await server.createDataset("command");
  const given = ["warehouse", "import", "--from", store.uri, "--to", server.uri("command")];
  const run = async (more: readonly string[]) => {
    const child = spawn(process.execPath, [CLI, ...given, ...more], { env: { ...process.env, ...server.env } });
    let stdout = "";
    child.stdout.on("data", (text) => (stdout += text));
    const [code] = await once(child, "close");
    return { code, stdout };
  };
  expect(await run(["--tables", "images"])).toEqual({
    code: 0,
    stdout: "images: 3 rows of 2 batches loaded, 0 batches were there\n",
  });
  const again = await run(["--json"]);
  expect([again.code, JSON.parse(again.stdout)[0]]).toEqual([0, { table: "images", batches: 0, skipped: 2, rows: 0 }]);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("warehouse-import-"))).toEqual([]);
});

test.each([
  [["--from", "bigquery://some-project/d", "--to", "bigquery://some-project/d"], 2, "is a dataset already"],
  [["--from", "/nowhere", "--to", "bigquery://some-project/d"], 2, "--from /nowhere is not there"],
  [["--from", "/tmp", "--to", "gs://bucket"], 2, '"gs://bucket" is no dataset: write bigquery://PROJECT/DATASET'],
  [
    ["--from", "/tmp", "--to", "bigquery://some-project/d", "--tables", "imagse"],
    2,
    "There is no table imagse: there are images,",
  ],
])("the command refuses %j", (given, code, why) => {
  const { status, stderr } = spawnSync(process.execPath, [CLI, "warehouse", "import", ...given], { encoding: "utf8" });
  expect([status, stderr]).toEqual([code, expect.stringContaining(why)]);
});
