import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assignGroups, currentAssignments, currentImages, PlanDatabase } from "../../../runtime/dataset";
import { PERCEPTUAL_HASH } from "../../../runtime/imaging";
import { asSplit } from "../../../runtime/intake";
import type { Frame } from "../../../runtime/platform/framed";
import { createLogger } from "../../../runtime/platform/logging";
import { mixSeed, uniform } from "../../../runtime/platform/random";
import { type ImageRow, PLANNED_IMAGES } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { makePlan, type PlannedShard, searchPictures } from "../../../runtime/preprocess/plan";
import { PlanningFolder } from "../../../runtime/preprocess/planning-folder";
import { PreprocessService } from "../../../runtime/preprocess/service";
import { assignmentRow, imageRow } from "../../support/image-row";
import { planShards } from "../../support/plan-shards";

const opened: { close(): Promise<void> }[] = [];
const folders: string[] = [];
afterAll(async () => {
  for (const one of opened) await one.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function workspace(): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), "plan-"));
  folders.push(folder);
  const space = await openWorkspace(folder);
  opened.push(space);
  return space;
}

const context = (space: Workspace) => ({
  workspace: space,
  log: createLogger("test", { destination: { write() {} } }),
  signal: new AbortController().signal,
});

const random = uniform(mixSeed(7, 15));
const below = (limit: number) => Math.floor(random() * limit);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const randomHash = () => Array.from({ length: 64 }, () => below(16).toString(16)).join("");
function bent(phash: string, bits: number): string {
  const bytes = Buffer.from(phash, "hex");
  const places = new Set<number>();
  while (places.size < bits) places.add(below(256));
  for (const bit of places) bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
  return bytes.toString("hex");
}

const SPLITS = ["train", "validation", "test"] as const;
const one = <T>(values: readonly T[]) => values[below(values.length)] as T;

const ofDicom = uniform(mixSeed(7, 16));
/** For a fifth of the images the name of one of so many. */
const fifth = (what: string, many: number) => (ofDicom() < 0.2 ? `${what} ${Math.floor(many * ofDicom())}` : null);

/** Chains of versions, patients, studies, series, pages, retired generations, second names, given splits, decided and disputed groups. */
function tables(images: number) {
  const rows: ImageRow[] = [];
  const assignments: ReturnType<typeof assignmentRow>[] = [];
  let phash = randomHash();
  for (let i = 0; i < images; i++) {
    // A chain: each is near the one before it, and its ends are far from each other.
    phash = below(3) === 0 ? randomHash() : bent(phash, 30);
    const object = `${one(["Cancer", "Non-Cancer", "Unlabelled"])}/${i}'é.tif`;
    const pages = below(6) === 0 ? 3 : 1;
    const generations = below(7) === 0 ? 2 : 1;
    for (let generation = 1; generation <= generations; generation++)
      for (let page = 1; page <= (generation === 2 ? 1 : pages); page++) {
        const twin = below(9) === 0 ? rows.at(-1) : undefined;
        const id = sha256(`${i} ${page} ${generation}`);
        const source = pages > 1 ? `${object}#page=${page}` : object;
        const own = { sha256: sha256(`pixels of ${id}`), phash: page === 1 ? phash : randomHash(), duplicate_of: null };
        const same = twin && { sha256: twin.sha256, phash: twin.phash, duplicate_of: twin.id };
        const label = object.startsWith("U") ? null : object.startsWith("C") ? "Cancer" : "Non-Cancer";
        const row = imageRow(id, {
          ...{ source, generation, label, patient: below(4) === 0 ? `p${below(images / 8)}` : null },
          ...{ study: fifth("study", images / 8), series: fifth("series", images / 8) },
          ...(same ?? own),
          ...(below(20) === 0 ? { hash: "h0-of-another" } : {}),
          given_split: below(12) === 0 ? one(SPLITS) : null,
          status: generation === 2 && below(4) === 0 ? "quarantined" : "curated",
        });
        rows.push(row);
        if (below(3) === 0) continue;
        const group = below(3) === 0 ? sha256(`group ${below(images / 6)}`) : id;
        assignments.push(assignmentRow(row, { group, split: one(SPLITS) }));
        if (below(9) === 0) assignments.push(assignmentRow(row, { group: id, split: one(SPLITS), revision: 2 }));
        if (below(9) === 0) assignments.push(assignmentRow(row, { group: "other", split: "test", revision: 2 }));
      }
  }
  return { rows, assignments };
}

async function filled(images: ImageRow[], assignments: ReturnType<typeof assignmentRow>[]): Promise<Workspace> {
  const space = await workspace();
  await space.warehouse.append("images", "all", images);
  for (const [n, row] of assignments.entries()) await space.warehouse.append("assignments", `${n}`, [row]);
  return space;
}

/** On one machine: assignments and shards. */
async function planHere(space: Workspace) {
  const database = await PlanDatabase.open((file) => space.warehouse.extract(PLANNED_IMAGES, {}, file));
  try {
    const plan = await makePlan(context(space), database, [searchPictures(await database.pictures())]);
    const shards: PlannedShard[] = [];
    for await (const shard of plan.shards) shards.push(shard);
    return { shards, rest: plan.rest };
  } finally {
    await database.close();
  }
}

/** As Spark does it: each request has a process of its own. Of the pictures none can be read to be hashed anew. */
async function planInTasks(space: Workspace) {
  const run = randomUUID();
  const ask = async (header: Frame["header"]) => {
    const service = new PreprocessService(context(space));
    const frames: Frame[] = [];
    const answer = await service.handle({ header: { ...header, run }, payload: Buffer.alloc(0) });
    if (Symbol.asyncIterator in answer) for await (const frame of answer) frames.push(frame);
    await service.close();
    return frames;
  };
  const parse = (frame: Frame | undefined) => JSON.parse(Buffer.from(frame?.payload ?? "").toString("utf8"));
  const needed: string[] = [];
  let frames = await ask({ type: "read" });
  let rest = parse(frames.pop());
  for (; rest.next; rest = parse(frames.pop())) {
    needed.push(rest.next);
    if (rest.next === "search")
      // In any order, and one of them twice, as where a task is repeated.
      for (const { header } of [...frames].reverse().concat(frames[3] as Frame))
        await ask({ type: "search", search: Number(header.name) });
    frames = await ask({ type: rest.next === "hash" ? "index" : "group" });
  }
  const service = new PreprocessService(context(space));
  await service.handle({ header: { type: "clean", run }, payload: Buffer.alloc(0) });
  return { needed, shards: frames.map(parse) as PlannedShard[], rest };
}

/** By the definition: rows as objects, all at once. */
async function groupsByDefinition(space: Workspace) {
  const assigned = await currentAssignments(space.warehouse);
  const images = (await currentImages(space.warehouse)).map((image) => {
    const decided = assigned.get(image.id);
    const known = [image, decided].find((row) => row?.hash === PERCEPTUAL_HASH.id);
    return {
      ...{ id: image.id, sha256: image.sha256, phash: known?.phash ?? null, patient: image.patient },
      ...{ study: image.study, series: image.series },
      compared: decided !== undefined && decided.hash === PERCEPTUAL_HASH.id && !decided.disputed,
      ...{ givenSplit: asSplit(image.given_split), group: decided?.group ?? null, split: asSplit(decided?.split) },
    };
  });
  return assignGroups(images);
}

const told = async (space: Workspace) =>
  (await space.warehouse.rows("assignments")).map(({ batch, row }) => ({ batch, ...row, assigned_at: null }));
const groupsOf = async (space: Workspace) =>
  new Map((await currentImages(space.warehouse)).map(({ id, group, split }) => [id, { group, split }]));
const processedNames = async (space: Workspace) => {
  const names: string[] = [];
  for await (const { name } of space.buckets.processed.listAll()) names.push(name);
  return names;
};

test.each([1, 2, 3])(
  "tables of every kind (%s) give the same groups here, in tasks and by the definition",
  async (kind) => {
    const { rows, assignments } = tables(60 * kind);
    const [here, there] = [await filled(rows, assignments), await filled(rows, assignments)];
    const expected = await groupsByDefinition(here);
    const stored = await currentAssignments(here.warehouse);
    const isOurs = (row?: { readonly hash: string | null }) => row?.hash === PERCEPTUAL_HASH.id;
    const hashed = (await currentImages(here.warehouse)).filter((row) => !isOurs(row) && !isOurs(stored.get(row.id)));
    const local = await planHere(here);
    const tasks = await planInTasks(there);
    expect(tasks.needed).toEqual(hashed.length > 0 ? ["hash", "search"] : ["search"]);
    expect(await groupsOf(here)).toEqual(expected.assignments);
    expect(await told(there)).toEqual(await told(here));
    expect([tasks.shards, tasks.rest]).toEqual([local.shards, local.rest]);
    expect(local.rest.notes).toEqual(expect.arrayContaining([...expected.notes]));
    expect(expected.notes.join(" ")).toMatch(/joined.*changed their split.*Training refuses/);
    // What the processes left each other is gone.
    expect(await processedNames(there)).toEqual([]);

    // Nothing is new: no task is needed, and nothing is written.
    const before = await told(here);
    const again = await planInTasks(here);
    expect(again.needed).toEqual(hashed.length > 0 ? ["hash"] : []);
    expect(await told(here)).toEqual(before);
  },
);

test("rows of shards are one a picture, cut by their ids, without a label where names contradict", async () => {
  const { rows } = tables(900);
  const space = await filled(rows, []);
  const { shards } = await planHere(space);
  const planned = shards.flatMap((shard) => shard.rows);
  const current = await currentImages(space.warehouse);
  expect(new Set(planned.map((row) => row.sha256)).size).toBe(planned.length);
  expect(new Set(planned.map((row) => row.sha256))).toEqual(new Set(current.map((row) => row.sha256)));
  expect(shards.length).toBe(4);
  expect(shards.map(({ name }) => name)).toEqual(planShards(planned).map(({ name }) => name));
  for (const row of planned) {
    const same = current.filter((image) => image.sha256 === row.sha256);
    const labels = new Set(same.flatMap(({ label }) => label ?? []));
    expect(row.label).toBe(labels.size === 1 ? [...labels][0] : null);
    expect(row.id).toBe((same.find(({ duplicate_of }) => duplicate_of === null) ?? same[0])?.id);
  }
});

test("a folder of a run that died is cleared a day later, and one of a run that goes on stays", async () => {
  const space = await workspace();
  const [mine, other] = [
    new PlanningFolder(space.buckets.processed, "mine"),
    new PlanningFolder(space.buckets.processed, "other"),
  ];
  for (const folder of [mine, other]) await folder.keepPairs(0, Uint32Array.of(1, 2));
  await mine.clean();
  expect(await processedNames(space)).toEqual(["planning/other/pairs/0"]);
  await mine.clean(Date.now() + 25 * 3600 * 1000);
  expect(await processedNames(space)).toEqual([]);
});
