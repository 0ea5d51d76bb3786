import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePng } from "../../../runtime/imaging";
import { BurnedInTextCheck, isLookedAt } from "../../../runtime/ingest/burned-in-text";
import { ingestContract } from "../../../runtime/ingest/contract";
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
): Promise<ImageRow[]> {
  const rows = async () => (await workspace.warehouse.rows("images")).map(({ row }) => row);
  const before = new Set((await rows()).map(({ id }) => id));
  await ingestOne(workspace, name, content, { text: check ?? undefined });
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

test.each([1, 24, 25, 300, 1000])("of %d frames the first, the last and at most 24 are looked at", (pages) => {
  const looked = Array.from({ length: pages }, (_, i) => i + 1).filter((page) => isLookedAt(page, pages));
  expect([looked[0], looked.at(-1)]).toEqual([1, pages]);
  expect(looked.length).toBeGreaterThanOrEqual(Math.min(pages, 23));
  expect(looked.length).toBeLessThanOrEqual(24);
  const gaps = looked.slice(1).map((page, i) => page - (looked[i] as number));
  expect(Math.max(0, ...gaps)).toBeLessThanOrEqual(Math.ceil(pages / 22));
});
