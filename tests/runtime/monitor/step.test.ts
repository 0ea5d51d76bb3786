import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GreyImage } from "../../../runtime/imaging";
import { describeMonitored, type Monitored, monitorDays } from "../../../runtime/monitor";
import { MonitorService } from "../../../runtime/monitor/service";
import { markOf, QUARANTINE, SIGNALS, type SignalKind, signalsOf } from "../../../runtime/monitor/signals";
import { drifted } from "../../../runtime/monitor/simulate/drifts";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";
import { type ImageRow, MONITORED_DAYS } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { setCurrent } from "../../../runtime/registry";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { headPixels } from "../../support/head";
import { assignmentRow } from "../../support/image-row";
import { storeModel } from "../../support/served-model";
import { landPicture } from "../preprocess/landed";

const MODEL = BRIGHT_SPOT.id;
const [WIDTH, HEIGHT] = [64, 72];
const PROMOTED = "2026-04-01T00:00:00.000Z";
const PER_DAY = 12;

const folders: string[] = [];
const spaces: Workspace[] = [];
afterAll(async () => {
  for (const space of spaces) await space.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

function scan(seed: number, bright: boolean, noisy = false): GreyImage {
  const random = uniform(mixSeed(seed, 1));
  const spot = { x: 20 + 24 * random(), y: 20 + 30 * random(), radius: 8 };
  const head: GreyImage = {
    ...{ width: WIDTH, height: HEIGHT, depth: 8 },
    pixels: new Uint8Array(headPixels(WIDTH, HEIGHT, bright ? spot : undefined, seed)),
  };
  return drifted(head, "noise", (noisy ? 2.5 : 0.6) + 0.3 * random(), seed);
}

/** A hospital with held-out scans, and twenty days of others, noisy from the eleventh on. */
async function hospital(): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), "monitor-"));
  folders.push(folder);
  const space = await openWorkspace(folder);
  spaces.push(space);
  await storeModel(space);
  const next = { model: MODEL, reason: "The test says so." };
  await setCurrent(space.buckets.models, next, undefined, new Date(PROMOTED));
  const random = uniform(4);
  const draw = normal(random);
  const probability = (bright: boolean) => 1 / (1 + Math.exp((bright ? -6 : 6) + draw()));
  const answer = (request: string, sha256: string, bright: boolean, predicted_at: string) => ({
    ...{ request, id: `id-${request}`, model: MODEL, recipe: BRIGHT_SPOT.recipe, probability: probability(bright) },
    ...{ label: bright ? "Cancer" : "Non-Cancer", decision: bright ? "Cancer" : "Uncertain", threshold: 0.5 },
    ...{ sha256, predicted_at, who: null, milliseconds: null },
  });
  const own = [];
  const images: ImageRow[] = [];
  const assignments = [];
  for (let i = 0; i < 80; i++) {
    const bright = i % 2 === 0;
    const row = await landPicture(space, `${bright ? "Cancer" : "Non-Cancer"}/${i}.png`, scan(i, bright), {
      view: i % 3 === 0 ? "axial" : "coronal",
    });
    images.push(row);
    assignments.push(assignmentRow(row, { group: `g${i}`, split: i < 10 ? "train" : i < 45 ? "validation" : "test" }));
    own.push(answer(`own-${i}`, `${row.sha256}`, bright, "2026-04-01T10:00:00.000Z"));
  }
  await space.warehouse.append("predictions", "own", own);
  for (let day = 1; day <= 20; day++) {
    const rows = [];
    for (let i = 0; i < PER_DAY; i++) {
      const at = `2026-05-${String(day).padStart(2, "0")}T0${i % 10}:00:00.000Z`;
      const bright = i % 2 === 0;
      const facts = { label: null, ingested_at: at, view: i % 3 === 0 ? "axial" : "coronal" };
      const image = scan(1000 + 50 * day + i, bright, day > 10);
      const row = await landPicture(space, `Unlabelled/${day}-${i}.png`, image, facts);
      images.push(row);
      // The first of a day somebody sent to the service, and waited for.
      const asked = i < 5 ? { who: "ann@hospital.org", milliseconds: 100 * (i + 1) } : {};
      rows.push({ ...answer(`live-${day}-${i}`, `${row.sha256}`, bright, at), ...asked });
    }
    await space.warehouse.append("predictions", `live/${day}`, rows);
  }
  // A batch for each would be four hundred files to read with every question.
  await space.warehouse.append("images", "all", images);
  await space.warehouse.append("assignments", "all", assignments);
  const refused = (code: string, status: number, requests: number) => ({
    ...{ day: "2026-05-03", code, status, requests, counted_at: "2026-05-03T10:00:00.000Z" },
  });
  await space.warehouse.append("refusals", "one", [refused("busy", 503, 2), refused("too-small", 422, 1)]);
  await space.warehouse.append("refusals", "another instance", [refused("busy", 503, 1)]);
  return space;
}

let space: Workspace;
beforeAll(async () => {
  space = await hospital();
});

const monitor = (from: string, to: string, hour = 1): Promise<Monitored> =>
  monitorDays(
    {
      ...{ buckets: space.buckets, warehouse: space.warehouse, progress: silentProgress },
      signal: new AbortController().signal,
    },
    { from, to, now: new Date(Date.parse("2026-05-21") + 3_600_000 * hour) },
  );

const find = ({ rows }: Monitored, day: string, name: string, part: string | null = null) =>
  rows.find((row) => row.day === day && row.name === name && row.part === part);

test("tells of each day, rings when the scans get noisy, and then does not say what it cannot know", async () => {
  const quiet = await monitor("2026-05-01", "2026-05-10");
  expect(quiet).toMatchObject({ model: MODEL, reference: 70, changed: 10 });
  expect(quiet.rows.filter(({ name }) => name === "alarm")).toEqual([]);
  expect(find(quiet, "2026-05-03", "answers")).toMatchObject({ value: PER_DAY });
  expect(find(quiet, "2026-05-03", "uncertain")).toMatchObject({ value: 0.5, scans: PER_DAY });
  expect(find(quiet, "2026-05-01", "accuracy-estimated")).toMatchObject({ value: null, detail: "too-few", scans: 12 });
  expect(find(quiet, "2026-05-03", "latency", "median")).toMatchObject({ value: 300, scans: 5 });
  expect(find(quiet, "2026-05-03", "latency", "p95")).toMatchObject({ value: 500 });
  expect(find(quiet, "2026-05-03", "failed", "busy")).toMatchObject({ value: 3 });
  expect(find(quiet, "2026-05-03", "refused", "too-small")).toMatchObject({ value: 1 });
  expect(quiet.rows.filter(({ name }) => ["failed", "refused"].includes(name))).toHaveLength(2);
  const estimated = find(quiet, "2026-05-10", "accuracy-estimated");
  expect(estimated?.value).toBeGreaterThan(0.9);
  expect(estimated?.low).toBeLessThan(estimated?.value as number);
  expect(find(quiet, "2026-05-10", "accuracy-estimated", "view=axial")).toMatchObject({ scans: 40 });
  expect(describeMonitored(quiet)).toMatch(/No alarm rang/);
  expect(describeMonitored(quiet)).toMatch(
    /: 1 refused, 3 failed\. On 2026-05-10 half of the answers took at most 300 ms/,
  );

  const all = await monitor("2026-05-01", "2026-05-20");
  // What was stored of the first ten days stays: what is found follows from the rows.
  expect(all.changed).toBe(10);
  const alarms = all.rows.filter(({ name }) => name === "alarm");
  expect(alarms[0]).toMatchObject({ part: "input", value: 1 });
  const rang = alarms[0]?.day ?? "";
  expect(rang > "2026-05-10" && rang <= "2026-05-17").toBe(true);
  const { since, drivers, scans, answers } = JSON.parse(alarms[0]?.detail ?? "");
  expect(since).toBe("2026-05-11");
  expect(drivers.map(({ statistic }: { statistic: string }) => statistic)).toContain("noise");
  for (const name of scans) expect(name).toMatch(/^live-1[1-7]-/);
  // Of what was sent to the service the answer's id, by which its page is found; of all the picture.
  expect(answers).toEqual(
    scans.map((name: string) => ({
      id: Number(name.split("-")[2]) < 5 ? `id-${name}` : null,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })),
  );
  expect(find(all, "2026-05-20", "accuracy-estimated")).toMatchObject({ value: null, detail: "input-drift" });
  expect(describeMonitored(all)).toMatch(
    /the watch over the input rang, since 2026-05-11: .*noise higher.* Look at the scans it names/,
  );
});

test("a second run changes nothing; what people say later is told as a further revision", async () => {
  expect((await monitor("2026-05-01", "2026-05-20", 2)).changed).toBe(0);
  const said = Array.from({ length: 6 }, (_, i) => ({
    ...{ feedback: `f${i}`, request: `live-20-${i}`, id: `id-live-20-${i}`, comment: null, who: "ann@hospital.org" },
    ...{
      label: i % 2 === 0 ? "Cancer" : "Non-Cancer",
      given_at: "2026-05-20T12:00:00.000Z",
      supersedes: null,
      scope: null,
      confirmed: null,
    },
  }));
  // On one answer people disagree: it counts as neither.
  const against = { ...said[0], feedback: "g", who: "bea@hospital.org", label: "Non-Cancer" } as (typeof said)[number];
  await space.warehouse.append("feedback", "said", [...said, against]);
  const later = await monitor("2026-05-19", "2026-05-20", 3);
  expect(later.changed).toBe(1);
  expect(find(later, "2026-05-20", "accuracy-feedback")).toMatchObject({ value: 1, scans: 5 });
  const stored = await space.warehouse.ask(MONITORED_DAYS, { model: MODEL, from: "2026-05-19", to: "2026-05-20" });
  expect(new Set(stored.map(({ day, revision }) => `${day} ${revision}`))).toEqual(
    new Set(["2026-05-19 1", "2026-05-20 2"]),
  );
});

test("without stored answers for held-out scans it says what to do", async () => {
  const folder = await mkdtemp(join(tmpdir(), "monitor-"));
  folders.push(folder);
  const empty = await openWorkspace(folder);
  spaces.push(empty);
  const run = () =>
    monitorDays(
      { ...empty, progress: silentProgress, signal: new AbortController().signal },
      { from: "2026-05-01", to: "2026-05-02", now: new Date() },
    );
  await expect(run()).rejects.toThrow(/no model here yet. Run npm run train/);
  await storeModel(empty);
  await setCurrent(empty.buckets.models, { model: MODEL, reason: "." }, undefined, new Date(PROMOTED));
  await expect(run()).rejects.toThrow(/nothing to compare with. Run npm run score/);
});

describe("the step on a cluster", () => {
  const said: string[] = [];
  const ask = async (type: string) => {
    const { buckets, warehouse } = spaces.at(-1) as Workspace;
    const log = createLogger("monitor", { destination: { write: (line) => void said.push(JSON.parse(line).message) } });
    const tools = { progress: silentProgress, signal: new AbortController().signal, log, place: "brain_tumor_mercy" };
    const service = new MonitorService({ buckets, warehouse, ...tools }, () => new Date("2026-05-20T12:00:00Z"));
    return (await service.handle({ header: { type }, payload: new Uint8Array() })).header;
  };

  test("says what it stored, and a second run finds it stored", async () => {
    const space = await hospital();
    expect(await ask("hello")).toMatchObject({ recipe: expect.any(String) });
    const { items, skipped, notes } = (await ask("monitor")) as { items: number; skipped: number; notes: string[] };
    expect([items > 0, items + skipped]).toEqual([true, 30]);
    expect(notes[0]).toContain(MODEL);
    // A person is told of each alarm once, by the words that its alert has.
    const { advice } = SIGNALS.find(({ name }) => name === "alarm-input") as SignalKind;
    const ran = markOf("brain_tumor_mercy", "ran");
    const mark = markOf("brain_tumor_mercy", "alarm-input");
    const rang = said
      .filter((line) => line.startsWith(mark))
      .map((line) => line.slice(mark.length + 1, mark.length + 11));
    expect(rang[0]).toMatch(/^2026-05-1[1-7]$/);
    expect(said).toEqual([...new Set(rang)].map((day) => `${mark} ${day}: ${advice}`).concat(ran));
    expect(said.at(-1)).toBe(ran);
    said.length = 0;
    expect(await ask("monitor")).toMatchObject({ items: 0, skipped: 30, rejected: 0 });
    expect(said).toEqual([ran]);
    expect(space).toBeDefined();
    await expect(ask("dance")).rejects.toThrow('no request of the type "dance"');
  });

  test("of a hospital that has no model yet says so, and has not failed", async () => {
    spaces.push(await openWorkspace(await mkdtemp(join(tmpdir(), "monitor-"))));
    expect(await ask("monitor")).toEqual({
      items: 0,
      skipped: 0,
      rejected: 0,
      notes: [expect.stringContaining("There is no model here yet")],
    });
    expect(said.at(-1)).toBe(markOf("brain_tumor_mercy", "ran"));
  });
});

test("of quarantine a person is told where it is a large share of enough pages", () => {
  const day = (name: string, pages: number, ...refused: number[]) => [
    { day: name, name: "pages", part: null, value: pages },
    ...refused.map((value, i) => ({ day: name, name: "quarantined", part: `reason-${i}`, value })),
  ];
  const many = QUARANTINE.share * 100;
  expect(
    signalsOf([
      ...day("2026-05-01", 100, many),
      ...day("2026-05-02", 100, many, 1),
      ...day("2026-05-03", QUARANTINE.pages - 1, QUARANTINE.pages - 1),
      ...day("2026-05-04", QUARANTINE.pages, QUARANTINE.pages),
    ]),
  ).toEqual([
    { name: "quarantine", day: "2026-05-02" },
    { name: "quarantine", day: "2026-05-04" },
  ]);
});
