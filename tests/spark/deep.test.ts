import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runSparkStep } from "../../runtime/cli/spark";
import { backboneStep } from "../../runtime/features";
import { createLogger } from "../../runtime/platform/logging";
import { silentProgress } from "../../runtime/platform/progress";
import { uniform } from "../../runtime/platform/random";
import { readSummary } from "../../runtime/platform/summary";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { drawn, process as processImages } from "../runtime/features/processed";
import { tinyManifest, tinyNetwork, writeBackbone } from "../support/tiny-backbone";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spark deep-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const images = Array.from({ length: 300 }, (_, i) => {
  const random = uniform(i + 1);
  return drawn(
    `deep-${i}`,
    "train",
    Uint8Array.from({ length: 128 * 128 }, () => 256 * random()),
  );
});

test("what Spark's tasks see is what one machine sees, within 1e-6, and each goes on from the other", async () => {
  const network = tinyNetwork();
  const uri = pathToFileURL(writeBackbone(join(folder, "a network"), network, tinyManifest(network))).href;
  const [spark, local] = [await openWorkspace(join(folder, "spark")), await openWorkspace(join(folder, "local"))];
  const onSpark = async () => {
    const options = { out: spark.directory, master: "local[2]", memory: "900m", environment: { BACKBONE: uri } };
    await runSparkStep("deep", options);
    return (await readSummary(spark)).steps.find(({ name }) => name === "features-deep");
  };
  const onOne = (workspace: Workspace) =>
    backboneStep(
      {
        ...{ workspace, seed: 0, log: createLogger("test", { destination: { write() {} } }) },
        ...{ progress: silentProgress, signal: new AbortController().signal },
      },
      uri,
    );
  try {
    for (const workspace of [spark, local]) await processImages(workspace, images);
    expect(await onSpark()).toMatchObject({ items: 300, skipped: 0, rejected: 0 });
    expect(await onOne(spark)).toMatchObject({ items: 0, skipped: 300 });
    await onOne(local);
    const rowsOf = async (workspace: Workspace) =>
      (await workspace.warehouse.rows("features_deep"))
        .map(({ row }) => row)
        .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    const [there, here] = [await rowsOf(spark), await rowsOf(local)];
    expect(there.map(({ id }) => id)).toEqual(here.map(({ id }) => id));
    expect(new Set(there.map(({ id }) => id)).size).toBe(300);
    for (const [i, { features }] of there.entries())
      for (const [k, value] of features.entries())
        expect(Math.abs(value - (here[i]?.features[k] as number))).toBeLessThan(1e-6 * Math.max(1, Math.abs(value)));
    expect(await onSpark()).toMatchObject({ items: 0, skipped: 300 });
  } finally {
    for (const workspace of [spark, local]) await workspace.close();
  }
});
