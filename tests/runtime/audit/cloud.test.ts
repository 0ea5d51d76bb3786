import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPlace, verifyLog } from "../../../runtime/audit";
import { leafOfRow } from "../../../runtime/audit/leaf";
import { Log } from "../../../runtime/audit/log";
import { main } from "../../../runtime/audit/sealer";
import { openStore } from "../../../runtime/platform/stores";
import { BigQueryWarehouse } from "../../../runtime/platform/warehouse";
import { auditRow, feedbackRow, predictionRow } from "../../support/audited-workspace";
import { BigQueryServer } from "../../support/bigquery-server";
import { type GcsServer, startGcsServer } from "../../support/gcs-server";

/* The sealer as its job runs it: rows in BigQuery, log and archive in buckets. */

let tables: BigQueryServer;
let buckets: GcsServer;
let scratch: string;
const environment = { ...process.env };

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "audit-cloud-"));
  [tables, buckets] = await Promise.all([BigQueryServer.start(join(scratch, "server")), startGcsServer()]);
  process.env.GCS_API_ENDPOINT = buckets.endpoint;
  process.env.LOG_LEVEL = "fatal";
  await tables.createDataset("mercy");
  for (const name of ["mercy-reports", "platform-audits"]) await buckets.createBucket(name);
});
afterAll(async () => {
  process.env = environment;
  process.exitCode = undefined;
  await Promise.all([tables.stop(), buckets.stop()]);
  rmSync(scratch, { recursive: true, force: true });
});

const ARCHIVE = "gs://platform-audits/mercy";
const run = async () => {
  process.exitCode = undefined;
  await main({
    ...tables.env,
    ...{ REPORTS_BUCKET: "gs://mercy-reports", WAREHOUSE: tables.uri("mercy"), AUDIT_ARCHIVE: ARCHIVE },
    ...{ AUDIT_KEY: join(scratch, "key.pem"), WAIT_SECONDS: "0", GCS_API_ENDPOINT: buckets.endpoint },
  });
  const code = process.exitCode;
  process.exitCode = undefined;
  return code;
};

test("the job seals what lies in BigQuery, twice adds nothing, and what is changed there is found", async () => {
  const warehouse = new BigQueryWarehouse(tables.uri("mercy"), { endpoints: tables.endpoints });
  const minutes = (ago: number) => new Date(Date.now() - ago * 60_000).toISOString();
  const then = minutes(30);
  const prediction = predictionRow("p1", then, 0.123456789012345);
  const asked = auditRow("p1", then);
  const said = feedbackRow("f1", "p1", minutes(20));
  const before = minutes(40);
  const together = ["s1", "s2"].map((name) => predictionRow(`scored/x/${name}`, before));
  const log = await openPlace("gs://mercy-reports/audit");
  const archive = await openPlace(ARCHIVE);
  const verify = () => verifyLog({ warehouse, log, archive });
  try {
    await warehouse.append("predictions", "p1", [prediction], { unique: true });
    await warehouse.append("audit", "p1-a", [asked], { unique: true });
    await warehouse.append("feedback", "f1", [said], { unique: true });
    await warehouse.append("predictions", "scored/x", together);
    expect(await run()).toBeUndefined();
    // The receipts of these answers named their leaves before anything was in BigQuery. By time, then by table.
    const leaves = await new Log(archive).nodes(5);
    const hashes = await Promise.all([0, 1, 2, 3, 4].map(async (index) => (await leaves(0, index)).toString("hex")));
    expect(hashes).toEqual([
      ...together.map((row) => leafOfRow("predictions", row)),
      leafOfRow("audit", asked),
      leafOfRow("predictions", prediction),
      leafOfRow("feedback", said),
    ]);
    expect(await verify()).toMatchObject({ ok: true, leaves: 5, archived: 5, rows: 5, pending: 0 });

    const names = await namesIn("gs://platform-audits");
    expect(await run()).toBeUndefined();
    expect(await namesIn("gs://platform-audits")).toEqual(names);
    // All below the hospital's own folder, and nothing of a row among it: what names rows stays.
    expect(names.length).toBeGreaterThan(3);
    expect(names.every((name) => name.startsWith("mercy/"))).toBe(true);
    expect(names.some((name) => name.includes("seals/"))).toBe(false);
    expect((await namesIn("gs://mercy-reports")).every((name) => name.startsWith("audit/"))).toBe(true);

    // A row that says yesterday is left out, and the job has failed: its alert tells.
    await warehouse.append("predictions", "p0", [predictionRow("p0", minutes(60 * 24))], { unique: true });
    expect(await run()).toBe(1);
    const inserted = (await verify()).findings.map(({ kind, batch }) => `${kind} ${batch}`);
    expect(inserted).toEqual(["inserted p0"]);

    await tables.query("UPDATE `local-project.mercy.predictions` SET probability = 0.9 WHERE request = 'p1'");
    const { findings } = await verify();
    expect(findings.map(({ kind, leaf, batch }) => `${kind} ${leaf ?? "-"} ${batch}`)).toEqual([
      "changed 3 p1",
      "inserted - p0",
    ]);
  } finally {
    await warehouse.close();
  }
});

async function namesIn(bucket: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of (await openStore(bucket)).listAll()) names.push(name);
  return names;
}
