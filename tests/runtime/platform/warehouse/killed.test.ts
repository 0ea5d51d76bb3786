import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { mixSeed, uniform } from "../../../../runtime/platform/random";
import { openWarehouse, type Row } from "../../../../runtime/platform/warehouse";
import { BigQueryServer } from "../../../support/bigquery-server";

/** `WAREHOUSE_ROWS=100000 WAREHOUSE_KILLS=20` is the size that is promised; less in every run. */
const ROWS = Number(process.env.WAREHOUSE_ROWS ?? 4_000);
const KILLS = Number(process.env.WAREHOUSE_KILLS ?? 4);
const SIZE = 100;

const BUILT = join(__dirname, "../../../../dist/runtime/platform/warehouse/index.js");
const WRITER = join(__dirname, "fixtures", "rows-writer.js");

let server: BigQueryServer;
let scratch: string;
beforeAll(async () => {
  server = await BigQueryServer.start();
  scratch = mkdtempSync(join(tmpdir(), "killed-"));
  Object.assign(process.env, server.env);
});
afterAll(async () => {
  for (const name of Object.keys(server.env)) delete process.env[name];
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

function start(uri: string): ChildProcess {
  const streams = join(scratch, "streams");
  const given = [WRITER, BUILT, uri, streams, String(ROWS), String(SIZE)];
  return spawn(process.execPath, given, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env } });
}

/** Kills a writer when it has said some number of lines. @returns how many it said, or undefined if it ended before */
async function killedAfter(uri: string, lines: number): Promise<number | undefined> {
  const child = start(uri);
  const ended = once(child, "exit");
  let said = 0;
  for await (const _ of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    said++;
    // Others of its batches are under way now.
    if (said === lines) child.kill("SIGKILL");
  }
  const [code] = await ended;
  if (code !== null) expect(code).toBe(0);
  return code === null ? said : undefined;
}

const places: Readonly<Record<string, () => Promise<{ uri: string; counted: () => Promise<number | undefined> }>>> = {
  files: async () => ({ uri: join(scratch, "warehouse"), counted: async () => undefined }),
  "a BigQuery dataset": async () => {
    const dataset = await server.createDataset("killed");
    return {
      uri: server.uri("killed"),
      /** As the table has them, without a reader that takes each batch once. */
      counted: async () => Number((await server.query(`SELECT COUNT(*) AS n FROM \`${dataset}.audit\``))[0]?.n),
    };
  },
};

test.each(Object.entries(places))(
  "a writer to %s that is killed again and again leaves every row, once",
  async (_, open) => {
    const { uri, counted } = await open();
    const random = uniform(mixSeed(20, 1));
    const most = Math.max(1, Math.floor((1.6 * ROWS) / SIZE / KILLS));
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill++)
      if ((await killedAfter(uri, 1 + Math.floor(random() * most))) !== undefined) killed++;
    expect(killed).toBeGreaterThanOrEqual(Math.min(KILLS, 3));
    const [code] = (await once(start(uri).on("error", fail), "exit")) as [number | null];
    expect(code).toBe(0);

    const warehouse = await openWarehouse(uri);
    const rows = await warehouse.rows("audit");
    await warehouse.close();
    expect(rows).toHaveLength(ROWS);
    expect(new Set(rows.map(({ row }: { row: Row<"audit"> }) => row.request)).size).toBe(ROWS);
    const raw = await counted();
    if (raw !== undefined) expect(raw).toBe(ROWS);
    // Every stream is finalised, those of the dead too.
    expect(uri.startsWith("bigquery:") ? readdirSync(join(scratch, "streams")) : []).toEqual([]);
  },
  1_800_000,
);

function fail(error: Error): never {
  throw error;
}
