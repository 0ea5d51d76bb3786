import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forget } from "../../../../runtime/forget";
import { identitiesUnder, LocalPseudonymiser } from "../../../../runtime/intake";
import { silentProgress } from "../../../../runtime/platform/progress";
import { BigQueryWarehouse, importTables, type Row, type TableName } from "../../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../../runtime/platform/workspace";
import { questionOf } from "../../../../tools/analytics";
import { tableList } from "../../../../tools/table-list";
import { PROD, ref, stackOf, synthesize } from "../../../stacks/synthesize";
import { BigQueryServer } from "../../../support/bigquery-server";

/** A table more, in this file's copy of the one schema and nowhere else: everything here has to follow from it. */
jest.mock("../../../../runtime/platform/warehouse/tables", () => {
  const schema = jest.requireActual("../../../../runtime/platform/warehouse/tables");
  schema.TABLES.invented = [
    { name: "sha256", type: "STRING", mode: "REQUIRED", description: "Of the picture" },
    { name: "patient", type: "STRING", mode: "NULLABLE", description: "Who", pseudonym: true },
    { name: "values", type: "FLOAT64", mode: "REPEATED", description: "Numbers" },
    { name: "made_at", type: "TIMESTAMP", mode: "REQUIRED", description: "When", clock: true },
  ];
  schema.LAYOUTS.invented = {
    description: "A table that nobody has heard of",
    partition: { by: "made_at", granularity: "DAY" },
    clusterBy: ["sha256"],
    requirePartitionFilter: true,
    repair: "Delete it.",
    of: { sha256: "picture" },
  };
  schema.TABLE_NAMES.push("invented");
  return schema;
});

const INVENTED = "invented" as TableName;
const rows = ["one", "other"].map((sha256) => ({
  ...{ sha256, patient: null, values: [0.5, -1] },
  made_at: "2026-03-01T00:00:00.000Z",
})) as unknown as readonly Row<TableName>[];

let folder: string;
let server: BigQueryServer;
let workspace: Workspace;
let cloud: BigQueryWarehouse;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "one-schema-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  server = await BigQueryServer.start();
  await server.createDataset("hospital");
  cloud = new BigQueryWarehouse(server.uri("hospital"), { endpoints: server.endpoints });
  await workspace.warehouse.append(INVENTED, "a", rows);
});
afterAll(async () => {
  await cloud.close();
  await workspace.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("files and BigQuery have the table, its rows are imported, and both answer one question over it", async () => {
  const watched = { progress: silentProgress, signal: new AbortController().signal };
  await importTables(workspace.warehouse, cloud, [INVENTED], watched);
  const question = questionOf({
    title: "own",
    sql: "SELECT sha256 FROM `DATASET.invented` WHERE made_at >= TIMESTAMP '2026-01-01 00:00:00+00' ORDER BY 1",
  });
  const asked = [await workspace.warehouse.ask(question, {}), await cloud.ask({ ...question, foreign: false }, {})];
  for (const answer of asked) expect(answer).toEqual([{ sha256: "one" }, { sha256: "other" }]);
  await cloud.append(INVENTED, "b", rows.slice(0, 1));
  await workspace.warehouse.append(INVENTED, "b", rows.slice(0, 1));
  expect(await cloud.rows(INVENTED)).toEqual(await workspace.warehouse.rows(INVENTED));
});

test("a hospital's dataset has it, as the adapter makes it, with its tag, for analysts and for whoever erases", () => {
  const erasers = ["group:privacy@example.org"];
  const { stacks } = synthesize([{ ...PROD, analysts: ["group:analysts@example.org"], erasers }]);
  const stack = stackOf(stacks, "st-anna-data");
  const table = stack.resource("google_bigquery_table", "invented");
  expect(table).toMatchObject({
    ...{ table_id: "invented", clustering: ["sha256"], require_partition_filter: true },
    time_partitioning: { field: "made_at", type: "DAY" },
  });
  const fields = JSON.parse(String(table.schema)) as { readonly name: string; readonly policyTags?: object }[];
  expect(fields.map(({ name }) => name).slice(0, 4)).toEqual(["sha256", "patient", "values", "made_at"]);
  expect(fields.flatMap(({ name, policyTags }) => (policyTags ? [name] : []))).toEqual(["patient"]);
  const granted = stack
    .resources("google_bigquery_table_iam_member")
    .filter(({ config }) => config.table_id === ref("google_bigquery_table.invented.table_id"));
  expect(granted.map(({ config }) => config.member)).toEqual(
    expect.arrayContaining(["group:analysts@example.org", expect.stringMatching(/erasure_identity/)]),
  );
});

test("the list of tables in the docs has it", () => {
  expect(tableList()).toMatch(
    /^\| `invented` +\| day of `made_at`, which a query must name +\| sha256 +\| rows whose `sha256` is the picture +\| A table that nobody has heard of/m,
  );
});

test("its rows of a picture that is forgotten go, and no other", async () => {
  const gone = await forget(
    workspace,
    {
      ...{ patient: "p", pseudonym: undefined, objects: new Set(), names: new Set(), ids: new Set() },
      ...{ pictures: new Set(["one"]), shared: 0, models: [] },
    },
    {
      ...{
        wanted: { patient: "p" },
        identities: await identitiesUnder(new LocalPseudonymiser("k")),
        mark: "m",
        dry: false,
      },
      ...{ now: new Date(), signal: new AbortController().signal },
    },
  );
  expect(gone.rows).toEqual({ invented: 2 });
  expect(await workspace.warehouse.rows(INVENTED)).toEqual([{ batch: "a", row: rows[1] }]);
});
