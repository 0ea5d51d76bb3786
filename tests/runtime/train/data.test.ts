import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { ingestStep } from "../../../runtime/ingest";
import { drawPhantom } from "../../../runtime/phantom";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import type { StepContext } from "../../../runtime/platform/step";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { preprocessStep } from "../../../runtime/preprocess";
import { describeTrainingData, loadTrainingSet } from "../../../runtime/train/data";
import { NO_LESION, UNKNOWN_LESION } from "../../../runtime/train/lesions";

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

interface Slice {
  readonly name: string;
  readonly patient: number | null;
  readonly split: string;
  /** A lesion mask is sent with it: a square, or nothing. */
  readonly mask?: "square" | "empty";
  /** The picture of another slice, larger and as a JPEG, or its very bytes. */
  readonly copy?: { readonly of: string; readonly as: "bytes" | "jpeg" };
}

/** A workspace in which these slices are preprocessed. */
async function prepare(title: string, slices: readonly Slice[]): Promise<Workspace> {
  const data = join(root, `${title}-data`);
  for (const label of ["Cancer", "Non-Cancer"]) mkdirSync(join(data, label), { recursive: true });
  mkdirSync(join(data, "masks"), { recursive: true });
  for (const [index, { name, patient, copy, mask }] of slices.entries()) {
    if (mask) {
      const square = (i: number) => mask === "square" && i % 64 > 30 && i % 64 < 40 && i > 64 * 20 && i < 64 * 30;
      const drawn = Uint8Array.from({ length: 64 * 64 }, (_, i) => (square(i) ? 255 : 0));
      await sharp(drawn, { raw: { width: 64, height: 64, channels: 1 } })
        .png()
        .toFile(join(data, name.replace(/^[^/]+/, "masks")));
    }
    if (copy?.as === "bytes") copyFileSync(join(data, copy.of), join(data, name));
    if (copy?.as === "jpeg")
      await sharp(join(data, copy.of)).resize(150).jpeg({ quality: 80 }).toFile(join(data, name));
    if (copy) continue;
    const lesion = name.startsWith("Cancer/");
    const { pixels } = drawPhantom({
      seed: 4,
      patient: patient ?? index + 50,
      slice: (index % 5) / 6,
      size: 64,
      lesion,
    });
    const image = sharp(pixels, { raw: { width: 64, height: 64, channels: 1 } });
    await image.png().toFile(join(data, name));
  }
  const rows = slices.map(({ name, patient, split }) => `${name},${patient === null ? "" : `p${patient}`},${split}`);
  writeFileSync(join(data, "manifest.csv"), `${["path,patient_id,split", ...rows].join("\n")}\n`);
  const workspace = await openWorkspace(join(root, title));
  opened.push(workspace);
  const context: StepContext = {
    workspace,
    seed: 0,
    log: createLogger("test"),
    progress: silentProgress,
    signal: new AbortController().signal,
  };
  await ingestStep(context, { data });
  await preprocessStep(context);
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
