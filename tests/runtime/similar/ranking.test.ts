import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auc } from "../../../runtime/evaluate";
import { ascending } from "../../../runtime/evaluate/metrics";
import { perceptualHash, pixelSha256 } from "../../../runtime/imaging";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { loadScorer, type Scorer } from "../../../runtime/serve/scoring";
import { agreementOf, KnownScans } from "../../../runtime/similar";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { firstPage, type Known, spottedPng, storeKnown } from "../../support/known-scans";
import { storeModel } from "../../support/served-model";

const SLICES = 10;
const COUNTED = 8;
const [ASKED_ILL, ASKED_WELL] = ["asked with a tumour", "asked without"];

let folder: string;
let workspace: Workspace;
let scorer: Scorer;
let known: KnownScans;

/** Ten slices of one head: a tumour grows and shrinks from slice to slice, or there is none. */
const slices = (patient: number, ill: boolean) =>
  Array.from({ length: SLICES }, (_, i) =>
    spottedPng(
      patient,
      (i - SLICES / 2) / SLICES,
      ill ? { x: 62 + patient, y: 90, radius: 14 + 2 * Math.min(i, SLICES - 1 - i) } : undefined,
    ),
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ranking-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  const scans: Known[] = [];
  const add = async (files: readonly Promise<Buffer>[], label: Known["label"], patient: string) => {
    for (const file of files)
      scans.push({ id: `${patient} ${scans.length}`, file: await file, label, group: patient, patient });
  };
  // The asked patients' own slices are known too: nothing would be nearer.
  await add(slices(1, true), "Cancer", ASKED_ILL);
  await add(slices(2, false), "Non-Cancer", ASKED_WELL);
  for (let patient = 3; patient < 9; patient++) {
    const ill = patient % 2 === 0;
    await add(slices(patient, ill).slice(2, 8), ill ? "Cancer" : "Non-Cancer", `other ${patient}`);
  }
  await storeKnown(workspace, BRIGHT_SPOT.id, scans);
  known = await KnownScans.load(workspace.warehouse, BRIGHT_SPOT.id);
  scorer = await loadScorer(workspace.buckets.models, BRIGHT_SPOT.id, 1);
});
afterAll(async () => {
  await scorer.dispose();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

test("ten slices of one tumour find tumours of other patients, and ten of a healthy head find none: their shares rank above chance", async () => {
  expect(known.size).toBe(2 * SLICES + 36);
  const labels: number[] = [];
  const shares: number[] = [];
  for (const [patient, ill] of [
    [1, true],
    [2, false],
  ] as const)
    for (const slice of slices(patient, ill)) {
      const file = await slice;
      const page = await firstPage(file);
      const { features } = await scorer.score(file);
      const pages = [{ sha256: pixelSha256(page), phash: perceptualHash(page) }];
      const { scans, excluded } = await known.similarTo({ features, pages }, known.size);
      // Its own slices, all of them, and nobody else's.
      expect(excluded).toBe(SLICES);
      expect(scans).toHaveLength(known.size - SLICES);
      expect(scans.filter(({ id }) => id.startsWith(ill ? ASKED_ILL : ASKED_WELL))).toEqual([]);
      const { cancer, neighbours } = agreementOf(scans, COUNTED);
      expect(neighbours).toBe(COUNTED);
      labels.push(ill ? 1 : 0);
      shares.push(cancer / neighbours);
    }
  const probabilities = Float64Array.from(shares);
  const { value } = auc({ labels: Uint8Array.from(labels), probabilities, groups: [] }, ascending(probabilities));
  // By chance it is 0.5; two features tell tumours of one kind from none.
  expect(value).toBeGreaterThan(0.9);
});
