import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Column, LAYOUTS, TABLE_NAMES, TABLES, tableResource, VIEWS } from "../../../runtime/platform/warehouse";
import { TABLES_DOCUMENT, withTables } from "../../../tools/table-list";
import { type Json, PROD, ref, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const ROOT = resolve(__dirname, "../../..");
const { stacks } = synthesize([{ ...PROD, analysts: ["group:analysts@example.org"] }, TEST]);
const prod = stackOf(stacks, "st-anna-data");
const sandbox = stackOf(stacks, "sandbox-data");
const key = "projects/mri-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data";

describe("the dataset", () => {
  const dataset = prod.resource("google_bigquery_dataset", "warehouse");

  test("lies with the data, is encrypted, and lets nobody in but the project's owners", () => {
    expect(dataset).toMatchObject({
      dataset_id: "brain_tumor_st_anna",
      location: "europe-west4",
      default_encryption_configuration: { kms_key_name: key },
      access: [{ role: "OWNER", special_group: "projectOwners" }],
      delete_contents_on_destroy: false,
      lifecycle: { prevent_destroy: true },
    });
  });

  test("goes with its content where a line says destroy", () => {
    const disposable = sandbox.resource("google_bigquery_dataset", "warehouse");
    expect(disposable.delete_contents_on_destroy).toBe(true);
    expect(disposable).not.toHaveProperty("lifecycle");
  });

  test("comes after the grant that lets BigQuery use the key", () => {
    expect(dataset.depends_on).toEqual(
      expect.arrayContaining([expect.stringMatching(/^google_kms_crypto_key_iam_member\..*bigquery/)]),
    );
  });
});

test("the role of whoever adds rows holds what that takes, and no more", () => {
  const roles = prod.resources("google_project_iam_custom_role").map(({ config }) => config);
  expect(roles.find(({ role_id }) => role_id === "brainTumorAppender")).toMatchObject({
    permissions: ["bigquery.tables.get", "bigquery.tables.updateData"],
  });
});

describe.each(TABLE_NAMES)("the table %s", (name) => {
  const table = prod.resource("google_bigquery_table", name);
  const columns: readonly Column[] = [
    ...TABLES[name],
    ...(["batch", "batch_row", "attempt"] as const).map((column) => ({
      ...({ name: column, type: column === "batch_row" ? "INT64" : "STRING", mode: "NULLABLE" } as const),
      description: expect.any(String) as unknown as string,
    })),
  ];
  const schema = JSON.parse(String(table.schema)) as {
    name: string;
    type: string;
    mode: string;
    description: string;
    policyTags?: object;
  }[];

  test("has the columns of the one schema, in the names and the order that BigQuery's API answers with", () => {
    expect(schema.map((column) => [column.name, column.mode, column.description])).toEqual(
      columns.map((column) => [column.name, column.mode, column.description]),
    );
    const api: Record<string, string> = { INT64: "INTEGER", FLOAT64: "FLOAT", BOOL: "BOOLEAN" };
    expect(schema.map(({ type }) => type)).toEqual(columns.map(({ type }) => api[type] ?? type));
    // Normalised: keys sorted and no white space, as the provider keeps it in the state.
    const sorted = schema.map((column) =>
      Object.fromEntries(Object.entries(column).sort(([a], [b]) => (a < b ? -1 : 1))),
    );
    expect(table.schema).toBe(JSON.stringify(sorted));
  });

  test("is partitioned by its time, where its rows have one, and clustered by columns that it has", () => {
    if (columns.some(({ type }) => type === "TIMESTAMP")) {
      const { field, type } = table.time_partitioning as { field: string; type: string };
      expect(columns.find((column) => column.name === field)).toMatchObject({ type: "TIMESTAMP", mode: "REQUIRED" });
      expect(["DAY", "MONTH"]).toContain(type);
    } else expect(table).not.toHaveProperty("time_partitioning");
    const clustering = table.clustering as string[];
    expect(clustering.length).toBeGreaterThan(0);
    expect(clustering.length).toBeLessThanOrEqual(4);
    expect(columns.map((column) => column.name)).toEqual(expect.arrayContaining(clustering));
  });

  test("lies as the one definition says, by which the process makes it too where it is missing", () => {
    const { description, partition, clusterBy, requirePartitionFilter } = LAYOUTS[name];
    expect(table).toMatchObject({ description, clustering: clusterBy });
    expect(table.time_partitioning ?? null).toEqual(
      partition ? { field: partition.by, type: partition.granularity } : null,
    );
    expect(table.require_partition_filter ?? false).toBe(requirePartitionFilter);
    expect(schema.map(({ policyTags: _, ...column }) => column)).toEqual(tableResource(name).schema.fields);
  });

  test("names the key itself, or a second plan would replace it", () => {
    expect(table.encryption_configuration).toEqual({ kms_key_name: key });
  });

  test("is protected in prod and not where a line says destroy", () => {
    expect(table).toMatchObject({ deletion_protection: true, lifecycle: { prevent_destroy: true } });
    const disposable = sandbox.resource("google_bigquery_table", name);
    expect(disposable.deletion_protection).toBe(false);
    expect(disposable).not.toHaveProperty("lifecycle");
  });
});

describe("columns that stand for a person", () => {
  const tagged = ({ config }: { config: Json }) =>
    (JSON.parse(String(config.schema ?? "[]")) as { name: string; policyTags?: object }[]).flatMap(
      ({ name, policyTags }) => (policyTags ? [[config.table_id, name, policyTags]] : []),
    );
  const tables = prod.resources("google_bigquery_table");

  test("are tagged, all of them and no other", () => {
    const wanted = TABLE_NAMES.flatMap((table) =>
      (TABLES[table] as readonly Column[]).flatMap(({ name, pseudonym }) => (pseudonym ? [`${table} ${name}`] : [])),
    );
    expect(wanted).toContain("images patient");
    expect(tables.flatMap(tagged).map(([table, name]) => `${table} ${name}`)).toEqual(wanted);
    const [tag] = prod.resources("google_data_catalog_policy_tag");
    for (const [, , policyTags] of tables.flatMap(tagged))
      expect(policyTags).toEqual({ names: [ref(`google_data_catalog_policy_tag.${tag?.logicalId}.name`)] });
    expect(prod.resources("google_data_catalog_taxonomy")[0]?.config).toMatchObject({
      region: "europe-west4",
      activated_policy_types: ["FINE_GRAINED_ACCESS_CONTROL"],
    });
  });

  test("are shown to analysts as a hash, and to nobody else of them", () => {
    expect(prod.resources("google_bigquery_datapolicy_data_policy")[0]?.config).toMatchObject({
      data_policy_type: "DATA_MASKING_POLICY",
      data_masking_policy: { predefined_expression: "SHA256" },
    });
    expect(
      prod
        .resources("google_bigquery_datapolicy_data_policy_iam_member")
        .map(({ config }) => [config.role, config.member]),
    ).toEqual([["roles/bigquerydatapolicy.maskedReader", "group:analysts@example.org"]]);
    expect(sandbox.resources("google_bigquery_datapolicy_data_policy_iam_member")).toEqual([]);
  });
});

test("the log of answers is read by days only", () => {
  expect(prod.resource("google_bigquery_table", "predictions").require_partition_filter).toBe(true);
});

describe.each(VIEWS)("the view $name", ({ name }) => {
  const view = prod.resource("google_bigquery_table", name);
  const { query, use_legacy_sql } = view.view as { query: string; use_legacy_sql: boolean };

  test("is standard SQL over tables and views that are made before it", () => {
    expect(use_legacy_sql).toBe(false);
    const sources = [...query.matchAll(/`mri-st-anna\.brain_tumor_st_anna\.(\w+)`/g)].map((match) => String(match[1]));
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) expect(view.depends_on).toContain(`google_bigquery_table.${source}`);
  });

  test("asks for days where its table demands it", () => {
    if (query.includes(".predictions`")) expect(query).toMatch(/WHERE predicted_at >=/);
  });

  test("has no key of its own and does not mind one in the answer", () => {
    expect(view).not.toHaveProperty("encryption_configuration");
    expect((view.lifecycle as Json).ignore_changes).toEqual(["encryption_configuration"]);
  });
});

test("analysts may run the queries that they read by, in the hospital's project and nowhere else", () => {
  const grants = (stack: typeof prod) =>
    stack
      .resources("google_project_iam_member")
      .map(({ config }) => config)
      .filter(({ role }) => role === "roles/bigquery.jobUser");
  expect(grants(prod)).toEqual([
    expect.objectContaining({ project: "mri-st-anna", member: "group:analysts@example.org" }),
  ]);
  expect(grants(sandbox)).toEqual([]);
});

test("analysts of an ephemeral environment get no right on the project that it shares, and a synth says so", () => {
  const line = { ...TEST, name: "run-1", tier: "ephemeral", analysts: ["group:analysts@example.org"] } as const;
  const { stacks: found, manifest } = synthesize([{ ...line, analysts: [...line.analysts] }]);
  expect(stackOf(found, "run-1-data").resources("google_project_iam_member")).toEqual([]);
  expect(JSON.stringify(manifest)).toContain("roles/bigquery.jobUser");
});

test("analysts read every table and view, and nobody else is let in", () => {
  const grants = prod.resources("google_bigquery_table_iam_member").map(({ config }) => config);
  expect(grants.map(({ table_id }) => table_id).sort()).toEqual(
    [...TABLE_NAMES, ...VIEWS.map(({ name }) => name)]
      .map((name) => ref(`google_bigquery_table.${name}.table_id`))
      .sort(),
  );
  for (const grant of grants)
    expect(grant).toMatchObject({ role: "roles/bigquery.dataViewer", member: "group:analysts@example.org" });
  expect(sandbox.resources("google_bigquery_table_iam_member")).toEqual([]);
});

test("a table is written down once: no other source of the warehouse lists them by name", () => {
  // A key of an object (but a column of an answer), or a name in a list of several.
  const named = new RegExp(`^\\s*"?(?:${TABLE_NAMES.join("|")})"?(?::(?! z\\.)| ?,$)`, "m");
  const folders = ["runtime/platform/warehouse", "runtime/platform/warehouse/bigquery", "constructs/warehouse"];
  const lists = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((file) => file.endsWith(".ts") && named.test(readFileSync(join(ROOT, folder, file), "utf8")))
      .map((file) => `${folder}/${file}`),
  );
  expect(lists).toEqual(["runtime/platform/warehouse/tables.ts"]);
});

test("the README lists the tables as they are defined: npm run docs:tables", () => {
  const document = readFileSync(TABLES_DOCUMENT, "utf8");
  expect(document).toBe(withTables(document));
});
