import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { auditContract } from "../../../runtime/audit/contract";
import { deliverContract } from "../../../runtime/deliver/contract";
import { featuresContract } from "../../../runtime/features/contract";
import { ingestContract } from "../../../runtime/ingest/contract";
import { monitorContract } from "../../../runtime/monitor/contract";
import { pacsContract } from "../../../runtime/pacs/contract";
import { parseEnv } from "../../../runtime/platform/config";
import {
  BUCKETS,
  bucketsRead,
  bucketVariable,
  defineContract,
  type RuntimeContract,
} from "../../../runtime/platform/contract";
import { openStores, openTables } from "../../../runtime/platform/open-stores";
import { GcsStore, OutsideRightsError, openStore, PreconditionFailedError } from "../../../runtime/platform/stores";
import { TABLES } from "../../../runtime/platform/warehouse";
import { preprocessContract } from "../../../runtime/preprocess/contract";
import { retrainContract } from "../../../runtime/retrain/contract";
import { scoreContract } from "../../../runtime/score/contract";
import { serveContract } from "../../../runtime/serve/contract";
import { trainContract } from "../../../runtime/train/contract";
import { type GcsServer, startGcsServer } from "../../support/gcs-server";
import { assignmentRow, imageRow } from "../../support/image-row";

const ROOT = resolve(__dirname, "../../..");
const READS = ["stat", "read", "createReadStream", "list", "listAll", "materialize"];

/** One bucket for each right, and one for reading and creating. */
const contract = defineContract({
  name: "sample",
  entry: "runtime/sample/main.ts",
  target: "main",
  env: z.object({ LEVEL: z.string().default("low") }),
  reads: ["landing", "curated"],
  creates: ["curated", "quarantine"],
  createsBelow: { reports: { folders: ["In/"], except: ["In/closed/"] } },
  writes: ["models"],
  appends: ["images"],
  health: null,
  resources: { memoryGiB: 1, cpu: 1, timeoutSeconds: 60 },
});

let scratch: string;
let server: GcsServer;
const endpoint = process.env.GCS_API_ENDPOINT;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "open-stores-"));
  server = await startGcsServer();
  process.env.GCS_API_ENDPOINT = server.endpoint;
  for (const bucket of BUCKETS) await server.createBucket(`anna-${bucket}`);
});
afterAll(async () => {
  if (endpoint === undefined) delete process.env.GCS_API_ENDPOINT;
  else process.env.GCS_API_ENDPOINT = endpoint;
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const places: Record<string, (bucket: string) => string> = {
  directories: (bucket) => pathToFileURL(join(scratch, bucket)).href,
  "Google Cloud Storage": (bucket) => `gs://anna-${bucket}`,
};

const methodsOf = (store: object | undefined) => {
  const own = Object.entries(store ?? {}).filter(([, value]) => typeof value === "function");
  const inherited = Object.getOwnPropertyNames(Object.getPrototypeOf(store)).filter((name) => name !== "constructor");
  return [...own.map(([name]) => name), ...(Object.getPrototypeOf(store) === Object.prototype ? [] : inherited)].sort();
};

describe.each(Object.entries(places))("the stores of a contract in %s", (_where, place) => {
  const variables = () =>
    Object.fromEntries(
      BUCKETS.map((bucket) => [bucket === "warehouse" ? "WAREHOUSE" : bucketVariable(bucket), place(bucket)]),
    );
  const open = () => openStores(contract, parseEnv(contract.env, variables()));

  test("are its buckets and no other, each with the methods of its right and no other", async () => {
    const stores = await open();
    expect(Object.keys(stores).sort()).toEqual(["curated", "landing", "models", "quarantine", "reports"]);
    expect(methodsOf(stores.landing)).toEqual([...READS].sort());
    expect(methodsOf(stores.curated)).toEqual([...READS, "create"].sort());
    expect(methodsOf(stores.quarantine)).toEqual(["create"]);
    expect(methodsOf(stores.reports)).toEqual(["create"]);
    expect(methodsOf(stores.models)).toEqual(expect.arrayContaining([...READS, "create", "delete", "write"]));
    for (const [bucket, { uri, bucket: name }] of Object.entries(stores))
      expect([uri, name]).toEqual([place(bucket), place(bucket).replace(/^.*\//, "")]);
  });

  test("never replace where they only create, whatever they are told", async () => {
    const { curated, quarantine } = await open();
    for (const store of [curated, quarantine]) {
      const first = await store.create("a.txt", "first", { contentType: "text/plain", metadata: { by: "one" } });
      expect(first).toMatchObject({ contentType: "text/plain", metadata: { by: "one" } });
      const tricked = { ifGenerationMatch: first.generation } as object;
      for (const content of ["second", Buffer.from("second"), Readable.from([Buffer.from("second")])])
        await expect(store.create("a.txt", content, tricked)).rejects.toThrow(PreconditionFailedError);
    }
    expect((await curated.read("a.txt")).toString()).toBe("first");
    const all = await openStore(place("quarantine"));
    expect((await all.read("a.txt")).toString()).toBe("first");
  });

  test("create below the folders of the contract only, and not below those that it leaves out", async () => {
    const { reports } = await open();
    expect(await reports.create("In/b/c.txt", "c")).toMatchObject({ name: "In/b/c.txt" });
    for (const outside of ["a.txt", "Input/a.txt", "in/a.txt", "In/closed/a.txt"])
      await expect(reports.create(outside, "a")).rejects.toThrow(OutsideRightsError);
    const names: string[] = [];
    for await (const { name } of (await openStore(place("reports"))).listAll()) names.push(name);
    expect(names).toEqual(["In/b/c.txt"]);
  });

  test("replace the objects of the contract and those in its folders only", async () => {
    const { models } = await openStores(
      { ...contract, writes: [], replaces: { models: ["current.json", "evaluation/"] } },
      parseEnv(contract.env, variables()),
    );
    expect(methodsOf(models)).toEqual(["write"]);
    for (const name of ["current.json", "evaluation/m/report.html"])
      for (const content of ["first", "second"]) await models.write(name, content);
    for (const outside of ["a/current.json", "current.json.bak", "evaluation", "evaluations/a"])
      await expect(models.write(outside, "a")).rejects.toThrow(OutsideRightsError);
    expect((await (await openStore(place("models"))).read("evaluation/m/report.html")).toString()).toBe("second");
  });

  test("add rows to the tables of the contract only, and read tables only where it reads one", async () => {
    const env = parseEnv(contract.env, variables());
    const blind = await openTables(contract, env);
    await blind.append("images", "b", [imageRow("b")], { unique: true });
    await expect(
      blind.append("assignments", "b", [assignmentRow(imageRow("b"), { group: "g", split: "test" })], { unique: true }),
    ).rejects.toThrow(/assignments\/b\.jsonl is not added: this process may add objects below images\/ only/);
    await expect(blind.rows("images")).rejects.toThrow();
    const seeing = await openTables({ ...contract, reads: ["images"] }, env);
    expect(await seeing.batches("images")).toEqual(["b"]);
    await expect(
      seeing.append("assignments", "b", [assignmentRow(imageRow("b"), { group: "g", split: "test" })]),
    ).rejects.toThrow(OutsideRightsError);
    expect(await (await openStore(place("warehouse"))).list({ prefix: "assignments" })).toMatchObject({ objects: [] });
    await seeing.close();
  });

  test("read through what they are narrowed from", async () => {
    const landing = await openStore(place("landing"));
    await landing.write("Cancer/a.txt", "one");
    const { generation } = await landing.write("Cancer/a.txt", "two");
    const { landing: narrow } = await open();
    expect(await narrow.stat("Cancer/a.txt")).toMatchObject({ generation, size: 3 });
    expect((await narrow.read("Cancer/a.txt", { generation })).toString()).toBe("two");
    await expect(narrow.read("Cancer/a.txt", { atMost: 2 })).rejects.toThrow(/at most 2 are read/);
    const names: string[] = [];
    for await (const { name } of narrow.listAll("Cancer/")) names.push(name);
    expect(names).toEqual(["Cancer/a.txt"]);
    expect((await narrow.list({ pageSize: 1 })).objects).toHaveLength(1);
    const { path, release } = await narrow.materialize("Cancer/a.txt");
    expect(readFileSync(path, "utf8")).toBe("two");
    await release();
    let streamed = "";
    for await (const chunk of await narrow.createReadStream("Cancer/a.txt")) streamed += String(chunk);
    expect(streamed).toBe("two");
  });
});

const CONTRACTS = [
  ingestContract,
  pacsContract,
  preprocessContract,
  featuresContract,
  scoreContract,
  monitorContract,
  trainContract,
  retrainContract,
  serveContract,
  deliverContract,
  auditContract,
];

test.each(CONTRACTS.map((one: RuntimeContract) => [one.name, one] as const))(
  "%s is told of the buckets that it has a right on, and of no other",
  (_name, { reads, creates, createsBelow = {}, writes, appends, env }) => {
    const tables = [...reads, ...appends].filter((one) => one in TABLES);
    expect("WAREHOUSE" in env.shape).toBe(tables.length > 0);
    const used = new Set([...bucketsRead({ reads }), ...creates, ...Object.keys(createsBelow), ...writes]);
    const told = Object.keys(env.shape).filter((key) => key.endsWith("_BUCKET"));
    expect(told.sort()).toEqual([...used].map((bucket) => `${bucket.toUpperCase()}_BUCKET`).sort());
    for (const key of told) expect(env.shape[key]?.description).toMatch(/^Set it to the bucket .+: gs:\/\/BUCKET or/);
  },
);

test("GcsStore creates as the port says", async () => {
  const store = await GcsStore.open("gs://anna-reports", server.endpoint);
  await store.create("a", "1");
  await expect(store.create("a", "2")).rejects.toThrow(/exists already and is not overwritten/);
});

test("what a right does not give does not compile", () => {
  const folder = mkdtempSync(join(scratch, "types-"));
  const file = join(folder, "rights.ts");
  const line = (code: string) => `export const _${code.replace(/\W/g, "_")} = stores.${code};`;
  const wrong = [
    ...["landing.write", "landing.create", "landing.delete", "curated.write", "curated.delete"],
    ...["quarantine.read", "quarantine.write", "warehouse", "processed", "reports"],
  ];
  const right = ["landing.read", "curated.create", "curated.stat", "quarantine.create", "models.delete"];
  writeFileSync(
    file,
    [
      `import type { StoresOf } from "${ROOT}/runtime/platform/open-stores";`,
      "declare const stores: StoresOf<{",
      '  reads: readonly ["landing", "curated"]; creates: readonly ["curated", "quarantine"];',
      '  writes: readonly ["models"]; appends: readonly ["images"] }>;',
      ...[...wrong, ...right].map(line),
    ].join("\n"),
  );
  const config = join(folder, "tsconfig.json");
  const compilerOptions = {
    noEmit: true,
    incremental: false,
    rootDir: "/",
    typeRoots: [join(ROOT, "node_modules/@types")],
  };
  writeFileSync(
    config,
    JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions, files: [file], include: [] }),
  );
  const { stdout } = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", config, "--pretty", "false"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const found = [...stdout.matchAll(/rights\.ts\((\d+),\d+\): error TS2339: Property '(\w+)'/g)];
  expect(found.map(([, at, name]) => [Number(at), name])).toEqual(
    wrong.map((code, index) => [index + 5, code.replace(/^.*\./, "")]),
  );
  expect(
    stdout
      .trim()
      .split("\n")
      .filter((text) => text.includes("error TS")),
  ).toHaveLength(wrong.length);
});
