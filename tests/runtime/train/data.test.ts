import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardFiles, type ShardRow } from "../../../runtime/dataset";
import { RECIPE } from "../../../runtime/imaging";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { describeTrainingData, loadTrainingSet } from "../../../runtime/train/data";
import { NO_LESION, UNKNOWN_LESION } from "../../../runtime/train/lesions";
import { planShards } from "../../support/plan-shards";
import { prepareSlices, type Slice } from "./slices";

let root: string;
const opened: Workspace[] = [];

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "training-data-"));
  process.env.LOG_LEVEL = "fatal";
});
afterAll(async () => {
  await Promise.all(opened.map((workspace) => workspace.close()));
  rmSync(root, { recursive: true });
});

async function prepare(title: string, slices: readonly Slice[]): Promise<Workspace> {
  const { workspace } = await prepareSlices(root, title, slices);
  opened.push(workspace);
  return workspace;
}

const SOUND: readonly Slice[] = [
  { name: "Cancer/a.png", patient: 1, split: "train" },
  { name: "Non-Cancer/b.png", patient: 1, split: "train" },
  { name: "Cancer/c.png", patient: 2, split: "validation" },
  { name: "Non-Cancer/d.png", patient: 3, split: "test" },
];

describe("the data that a model learns from", () => {
  it("are counted, named, and loaded without the test images", async () => {
    const workspace = await prepare("sound", SOUND);
    const { counts, digest } = await describeTrainingData(workspace);
    expect(counts).toEqual({ train: 2, validation: 1, test: 1 });
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    const set = await loadTrainingSet(workspace);
    expect(set.images.labels).toHaveLength(3);
    expect(Array.from(set.train, (row) => set.images.labels[row]).sort()).toEqual([0, 1]);
    expect(Array.from(set.validation, (row) => set.images.labels[row])).toEqual([1]);

    const other = await prepare("moved", [...SOUND.slice(0, 3), { ...(SOUND[3] as Slice), split: "validation" }]);
    expect((await describeTrainingData(other)).digest).not.toBe(digest);
  });

  it("come with the lesion masks that are known; a head without a tumour is known to have no lesion", async () => {
    const slices: readonly Slice[] = [
      { name: "Cancer/a.png", patient: 1, split: "train", mask: "square" },
      { name: "Cancer/b.png", patient: 2, split: "train" },
      { name: "Cancer/c.png", patient: 3, split: "train", mask: "empty" },
      { name: "Non-Cancer/d.png", patient: 4, split: "train" },
    ];
    const workspace = await prepare("masked", slices);
    const { digest } = await describeTrainingData(workspace);
    const { images } = await loadTrainingSet(workspace);
    expect(Array.from(images.maskOf).sort()).toEqual([0, NO_LESION, UNKNOWN_LESION, UNKNOWN_LESION].sort());
    expect(images.labels[images.maskOf.indexOf(0)]).toBe(1);
    expect(images.labels[images.maskOf.indexOf(NO_LESION)]).toBe(0);
    expect(images.masks).toHaveLength(images.side ** 2);
    expect(images.masks.some((share) => share === 255)).toBe(true);

    const bare = await prepare("bare", [{ name: "Cancer/a.png", patient: 1, split: "train" }, ...slices.slice(1)]);
    expect((await describeTrainingData(bare)).digest).not.toBe(digest);
  });

  it("have another digest where a lesion is outlined otherwise", async () => {
    const digestOf = async (title: string, mask: "square" | "corner") => {
      const [tumour, ...rest] = SOUND as readonly [Slice, ...Slice[]];
      return (await describeTrainingData(await prepare(title, [{ ...tumour, mask }, ...rest]))).digest;
    };
    const square = await digestOf("square", "square");
    expect(await digestOf("square-again", "square")).toBe(square);
    expect(await digestOf("corner", "corner")).not.toBe(square);
  });

  it("come in one order, however images that nobody learns from cut the shards", async () => {
    const area = RECIPE.side ** 2;
    const rowOf = (i: number, labelled: boolean): ShardRow => ({
      id: `${labelled ? "l" : "u"}${String(i).padStart(4, "0")}`,
      label: labelled ? (i % 2 ? "Cancer" : "Non-Cancer") : null,
      group: `g${i}`,
      split: i % 4 === 3 ? "validation" : "train",
      sha256: `${i}`,
      phash: `${i}`,
      source: `${i}`,
      generation: 1,
      masked: false,
    });
    const load = async (title: string, unlabelled: number) => {
      const workspace = await openWorkspace(join(root, title));
      opened.push(workspace);
      const rows = [
        ...Array.from({ length: 12 }, (_, i) => rowOf(i, true)),
        ...Array.from({ length: unlabelled }, (_, i) => rowOf(i, false)),
      ];
      const shards = planShards(rows);
      const files = await ShardFiles.open(workspace.buckets.processed);
      for (const shard of shards) {
        const planes = shard.rows.map(
          ({ id }) => [id, { grey: new Uint8Array(area).fill(Number(id.slice(1))), mask: null }] as const,
        );
        await files.write(shard, new Map(planes));
      }
      await files.close();
      const { images, train, validation, groups } = await loadTrainingSet(workspace);
      const shown = (rows: Int32Array) => Array.from(rows, (row) => images.pixels[row * area]);
      return { shards: shards.length, train: shown(train), validation: shown(validation), groups };
    };
    const [alone, beside] = [await load("alone", 0), await load("beside", 1500)];
    expect([alone.shards, beside.shards]).toEqual([1, 4]);
    expect(alone).toMatchObject({ train: [0, 1, 2, 4, 5, 6, 8, 9, 10], validation: [3, 7, 11] });
    expect(beside).toMatchObject({ train: alone.train, validation: alone.validation, groups: alone.groups });
  });

  it("offer the outlined lesions of training patients, and of no others, to be planted", async () => {
    const workspace = await prepare("donors", [
      { name: "Cancer/a.png", patient: 1, split: "train", mask: "square" },
      { name: "Cancer/b.png", patient: 2, split: "train" },
      { name: "Cancer/c.png", patient: 3, split: "validation", mask: "square" },
      { name: "Cancer/d.png", patient: 4, split: "test", mask: "square" },
      { name: "Non-Cancer/e.png", patient: 5, split: "train" },
    ]);
    const { images, train, validation } = await loadTrainingSet(workspace);
    expect(images.donors).toHaveLength(1);
    expect(train).toContain(images.donors[0]);
    expect(images.maskOf[validation[0] as number]).toBeGreaterThanOrEqual(0);
  });

  it("are refused where the manifest puts one patient into two splits", async () => {
    const workspace = await prepare("leak", [...SOUND, { name: "Cancer/e.png", patient: 1, split: "test" }]);
    await expect(describeTrainingData(workspace)).rejects.toThrow(
      /would be tested on.*Cancer\/a\.png \(train\) and Cancer\/e\.png \(test\) are of the same patient/,
    );
  });

  it.each([
    ["jpeg", /near-duplicates \(distance \d+ bits? of 256/],
    ["bytes", /have the same pixels/],
  ] as const)(
    "are refused where the manifest puts a copy (%s) into another split, and the pair is named",
    async (as, why) => {
      const workspace = await prepare(`copy-${as}`, [
        ...SOUND.map((slice) => ({ ...slice, patient: null })),
        { name: "Non-Cancer/z.png", patient: null, split: "validation", copy: { of: "Non-Cancer/b.png", as } },
      ]);
      const refused = describeTrainingData(workspace);
      await expect(refused).rejects.toThrow(/Non-Cancer\/b\.png \(train\) and Non-Cancer\/z\.png \(validation\)/);
      await expect(refused).rejects.toThrow(why);
    },
  );

  it("are refused without both classes to learn from", async () => {
    const workspace = await prepare("one-sided", [
      { name: "Cancer/a.png", patient: 1, split: "train" },
      { name: "Non-Cancer/b.png", patient: 2, split: "test" },
    ]);
    await expect(describeTrainingData(workspace)).rejects.toThrow(/no Non-Cancer image \(1 labelled/);
  });
});
