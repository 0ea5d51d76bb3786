import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { leafOfRow } from "../../../runtime/audit";
import { runForget } from "../../../runtime/cli/forget";
import { readShards, ShardFiles } from "../../../runtime/dataset";
import { find, forget, markOf } from "../../../runtime/forget";
import { Mentions } from "../../../runtime/forget/mentions";
import { encodePng, RECIPE } from "../../../runtime/imaging";
import { ingestStep, uploadStep } from "../../../runtime/ingest";
import { identitiesUnder, LocalPseudonymiser } from "../../../runtime/intake";
import { occupying } from "../../../runtime/platform/occupancy";
import { silentProgress } from "../../../runtime/platform/progress";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { preprocessStep } from "../../../runtime/preprocess";
import { buildServer } from "../../../runtime/serve";
import type { Prediction } from "../../../runtime/serve/schemas";
import { headPng } from "../../support/bright-spot";
import { headScan, PATIENT as OF_HEAD } from "../../support/head-scan";
import { toldRow } from "../../support/monitored";
import { stopProcess } from "../../support/processes";
import { promote, storeModel } from "../../support/served-model";
import { writeMr } from "../imaging/dicom/dicom-writer";
import { drawHead } from "../imaging/pictures";

const MAIN = join(__dirname, "../../../dist/runtime/cli/main.js");
const PATIENT = "MRN-77-Doe";
const KEY = "a hospital's";
const silent = pino({ level: "silent" });
const seconds = 1000;

let folder: string;
let workspace: Workspace;
/** What must be nowhere afterwards. */
let needles: string[];
let others: { readonly rows: string[]; readonly shared: string };

const identities = () => identitiesUnder(new LocalPseudonymiser(KEY));
const context = () => ({
  ...{ workspace, seed: 0, log: silent, progress: silentProgress, signal: new AbortController().signal },
});

beforeAll(async () => {
  process.env.PSEUDONYM_KEY = `local:${KEY}`;
  folder = await mkdtemp(join(tmpdir(), "forget-"));
  await prepare();
  await workspace.close();
}, 240 * seconds);
afterAll(async () => {
  delete process.env.PSEUDONYM_KEY;
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  const copy = join(await mkdtemp(join(folder, "copy-")), "workspace");
  await cp(join(folder, "workspace"), copy, { recursive: true, preserveTimestamps: true });
  workspace = await openWorkspace(copy);
});
afterEach(() => workspace.close());

/** A hospital's workspace: a patient who is to be forgotten, others, a model, answers, reports. */
async function prepare(): Promise<void> {
  const data = join(folder, "data");
  const picture = async (seed: number) => encodePng(drawHead(seed, 120, 140));
  const lines = ["path,patient_id,mask,split"];
  const put = async (name: string, bytes: Buffer, patient: string) => {
    await mkdir(join(data, name, ".."), { recursive: true });
    await writeFile(join(data, name), bytes);
    if (!name.startsWith("masks/"))
      lines.push(
        [name, patient, name === "Cancer/doe-1.png" ? "masks/doe-1.png" : "", patient === PATIENT ? "train" : ""].join(
          ",",
        ),
      );
  };
  const scan = await headPng(128, 128, { x: 60, y: 60, radius: 14 });
  await put("Cancer/doe-1.png", scan, PATIENT);
  await put("Cancer/doe-2.png", await picture(2), PATIENT);
  await put("Non-Cancer/doe-3.png", await picture(3), PATIENT);
  await put("Cancer/doe-broken.png", Buffer.from("no picture"), PATIENT);
  await put(
    "masks/doe-1.png",
    await encodePng({ width: 128, height: 128, depth: 8, pixels: new Uint8Array(128 * 128).fill(255, 5000, 6000) }),
    "",
  );
  // The same pixels as the patient's third, of somebody else.
  await put("Non-Cancer/copy.png", await picture(3), "MRN-1");
  // A name that another is the beginning of, and one that ends like it.
  await put("Cancer/doe-2.png.png", await picture(20), "MRN-2");
  await put("Non-Cancer/other/Cancer/doe-2.png", await picture(21), "MRN-3");
  for (const seed of [30, 31, 32, 33]) await put(`Cancer/${seed}.png`, await picture(seed), `MRN-${seed}`);
  await writeFile(join(data, "manifest.csv"), `${lines.join("\n")}\n`);

  workspace = await openWorkspace(join(folder, "workspace"));
  await uploadStep(context(), { data });
  await ingestStep(context());
  await preprocessStep(context(), { threads: 1 });
  await storeModel(workspace, "model-one", RECIPE.id);
  await promote(workspace, "model-one");
  const rows = (await workspace.warehouse.rows("images")).map(({ row }) => row);
  const pseudonym = (await (await identities()).of(PATIENT)).patient as string;
  const own = rows.filter(({ patient }) => patient === pseudonym);
  const left = rows.filter(({ patient }) => patient !== pseudonym);
  expect([own.length, left.length]).toEqual([4, 7]);
  const shared = left.find(({ source }) => source === "Non-Cancer/copy.png")?.sha256 as string;
  for (const { id, sha256 } of rows.filter((row) => row.sha256)) {
    const deep = { id: createHash("sha256").update(id).digest("hex"), sha256: sha256 as string, backbone: "b-0" };
    await workspace.warehouse.append("features_pca", id, [{ id, recipe: RECIPE.id, pca: "p", values: [1] }]);
    await workspace.warehouse.append("features_deep", deep.id, [
      { ...deep, recipe: RECIPE.id, features: [1], extracted_at: new Date().toISOString() },
    ]);
    const measured = { brightness: 1, contrast: 1, noise: 1, sharpness: 1, foreground: 1, background: 1, scale: 1 };
    await workspace.warehouse.append("input_statistics", deep.id, [
      { sha256: deep.sha256, recipe: RECIPE.id, ...measured, measured_at: new Date().toISOString() },
    ]);
  }
  const { reports, landing } = workspace.buckets;
  await reports.write("model-one/report.html", "<p>Cancer/doe-1.png: Cancer</p>", { contentType: "text/html" });
  // What the present version does not show.
  await reports.write("model-one/other.html", "<p>Cancer/doe-1.png</p>");
  await reports.write("model-one/other.html", "<p>Cancer/30.png: Cancer; Cancer/doe-2.png.png</p>");
  await reports.write("model-one/predictions.csv", "path,label\nCancer/doe-2.png,Cancer\nCancer/30.png,Cancer\n");
  await answered(scan);
  // One alarm names the answer of each.
  const alarms = (await workspace.warehouse.rows("predictions")).map(({ row: { request, id, sha256 } }, i) => {
    const detail = { since: "2026-05-01", drivers: [], scans: [request], answers: [{ id, sha256 }] };
    const more = { part: "input", value: 1, detail: JSON.stringify(detail) };
    return toldRow("model-one", `2026-05-0${i + 1}`, "alarm", more);
  });
  await workspace.warehouse.append("monitoring", "alarms", alarms);
  // A model beside looked at both.
  for (const { row } of await workspace.warehouse.rows("predictions")) {
    const { request, sha256, probability, decision } = row;
    const beside = { shadow: "model-two", shadow_decision: decision, shadow_probability: probability };
    const times = { milliseconds: 1, shadow_milliseconds: 1, compared_at: new Date().toISOString() };
    await workspace.warehouse.append("shadows", request, [
      { request, sha256, model: "model-one", decision, probability, ...beside, ...times },
    ]);
  }
  // What has landed since, and is not ingested.
  await landing.create("Unlabelled/doe-late.dcm", writeMr(64, 48, [[0x0010_0020, "LO", PATIENT]]));
  await landing.create("Unlabelled/other-late.dcm", writeMr(64, 48, [[0x0010_0020, "LO", "MRN-9"]]));

  const names = ["doe-1.png", "doe-3.png", "doe-broken", "doe-late", ">Cancer/doe-2.png<", "\nCancer/doe-2.png,"];
  const pictures = own.flatMap(({ sha256 }) => (sha256 && sha256 !== shared ? [sha256] : []));
  expect(pictures).toHaveLength(2);
  needles = [PATIENT, pseudonym, ...names, ...pictures, ...own.map(({ id }) => id)];
  others = { rows: left.map((row) => JSON.stringify(row)), shared };
}

/** The service answers about a scan of the patient and one of another, who look at it and say what they think. */
async function answered(scan: Buffer): Promise<void> {
  const { models, reports, curated } = workspace.buckets;
  const app = await buildServer({ models, reports, curated, warehouse: workspace.warehouse, log: silent });
  for (const bytes of [scan, await headPng(128, 128, { x: 70, y: 50, radius: 12 })]) {
    const answer = await app.inject({
      method: "POST",
      url: "/v1/predictions",
      payload: bytes,
      headers: { "idempotency-key": bytes === scan ? "first" : "second" },
    });
    expect(answer.statusCode).toBe(200);
    const { id, overlay } = answer.json<Prediction>();
    expect((await app.inject(overlay)).statusCode).toBe(200);
    const feedback = {
      method: "POST",
      url: `/v1/predictions/${id}/feedback`,
      payload: { label: "Cancer", comment: "doe-1.png?" },
    } as const;
    if (bytes === scan) expect((await app.inject(feedback)).statusCode).toBe(200);
  }
  await app.close();
}

/** Every file of the workspace by its path, with the unpacked rows of shards. */
async function everything(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(workspace.directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.includes(".store/tmp/") || path.includes(".store/busy/")) continue;
    found.set(path, readFileSync(path, "latin1"));
  }
  const files = await ShardFiles.open(workspace.buckets.processed);
  for (const name of await files.names()) found.set(`rows of ${name}`, JSON.stringify(await files.rows(name)));
  await files.close();
  return found;
}

/** Where something of the patient still is. */
async function remains(): Promise<string[]> {
  const found: string[] = [];
  for (const [path, text] of await everything())
    for (const needle of needles) if (`\n${path}\n${text}`.includes(needle)) found.push(`${needle.trim()} in ${path}`);
  return found;
}

/** Of the rows of the log that are of the patient's picture. */
async function leavesOfPatient(): Promise<string[]> {
  const { warehouse } = workspace;
  const answers = await warehouse.rows("predictions");
  const id = answers.find(({ row }) => needles.includes(row.sha256))?.row.id;
  return [
    ...answers.flatMap(({ row }) => (row.id === id ? leafOfRow("predictions", row) : [])),
    ...(await warehouse.rows("feedback")).flatMap(({ row }) => (row.id === id ? leafOfRow("feedback", row) : [])),
    ...(await warehouse.rows("audit")).flatMap(({ row }) => (row.subject === id ? leafOfRow("audit", row) : [])),
  ].sort();
}

const otherRows = async () => (await workspace.warehouse.rows("images")).map(({ row }) => JSON.stringify(row)).sort();

test(
  "after it no byte of the workspace speaks of the patient, others are as they were, and the steps go on",
  async () => {
    expect((await remains()).length).toBeGreaterThan(20);
    const leaves = await leavesOfPatient();
    expect(leaves).toHaveLength(5);
    const said = await runForget(workspace.directory, { patient: PATIENT }, { yes: true, json: false });
    expect(said).toMatch(/Models that may have learnt from it, and are not changed: model-one\./);
    expect(said).toMatch(/1 pictures stay: other scans have the same pixels/);
    expect(said).toMatch(/reports\/model-one\/report\.html/);
    await workspace.close();
    workspace = await openWorkspace(workspace.directory);
    expect(await remains()).toEqual([]);

    expect(await otherRows()).toEqual([...others.rows].sort());
    const { curated, landing, reports } = workspace.buckets;
    expect(await curated.stat(`images/${others.shared}.png`)).toBeDefined();
    for (const name of ["Cancer/doe-2.png.png", "Non-Cancer/other/Cancer/doe-2.png", "Unlabelled/other-late.dcm"])
      expect(await landing.stat(name)).toBeDefined();
    const manifest = (await landing.read("manifest.csv")).toString();
    expect(manifest.split("\n").filter((line) => /MRN-\d/.test(line))).toHaveLength(7);
    expect((await reports.read("model-one/predictions.csv")).toString()).toBe("path,label\nCancer/30.png,Cancer\n");
    expect(await reports.stat("model-one/other.html")).toBeDefined();

    // Who looked at what is not told any more; that somebody did is.
    const audit = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    const blank = audit.filter(({ subject }) => subject === null);
    expect(blank.map(({ action }) => action).sort()).toEqual(["feedback", "predict", "view-overlay"]);
    expect(
      audit
        .filter(({ subject }) => subject !== null)
        .map(({ action }) => action)
        .sort(),
      // That something was erased is an act too, which the log of acts takes in.
    ).toEqual(["erase", "predict", "view-overlay"]);
    expect(await workspace.warehouse.rows("predictions")).toHaveLength(1);
    expect(await workspace.warehouse.rows("shadows")).toHaveLength(1);
    expect(await workspace.warehouse.rows("feedback")).toEqual([]);
    expect(await workspace.warehouse.rows("features_pca")).toHaveLength(7);
    expect(await workspace.warehouse.rows("features_deep")).toHaveLength(8);
    // That a watch rang is told, without the scan; the other alarm is as it was.
    const told = (await workspace.warehouse.rows("monitoring")).map(({ row }) => [row.name, row.detail === null]);
    expect(told.sort()).toEqual([
      ["alarm", false],
      ["alarm", true],
    ]);

    const tombstones: string[] = [];
    for await (const { name } of reports.listAll("forgotten/")) tombstones.push((await reports.read(name)).toString());
    expect(tombstones).toHaveLength(2);
    // The leaves of the log whose rows went, or lost what linked them: an answer, what was said of it, three acts.
    expect(JSON.parse(tombstones[0] as string).leaves).toEqual(leaves);
    const erase = audit.find(({ action }) => action === "erase");
    expect(erase?.sha256).toBe(
      createHash("sha256")
        .update(tombstones[0] as string)
        .digest("hex"),
    );
    expect(JSON.parse(tombstones[0] as string).kept).toEqual(blank.map((row) => leafOfRow("audit", row)).sort());
    expect(JSON.parse(tombstones[1] as string)).toMatchObject({ models: ["model-one"], rows: { images: 4 } });

    // The next steps find a data set without it, the picture that is somebody else's included.
    await ingestStep(context());
    await preprocessStep(context(), { threads: 1 });
    const sources: string[] = [];
    for await (const { source } of readShards(workspace)) sources.push(source);
    expect(sources).toContain("Non-Cancer/copy.png");
    expect(sources.filter((source) => /^(Cancer|Non-Cancer)\/doe-\d\.png$/.test(source))).toEqual([]);
    expect(await remains()).toEqual([]);
    const app = await buildServer({ ...workspace.buckets, warehouse: workspace.warehouse, log: silent });
    expect((await app.inject("/readyz")).statusCode).toBe(200);
    expect((await app.inject("/v1/predictions")).json<{ items: unknown[] }>().items).toHaveLength(1);
    await app.close();
    expect(await runForget(workspace.directory, { patient: PATIENT }, { yes: true, json: false })).toMatch(
      /^The same was forgotten on 20.*\n(.*\n)* {2}objects: none\n {2}rows: none\n/,
    );
  },
  240 * seconds,
);

test(
  "without --yes it changes nothing, and tells what it would",
  async () => {
    const before = await everything();
    const dry = JSON.parse(await runForget(workspace.directory, { patient: PATIENT }, { yes: false, json: true }));
    expect(await everything()).toEqual(before);
    const done = JSON.parse(await runForget(workspace.directory, { patient: PATIENT }, { yes: true, json: true }));
    expect({ ...dry, yes: true }).toEqual(done);
    expect(done.rows).toMatchObject({ images: 4, predictions: 1, feedback: 1, features_pca: 3, audit: 3 });
  },
  240 * seconds,
);

test(
  "stopped anywhere, it goes on from there",
  async () => {
    const ids = await identities();
    const wanted = { patient: PATIENT } as const;
    let stops = 0;
    for (let step = 3; ; step += 4) {
      let left = step;
      const throwIfAborted = () => {
        if (--left < 0) throw new Error("stopped");
      };
      const signal = { throwIfAborted } as unknown as AbortSignal;
      const found = await find(workspace, wanted, ids);
      const options = { wanted, identities: ids, mark: await markOf(wanted, ids), dry: false, now: new Date(), signal };
      const end = await forget(workspace, found, options).then(
        () => "done",
        (error: Error) => error.message,
      );
      if (end === "done") break;
      expect(end).toBe("stopped");
      stops++;
    }
    expect(stops).toBeGreaterThan(3);
    expect(await remains()).toEqual([]);
    expect(await otherRows()).toEqual([...others.rows].sort());
  },
  240 * seconds,
);

test(
  "killed in the middle, the same command goes on",
  async () => {
    const args = [MAIN, "forget", "--patient", PATIENT, "--out", workspace.directory, "--yes"];
    const child: ChildProcess = spawn(process.execPath, args, { stdio: "ignore" });
    const ended = once(child, "exit");
    const shards = join(workspace.directory, "processed", RECIPE.id);
    const first = readdirSync(shards).join();
    while (child.exitCode === null && readdirSync(shards).join() === first)
      await new Promise((resolve) => setTimeout(resolve, 2));
    await stopProcess(child);
    await ended;
    const again = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect([again.stderr, again.status]).toEqual(["", 0]);
    expect(await remains()).toEqual([]);
    expect(await otherRows()).toEqual([...others.rows].sort());
  },
  240 * seconds,
);

test(
  "a scan goes by its name, and leaves its patient's others",
  async () => {
    await runForget(workspace.directory, { source: "Cancer/doe-2.png" }, { yes: true, json: false });
    const sources = (await workspace.warehouse.rows("images")).map(({ row }) => row.source);
    expect(sources).not.toContain("Cancer/doe-2.png");
    expect(sources).toHaveLength(10);
    expect(await workspace.buckets.landing.stat("Cancer/doe-1.png")).toBeDefined();
    expect((await workspace.buckets.landing.read("manifest.csv")).toString()).not.toMatch(/^Cancer\/doe-2\.png,/m);
    expect(await workspace.buckets.landing.stat("masks/doe-1.png")).toBeDefined();
    // A name that was mistyped is no success, and leaves no mark.
    for (const wanted of [{ source: "Cancer/nobody.png" }, { patient: "MRN-0" }])
      await expect(runForget(workspace.directory, wanted, { yes: true, json: false })).rejects.toThrow(
        /^Nothing is known of /,
      );
  },
  240 * seconds,
);

test(
  "it does not run beside a step, nor a step beside it; who has died is in nobody's way",
  async () => {
    const { directory } = workspace;
    const going = (yes: boolean) => runForget(directory, { patient: PATIENT }, { yes, json: false });
    await occupying(directory, "ingest", false, async () => {
      await expect(going(true)).rejects.toThrow(/^ingest is at work on .* and forget cannot run beside it\. Wait/);
      expect(await going(false)).toMatch(/nothing was changed/);
      // Steps run beside each other as ever.
      expect(await occupying(directory, "train", false, async () => "done")).toBe("done");
    });
    await occupying(directory, "deliver", "once", async () => {
      expect(await occupying(directory, "ingest", false, async () => "done")).toBe("done");
      await expect(occupying(directory, "forget", true, async () => "done")).rejects.toThrow(/^deliver is at work/);
    });
    await occupying(directory, "forget", true, async () => {
      await expect(occupying(directory, "ingest", false, async () => "done")).rejects.toThrow(/^forget is at work/);
      const step = spawnSync(process.execPath, [MAIN, "ingest", "--out", directory], { encoding: "utf8" });
      expect([step.status, step.stderr]).toEqual([1, expect.stringMatching(/^forget is at work on /)]);
    });
    const busy = join(directory, ".store/busy");
    mkdirSync(busy, { recursive: true });
    const [mine] = readdirSync(join(directory, ".store/tmp"));
    const [host] = (mine as string).split("-");
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    writeFileSync(join(busy, `${host}-${dead}-1-beside-ingest`), "");
    await going(true);
    expect(existsSync(join(busy, `${host}-${dead}-1-beside-ingest`))).toBe(false);
    expect(await remains()).toEqual([]);
  },
  240 * seconds,
);

test.each([
  ["neither", []],
  ["both", ["--patient", "1", "--source", "Cancer/a.png"]],
  ["an empty one", ["--patient", " "]],
])("%s of patient and source is a wrong command", (_what, args) => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, "forget", "--out", workspace.directory, ...args], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([2, expect.stringMatching(/name one patient with --patient ID, or one scan/)]);
});

test("what the service alone was sent, and what the gateway landed and nobody ingested, is found too", async () => {
  const { models, reports, curated, landing } = workspace.buckets;
  const names = await (await identities()).of(OF_HEAD);
  const pseudonym = names.patient as string;
  const app = await buildServer({
    ...{ models, reports, curated, warehouse: workspace.warehouse, log: silent },
    identities: await identities(),
  });
  const answer = await app.inject({ method: "POST", url: "/v1/predictions", payload: headScan() });
  expect(answer.statusCode).toBe(200);
  const { id, request } = answer.json<Prediction>();
  await app.close();
  const { sha256 } =
    (await workspace.warehouse.rows("predictions")).map(({ row }) => row).find((row) => row.id === id) ?? {};
  const sent = writeMr(64, 48, [
    [0x0010_0020, "LO", pseudonym],
    [0x0020_000d, "UI", "2.25.1"],
  ]);
  await landing.create("Unlabelled/gateway/2.25.1/2.25.2/2.25.3.dcm", sent);
  needles = [pseudonym, id, request, String(sha256), "2.25.3.dcm"];
  expect((await remains()).length).toBeGreaterThan(5);
  await runForget(workspace.directory, { patient: OF_HEAD }, { yes: true, json: false });
  expect((await remains()).filter((place) => !place.startsWith(`${request} in `))).toEqual([]);
  // That somebody asked stays, and no longer of what.
  const asked = (await workspace.warehouse.rows("audit"))
    .map(({ row }) => row)
    .filter((row) => row.request === request);
  expect(asked).toMatchObject([{ action: "predict", subject: null, sha256: null }]);
});

test("a DICOM file is found by the name that a person gave it, whether it was uploaded or landed by hand", async () => {
  const data = await mkdtemp(join(folder, "named-"));
  await mkdir(join(data, "Cancer"));
  const scan = (columns: number, instance: string) =>
    writeMr(64, columns, [
      [0x0008_0018, "UI", instance],
      [0x0010_0020, "LO", "MRN-500"],
      [0x0020_000d, "UI", "1.2.500"],
    ]);
  await writeFile(join(data, "Cancer/ROE_first.dcm"), scan(40, "1.2.500.1"));
  await writeFile(join(data, "Cancer/ROE_second.dcm"), scan(41, "1.2.500.2"));
  await uploadStep(context(), { data });
  const { landing } = workspace.buckets;
  await landing.create("Cancer/ROE by hand.dcm", scan(42, "1.2.500.3"));
  // Another file of that instance, which tables call the same.
  await landing.create("Cancer/ROE by hand too.dcm", scan(43, "1.2.500.3"));
  await ingestStep(context());
  const own = async () => {
    const rows = (await workspace.warehouse.rows("images")).map(({ row }) => row);
    const names = await (await identities()).of("MRN-500");
    return rows.filter(({ patient }) => patient === names.patient).map(({ width }) => width);
  };
  const forgotten = (source: string, yes = true) => runForget(workspace.directory, { source }, { yes, json: false });
  expect((await own()).sort()).toEqual([40, 41, 42, 43]);

  const name = /^It is called (Cancer\/\S+\.dcm) below landing/.exec(
    await forgotten("Cancer/ROE_first.dcm", false),
  )?.[1];
  expect(name).toMatch(/^Cancer\/2\.25\.\d+\/2\.25\.\d+\/2\.25\.\d+\.dcm$/);
  await forgotten("Cancer/ROE_first.dcm");
  expect(await landing.stat(String(name))).toBeUndefined();
  expect((await own()).sort()).toEqual([41, 42, 43]);
  // What it is called now says that it is gone; the name that only landing knew is gone with it.
  expect(await forgotten(String(name), false)).toMatch(/The same was forgotten on/);
  await expect(forgotten("Cancer/ROE_first.dcm")).rejects.toThrow(/Nothing is known of Cancer\/ROE_first\.dcm/);

  await forgotten("Cancer/ROE by hand.dcm");
  expect((await own()).sort()).toEqual([41, 43]);
  expect(await landing.stat("Cancer/ROE by hand.dcm")).toBeUndefined();
  expect(await landing.stat("Cancer/ROE by hand too.dcm")).toBeDefined();
});

test("a text speaks of a name where it stands alone, as HTML, JSON and URLs write it too", () => {
  const mentions = new Mentions(["ab12"], ["Cancer/a.png", 'Cancer/b "&.png', "Cancer/é x.png"]);
  for (const text of [
    ...[
      "x ab12.",
      "/ab12.png",
      "Cancer/a.png",
      "see Cancer/a.png.",
      "Cancer/a.png#page=2",
      "file:///w/landing/Cancer/a.png",
    ],
    ...["<b>Cancer/b &quot;&amp;.png</b>", JSON.stringify('Cancer/b "&.png'), "/landing/Cancer/%C3%A9%20x.png"],
  ])
    expect([text, mentions.in(text)]).toEqual([text, true]);
  for (const text of [
    "xab12",
    "ab123",
    "Non-Cancer/a.png",
    "Cancer/a.png.bak",
    "other/Cancer/a.png",
    "Cancer/a.pngx",
    "",
  ])
    expect([text, mentions.in(text)]).toEqual([text, false]);
});
