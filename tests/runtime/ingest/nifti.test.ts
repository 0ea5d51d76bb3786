import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { packed, writeNifti } from "../imaging/nifti/nifti-writer";
import { ingestOne } from "./ingest-one";

let scratch: string;
let workspace: Workspace;
beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "ingest-nifti-"));
  workspace = await openWorkspace(join(scratch, "workspace"));
});
afterEach(async () => {
  await workspace.close();
  rmSync(scratch, { recursive: true, force: true });
});

const ingest = (name: string, content: Buffer, bytesKept?: number) =>
  ingestOne(workspace, name, content, bytesKept === undefined ? {} : { bytesKept });

async function rows() {
  return (await workspace.warehouse.rows("images")).map(({ row }) => row);
}

const names = async (bucket: "curated" | "quarantine") => {
  const all: string[] = [];
  for await (const { name } of workspace.buckets[bucket].listAll()) all.push(name);
  return all;
};

test("each slice that shows something is a curated picture, packed or not, and quarantine stays empty", async () => {
  const volume = writeNifti({ size: [40, 40, 50] });
  // Pages that are not kept in memory are decoded once more.
  await ingest("Cancer/volume.nii", volume, 1);
  const first = await rows();
  expect(first.map(({ source, status, format }) => [source, status, format])).toEqual(
    Array.from({ length: 35 }, (_, i) => [`Cancer/volume.nii#page=${i + 9}`, "curated", "nifti"]),
  );
  await ingest("Cancer/again.nii.gz", packed(volume));
  const again = (await rows()).filter(({ source }) => source.startsWith("Cancer/again"));
  expect(again.map(({ sha256, duplicate_of }) => [sha256, duplicate_of])).toEqual(
    first.map(({ sha256, id }) => [sha256, id]),
  );
  // Slices of a volume come into one group, those of another by their equal pixels.
  expect(new Set(first.map(({ series }) => series)).size).toBe(1);
  expect(first[0]?.series).not.toBeNull();
  expect(new Set(again.map(({ series }) => series)).size).toBe(1);
  expect(await names("curated")).toHaveLength(35);
  expect(await names("quarantine")).toEqual([]);
});

test("a volume that cannot be taken is one row, however many slices it has", async () => {
  const bytes = packed(writeNifti({ size: [40, 40, 50] }));
  await ingest("Unlabelled/cut.nii.gz", bytes.subarray(0, bytes.length - 100));
  expect(await rows()).toMatchObject([
    { source: "Unlabelled/cut.nii.gz", status: "quarantined", reason: "truncated", format: null },
  ]);
});
