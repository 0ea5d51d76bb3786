import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { Fhir } from "fhir/fhir";
import type { Bundle } from "fhir/r4";
import pino from "pino";
import { decodeScan } from "../../../runtime/imaging";
import { openIdentities } from "../../../runtime/intake";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, type Prediction, replay } from "../../../runtime/serve";
import type { ProblemDocument } from "../../../runtime/serve/schemas";
import { headPng } from "../../support/head";
import {
  ACCESSION,
  COLUMNS,
  head,
  headScan,
  IDENTIFIERS,
  INSTANCE_UID,
  PATIENT,
  ROWS,
  SERIES_UID,
  SPOT,
  STUDY_UID,
} from "../../support/head-scan";
import { promote, storeModel } from "../../support/served-model";
import { readBack } from "../exchange/read-back";
import { MR_STORAGE } from "../imaging/dicom/dicom-writer";

const KEY = "local:reports";
const FORMATS = ["fhir", "sr", "sc", "hl7"] as const;

/** The eight ways in which a frame can lie, axial, and two of other planes. */
const ORIENTATIONS = [
  "1\\0\\0\\0\\1\\0",
  "-1\\0\\0\\0\\1\\0",
  "1\\0\\0\\0\\-1\\0",
  "-1\\0\\0\\0\\-1\\0",
  "0\\1\\0\\1\\0\\0",
  "0\\-1\\0\\1\\0\\0",
  "0\\1\\0\\-1\\0\\0",
  "0\\-1\\0\\-1\\0\\0",
  "1\\0\\0\\0\\0\\1",
  "0\\0\\1\\0\\-1\\0",
];

let folder: string;
let workspace: Workspace;
let app: FastifyInstance;
let url: string;

async function post(body: Buffer): Promise<Prediction> {
  const response = await fetch(`${url}/v1/predictions`, { method: "POST", body: new Uint8Array(body) });
  expect(response.status).toBe(200);
  return (await response.json()) as Prediction;
}

const ask = (id: string, query: string) => fetch(`${url}/v1/predictions/${id}/report${query}`);

async function report(id: string, format: string): Promise<Buffer> {
  const response = await ask(id, `?format=${format}`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

async function problem(id: string, query: string): Promise<[number, string]> {
  const response = await ask(id, query);
  return [response.status, ((await response.json()) as ProblemDocument).code];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "report-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  const { models, reports } = workspace.buckets;
  app = await buildServer({
    models,
    reports,
    warehouse: workspace.warehouse,
    identities: await openIdentities(KEY),
    log: pino({ level: "silent" }),
  });
  url = await app.listen({ port: 0, host: "127.0.0.1" });
});
afterAll(async () => {
  await app.close();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

test("a DICOM file's answer in every format: of its study by pseudonyms, and no identifier anywhere", async () => {
  const answer = await post(headScan({ more: [[0x0028_0301, "CS", "NO"]] }));
  expect(answer.reports).toEqual(
    ["fhir", "hl7", "sr", "sc"].map((format) => ({
      format,
      path: `/v1/predictions/${answer.id}/report?format=${format}`,
    })),
  );
  const names = await (await openIdentities(KEY)).of(PATIENT);
  const [study, series, instance] = [STUDY_UID, SERIES_UID, INSTANCE_UID].map((uid) => names.uid(uid));
  const documents = new Map<string, Buffer>();
  for (const format of FORMATS) documents.set(format, await report(answer.id, format));
  const [sr, sc, hl7] = readBack(
    folder,
    ["sr", documents.get("sr") as Buffer],
    ["sc", documents.get("sc") as Buffer],
    ["hl7", documents.get("hl7") as Buffer],
  );
  expect(sr).toMatchObject({
    study,
    evidence: [study, series],
    patient: names.patient,
    accession: names.accession(ACCESSION),
    image: [MR_STORAGE, instance, null],
    evaluated: { decision: answer.decision },
    algorithm: { "Algorithm Name": answer.model, "Algorithm Parameters": `recipe=${answer.recipe}` },
    comments: expect.arrayContaining([answer.verdict.sentence, answer.disclaimer]),
  });
  expect(sr?.probability).toBeCloseTo(100 * answer.probability, 5);
  expect(sc).toMatchObject({ study, patient: names.patient, burned_in: "NO", source: [MR_STORAGE, instance, null] });
  expect(hl7).toMatchObject({ results: { "110180": [["HD", `^${study}^ISO`, "", "P"]] } });
  const bundle = JSON.parse(String(documents.get("fhir"))) as Bundle;
  expect(new Fhir().validate(bundle, { errorOnUnexpected: true }).valid).toBe(true);
  expect(bundle.entry?.[0]?.resource).toMatchObject({
    imagingStudy: [{ identifier: { value: `urn:oid:${study}` } }],
    subject: { identifier: { value: names.patient } },
  });

  const { objects } = await workspace.buckets.reports.list({ prefix: "answers/" });
  const kept = await Promise.all(
    objects.filter(({ name }) => name.endsWith(".json")).map(({ name }) => workspace.buckets.reports.read(name)),
  );
  expect(kept.length).toBeGreaterThan(0);
  for (const bytes of [...documents.values(), ...kept])
    for (const identifier of IDENTIFIERS) expect(bytes.includes(identifier)).toBe(false);
  expect(await replay(workspace, answer.request)).toMatchObject({ equal: true });
});

test("the point of the report is the map's maximum in stored pixels, however the frame lies and its pixels are shaped", async () => {
  const cases = ORIENTATIONS.flatMap((orientation) => ["1\\1", "2\\1"].map((spacing) => ({ orientation, spacing })));
  const found: { sr: Buffer; column: number; row: number }[] = [];
  for (const { orientation, spacing } of cases) {
    const { id, peak } = await post(headScan({ orientation, spacing }));
    // Which stored pixel lies there is asked of the reader: pictures of columns and of rows, that lie the same way.
    const at = async (coordinate: (i: number) => number) => {
      const ramp = Uint16Array.from({ length: COLUMNS * ROWS }, (_, i) => 400 * (coordinate(i) + 0.5));
      for await (const page of decodeScan(headScan({ orientation, spacing, frames: [ramp] })))
        if ("image" in page) return (page.image.pixels[peak.y * page.image.width + peak.x] as number) / 400;
      throw new Error("The ramp cannot be read.");
    };
    found.push({
      sr: await report(id, "sr"),
      column: await at((i) => i % COLUMNS),
      row: await at((i) => Math.floor(i / COLUMNS)),
    });
  }
  const read = readBack(folder, ...found.map(({ sr }) => ["sr", sr] as const));
  for (const [i, { column, row }] of found.entries()) {
    const [[x, y]] = (read[i]?.point ?? [[]]) as [[number, number]];
    expect([cases[i], Math.abs(x - column) < 1, Math.abs(y - row) < 1]).toEqual([cases[i], true, true]);
    // The evidence's cells are 8 of the model's pixels wide.
    expect(Math.hypot(x - SPOT.x, y - SPOT.y)).toBeLessThan(SPOT.radius + 16);
  }
});

test("of several frames the most suspicious one is named", async () => {
  const frames = [head(1, null), head(2, null), head(3), head(4, null)];
  const answer = await post(headScan({ frames }));
  expect(answer.page).toBe(3);
  const [sr, sc] = readBack(folder, ["sr", await report(answer.id, "sr")], ["sc", await report(answer.id, "sc")]);
  expect(sr?.image).toEqual([MR_STORAGE, expect.stringMatching(/^2\.25\./), 3]);
  expect(sc?.source).toEqual(sr?.image);
  expect(sr?.study).toBe(sc?.study);
});

test("a picture, and a DICOM file that lacks a UID, have FHIR and HL7, and no DICOM", async () => {
  const lacking = headScan({ frames: [head(7)], more: [[0x0020_000e, "UI", ""]] });
  for (const scan of [await headPng(COLUMNS, ROWS, SPOT), lacking]) {
    const answer = await post(scan);
    expect(answer.reports?.map(({ format }) => format)).toEqual(["fhir", "hl7"]);
    for (const format of ["sr", "sc"]) expect(await problem(answer.id, `?format=${format}`)).toEqual([409, "no-study"]);
    const bundle = String(await report(answer.id, "fhir"));
    expect(bundle).not.toContain("ImagingStudy");
    expect(String(await report(answer.id, "hl7"))).not.toContain("110180");
  }
});

test("where the key of pseudonyms cannot be had, a scan is answered all the same, and nothing is kept of its study", async () => {
  const { models, reports } = workspace.buckets;
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  const identities = { of: () => Promise.reject(new Error("no key")) };
  const other = await buildServer({ models, reports, warehouse: workspace.warehouse, identities, log });
  try {
    const payload = headScan({ frames: [head(11)] });
    const answer = (await other.inject({ method: "POST", url: "/v1/predictions", payload })).json<Prediction>();
    expect(answer.reports?.map(({ format }) => format)).toEqual(["fhir", "hl7"]);
    expect(await problem(answer.id, "?format=sr")).toEqual([409, "no-study"]);
    expect(logged.join("")).toContain("The study of a scan cannot be named");
    for (const identifier of IDENTIFIERS) expect(logged.join("")).not.toContain(identifier);
  } finally {
    await other.close();
  }
});

test("the way it is sent: type, name of the file, not to be stored; and what is written down of it", async () => {
  const { id, request } = await post(headScan({ frames: [head(8)] }));
  const types = {
    fhir: ["application/fhir+json", "fhir.json"],
    sr: ["application/dicom", "sr.dcm"],
    sc: ["application/dicom", "sc.dcm"],
    hl7: ["x-application/hl7-v2+er7", "hl7"],
  } as const;
  for (const format of FORMATS) {
    const { headers } = await ask(id, `?format=${format}`);
    expect([headers.get("content-type"), headers.get("content-disposition"), headers.get("cache-control")]).toEqual([
      types[format][0],
      `attachment; filename="${id.slice(0, 12)}.${types[format][1]}"`,
      "no-store",
    ]);
  }
  const rows = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
  const looks = rows.filter(({ action, subject }) => action === "view-report" && subject === id);
  expect(looks.map(({ result }) => result).sort()).toEqual(["fhir", "hl7", "sc", "sr"]);
  expect(String(await report(id, "hl7"))).toContain(request);
});

test("what is asked wrongly, of nothing, or of what is gone", async () => {
  const answer = await post(headScan({ frames: [head(9)] }));
  const { id, slices, receipt } = answer;
  for (const query of ["", "?format=", "?format=pdf", "?format=FHIR", "?format=sr&format=sc"])
    expect([query, await problem(id, query)]).toEqual([query, [400, "bad-query"]]);
  expect(await problem("0".repeat(64), "?format=fhir")).toEqual([404, "not-found"]);

  const { reports } = workspace.buckets;
  await reports.delete(`answers/${id}/pages-${receipt.answered_at.slice(0, 10)}/${slices[0]?.sha256}.png`);
  expect(await problem(id, "?format=sc")).toEqual([410, "gone"]);
  await report(id, "sr");
  const [object] = (await reports.list({ prefix: `answers/${id}/`, pageSize: 1 })).objects;
  const name = object?.name as string;
  const kept = JSON.parse(String(await reports.read(name)));
  kept.prediction.receipt.kept_until = new Date(0).toISOString();
  await reports.write(name, JSON.stringify(kept));
  for (const format of FORMATS) expect(await problem(id, `?format=${format}`)).toEqual([410, "gone"]);
});

test("an answer that an earlier version kept still has FHIR and HL7", async () => {
  const { id } = await post(headScan({ frames: [head(10)] }));
  const { reports } = workspace.buckets;
  const [object] = (await reports.list({ prefix: `answers/${id}/`, pageSize: 1 })).objects;
  const name = object?.name as string;
  const { study: _, ...kept } = JSON.parse(String(await reports.read(name)));
  delete kept.prediction.reports;
  await reports.write(name, JSON.stringify(kept));
  await report(id, "fhir");
  await report(id, "hl7");
  expect(await problem(id, "?format=sr")).toEqual([409, "no-study"]);
});
