import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { currentAssignments, currentImages, type ProcessedImage, readShards } from "../../../runtime/dataset";
import { readRejects } from "../../../runtime/dataset/rejects";
import {
  applyRecipe,
  encodePng,
  type GreyImage,
  PERCEPTUAL_HASH,
  perceptualHash,
  RECIPE,
  toOriginal,
} from "../../../runtime/imaging";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import type { ImageRow } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { preprocessStep } from "../../../runtime/preprocess";
import { drawHead, mapPixels, mirror, shift } from "../imaging/pictures";
import { assign, land } from "./landed";

const folders: string[] = [];
const opened: Workspace[] = [];

async function workspace(): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), "preprocess-"));
  folders.push(folder);
  const result = await openWorkspace(folder);
  opened.push(result);
  return result;
}

afterAll(async () => {
  for (const one of opened) await one.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const quiet = createLogger("test", { destination: { write() {} } });

function run(space: Workspace, signal = new AbortController().signal) {
  return preprocessStep({ workspace: space, log: quiet, progress: silentProgress, signal }, { threads: 2 });
}

async function groupsOf(space: Workspace): Promise<Map<string, { group: string | null; split: string | null }>> {
  const images = await currentImages(space.warehouse);
  return new Map(images.map(({ source, group, split }) => [source, { group, split }]));
}

async function shardsOf(space: Workspace): Promise<ProcessedImage[]> {
  const images: ProcessedImage[] = [];
  for await (const image of readShards(space)) images.push(image);
  return images;
}

async function filesOf(space: Workspace): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { name } of space.buckets.processed.listAll()) {
    files[name] = createHash("sha256")
      .update(await space.buckets.processed.read(name))
      .digest("hex");
  }
  return files;
}

const head = (seed: number) => drawHead(seed, 120, 140);

describe("groups and splits", () => {
  test("planted near-duplicates and slices of a patient share a group; others do not", async () => {
    const space = await workspace();
    const base = head(1);
    await land(space, "Cancer/base.png", base);
    await land(space, "Cancer/mirrored.png", mirror(base, "horizontal"));
    await land(
      space,
      "Cancer/brighter.png",
      mapPixels(base, (value) => value + 15),
    );
    await land(space, "Cancer/shifted.png", shift(base, 1, -1));
    await land(space, "Cancer/slice-1.png", head(2), { patient: "p1" });
    await land(space, "Cancer/slice-2.png", head(3), { patient: "p1" });
    for (let i = 0; i < 30; i++) await land(space, `Non-Cancer/other-${i}.png`, head(10 + i), { patient: `q${i}` });
    await run(space);
    const groups = await groupsOf(space);
    const group = (name: string) => groups.get(name)?.group;
    for (const name of ["mirrored", "brighter", "shifted"])
      expect(group(`Cancer/${name}.png`)).toBe(group("Cancer/base.png"));
    expect(group("Cancer/slice-1.png")).toBe(group("Cancer/slice-2.png"));
    expect(new Set([...groups.values()].map((one) => one.group)).size).toBe(32);
    expect(new Set([...groups.values()].map((one) => one.split)).size).toBeGreaterThan(1);
    const splits = new Map<string | null, Set<string | null>>();
    for (const { group, split } of groups.values()) splits.set(group, (splits.get(group) ?? new Set()).add(split));
    for (const set of splits.values()) expect(set.size).toBe(1);
  });

  test("do not depend on the order of arrival, and stay when more arrives", async () => {
    const scans = Array.from({ length: 12 }, (_, i) => [`Cancer/${i}.png`, head(50 + Math.floor(i / 2))] as const);
    const [forth, back] = [await workspace(), await workspace()];
    for (const [name, image] of scans) await land(forth, name, image);
    for (const [name, image] of [...scans].reverse()) await land(back, name, image);
    await run(forth);
    await run(back);
    const before = await groupsOf(forth);
    expect(new Map([...(await groupsOf(back))].sort())).toEqual(new Map([...before].sort()));
    for (let i = 0; i < 10; i++) await land(forth, `Unlabelled/more-${i}.png`, head(90 + i));
    await run(forth);
    const after = await groupsOf(forth);
    for (const [name, assignment] of before) expect(after.get(name)).toEqual(assignment);
    expect(after.size).toBe(22);
  });

  test("where an image joins groups, test comes before validation before train, and it is said", async () => {
    const space = await workspace();
    const [one, two] = [head(70), head(71)];
    await assign(space, await land(space, "Cancer/one.png", one), { group: "b", split: "train" });
    await assign(space, await land(space, "Cancer/two.png", two), { group: "a", split: "test" });
    await land(space, "Cancer/bridge-1.png", mirror(one, "horizontal"), { patient: "p" });
    await land(space, "Cancer/bridge-2.png", mirror(two, "vertical"), { patient: "p" });
    const { notes } = await run(space);
    for (const { group, split } of (await groupsOf(space)).values()) expect([group, split]).toEqual(["a", "test"]);
    expect(notes?.join(" ")).toMatch(/2 groups .* joined.*1 images changed their split/);
    expect((await run(space)).notes).toEqual([]);
  });

  test("two patients whose slices merely look alike stay apart; the same picture joins them", async () => {
    const space = await workspace();
    const image = head(80);
    const { phash } = await land(space, "Cancer/a.png", image, { patient: "a" });
    const bits = BigInt(`0x${phash}`);
    const alike = (bits ^ ((1n << 25n) - 1n)).toString(16).padStart(64, "0");
    await land(space, "Cancer/b.png", head(81), { patient: "b", phash: alike });
    await land(
      space,
      "Cancer/c.png",
      mapPixels(image, (value) => value + 3),
      { patient: "c" },
    );
    await run(space);
    const groups = await groupsOf(space);
    expect(groups.get("Cancer/b.png")?.group).not.toBe(groups.get("Cancer/a.png")?.group);
    expect(groups.get("Cancer/c.png")?.group).toBe(groups.get("Cancer/a.png")?.group);
  });

  test("a given split is kept, its group follows, and a contradiction is reported", async () => {
    const space = await workspace();
    const image = head(60);
    await land(space, "Cancer/given.png", image, { given_split: "validation" });
    await land(space, "Cancer/twin.png", mirror(image, "horizontal"));
    const other = head(61);
    await land(space, "Cancer/left.png", other, { given_split: "train" });
    await land(space, "Cancer/right.png", mirror(other, "vertical"), { given_split: "test" });
    const { notes } = await run(space);
    const groups = await groupsOf(space);
    expect(groups.get("Cancer/given.png")?.split).toBe("validation");
    expect(groups.get("Cancer/twin.png")?.split).toBe("validation");
    expect(groups.get("Cancer/left.png")?.split).toBe("train");
    expect(groups.get("Cancer/right.png")?.split).toBe("test");
    expect(notes?.join(" ")).toMatch(/1 groups \(2 images\).*Training refuses/);
  });
});

describe("images whose hash is by another perceptual hash", () => {
  /** Hashes by the one before: equal for all pictures, and without a meaning for the current one. */
  const before = { hash: "h0-0123456789", phash: "0".repeat(64) };
  const stored = async (space: Workspace) => new Map([...(await currentAssignments(space.warehouse))]);

  test("are hashed anew, once, and compared with everything: what was tested on is never trained on", async () => {
    const space = await workspace();
    const tested = await land(space, "Cancer/tested.png", head(1), before);
    const learnt = await land(space, "Cancer/learnt.png", mirror(head(1), "vertical"), before);
    const alone = await land(space, "Cancer/alone.png", head(2), before);
    await assign(space, tested, { group: "t", split: "test", ...before });
    await assign(space, learnt, { group: "l", split: "train", ...before });
    await assign(space, alone, { group: "a", split: "validation", ...before });
    const twin = await land(space, "Unlabelled/twin.png", mirror(head(1), "horizontal"));
    const { notes } = await run(space);
    expect(notes?.join(" ")).toMatch(/2 groups .* joined.* 1 images changed their split.* 3 images were compared/s);
    const groups = await groupsOf(space);
    for (const { source } of [tested, learnt, twin]) expect(groups.get(source)).toEqual({ group: "l", split: "test" });
    expect(groups.get(alone.source)).toEqual({ group: "a", split: "validation" });
    const assigned = await stored(space);
    expect(assigned.get(tested.id)).toMatchObject({
      hash: PERCEPTUAL_HASH.id,
      phash: perceptualHash(head(1)),
      revision: 2,
    });
    expect(assigned.get(twin.id)).toMatchObject({ hash: PERCEPTUAL_HASH.id, phash: twin.phash, revision: 1 });
    expect((await shardsOf(space)).find(({ id }) => id === tested.id)?.phash).toBe(perceptualHash(head(1)));

    // What was hashed anew is known by now: the next run reads no picture for it.
    for await (const { name } of space.buckets.curated.listAll("images/")) await space.buckets.curated.delete(name);
    const batches = await space.warehouse.batches("assignments");
    expect(await run(space)).toMatchObject({ items: 0, skipped: 4, notes: [] });
    expect(await space.warehouse.batches("assignments")).toEqual(batches);
    const late = await land(space, "Unlabelled/late.png", mirror(head(2), "vertical"));
    await run(space);
    expect((await groupsOf(space)).get(late.source)).toEqual({ group: "a", split: "validation" });
  });

  test("keep their group where the picture cannot be read, and are compared once it can", async () => {
    const space = await workspace();
    const lost = await land(space, "Cancer/lost.png", head(1), before);
    await assign(space, lost, { group: "t", split: "test", ...before });
    const file = `images/${lost.sha256}.png`;
    const content = await space.buckets.curated.read(file);
    await space.buckets.curated.delete(file);
    const twin = await land(space, "Cancer/twin.png", mirror(head(1), "horizontal"));
    expect(await run(space)).toMatchObject({ items: 1, rejected: 1 });
    expect((await groupsOf(space)).get(lost.source)).toEqual({ group: "t", split: "test" });
    expect((await groupsOf(space)).get(twin.source)?.group).toBe(twin.id);
    await space.buckets.curated.write(file, content);
    await run(space);
    for (const split of (await groupsOf(space)).values()) expect(split.split).toBe("test");
    expect(new Set([...(await groupsOf(space)).values()].map(({ group }) => group)).size).toBe(1);
  });

  test("of a workspace that an earlier version made keep the group that its rows have", async () => {
    const space = await workspace();
    const { hash: _, recipe: __, ...row } = await land(space, "Cancer/a.png", head(1));
    const [batch] = await space.warehouse.batches("images");
    const early = { ...row, group: "early", split: "test" };
    await space.buckets.warehouse.write(`images/${batch}.jsonl`, `${JSON.stringify(early)}\n`);
    await land(space, "Cancer/twin.png", mirror(head(1), "horizontal"));
    await run(space);
    expect([...(await groupsOf(space)).values()]).toEqual(Array(2).fill({ group: "early", split: "test" }));
  });
});

describe("shards", () => {
  test("hold the fixed columns and the recipe's pixels, readable by any Parquet reader", async () => {
    const space = await workspace();
    const images = [head(1), head(2), head(3)];
    const rows = [
      await land(space, "Cancer/a b'c.png", images[0] as GreyImage),
      await land(space, "Non-Cancer/é😀.png", images[1] as GreyImage),
      await land(space, "Unlabelled/u.png", images[2] as GreyImage),
    ];
    expect(await run(space)).toMatchObject({ items: 3, skipped: 0, rejected: 0, notes: [] });
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const file = join(space.directory, "processed", "*", "part-*.parquet");
    const result = await connection.runAndReadAll(`SELECT * FROM read_parquet('${file}') ORDER BY id`);
    expect(result.columnNames()).toEqual(
      "id label group split width height channels pixels recipe sha256 phash source generation mask".split(" "),
    );
    const found = result.getRowObjects();
    const sorted = rows
      .map((row, i) => ({ row, image: images[i] as GreyImage }))
      .sort((a, b) => (a.row.id < b.row.id ? -1 : 1));
    sorted.forEach(({ row, image }, i) => {
      const { id, label, sha256, phash, source } = row;
      expect(found[i]).toMatchObject({ id, label, sha256, phash, source, width: 128, height: 128, channels: 3 });
      expect(found[i]).toMatchObject({ recipe: RECIPE.id, generation: 1n });
      const { bytes } = (found[i] as Record<string, unknown>).pixels as { bytes: Uint8Array };
      expect(Buffer.from(bytes).equals(applyRecipe(image).pixels)).toBe(true);
    });
    connection.closeSync();
    instance.closeSync();

    const three = await shardsOf(space);
    expect(three.map(({ id }) => id)).toEqual(sorted.map(({ row }) => row.id));
    const ones: ProcessedImage[] = [];
    for await (const image of readShards(space, { channels: 1 })) ones.push(image);
    expect(ones[1]?.pixels).toHaveLength(128 * 128);
    expect(ones[1]?.pixels[5000]).toBe(three[1]?.pixels[15_000]);
    const tests: string[] = [];
    for await (const { id } of readShards(space, { split: "test" })) tests.push(id);
    expect(tests).toEqual(three.filter(({ split }) => split === "test").map(({ id }) => id));
  });

  test("carry a lesion mask to where the recipe carries its scan, also when it comes later", async () => {
    const space = await workspace();
    const { curated } = space.buckets;
    const image = head(1);
    const { width, height } = image;
    const [a, b] = [await land(space, "Cancer/a.png", image), await land(space, "Cancer/b.png", head(2))];
    // A rectangle with its centre in the middle of the pixel (70, 90).
    const inside = (i: number) => Math.abs((i % width) - 70) <= 6 && Math.abs(Math.floor(i / width) - 90) <= 4;
    const lesion = Uint8Array.from({ length: width * height }, (_, i) => (inside(i) ? 255 : 0));
    await curated.write(`masks/${a.id}.png`, await encodePng({ width, height, depth: 8, pixels: lesion }));
    await run(space);
    const masks = async () => new Map((await shardsOf(space)).map(({ id, masked, mask }) => [id, { masked, mask }]));
    expect((await masks()).get(b.id)).toEqual({ masked: false, mask: null });
    const { masked, mask } = (await masks()).get(a.id) as { masked: boolean; mask: Uint8Array };
    expect(masked).toBe(true);
    let [x, y, sum] = [0, 0, 0];
    mask.forEach((share, i) => {
      x += share * ((i % 128) + 0.5);
      y += share * (Math.floor(i / 128) + 0.5);
      sum += share;
    });
    const { geometry } = applyRecipe(image);
    const centre = toOriginal(geometry, x / sum, y / sum);
    expect(centre.x).toBeCloseTo(70.5, 0);
    expect(centre.y).toBeCloseTo(90.5, 0);
    expect((sum / 255) * geometry.scale ** 2).toBeCloseTo(13 * 9, -1);

    await curated.write(`masks/${b.id}.png`, await encodePng({ width, height, depth: 8, pixels: lesion }));
    expect(await run(space)).toMatchObject({ items: 0, skipped: 2 });
    expect((await masks()).get(b.id)?.masked).toBe(true);
    expect((await masks()).get(a.id)?.mask).toEqual(mask);
    const before = await filesOf(space);
    await run(space);
    expect(await filesOf(space)).toEqual(before);

    // A mask of another size is not this scan's.
    const small = { width: 8, height: 8, depth: 8, pixels: new Uint8Array(64) } as const;
    const c = await land(space, "Cancer/c.png", head(3));
    await curated.write(`masks/${c.id}.png`, await encodePng(small));
    await run(space);
    expect((await masks()).get(c.id)).toEqual({ masked: false, mask: null });
  });

  test("are byte-identical in two workspaces, however the images arrived and wherever a run stopped", async () => {
    const scans = Array.from({ length: 20 }, (_, i) => [`Cancer/${i}.png`, head(200 + i)] as const);
    const [whole, parts] = [await workspace(), await workspace()];
    for (const [name, image] of scans) await land(whole, name, image);
    await run(whole);
    for (const [name, image] of scans.slice(7)) await land(parts, name, image);
    await run(parts);
    for (const [name, image] of scans.slice(0, 7)) await land(parts, name, image);
    const stop = new AbortController();
    stop.abort();
    await expect(run(parts, stop.signal)).rejects.toThrow(/abort/i);
    expect(await run(parts)).toMatchObject({ items: 7, skipped: 13 });
    expect(await filesOf(parts)).toEqual(await filesOf(whole));
    const generations = async () => {
      const found: number[] = [];
      for await (const { generation } of parts.buckets.processed.listAll()) found.push(generation);
      return found;
    };
    const before = await generations();
    expect(await run(parts)).toMatchObject({ items: 0, skipped: 20, rejected: 0 });
    expect(await generations()).toEqual(before);
  });

  test("are rewritten without decoding when only label, group or split change", async () => {
    const space = await workspace();
    const image = head(31);
    const row = await land(space, "Unlabelled/a.png", image);
    const other = await land(space, "Cancer/b.png", head(32));
    await run(space);
    const before = await shardsOf(space);
    for (const { sha256 } of [row, other]) await space.buckets.curated.delete(`images/${sha256}.png`);
    await space.warehouse.append("images", "again", [{ ...row, generation: 2, label: "Cancer", patient: "p" }]);
    await assign(space, row, { group: "zz", split: "test", revision: 2 });
    expect(await run(space)).toMatchObject({ items: 0, skipped: 2, rejected: 0 });
    const after = await shardsOf(space);
    const find = (rows: ProcessedImage[]) => rows.find(({ id }) => id === row.id) as ProcessedImage;
    expect(find(after)).toMatchObject({ label: "Cancer", group: "zz", split: "test" });
    expect(Buffer.from(find(after).pixels).equals(find(before).pixels)).toBe(true);
  });

  test("leave out duplicates, superseded generations and what is contradicted", async () => {
    const space = await workspace();
    const first = await land(space, "Cancer/a.png", head(41));
    await land(space, "Cancer/a again.png", head(41), { duplicate_of: first.id });
    await land(space, "Non-Cancer/a.png", head(41), { duplicate_of: first.id });
    await land(space, "Cancer/old.png", head(42));
    await run(space);
    const renewed = await land(space, "Cancer/old.png", head(43), { generation: 2 });
    const { notes } = await run(space);
    const shards = await shardsOf(space);
    expect(new Set(shards.map(({ id }) => id))).toEqual(new Set([first.id, renewed.id]));
    expect(shards.find(({ id }) => id === first.id)?.label).toBeNull();
    expect(shards.find(({ id }) => id === renewed.id)).toMatchObject({ generation: 2, label: "Cancer" });
    expect(notes?.join(" ")).toContain("1 pictures landed as Cancer and as Non-Cancer");
    await space.warehouse.append("images", "Cancer-old.png-3", [{ ...renewed, generation: 3, status: "quarantined" }]);
    await run(space);
    expect((await shardsOf(space)).map(({ id }) => id)).toEqual([first.id]);
  });

  test("go on without a curated file that is gone or damaged, and take it when it is back", async () => {
    const space = await workspace();
    await land(space, "Cancer/good.png", head(44));
    const gone = await land(space, "Cancer/gone.png", head(45));
    const damaged = await land(space, "Cancer/damaged.png", head(46));
    const file = (row: ImageRow) => `images/${row.sha256}.png`;
    const content = await space.buckets.curated.read(file(gone));
    await space.buckets.curated.delete(file(gone));
    await space.buckets.curated.write(file(damaged), await encodePng(head(47)));
    const counts = await run(space);
    expect(counts).toMatchObject({ items: 1, skipped: 0, rejected: 2 });
    expect(counts.notes?.join(" ")).toMatch(/Cancer\/gone.png is left out: .* is gone/);
    expect(counts.notes?.join(" ")).toMatch(/Cancer\/damaged.png is left out: .* does not hold the pixels/);
    const rejects = await readRejects(space.buckets.processed);
    expect(new Map(rejects.map(({ source, reason }) => [source, reason]))).toEqual(
      new Map([
        ["Cancer/damaged.png", "pixels-differ"],
        ["Cancer/gone.png", "curated-missing"],
      ]),
    );
    await space.buckets.curated.write(file(gone), content);
    expect(await run(space)).toMatchObject({ items: 1, skipped: 1, rejected: 1 });
    expect((await readRejects(space.buckets.processed)).map(({ id }) => id)).toEqual([damaged.id]);
    expect(await shardsOf(space)).toHaveLength(2);
  });

  test("a shard that someone broke is written again", async () => {
    const space = await workspace();
    await land(space, "Cancer/a.png", head(48));
    await run(space);
    const before = await filesOf(space);
    await space.buckets.processed.write(Object.keys(before)[0] as string, "not Parquet");
    expect(await run(space)).toMatchObject({ items: 1 });
    expect(await filesOf(space)).toEqual(before);
  });

  test("nothing to do is no failure", async () => {
    const space = await workspace();
    expect(await run(space)).toEqual({
      items: 0,
      skipped: 0,
      rejected: 0,
      notes: [expect.stringContaining("npm run ingest")],
    });
    expect(await shardsOf(space)).toEqual([]);
  });
});
