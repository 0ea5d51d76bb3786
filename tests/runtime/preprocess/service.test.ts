import { randomUUID } from "node:crypto";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CuratedPage, currentAssignments, readShards } from "../../../runtime/dataset";
import { readRejects } from "../../../runtime/dataset/rejects";
import { applyRecipeGrey, encodePng, RECIPE } from "../../../runtime/imaging";
import type { Frame } from "../../../runtime/platform/framed";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { preprocessContract, preprocessStep } from "../../../runtime/preprocess";
import { main } from "../../../runtime/preprocess/main";
import type { PlannedShard } from "../../../runtime/preprocess/plan";
import { PreprocessService } from "../../../runtime/preprocess/service";
import { drawHead, mirror } from "../imaging/pictures";
import { assign, land } from "./landed";

const folders: string[] = [];
const opened: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of opened) await one.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const head = (seed: number) => drawHead(seed, 120, 140);
const context = () => ({
  log: createLogger("test", { destination: { write() {} } }),
  signal: new AbortController().signal,
});

async function served(): Promise<{ space: Workspace; service: PreprocessService }> {
  const folder = await mkdtemp(join(tmpdir(), "service-"));
  folders.push(folder);
  const space = await openWorkspace(folder);
  const service = new PreprocessService({ workspace: space, ...context() });
  opened.push(service, space);
  return { space, service };
}

async function ask(service: PreprocessService, header: Frame["header"], payload: Uint8Array = Buffer.alloc(0)) {
  const answer = await service.handle({ header, payload });
  if (!(Symbol.asyncIterator in answer)) return [answer];
  const frames: Frame[] = [];
  for await (const one of answer) frames.push(one);
  return frames;
}

const parse = (frame: Frame | undefined) => JSON.parse(Buffer.from(frame?.payload ?? "").toString("utf8"));

/** What a driver does with the answers. */
async function drive(
  service: PreprocessService,
  more: { readonly listing?: string } = {},
  make: typeof atOnce | typeof imageByImage = atOnce,
) {
  const run = { run: randomUUID(), ...more };
  let frames = await ask(service, { type: "read", ...run });
  let rest = parse(frames.pop());
  for (; rest.next; rest = parse(frames.pop())) {
    for (const { header, payload } of frames) {
      if (rest.next === "hash") await hash(service, { ...header, ...run }, payload);
      else await ask(service, { type: "search", ...run, search: Number(header.name) });
    }
    frames = await ask(service, { type: rest.next === "hash" ? "index" : "group", ...run });
  }
  const outcomes = [];
  for (const planned of frames) outcomes.push((await make(service, planned.payload))?.header.outcome);
  const [end] = await ask(service, { type: "finish", ...run }, Buffer.from(JSON.stringify({ plan: rest, outcomes })));
  return end?.header;
}

async function hash(service: PreprocessService, header: Frame["header"], payload: Uint8Array): Promise<void> {
  const made: string[] = [];
  const pixels: Uint8Array[] = [];
  for (const { id, object, sha256 } of JSON.parse(Buffer.from(payload).toString("utf8")) as CuratedPage[]) {
    const [answer] = await ask(service, { type: "pixels", object, sha256 });
    if (answer?.header.rejection) continue;
    made.push(id);
    pixels.push(answer?.payload as Uint8Array);
  }
  await ask(service, { ...header, type: "hash", made }, Buffer.concat(pixels));
}

async function atOnce(service: PreprocessService, shard: Uint8Array): Promise<Frame | undefined> {
  return (await ask(service, { type: "make" }, shard)).at(-1);
}

async function imageByImage(service: PreprocessService, payload: Uint8Array): Promise<Frame | undefined> {
  const shard = JSON.parse(Buffer.from(payload).toString("utf8")) as PlannedShard;
  const made: string[] = [];
  const pixels: Uint8Array[] = [];
  const rejections: Record<string, unknown> = {};
  const [missing] = await ask(service, { type: "missing" }, payload);
  for (const { id, object, sha256 } of parse(missing) as CuratedPage[]) {
    const [answer] = await ask(service, { type: "pixels", object, sha256 });
    if (answer?.header.rejection) rejections[id] = answer.header.rejection;
    else {
      made.push(id);
      pixels.push(answer?.payload as Uint8Array);
    }
  }
  const [written] = await ask(service, { type: "write", shard, made, rejections }, Buffer.concat(pixels));
  return written;
}

async function shardsOf(space: Workspace) {
  const rows = [];
  for await (const row of readShards(space, { channels: 1 })) rows.push(row);
  return rows;
}

describe("the service of the Spark steps", () => {
  test.each([
    ["shard by shard", atOnce],
    ["image by image", imageByImage],
  ])("asked %s it does what the local step does, and then there is nothing to do", async (_, make) => {
    const [here, there] = [await served(), await served()];
    for (let i = 0; i < 9; i++)
      for (const { space } of [here, there]) await land(space, `Cancer/${i}.png`, head(Math.floor(i / 2)));
    for (const { space } of [here, there]) {
      const { id } = await land(space, "Cancer/masked.png", head(50));
      const lesion = drawHead(51, 120, 140);
      await space.buckets.curated.write(`masks/${id}.png`, await encodePng(lesion));
    }
    expect(await drive(here.service, {}, make)).toMatchObject({ items: 6, skipped: 0, rejected: 0 });
    await preprocessStep({ workspace: there.space, progress: silentProgress, ...context() }, { threads: 1 });
    expect(await shardsOf(here.space)).toEqual(await shardsOf(there.space));
    expect(await drive(here.service, {}, make)).toMatchObject({ items: 0, skipped: 6, rejected: 0 });
    const more = await land(here.space, "Cancer/more.png", head(77));
    const gone = await land(here.space, "Cancer/gone.png", head(78));
    await here.space.buckets.curated.delete(`images/${gone.sha256}.png`);
    expect(await drive(here.service, {}, make)).toMatchObject({ items: 1, skipped: 6, rejected: 1 });
    expect((await shardsOf(here.space)).map(({ id }) => id)).toContain(more.id);
    expect(await readRejects(here.space.buckets.processed)).toMatchObject([{ id: gone.id, reason: "curated-missing" }]);
  });

  test("says what is wrong with one image, whatever it is, before reading what is too large", async () => {
    const { space, service } = await served();
    const row = await land(space, "Cancer/a.png", head(1));
    const pixels = async (object: string) =>
      (await ask(service, { type: "pixels", object, sha256: row.sha256 }))[0] as Frame;
    const good = await pixels(`images/${row.sha256}.png`);
    expect(Buffer.from(good.payload).equals(Buffer.from(applyRecipeGrey(head(1)).grey))).toBe(true);
    const folder = fileURLToPath(space.buckets.curated.uri);
    const other = await land(space, "Cancer/b.png", head(2));
    await writeFile(join(folder, "huge.png"), "");
    await truncate(join(folder, "huge.png"), 200 * 2 ** 20);
    for (const [object, reason] of [
      ["images/none.png", "curated-missing"],
      [`images/${other.sha256}.png`, "pixels-differ"],
      ["huge.png", "curated-too-large"],
    ] as const) {
      expect((await pixels(object)).header).toEqual({
        rejection: { reason, message: expect.stringContaining(object) },
      });
    }
  });

  test("takes a listing line by line: equal pixels under other names are rows of one group", async () => {
    const { space, service } = await served();
    const row = await land(space, "Cancer/a.png", head(3));
    const listing = join(fileURLToPath(space.buckets.reports.uri), "listing.ndjson");
    const line = (id: string) => ({ id, source: `x/${id}`, sha256: row.sha256, phash: row.phash, label: "Cancer" });
    await writeFile(listing, ["one", "two", "three"].map((id) => `${JSON.stringify(line(id))}\n`).join(""));
    expect(await drive(service, { listing })).toMatchObject({ items: 3, rejected: 0 });
    const rows = await shardsOf(space);
    expect(rows.map(({ source }) => source).sort()).toEqual(["x/one", "x/three", "x/two"]);
    expect(new Set(rows.map(({ group }) => group)).size).toBe(1);

    await writeFile(
      listing,
      `${JSON.stringify(line("one"))}\n{"id":"two"}\nnonsense\n${JSON.stringify(line("one"))}\n`,
    );
    await expect(drive(service, { listing })).rejects.toThrow(
      /line 2: source: .*sha256: [\s\S]*line 3: is not JSON[\s\S]*line 4: the id one stands twice/,
    );
  });

  test("hashes pictures anew whose hash is by another, and then does what the local step does", async () => {
    const [here, there] = [await served(), await served()];
    for (const { space } of [here, there]) {
      const old = await land(space, "Cancer/old.png", head(1), { hash: "h0", phash: "0".repeat(64) });
      await assign(space, old, { group: "first", split: "test", hash: "h0", phash: "0".repeat(64) });
      await land(space, "Cancer/twin.png", mirror(head(1), "horizontal"));
      await land(space, "Cancer/other.png", head(2), { hash: "h0", phash: "0".repeat(64) });
      const gone = await land(space, "Cancer/gone.png", head(3), { hash: "h0", phash: "0".repeat(64) });
      await space.buckets.curated.delete(`images/${gone.sha256}.png`);
    }
    expect(await drive(here.service)).toMatchObject({
      items: 3,
      rejected: 1,
      notes: expect.arrayContaining([expect.stringMatching(/^2 images were compared with all others anew/)]),
    });
    await preprocessStep({ workspace: there.space, progress: silentProgress, ...context() }, { threads: 1 });
    const rows = await shardsOf(here.space);
    expect(rows).toEqual(await shardsOf(there.space));
    expect(await currentAssignments(here.space.warehouse)).toEqual(await currentAssignments(there.space.warehouse));
    const twins = rows.filter(({ source }) => source !== "Cancer/other.png");
    expect(twins.map(({ group, split }) => [group, split])).toEqual(Array(2).fill(["first", "test"]));

    const listing = join(fileURLToPath(here.space.buckets.reports.uri), "listing.ndjson");
    const lines = rows.map(({ id, source, sha256 }) => ({ id, source, sha256, hash: "h0", phash: "0".repeat(64) }));
    await writeFile(listing, lines.map((line) => JSON.stringify(line)).join("\n"));
    expect(await drive(here.service, { listing })).toMatchObject({ items: 0, skipped: 3 });
    const listed = await shardsOf(here.space);
    expect(listed.map(({ phash }) => phash)).toEqual(rows.map(({ phash }) => phash));
    expect(new Set(listed.map(({ group }) => group)).size).toBe(2);
  });

  test("its process names every variable that is missing", async () => {
    await expect(main({})).rejects.toThrow(/CURATED_BUCKET[\s\S]*PROCESSED_BUCKET[\s\S]*WAREHOUSE/);
    expect((await served()).service.handle({ header: { type: "dance" }, payload: Buffer.alloc(0) })).rejects.toThrow(
      /no request of the type "dance"/,
    );
    expect(preprocessContract.target).toBe(main.name);
    expect((await ask((await served()).service, { type: "hello" }))[0]?.header).toEqual({ recipe: RECIPE.id });
  });
});
