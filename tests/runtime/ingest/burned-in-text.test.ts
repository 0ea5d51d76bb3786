import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PixelText } from "../../../runtime/gateway/pixel-text";
import { prepare } from "../../../runtime/gateway/prepare";
import { isLookedAt, TextFinder } from "../../../runtime/guard";
import { decodeCurated, decodeScan, encodePng, type GreyImage, pixelSha256 } from "../../../runtime/imaging";
import { checkFolder, ingestStep } from "../../../runtime/ingest";
import { BurnedInTextCheck } from "../../../runtime/ingest/burned-in-text";
import { ingestContract } from "../../../runtime/ingest/contract";
import { identitiesUnder, LOCAL_PSEUDONYM_KEY, openInput, openPseudonymiser } from "../../../runtime/intake";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import type { ImageRow } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { writeText } from "../../support/letters";
import {
  bytesOfSlice,
  drawSlice,
  type Elements,
  mrElements,
  writeElements,
  writeFile,
} from "../imaging/dicom/dicom-writer";
import { ingestOne } from "./ingest-one";

let scratch: string;
let workspace: Workspace;
beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "burned-in-"));
  workspace = await openWorkspace(join(scratch, "workspace"));
});
afterEach(async () => {
  await workspace.close();
  rmSync(scratch, { recursive: true, force: true });
});

async function ingest(
  name: string,
  content: Buffer,
  check: BurnedInTextCheck | null = new BurnedInTextCheck(),
  more: Parameters<typeof ingestOne>[3] = {},
): Promise<ImageRow[]> {
  const rows = async () => (await workspace.warehouse.rows("images")).map(({ row }) => row);
  const before = new Set((await rows()).map(({ id }) => id));
  await ingestOne(workspace, name, content, { text: check ?? undefined, ...more });
  await check?.close();
  return (await rows()).filter(({ id }) => !before.has(id));
}

const SIDE = 256;
const plain = () => drawSlice(SIDE, SIDE);
const named = () => {
  const slice = plain();
  writeText(slice, SIDE, "DOE JANE 1950", { left: 8, top: 8, dot: 2, value: 4095 });
  return slice;
};
/** The name, running up or down beside the head. */
const standing = (clockwise: boolean) => {
  const written = new Uint16Array(SIDE * SIDE);
  writeText(written, SIDE, "DOE JANE 1950", { left: 8, top: 8, dot: 2, value: 4095 });
  const slice = plain();
  for (const [at, value] of written.entries()) {
    const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
    if (value > 0) slice[clockwise ? x * SIDE + SIDE - 1 - y : (SIDE - 1 - x) * SIDE + y] = value;
  }
  return slice;
};
const dicom = (frames: readonly Uint16Array[], more: Elements = []) =>
  writeFile(
    writeElements([
      ...mrElements(SIDE, SIDE, [[0x0028_0008, "IS", String(frames.length)], ...more]),
      [0x7fe0_0010, "OW", Buffer.concat(frames.map(bytesOfSlice))],
    ]),
  );

const kept = [{ status: "quarantined", reason: "burned-in-text" }];

test("a DICOM file with a name in its pixels is kept back, one without is curated", async () => {
  expect(await ingest("Cancer/named.dcm", dicom([named()]))).toMatchObject(kept);
  expect(await ingest("Cancer/plain.dcm", dicom([plain()]))).toMatchObject([{ status: "curated" }]);
});

test("text in one frame keeps back the whole file, before a frame of it is curated", async () => {
  expect(
    await ingest("Cancer/frames.dcm", dicom([plain(), plain().map((value) => value >> 1), named()])),
  ).toMatchObject(kept);
  const curated = [];
  for await (const { name } of workspace.buckets.curated.listAll()) curated.push(name);
  expect(curated).toEqual([]);
});

test("what a file says of itself keeps it back, and a denial does not let text through", async () => {
  const said = (value: string): Elements => [[0x0028_0301, "CS", value]];
  const capture: Elements = [[0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.7"]];
  const rows = await ingest("Cancer/yes.dcm", dicom([plain()], said("YES")));
  expect(rows).toMatchObject(kept);
  expect(rows[0]?.message).toContain("says that it has text burned into its pixels");
  expect(await ingest("Cancer/capture.dcm", dicom([plain()], capture))).toMatchObject(kept);
  expect(await ingest("Cancer/denied.dcm", dicom([plain()], [...capture, ...said("NO")]))).toMatchObject([
    { status: "curated" },
  ]);
  expect(await ingest("Cancer/wrongly.dcm", dicom([named()], said("NO")))).toMatchObject(kept);
});

test("of other formats text is looked for where that is asked for, and of none where it is allowed", async () => {
  const png = await encodePng({ width: SIDE, height: SIDE, depth: 16, pixels: named() });
  expect(await ingest("Cancer/named.png", png)).toMatchObject([{ status: "curated" }]);
  expect(await ingest("Cancer/all.png", png, BurnedInTextCheck.of("quarantine-all"))).toMatchObject(kept);
  const allowed = writeFile(
    writeElements([
      ...mrElements(SIDE, SIDE, [[0x0028_0301, "CS", "YES"]]),
      [0x7fe0_0010, "OW", bytesOfSlice(named())],
    ]),
  );
  expect(BurnedInTextCheck.of("allow")).toBeUndefined();
  expect(await ingest("Cancer/allowed.dcm", allowed, null)).toMatchObject([{ status: "curated" }]);
  expect(ingestContract.env.shape.BURNED_IN_TEXT.parse(undefined)).toBe("quarantine");
});

test.each([
  ["down", true],
  ["up", false],
])("a name that runs %s is found as one that lies", async (_way, clockwise) => {
  expect(await ingest("Cancer/standing.dcm", dicom([standing(clockwise)]))).toMatchObject(kept);
});

describe("painted over, where the line says so", () => {
  const blank = () => new BurnedInTextCheck("blank");
  const yes: Elements = [[0x0028_0301, "CS", "YES"]];
  const curatedOf = async ({ sha256 }: ImageRow) => {
    const image = await decodeCurated(await workspace.buckets.curated.read(`images/${sha256}.png`));
    expect(pixelSha256(image)).toBe(sha256);
    return image;
  };
  const boxesOf = ({ blanked }: ImageRow) =>
    (blanked ?? "").split(" ").map((box) => {
      const [left = 0, top = 0, width = 0, height = 0] = box.split(",").map(Number);
      return { left, top, width, height };
    });
  const decoded = async (file: Buffer): Promise<GreyImage[]> => {
    const images = [];
    for await (const page of decodeScan(file)) if ("image" in page) images.push(page.image);
    return images;
  };
  const isText = async (image: GreyImage) => {
    const finder = new TextFinder();
    const found = await finder.find(image);
    await finder.close();
    return found.length > 0;
  };

  test.each([
    ["lies above the head", named],
    ["runs down beside it", () => standing(true)],
    ["runs up beside it", () => standing(false)],
  ])("a name that %s is gone from what is curated, the rest stays, and the row says where", async (_where, draw) => {
    const file = dicom([draw()]);
    const [row, ...others] = await ingest("Cancer/named.dcm", file, blank());
    expect(others).toEqual([]);
    expect(row).toMatchObject({ status: "curated", blanked: expect.stringMatching(/^\d+,\d+,\d+,\d+/) });
    const image = await curatedOf(row as ImageRow);
    expect(await isText(image)).toBe(false);
    const [before] = await decoded(file);
    const boxes = boxesOf(row as ImageRow);
    const covered = (at: number) =>
      boxes.some(
        ({ left, top, width, height }) =>
          at % SIDE >= left &&
          at % SIDE < left + width &&
          Math.floor(at / SIDE) >= top &&
          Math.floor(at / SIDE) < top + height,
      );
    // Every letter is covered, and what is not covered is as it came.
    const ink = draw();
    const letters = [...plain().entries()].filter(([at, value]) => ink[at] !== value);
    expect(letters.length).toBeGreaterThan(500);
    expect(letters.filter(([at]) => !covered(at))).toEqual([]);
    expect([...image.pixels]).toEqual(Array.from(before?.pixels ?? [], (value, at) => (covered(at) ? 0 : value)));
    expect(boxes.reduce((sum, { width, height }) => sum + width * height, 0)).toBeLessThan((SIDE * SIDE) / 4);
    // The file as it came is not touched.
    const landed = [];
    for await (const { name } of workspace.buckets.landing.listAll()) landed.push(name);
    expect(landed).toEqual(["Cancer/named.dcm"]);
    expect((await workspace.buckets.landing.read("Cancer/named.dcm")).equals(file)).toBe(true);
  });

  test("each frame is painted over where it has text, also one that is decoded again", async () => {
    const frames = Array.from({ length: 3 }, (_, i) => (i === 1 ? plain().map((value) => value >> 1) : named()));
    const third = plain().map((value) => value >> 2);
    writeText(third, SIDE, "DOE JANE 1950", { left: 40, top: 234, dot: 2, value: 4095 });
    const rows = await ingest("Cancer/frames.dcm", dicom([...frames.slice(0, 2), third]), blank(), { bytesKept: 1 });
    expect(rows.map(({ status, blanked }) => [status, typeof blanked])).toEqual([
      ["curated", "string"],
      ["curated", "undefined"],
      ["curated", "string"],
    ]);
    for (const row of rows) expect(await isText(await curatedOf(row))).toBe(false);
    expect(boxesOf(rows[0] as ImageRow)[0]?.top).toBe(0);
    expect(boxesOf(rows[2] as ImageRow)[0]).toMatchObject({ left: 0, width: SIDE });
    expect(boxesOf(rows[2] as ImageRow)[0]?.top).toBeGreaterThan(SIDE / 2);
  });

  test("text across the head keeps the file back, and so does a YES of which nothing is found", async () => {
    const across = plain();
    writeText(across, SIDE, "DOE JANE 1950", { left: 40, top: 128, dot: 2, value: 4095 });
    const [row] = await ingest("Cancer/across.dcm", dicom([across]), blank());
    expect(row).toMatchObject(kept[0] as object);
    expect(row?.message).toContain("a quarter of the picture");
    const [hidden] = await ingest("Cancer/hidden.dcm", dicom([plain()], yes), blank());
    expect(hidden).toMatchObject(kept[0] as object);
    expect(hidden?.message).toContain("none was found that could be painted over");
    expect(await ingest("Cancer/said.dcm", dicom([named()], yes), blank())).toMatchObject([
      { status: "curated", blanked: expect.any(String) },
    ]);
  });

  test("the same through upload and through the gateway, by the setting of the environment; a check of the folder says so", async () => {
    const uids: Elements = [0x0008_0018, 0x0020_000d, 0x0020_000e].map(
      (tag, i) => [tag, "UI", `1.2.3.${i + 1}`] as const,
    );
    const file = dicom([named()], [...yes, ...uids]);
    const data = join(scratch, "data");
    mkdirSync(join(data, "Unlabelled"), { recursive: true });
    writeFileSync(join(data, "Unlabelled", "named.dcm"), file);
    const { signal } = new AbortController();
    process.env.BURNED_IN_TEXT = "blank";
    try {
      const step = { workspace, seed: 0, log: createLogger("test"), progress: silentProgress, signal };
      await ingestStep(step, { data });
      const report = await checkFolder(await openInput(data), { progress: silentProgress, signal });
      expect(report).toEqual(
        expect.arrayContaining(["pictures in which text is painted over: 1", "files that would be refused: 0"]),
      );
    } finally {
      delete process.env.BURNED_IN_TEXT;
    }
    const [uploaded] = (await workspace.warehouse.rows("images")).map(({ row }) => row);
    expect(uploaded).toMatchObject({ status: "curated", blanked: expect.any(String) });
    const identities = await identitiesUnder(openPseudonymiser(LOCAL_PSEUDONYM_KEY));
    const { bytes, object } = await prepare(file, identities, new PixelText("send"));
    const [sent] = await ingest(object, Buffer.from(bytes), blank());
    const { sha256, blanked, instance, phash } = uploaded as ImageRow;
    expect(sent).toMatchObject({ sha256, blanked, instance, phash });
  });

  test("of other formats where that is asked for; what holds no text is the same picture under every choice", async () => {
    const png = await encodePng({ width: SIDE, height: SIDE, depth: 16, pixels: named() });
    const [as] = await ingest("Cancer/named.png", png, blank());
    expect(as).toMatchObject({ status: "curated" });
    expect(as?.blanked).toBeUndefined();
    const [all] = await ingest("Cancer/all.png", png, new BurnedInTextCheck("blank-all"));
    expect(all).toMatchObject({ status: "curated", blanked: expect.any(String) });
    expect(all?.sha256).not.toBe(as?.sha256);
    const [one] = await ingest("Cancer/plain.dcm", dicom([plain()]));
    const [other] = await ingest("Cancer/again.dcm", dicom([plain()]), blank());
    expect(other?.sha256).toBe(one?.sha256);
  });
});

test("a picture that feedback took out of a DICOM file is looked at as that file is", async () => {
  const image: GreyImage = { width: SIDE, height: SIDE, depth: 16, pixels: named() };
  const name = `Cancer/feedback/${pixelSha256(image)}.png`;
  const land = async (metadata: Record<string, string>) => {
    const { buckets } = workspace;
    const png = await encodePng(image);
    const landing = Object.assign(Object.create(buckets.landing), {
      write: (object: string, content: Buffer) => buckets.landing.write(object, content, { metadata }),
    });
    const before = (await workspace.warehouse.rows("images")).length;
    const check = new BurnedInTextCheck();
    await ingestOne({ ...workspace, buckets: { ...buckets, landing } } as Workspace, name, png, { text: check });
    await check.close();
    return (await workspace.warehouse.rows("images")).slice(before).map(({ row }) => row);
  };
  expect(await land({})).toMatchObject([{ status: "curated" }]);
  expect(await land({ instance: "2.25.77" })).toMatchObject([{ ...kept[0], instance: "2.25.77" }]);
});

test.each([1, 24, 25, 300, 1000])("of %d frames the first, the last and at most 24 are looked at", (pages) => {
  const looked = Array.from({ length: pages }, (_, i) => i + 1).filter((page) => isLookedAt(page, pages));
  expect([looked[0], looked.at(-1)]).toEqual([1, pages]);
  expect(looked.length).toBeGreaterThanOrEqual(Math.min(pages, 23));
  expect(looked.length).toBeLessThanOrEqual(24);
  const gaps = looked.slice(1).map((page, i) => page - (looked[i] as number));
  expect(Math.max(0, ...gaps)).toBeLessThanOrEqual(Math.ceil(pages / 22));
});
