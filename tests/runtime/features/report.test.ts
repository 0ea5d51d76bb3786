import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { featuresReportName, featuresReportStep } from "../../../runtime/features";
import { analyse, LISTED, type ReportImage } from "../../../runtime/features/report/analysis";
import { silentProgress } from "../../../runtime/platform/progress";
import { normal, uniform } from "../../../runtime/platform/random";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { slicePng, storeKnown } from "../../support/known-scans";
import { promote, storeModel } from "../../support/served-model";

const draw = normal(uniform(9));
let made = 0;
const image = (more: Partial<ReportImage> = {}): ReportImage => {
  const name = `i${made++}`;
  return {
    ...{ sha256: name, source: `Cancer/${name}.png`, label: "Cancer", split: "train", group: name, collection: "A" },
    features: [5 + 3 * draw(), 5 + draw(), 5],
    ...more,
  };
};

describe("the analysis", () => {
  test("explains variance as it was drawn, and places images on the components", () => {
    const images = Array.from({ length: 3000 }, () => image());
    const { explained, places } = analyse(images);
    expect(explained).toHaveLength(3);
    // Deviations 3, 1 and 0.
    expect(explained[0]).toBeCloseTo(0.9, 1);
    expect(explained[1]).toBeCloseTo(0.1, 1);
    expect(explained[2]).toBeCloseTo(0, 9);
    expect(explained.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    const first = places.map(({ x, image: { features } }) => Math.abs(x) / Math.abs((features[0] as number) - 5));
    // Along the first feature, but for the mean of those that were drawn.
    expect(first.sort((a, b) => a - b)[1500]).toBeCloseTo(1, 1);
  });

  test("finds the planted twin across splits and the planted outlier, and nothing within a group", () => {
    const images = Array.from({ length: 200 }, (_, i) => image(i % 4 === 0 ? { split: "test" } : {}));
    const twin = image({ split: "validation", features: (images[1] as ReportImage).features });
    const kin = image({
      split: "test",
      group: (images[2] as ReportImage).group,
      features: (images[2] as ReportImage).features,
    });
    const odd = image({ features: [-9, -9, 5] });
    const { pairs, outliers } = analyse([...images, twin, kin, odd]);
    expect(pairs).toHaveLength(LISTED);
    expect(pairs[0]).toMatchObject({ image: { source: twin.source }, training: { source: images[1]?.source } });
    expect(pairs[0]?.similarity).toBeCloseTo(1, 6);
    expect(pairs.some(({ image: one, training }) => one === kin && training === images[2])).toBe(false);
    expect(pairs.every(({ image: one, training }) => one.split !== "train" && training.split === "train")).toBe(true);
    expect(outliers[0]?.image).toBe(odd);
  });

  test("needs two training images", () => {
    expect(() => analyse([image(), image({ split: "test" })])).toThrow(RangeError);
  });
});

test("the step writes one page that stands alone, or says what is missing and how to make it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "features-report-"));
  const workspace = await openWorkspace(folder);
  try {
    const log = pino({ level: "silent" });
    const context = { workspace, seed: 0, log, progress: silentProgress, signal: new AbortController().signal };
    const run = () => featuresReportStep(context);
    expect(await run()).toMatchObject({ items: 0, notes: [expect.stringMatching(/no model here yet.*npm run train/)] });
    await storeModel(workspace);
    await promote(workspace);
    expect(await run()).toMatchObject({
      items: 0,
      notes: [expect.stringMatching(/features by bright-spot-0001.*npm run score/)],
    });
    const scans = [];
    for (let patient = 0; patient < 6; patient++) {
      const ill = patient % 2 === 0;
      const file = await slicePng(patient, 0.1, ill);
      const id = patient === 5 ? "<script>alert(1)" : `scan-${patient}`;
      scans.push({
        id,
        file,
        label: ill ? ("Cancer" as const) : ("Non-Cancer" as const),
        split: patient > 3 ? ("test" as const) : ("train" as const),
      });
    }
    await storeKnown(workspace, BRIGHT_SPOT.id, scans);
    expect(await run()).toMatchObject({ items: 6, notes: [expect.stringMatching(/report\.html$/)] });
    const html = String(await workspace.buckets.reports.read(featuresReportName(BRIGHT_SPOT.id)));
    for (const part of ["variance", "label", "collection", "split"]) expect(html).toContain(`id="plot-${part}"`);
    for (const section of ["pairs", "outliers"]) expect(html).toContain(`id="${section}"`);
    expect(html).toMatch(/<img src="data:image\/png;base64,[^"]{100}/);
    // It opens from a disk, runs nothing, asks nobody, and names are text.
    expect(html).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    expect(html).toContain("&lt;script&gt;alert(1)");
    expect(html).toContain("Synthetic data.");
    expect(html.replace(/base64,[^"]*/g, "").match(/undefined|NaN/)).toBeNull();
    // The same rows give the same report: it stays.
    expect(await run()).toMatchObject({ items: 0, skipped: 6 });
    // A picture that is gone takes its frame's content with it and nothing else.
    for await (const { name } of workspace.buckets.curated.listAll()) await workspace.buckets.curated.delete(name);
    await workspace.buckets.reports.delete(featuresReportName(BRIGHT_SPOT.id));
    expect(await run()).toMatchObject({ items: 6 });
  } finally {
    await workspace.close();
    await rm(folder, { recursive: true, force: true });
  }
});
