import pino from "pino";
import { runForget } from "../../../runtime/cli/forget";
import { openHospital, type Place } from "../../../runtime/forget";
import { encodePng, RECIPE } from "../../../runtime/imaging";
import { ingestAll } from "../../../runtime/ingest";
import { openIdentities } from "../../../runtime/intake";
import { BUCKETS } from "../../../runtime/platform/contract";
import { silentProgress } from "../../../runtime/platform/progress";
import { BigQueryWarehouse, TABLE_NAMES } from "../../../runtime/platform/warehouse";
import type { Workspace } from "../../../runtime/platform/workspace";
import { BigQueryServer } from "../../support/bigquery-server";
import { type GcsServer, startGcsServer } from "../../support/gcs-server";
import { assignmentRow, imageRow } from "../../support/image-row";
import { writeMr } from "../imaging/dicom/dicom-writer";
import { drawHead } from "../imaging/pictures";

/** A hospital's buckets and dataset, on servers that stand in for Google's. */
const HOSPITAL = { project: "local-project", name: "st-anna" } as const;
const DATASET = "brain_tumor_st_anna";
const PATIENT = "MRN-77-Doe";
const KEY = "local:a hospital's";
const before = { ...process.env };

let gcs: GcsServer;
let bigQuery: BigQueryServer;
let place: Place;
let pseudonym: string;
/** What must be nowhere afterwards. */
let needles: string[];

/** Tables in which there are rows: each is a question, which takes its time. */
const FILLED = ["images", "assignments", "features_pca", "features_deep", "audit"] as const;

const bucketOf = (bucket: string) => `${HOSPITAL.project}-${HOSPITAL.name}-${bucket}`;

beforeAll(async () => {
  [gcs, bigQuery] = await Promise.all([startGcsServer(), BigQueryServer.start()]);
  Object.assign(process.env, { GCS_API_ENDPOINT: gcs.endpoint, PSEUDONYM_KEY: KEY, ...bigQuery.env });
  for (const bucket of BUCKETS) await gcs.createBucket(bucketOf(bucket));
  await bigQuery.createDataset(DATASET);
  await new BigQueryWarehouse(bigQuery.uri(DATASET)).migrate(TABLE_NAMES);
  place = await openHospital(HOSPITAL, new AbortController().signal);
  await fill();
});
afterAll(async () => {
  await place.close();
  process.env = before;
  await Promise.all([gcs.stop(), bigQuery.stop()]);
});

/** A patient who is to be forgotten, and another. */
async function fill(): Promise<void> {
  const { landing, reports } = place.buckets;
  const { warehouse } = place;
  await landing.write(
    "manifest.csv",
    `path,patient_id\nCancer/doe-1.png,${PATIENT}\nCancer/doe-2.png,${PATIENT}\nCancer/roe.png,MRN-1\n`,
  );
  await landing.create("Cancer/doe-1.png", await encodePng(drawHead(1, 60, 70)));
  await landing.create("Cancer/roe.png", await encodePng(drawHead(2, 60, 70)));
  // Replaced once: two generations, and then taken away by somebody, which leaves both.
  await landing.write("Cancer/doe-2.png", await encodePng(drawHead(3, 60, 70)));
  await landing.write("Cancer/doe-2.png", await encodePng(drawHead(4, 60, 70)));
  await landing.create("Cancer/doe-broken.dcm", Buffer.from("no DICOM"));
  const workspace = { directory: "", ...place } as Workspace;
  const log = pino({ level: "silent" });
  const step = { workspace, seed: 0, log, progress: silentProgress, signal: new AbortController().signal };
  await ingestAll(step, { pseudonymKey: KEY });
  await landing.delete("Cancer/doe-2.png");
  // What has landed since.
  await landing.create("Unlabelled/late.dcm", writeMr(64, 48, [[0x0010_0020, "LO", PATIENT]]));

  pseudonym = (await (await openIdentities(KEY)).of(PATIENT)).patient as string;
  const rows = (await warehouse.rows("images")).map(({ row }) => row);
  const own = rows.filter(({ patient }) => patient === pseudonym);
  const [mine, other] = [own[0], rows.find(({ source }) => source === "Cancer/roe.png")];
  if (!mine?.sha256 || !other?.sha256) throw new Error("Both were to be ingested.");
  for (const [index, { id, sha256 }] of [mine, other].entries()) {
    await warehouse.append("features_pca", id, [{ id, recipe: RECIPE.id, pca: "p", values: [1] }]);
    await warehouse.append("features_deep", id, [
      ...[{ id, sha256: String(sha256), backbone: "b-0", recipe: RECIPE.id, features: [1] }].map((row) => ({
        ...row,
        extracted_at: new Date().toISOString(),
      })),
    ]);
    await warehouse.append("assignments", id, [{ ...assignmentRow(imageRow(id), { group: "g", split: "train" }), id }]);
    await warehouse.append("audit", `a-${id}`, [
      {
        ...{
          request: `r-${index}`,
          action: "look",
          who: "somebody",
          role: "clinician",
          subject: id,
          sha256: String(sha256),
        },
        ...{ model: null, recipe: null, result: null, recorded_at: new Date().toISOString(), salt: "00".repeat(16) },
      },
    ]);
  }
  await reports.write("m/report.html", `<p>Cancer/doe-1.png ${mine.id}</p>`);
  await reports.write("m/report.html", "<p>Cancer/roe.png</p>");
  await reports.create("m/predictions.csv", "path\nCancer/doe-1.png\nCancer/roe.png\n");
  needles = [PATIENT, pseudonym, "doe-1", "doe-2", ...own.flatMap(({ id, sha256 }) => (sha256 ? [id, sha256] : [id]))];
  expect(own).toHaveLength(2);
}

/** Every generation of every object, and every row, by where it is. */
async function everything(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const bucket of BUCKETS) {
    const root = `${gcs.endpoint}/storage/v1/b/${bucketOf(bucket)}/o`;
    const { items = [] } = (await (await fetch(`${root}?versions=true`)).json()) as {
      items?: { name: string; generation: string }[];
    };
    for (const { name, generation } of items) {
      const answer = await fetch(`${root}/${encodeURIComponent(name)}?alt=media&generation=${generation}`);
      found.set(`${bucket}/${name}#${generation}`, Buffer.from(await answer.arrayBuffer()).toString("latin1"));
    }
  }
  for (const table of FILLED) {
    const rows = await place.warehouse.rows(table);
    for (const [index, { row }] of rows.entries()) found.set(`row ${index} of ${table}`, JSON.stringify(row));
  }
  return found;
}

const remains = async () =>
  [...(await everything())].filter(([name, text]) => needles.some((one) => name.includes(one) || text.includes(one)));

test("what would go is said, and nothing is changed", async () => {
  const was = await everything();
  const told = await runForget(HOSPITAL, { patient: PATIENT }, { yes: false, json: false });
  expect(told).toMatch(/^Would be forgotten/);
  expect(told).toContain("Cloud Storage keeps what was deleted for the days of the buckets' soft delete");
  expect(await everything()).toEqual(was);
  expect((await remains()).length).toBeGreaterThan(10);
});

test("every generation and every row of the patient goes, and nobody else's", async () => {
  const others = async () => [...(await everything())].filter(([, text]) => /roe\.png|MRN-1\b/.test(text)).length;
  expect(await others()).toBeGreaterThan(0);
  const done = JSON.parse(await runForget(HOSPITAL, { patient: PATIENT }, { yes: true, json: true }));
  expect(done.rows).toEqual({ features_deep: 1, features_pca: 1, audit: 1, assignments: 1, images: 2 });
  expect((await remains()).map(([name]) => name)).toEqual([]);

  const { landing, curated, reports } = place.buckets;
  const left = await place.warehouse.rows("images");
  expect(left.map(({ row }) => row.source)).toContain("Cancer/roe.png");
  const roe = left.find(({ row }) => row.source === "Cancer/roe.png")?.row;
  expect(await curated.stat(`images/${roe?.sha256}.png`)).toBeDefined();
  expect(await landing.stat("Cancer/roe.png")).toBeDefined();
  expect((await landing.read("manifest.csv")).toString()).toBe("path,patient_id\nCancer/roe.png,MRN-1\n");
  expect((await reports.read("m/predictions.csv")).toString()).toBe("path\nCancer/roe.png\n");
  for (const table of ["features_pca", "features_deep", "assignments"] as const)
    expect(await place.warehouse.rows(table)).toHaveLength(1);
  const audit = (await place.warehouse.rows("audit")).map(({ row }) => row);
  const unlinked = audit.filter(({ subject }) => subject === null);
  expect(unlinked).toMatchObject([{ action: "look", sha256: null }]);
  expect(unlinked[0]?.salt ?? null).toBeNull();
  expect(audit.filter(({ subject }) => subject === roe?.id)).toMatchObject([{ sha256: roe?.sha256 }]);
});

test("the same command a second time finds nothing, and says when it was", async () => {
  const told = await runForget(HOSPITAL, { patient: PATIENT }, { yes: true, json: false });
  expect(told).toMatch(/^The same was forgotten on/);
  await expect(runForget(HOSPITAL, { patient: "MRN-unknown" }, { yes: true, json: false })).rejects.toThrow(
    /Nothing is known of the patient MRN-unknown/,
  );
});

test("rows that BigQuery does not change yet are said, with what to do", async () => {
  const rows = new (jest.requireActual("../../../runtime/platform/warehouse").BigQueryRows)(bigQuery.uri(DATASET));
  rows.client = {
    query: ({ query }: { readonly query: string }) =>
      query.startsWith("SELECT")
        ? Promise.resolve([[{ rows: 1 }]])
        : Promise.reject(
            new Error("UPDATE or DELETE statement over table x would affect rows in the streaming buffer"),
          ),
  };
  await expect(rows.remove("images", { id: new Set(["x"]) }, false)).rejects.toThrow(
    /added so lately that BigQuery does not change them yet.*give the same command again/,
  );
  expect(await rows.remove("images", { id: new Set(["x"]) }, true)).toBe(1);
});

test("a project or a name that is none is refused before anything is asked", async () => {
  await expect(openHospital({ project: "P", name: "st-anna" }, new AbortController().signal)).rejects.toThrow(
    /its project and its name/,
  );
});
