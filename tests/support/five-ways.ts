import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import pino from "pino";
import sharp from "sharp";
import { evaluateFolder } from "../../runtime/evaluate";
import { explainFolder } from "../../runtime/explain";
import { ingestStep } from "../../runtime/ingest";
import { loadClassifier } from "../../runtime/model";
import { silentProgress } from "../../runtime/platform/progress";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { buildServer, type Prediction, replay } from "../../runtime/serve";
import { useBackend } from "../../runtime/tensorflow";
import { BRIGHT_SPOT, headPixels } from "./bright-spot";
import { lopsidedNetwork, saveNetwork } from "./bright-spot-model";
import { promote } from "./served-model";

const log = pino({ level: "silent" });

/** Pages of a file that has several. */
const PAGES = 3;
/** How many files are drawn where nobody asks for more: one of each kind. `SCANS=300` for the long run. */
const SCANS = Number(process.env.SCANS ?? 5);
/** How long a test of that many may take, ms. */
export const FIVE_WAYS_TIMEOUT = 300_000 + 10_000 * SCANS;

/** What the five ways gave for the same files. */
export interface FiveWays {
  readonly scans: number;
  readonly pages: number;
  /** Largest difference of a probability from what the model answers when it is asked directly, by way. */
  readonly differences: Readonly<Record<"evaluate" | "explain" | "score" | "serve" | "replay", number>>;
  /** Largest difference of a map's value between serve and replay. */
  readonly mapDifference: number;
  /** Files where explain and serve mark other places. */
  readonly otherPeaks: readonly string[];
  /** Answers that replay calls unequal, with what it says. */
  readonly unequal: readonly string[];
  /** Of every file, as the model answers. */
  readonly probabilities: readonly number[];
}

/**
 * Asks the same files by all five ways that give a probability, with a model whose mirrored views answer otherwise.
 *
 * @param score answers for every curated picture of the workspace in this folder, and writes its rows
 */
export async function fiveWays(
  root: string,
  score: (workspace: Workspace, folder: string) => Promise<void>,
): Promise<FiveWays> {
  await useBackend("wasm");
  const scans = await drawScans(SCANS);
  const data = join(root, "data");
  for (const label of ["Cancer", "Non-Cancer"]) await mkdir(join(data, label), { recursive: true });
  for (const [name, bytes] of scans) await writeFile(join(data, name), bytes);
  const folder = join(root, "workspace");
  const workspace = await openWorkspace(folder);
  try {
    const model = join(fileURLToPath(workspace.buckets.models.uri), BRIGHT_SPOT.id);
    await saveNetwork(model, lopsidedNetwork(), { views: "mirrored-two-sizes", temperature: 2.5, offset: 0.3 });
    await promote(workspace);

    await evaluateFolder({ model, data, out: join(root, "evaluated"), seed: 1 });
    await explainFolder({ model, data, out: join(root, "explained") });
    const evaluated = await tableOf(join(root, "evaluated", "predictions.csv"));
    const explained = await tableOf(join(root, "explained", "explain.csv"));

    const context = { workspace, seed: 0, progress: silentProgress, signal: new AbortController().signal, log };
    await ingestStep(context, { data });
    await score(workspace, folder);
    const { warehouse } = workspace;
    const rows = new Map((await warehouse.rows("predictions")).map(({ row }) => [row.sha256, row.probability]));
    const served = await serveAll(workspace, scans);

    const classifier = await loadClassifier(model);
    const differences = { evaluate: 0, explain: 0, score: 0, serve: 0, replay: 0 };
    // What is missing differs by more than anything.
    const note = (way: keyof typeof differences, given: number | null | undefined, probability: number) => {
      differences[way] = Math.max(differences[way], Math.abs((given ?? Number.POSITIVE_INFINITY) - probability));
    };
    const otherPeaks: string[] = [];
    const unequal: string[] = [];
    const probabilities: number[] = [];
    let [pages, mapDifference] = [0, 0];
    for (const [name, bytes] of scans) {
      const { probability, slices } = await classifier.score(bytes);
      probabilities.push(probability);
      pages += slices.length;
      const answer = served.get(name) as Prediction;
      const again = await replay(workspace, answer.request);
      note("evaluate", numberOf(evaluated.get(name)?.probability), probability);
      note("explain", numberOf(explained.get(name)?.probability), probability);
      note("serve", answer.probability, probability);
      note("replay", again.probability.now, probability);
      // Score answers for every page by itself, from the curated picture; serve says each page's too.
      for (const [i, slice] of slices.entries()) {
        note("score", rows.get(slice.sha256), slice.probability);
        note("serve", answer.slices[i]?.probability, slice.probability);
      }
      mapDifference = Math.max(mapDifference, again.difference.map ?? Number.POSITIVE_INFINITY);
      if (!again.equal) unequal.push(`${name}: ${again.sentence}`);
      const { x, y } = explained.get(name) ?? {};
      if (Number(x) !== answer.peak.x || Number(y) !== answer.peak.y) otherPeaks.push(name);
    }
    await classifier.dispose();
    return { scans: scans.size, pages, differences, mapDifference, otherPeaks, unequal, probabilities };
  } finally {
    await workspace.close();
  }
}

/** Holds every way to the same answers, and says by how much they differ. */
export function expectEqual({ probabilities, ...found }: FiveWays): void {
  process.stderr.write(`${JSON.stringify(found)}\n`);
  const { scans, pages, differences, mapDifference, otherPeaks, unequal } = found;
  expect(scans).toBe(SCANS);
  // Two of five kinds have several pages.
  expect(pages).toBe(scans + 2 * (PAGES - 1) * (scans / 5));
  for (const [way, difference] of Object.entries(differences))
    expect([way, difference < 1e-6 || difference]).toEqual([way, true]);
  expect(mapDifference).toBeLessThan(1e-6);
  expect({ otherPeaks, unequal }).toEqual({ otherPeaks: [], unequal: [] });
  // They were not all answered alike for want of anything to see.
  expect(new Set(probabilities.map((p) => p.toFixed(4))).size).toBeGreaterThan(3);
}

async function serveAll(
  { buckets: { models, reports }, warehouse }: Workspace,
  scans: ReadonlyMap<string, Buffer>,
): Promise<ReadonlyMap<string, Prediction>> {
  const app = await buildServer({ models, reports, warehouse, log });
  const served = new Map<string, Prediction>();
  for (const [name, payload] of scans)
    served.set(name, (await app.inject({ method: "POST", url: "/v1/predictions", payload })).json<Prediction>());
  await app.close();
  return served;
}

async function tableOf(path: string): Promise<ReadonlyMap<string, Record<string, string>>> {
  const rows = parse(await readFile(path), { columns: true }) as Record<string, string>[];
  return new Map(rows.map((row) => [row.path as string, row]));
}

const numberOf = (cell: string | undefined) => (cell ? Number(cell) : undefined);

/**
 * Heads of many sizes with a spot of some size at some place, no two alike, as files of five kinds in turn: 8 and 16 bits,
 * a photograph, and pages of 8 and of 16 bits. Name -> bytes.
 */
async function drawScans(count: number): Promise<ReadonlyMap<string, Buffer>> {
  if (!Number.isInteger(count / 5) || count < 5) throw new Error(`SCANS=${count} is no whole number of fives.`);
  const scans = new Map<string, Buffer>();
  for (let i = 0; i < count; i++) {
    const [width, height] = [120 + (i % 61), 140 + ((3 * i) % 83)];
    const page = (of: number) => {
      const n = PAGES * i + of;
      const spot = { x: 0.35 * width + (n % 41), y: 0.35 * height + ((7 * n) % 53), radius: 3 + (n % 11) };
      return headPixels(width, height, spot, n);
    };
    const raw = { width, height, channels: 1 } as const;
    const deep = (pixels: Buffer) => Uint16Array.from(pixels, (value) => 200 * value + (value % 7));
    const pages = () => Buffer.concat(Array.from({ length: PAGES }, (_, of) => page(of)));
    const stack = { ...raw, height: PAGES * height, pageHeight: height };
    const grey16 = (pixels: Uint16Array, layout: typeof raw | typeof stack) =>
      sharp(pixels, { raw: layout }).toColourspace("grey16");
    const kinds = [
      ["Cancer", "eight.png", () => sharp(page(0), { raw }).png()],
      ["Cancer", "sixteen.png", () => grey16(deep(page(0)), raw).png()],
      ["Cancer", "photo.jpg", () => sharp(page(0), { raw }).jpeg({ quality: 90 })],
      ["Non-Cancer", "pages.tif", () => sharp(pages(), { raw: stack }).tiff({ compression: "none" })],
      ["Non-Cancer", "deep-pages.tif", () => grey16(deep(pages()), stack).tiff({ compression: "lzw" })],
    ] as const;
    const [label, name, file] = kinds[i % kinds.length] as (typeof kinds)[number];
    scans.set(`${label}/${i}-${name}`, await file().toBuffer());
  }
  return scans;
}
