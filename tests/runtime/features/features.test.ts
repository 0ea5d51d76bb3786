import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { featuresStep } from "../../../runtime/features";
import { loadPca, PIXELS } from "../../../runtime/features/components";
import { digestOfBatches, digestOfRows } from "../../../runtime/features/fitted-rows";
import { decodeNpz, doubles, encodeNpz, littleEndian } from "../../../runtime/features/npy";
import { Projection } from "../../../runtime/features/projection";
import { requestHandler } from "../../../runtime/features/requests";
import { RECIPE } from "../../../runtime/imaging";
import { frame } from "../../../runtime/platform/framed";
import { createLogger } from "../../../runtime/platform/logging";
import { type Progress, silentProgress } from "../../../runtime/platform/progress";
import { CURRENT_FEATURES, DifferentRowsError } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { type Drawn, drawField, drawn, exactPca, fields, largestAngle, process, product } from "./processed";

const opened: Workspace[] = [];

async function workspaceOf(images: readonly Drawn[]): Promise<Workspace> {
  const workspace = await openWorkspace(await mkdtemp(join(tmpdir(), "features-test-")));
  opened.push(workspace);
  await process(workspace, images);
  return workspace;
}

afterAll(async () => {
  for (const workspace of opened) {
    await workspace.close();
    await rm(workspace.directory, { recursive: true, force: true });
  }
});

const log = createLogger("test", { destination: { write() {} } });

interface RunOptions {
  readonly seed?: number;
  readonly components?: number;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

function run(workspace: Workspace, options: RunOptions = {}) {
  const { seed = 0, components = 8, progress = silentProgress, signal = new AbortController().signal } = options;
  return featuresStep({ workspace, seed, log, progress, signal }, { components });
}

/** What a reader sees: the scores by the current fit. */
async function rowsOf(workspace: Workspace) {
  const rows = await workspace.warehouse.ask(CURRENT_FEATURES, { recipe: RECIPE.id });
  return new Map(rows.map((row) => [row.id, row]));
}

/** Names and generations: an object that was written again has another. */
async function objectsOf(workspace: Workspace): Promise<string[]> {
  const objects: string[] = [];
  for (const bucket of ["models", "warehouse"] as const)
    for await (const { name, generation } of workspace.buckets[bucket].listAll()) objects.push(`${name} ${generation}`);
  return objects;
}

describe("arrays", () => {
  test("come back as they went, and are the same bytes each time", () => {
    const arrays = {
      a: { shape: [3], data: Float64Array.of(1, -0.5, 1e300) },
      b: { shape: [1, 2], data: Float64Array.of(3, 4) },
    };
    expect(decodeNpz(encodeNpz(arrays))).toEqual(arrays);
    expect(encodeNpz(arrays).equals(encodeNpz(arrays))).toBe(true);
    const damaged = encodeNpz(arrays);
    damaged.write("f4", damaged.indexOf("<f8") + 1);
    expect(() => decodeNpz(damaged)).toThrow(/does not hold doubles/);
  });

  test("of two batches have a digest that no order changes", () => {
    const rows = fields("train", 4).map(({ row }) => row);
    expect(digestOfRows([...rows].reverse())).toBe(digestOfRows(rows));
    expect(digestOfRows(rows.slice(1))).not.toBe(digestOfRows(rows));
    expect(digestOfRows([])).toBe(digestOfBatches(new Map()));
  });
});

describe("components", () => {
  const training = fields("train", 60);
  const others = [...fields("validation", 10, 100), ...fields("test", 10, 200)];
  const pixelsOf = (images: readonly Drawn[]) => images.map(({ pixels }) => pixels);

  test("are those of an exact decomposition of the standardised training images", async () => {
    const workspace = await workspaceOf([...training, ...others]);
    const { pca: id, items } = await run(workspace, { components: 16 });
    expect(items).toBe(80);
    const pca = await loadPca(workspace.buckets.models, id);
    const exact = exactPca(pixelsOf(training), 16);
    expect(pca.metadata).toMatchObject({
      id,
      recipe: RECIPE.id,
      method: { name: "randomized", seed: 0 },
      fitted: { images: 60, rows: digestOfRows(training.map(({ row }) => row)) },
      components: 16,
      requested: 16,
    });
    expect(largestAngle(pca.components, exact.components)).toBeLessThan(0.1);
    // The top line never varies.
    expect([...pca.scale.slice(0, 128)]).toEqual(new Array(128).fill(1));
    for (let j = 0; j < PIXELS; j += 97) {
      expect(pca.mean[j]).toBeCloseTo(exact.mean[j] as number, 10);
      expect(pca.scale[j]).toBeCloseTo(exact.scale[j] as number, 10);
    }
    const { explainedVariance, explainedVarianceRatio, totalVariance } = pca.metadata;
    expect(totalVariance).toBeCloseTo(exact.total, 6);
    for (const [i, variance] of explainedVariance.entries()) {
      expect(Math.abs(variance / (exact.variances[i] as number) - 1)).toBeLessThan(1e-4);
      expect(explainedVarianceRatio[i]).toBeCloseTo((exact.variances[i] as number) / exact.total, 6);
    }
    for (const component of pca.components) {
      expect(product(component, component)).toBeCloseTo(1, 10);
      expect(Math.max(...component)).toBeGreaterThan(Math.abs(Math.min(...component)));
    }
  });

  test("give each image, of every split, its scores", async () => {
    const workspace = await workspaceOf([...training, ...others]);
    const { pca: id } = await run(workspace);
    const pca = await loadPca(workspace.buckets.models, id);
    const rows = await rowsOf(workspace);
    expect(rows.size).toBe(80);
    for (const { row, pixels } of [...training.slice(0, 5), ...others]) {
      const stored = rows.get(row.id);
      expect(Object.keys(stored ?? {})).toEqual(["id", "recipe", "pca", "values"]);
      expect(stored).toMatchObject({ recipe: RECIPE.id, pca: id });
      for (const [k, component] of pca.components.entries()) {
        const standardised = Float64Array.from(
          pixels,
          (value, j) => (value - (pca.mean[j] as number)) / (pca.scale[j] as number),
        );
        expect(stored?.values[k]).toBeCloseTo(product(standardised, component), 4);
      }
    }
  });

  test("learn nothing from validation and test", async () => {
    const plain = await workspaceOf([...training, ...others]);
    const checkerboard = Uint8Array.from({ length: PIXELS }, (_, j) => 255 * ((j + Math.floor(j / 128)) % 2));
    const planted = await workspaceOf([
      ...training,
      drawn("outlier", "test", checkerboard),
      drawn("other", "validation", checkerboard),
    ]);
    const [first, second] = [await run(plain), await run(planted)];
    expect(second.pca).toBe(first.pca);
    const stored = async (workspace: Workspace) => (await loadPca(workspace.buckets.models, first.pca)).metadata.arrays;
    expect(await stored(planted)).toEqual(await stored(plain));
  });

  test("are the same for the same seed, and not sought twice for another order of arrival", async () => {
    const workspace = await workspaceOf(training);
    const { pca } = await run(workspace);
    expect((await run(await workspaceOf([...training].reverse()))).pca).toBe(pca);
    expect((await run(workspace, { seed: 1 })).pca).not.toBe(pca);
    expect((await run(workspace, { components: 7 })).pca).not.toBe(pca);
  });

  test("do not come between models", async () => {
    const workspace = await workspaceOf(training.slice(0, 12));
    await workspace.buckets.models.write("current.json", "{}");
    await run(workspace);
    const names: string[] = [];
    for await (const { name } of workspace.buckets.models.listAll()) names.push(name.replace(/[0-9a-f]{12,}/, "*"));
    expect(names).toEqual(
      ["current.json", "features/pca-*/arrays-" + "*.npz", "features/pca-*/metadata.json"].map((n) =>
        expect.stringMatching(n.replace(/[*]/g, ".*")),
      ),
    );
  });
});

describe("a second run", () => {
  const training = fields("train", 20);

  test("with nothing new does nothing", async () => {
    const workspace = await workspaceOf([...training, ...fields("test", 5, 50)]);
    const first = await run(workspace);
    const before = await objectsOf(workspace);
    expect(await run(workspace)).toMatchObject({ pca: first.pca, items: 0, skipped: 25, notes: [] });
    expect(await objectsOf(workspace)).toEqual(before);
  });

  test("scores only what is new, as long as the training images are the same", async () => {
    const workspace = await workspaceOf(training);
    const first = await run(workspace);
    const rows = await rowsOf(workspace);
    await process(workspace, [...training, ...fields("test", 3, 50)]);
    expect(await run(workspace)).toMatchObject({ pca: first.pca, items: 3, skipped: 20 });
    const after = await rowsOf(workspace);
    expect(after.size).toBe(23);
    for (const [id, row] of rows) expect(after.get(id)).toEqual(row);
  });

  test("fits again when a training image came, went, or has other pixels, and scores everything anew", async () => {
    const workspace = await workspaceOf([...training, ...fields("test", 3, 50)]);
    const seen = new Set([(await run(workspace)).pca]);
    const changed = [drawn("train-0", "train", drawField(999)), ...training.slice(1)];
    for (const images of [[...training, ...fields("train", 1, 90)], training.slice(1), changed]) {
      await process(workspace, [...images, ...fields("test", 3, 50)]);
      const { pca, items, skipped } = await run(workspace);
      expect({ items, skipped }).toEqual({ items: images.length + 3, skipped: 0 });
      expect(seen.has(pca)).toBe(false);
      seen.add(pca);
      const rows = await rowsOf(workspace);
      expect([...rows.keys()].sort()).toEqual([...images, ...fields("test", 3, 50)].map(({ row }) => row.id).sort());
      expect(new Set([...rows.values()].map((row) => row.pca))).toEqual(new Set([pca]));
    }
  });

  test("of a fit that was there before makes it the current one again, and computes nothing", async () => {
    const workspace = await workspaceOf(training);
    const [eight, four] = [await run(workspace), await run(workspace, { components: 4 })];
    expect([...(await rowsOf(workspace)).values()].map(({ pca }) => pca)).toEqual(Array(20).fill(four.pca));
    const before = await workspace.warehouse.rows("features_pca");
    expect(before).toHaveLength(40);
    expect(await run(workspace)).toMatchObject({ pca: eight.pca, items: 0, skipped: 20 });
    expect([...(await rowsOf(workspace)).values()].map(({ pca }) => pca)).toEqual(Array(20).fill(eight.pca));
    expect(await workspace.warehouse.rows("features_pca")).toEqual(before);
  });

  test("at the same time as another leaves one of the two current, and no row lost", async () => {
    const workspace = await workspaceOf(training);
    const other = await openWorkspace(workspace.directory);
    opened.push(other);
    const [eight, four] = await Promise.all([run(workspace), run(other, { components: 4 })]);
    const current = new Set([...(await rowsOf(workspace)).values()].map(({ pca }) => pca));
    expect([eight.pca, four.pca]).toEqual(expect.arrayContaining([...current]));
    expect(current.size).toBe(1);
    const fits = (await workspace.warehouse.rows("pca_fits")).map(({ row }) => row);
    expect(fits.map(({ revision }) => revision)).toEqual([1, 2]);
    expect((await rowsOf(workspace)).size).toBe(20);
  });

  test.each(["fitting", "scoring"])("goes on where one was interrupted while %s", async (phase) => {
    const images = [...training, ...fields("test", 60, 50)];
    const workspace = await workspaceOf(images);
    const stop = new AbortController();
    const progress = {
      ...silentProgress,
      advance: (_?: number, note?: string) => {
        if (note === phase) stop.abort();
      },
    };
    await expect(run(workspace, { progress, signal: stop.signal })).rejects.toMatchObject({ name: "AbortError" });
    // Nobody reads the scores of a fit before all are there.
    expect((await rowsOf(workspace)).size).toBe(0);
    const kept = (await workspace.warehouse.rows("features_pca")).length;
    if (phase === "fitting") expect(await objectsOf(workspace)).toEqual([]);
    else expect([kept > 0, kept < 80]).toEqual([true, true]);
    const { pca, items } = await run(workspace);
    expect(items).toBe(80 - kept);
    const undisturbed = await workspaceOf(images);
    expect((await run(undisturbed)).pca).toBe(pca);
    expect(await rowsOf(workspace)).toEqual(await rowsOf(undisturbed));
  });
});

describe("where there is little to fit to", () => {
  test("fewer components than asked for are said", async () => {
    const workspace = await workspaceOf([...fields("train", 5), drawn("again", "train", drawField(1))]);
    const { pca, notes } = await run(workspace);
    // Six images, two of which are equal, span four directions.
    expect((await loadPca(workspace.buckets.models, pca)).metadata).toMatchObject({ components: 4, requested: 8 });
    expect(notes).toContainEqual(
      expect.stringMatching(/^4 components instead of 8: the 6 training images span no more/),
    );
    expect([...(await rowsOf(workspace)).values()].map(({ values }) => values.length)).toEqual(new Array(6).fill(4));
  });

  test.each([
    ["nothing at all", [], /no processed image here. Run npm run ingest/],
    ["no training image", fields("test", 3), /the training split has no image of the 3 that are processed/],
    ["one training image", fields("train", 1), /the training split has one image of the 1/],
    [
      "equal images",
      [0, 1, 2].map((i) => drawn(`e${i}`, "train", drawField(1))),
      /the 3 training images are all equal/,
    ],
  ])("%s is a sentence", async (_, images, sentence) => {
    const workspace = await workspaceOf(images);
    await expect(run(workspace)).rejects.toThrow(sentence);
    expect(await objectsOf(workspace)).toEqual([]);
  });

  test("components that were damaged are a sentence", async () => {
    const workspace = await workspaceOf(fields("train", 6));
    const { pca } = await run(workspace);
    const { file } = (await loadPca(workspace.buckets.models, pca)).metadata.arrays;
    await workspace.buckets.models.write(`features/${pca}/${file}`, "no zip");
    await expect(run(workspace)).rejects.toThrow(/is not what metadata.json describes.*Remove that folder/s);
  });
});

describe("requests of the Spark driver", () => {
  const training = fields("train", 20);

  test("lead to the components and rows that the local step makes of the same numbers", async () => {
    const workspace = await workspaceOf(training);
    const { processed, models } = workspace.buckets;
    const handle = requestHandler({ processed, models, warehouse: workspace.warehouse });
    const ask = async (header: Record<string, unknown>, payload?: Uint8Array) => handle(frame(header, payload));

    const { header: present } = await ask({ type: "shards" });
    expect(present).toMatchObject({ recipe: RECIPE.id, pixels: 16384, channels: 3 });
    expect(present.names).toHaveLength(1);

    const request = { components: 4, digests: { ab: "c" }, images: 20 };
    const planned = await ask({ type: "plan", ...request, processed: 20 });
    expect(planned.header).toMatchObject({ fitted: false });
    const { mean, scale, components, variances, total } = exactPca(
      training.map(({ pixels }) => pixels),
      4,
    );
    const flat = [mean, scale, variances.slice(0, 4), ...components.map((c) => c.map((value) => -value))].map(
      littleEndian,
    );
    const publish = { type: "publish", ...request, found: 4, totalVariance: total };
    await expect(ask(publish, Buffer.concat(flat.slice(1)))).rejects.toThrow(/numbers came instead of/);
    const published = await ask(publish, Buffer.concat(flat));
    expect(published.header).toMatchObject({ pca: planned.header.pca, components: 4, notes: [] });
    expect((await ask({ type: "plan", ...request, processed: 20 })).header).toMatchObject({ fitted: true });
    const pca = await loadPca(models, String(planned.header.pca));
    for (const component of pca.components)
      expect(Math.max(...component)).toBeGreaterThan(Math.abs(Math.min(...component)));

    const [one, two] = training as [Drawn, Drawn];
    const scores = await ask({ type: "score", pca: planned.header.pca }, Buffer.concat([one.pixels, two.pixels]));
    expect([...doubles(scores.payload).slice(4)]).toEqual([...(await new Projection(pca).scores(two.pixels))]);
    const batch = { pca: planned.header.pca, batch: "0f", ids: ["a", "b"] };
    expect((await ask({ type: "missing", ...batch })).header.ids).toEqual(["a", "b"]);
    await ask({ type: "append", ...batch }, scores.payload);
    expect((await ask({ type: "missing", ...batch, ids: ["b", "c"] })).header.ids).toEqual(["c"]);
    // A task that is worked on twice adds its rows once, also where another processor rounds otherwise.
    const again = (factor: number) => littleEndian(doubles(scores.payload).map((value) => value * factor));
    for (const factor of [1, 1 + 1e-7]) await ask({ type: "append", ...batch }, again(factor));
    await expect(ask({ type: "append", ...batch }, again(1.001))).rejects.toThrow(DifferentRowsError);
    expect((await rowsOf(workspace)).size).toBe(0);
    for (let i = 0; i < 2; i++) await ask({ type: "complete", pca: planned.header.pca });
    expect([...(await rowsOf(workspace)).keys()]).toEqual(["a", "b"]);
    expect(await workspace.warehouse.rows("pca_fits")).toHaveLength(1);
  });

  test("are refused when they make no sense", async () => {
    const workspace = await workspaceOf([]);
    const { processed, models } = workspace.buckets;
    const handle = requestHandler({ processed, models, warehouse: workspace.warehouse });
    await expect(handle(frame({ type: "other" }))).rejects.toThrow();
    const nothing = { type: "plan", components: 4, digests: {}, images: 0, processed: 0 };
    await expect(handle(frame(nothing))).rejects.toThrow(/no processed image here/);
    await expect(handle(frame({ type: "score", pca: "pca-0" }))).rejects.toThrow(/does not exist.*run features again/s);
  });
});
