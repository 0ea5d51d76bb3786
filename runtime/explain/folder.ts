import { createHash } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DISCLAIMER, type FolderNames, labelNotes, openInput } from "../intake";
import { loadClassifier, scoreFolder } from "../model";
import { pathCell, toCsv } from "../platform/csv";
import { onDisk, writeWhole } from "../platform/disk";
import { type Progress, silentProgress } from "../platform/progress";
import { uniform } from "../platform/random";
import { sourceCommit } from "../platform/source-commit";
import { outlineOf } from "../report";
import { doubts } from "./doubts";
import { explanationOf } from "./explanation";
import { GALLERY_NAME, type GalleryInput, type GalleryScan, renderGallery } from "./gallery";
import { maskFinder } from "./masks";
import { peakInOriginal, renderOriginal, renderOverlay } from "./overlay";
import { DILATION, type PointingTrial, pointingTrial } from "./pointing";
import { checkSanity, type SanityReport } from "./sanity";

export interface ExplainFolderOptions {
  /** Directory of the model. */
  readonly model: string;
  /** Directory with `Cancer/`, `Non-Cancer/` and `Unlabelled/`. */
  readonly data: string;
  /** What its folders stand for; default: label folders in any case. */
  readonly names?: FolderNames;
  /** Directory for the results. */
  readonly out: string;
  /** Draws the scans on which the maps are checked. @default 0 */
  readonly seed?: number;
  /** Written into the gallery. Default: now. */
  readonly at?: Date;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** Folders below the results: the overlays, and the scans without a map as the gallery shows them. */
const OVERLAYS = "overlays";
const SCANS = "scans";
/** Longest side of a scan in the gallery, pixels. */
const SCAN_SIDE = 512;
/** Scans on which the maps are checked: hiding parts of one takes 65 predictions. */
const CHECKED = 12;

/** `explain.json`: what the maps are worth. */
export interface ExplainReport {
  readonly model: string;
  readonly disclaimer: string;
  readonly explained: number;
  readonly pointing: {
    /** True positives (labelled Cancer, called Cancer) that have a lesion mask of their size. */
    readonly scans: number;
    /** Pixels by which a mask is widened. */
    readonly dilation: number;
    /** Share of them whose map has its maximum in the widened mask; null without any. */
    readonly hits: number | null;
    /** Mean share of the head that the widened mask covers: what a point at random would reach. */
    readonly chance: number | null;
  };
  readonly sanity: SanityReport;
  /** What speaks against showing these maps to anyone, in sentences; empty where nothing does. */
  readonly doubts: readonly string[];
}

/**
 * Writes, for every scan of a folder, the place that speaks most for Cancer (`explain.csv`: path, x and y in pixels of
 * the original, then overlay, page, probability, the folder's label and the model's decision) and a PNG of the
 * original's size with the map over it. Of a multi-page file the most suspicious page is explained. Files that cannot
 * be used stand in `rejected.csv`. What the maps are worth stands in `explain.json`: how often they point into lesion
 * masks (`masks/`, or the manifest's), and whether they change with the weights and the label and agree with hiding
 * parts of the picture. `gallery.html` shows every scan with its map and its lesion, errors first.
 *
 * @throws {ConfigurationError} if the folder or its manifest cannot be used
 * @throws {UnusableModelError} if the model cannot be used
 */
export async function explainFolder(options: ExplainFolderOptions): Promise<{
  readonly explained: number;
  readonly rejected: number;
  readonly notes: readonly string[];
  readonly report: ExplainReport;
  /** Whether the model learnt from drawn phantoms alone. */
  readonly synthetic: boolean;
}> {
  const { out, signal, progress = silentProgress } = options;
  const input = await openInput(options.data, options.names);
  const { folder } = input;
  const classifier = await loadClassifier(options.model);
  const explained: (string | number)[][] = [["path", "x", "y", "overlay", "page", "probability", "label", "decision"]];
  const rejected: GalleryInput["rejected"][number][] = [];
  const shown: GalleryScan[] = [];
  const notes = labelNotes(input);
  const masks = maskFinder(input);
  const trials: PointingTrial[] = [];
  const seed = options.seed ?? 0;
  const checked = new Sample<Uint8Array>(CHECKED, seed);
  let sanity: SanityReport;
  try {
    await removeEarlier(out);
    for (const folder of [OVERLAYS, SCANS].map((name) => join(out, name)))
      await onDisk(folder, () => mkdir(folder, { recursive: true }));
    progress.start(folder.files.filter(({ input }) => input.kind === "scan" || input.kind === "stray").length);
    for await (const result of scoreFolder(classifier, folder.files, signal)) {
      const path = result.file.name;
      if ("rejected" in result) {
        rejected.push({ path, reason: result.rejected.code, message: result.rejected.message });
      } else {
        const { image, pixels, geometry, map, page, pages, probability, label, decision } = result.scored;
        const explanation = explanationOf(map, geometry);
        const peak = peakInOriginal(explanation, geometry, image);
        const [overlay, picture] = [OVERLAYS, SCANS].map((folder) => `${folder}/${overlayName(path)}`) as [
          string,
          string,
        ];
        await writeWhole(join(out, overlay), await renderOverlay(image, geometry, explanation));
        await writeWhole(join(out, picture), await renderOriginal(image, { maxSide: SCAN_SIDE }));
        checked.offer(pixels);
        const mask = await masks(result.file, image.width, image.height);
        if (result.label === "Cancer" && label === "Cancer") {
          const trial = mask && pointingTrial(image, geometry, mask, peak);
          if (trial) trials.push(trial);
        }
        explained.push([
          ...[pathCell(path), peak.x, peak.y, overlay, page, Number(probability.toPrecision(9))],
          ...[result.label ?? "", decision],
        ]);
        const lesion = mask && outlineOf(mask, image.width, image.height);
        shown.push({
          ...{ path, label: result.label, decision, probability, page, pages, picture, overlay, lesion },
          row: explained.length,
        });
      }
      progress.advance();
    }
    progress.finish();
    sanity = await checkSanity(classifier, checked.drawn, seed, signal);
  } finally {
    await classifier.dispose();
  }
  const pointing: ExplainReport["pointing"] = {
    scans: trials.length,
    dilation: DILATION,
    hits: trials.length > 0 ? trials.filter(({ hit }) => hit).length / trials.length : null,
    chance: trials.length > 0 ? trials.reduce((sum, { chance }) => sum + chance, 0) / trials.length : null,
  };
  const report: ExplainReport = {
    model: classifier.metadata.id,
    disclaimer: DISCLAIMER,
    explained: explained.length - 1,
    pointing,
    sanity,
    doubts: doubts({ pointing, sanity }),
  };
  const refusals = rejected.map(({ path, reason, message }) => [pathCell(path), reason, message]);
  await writeWhole(join(out, "rejected.csv"), toCsv([["path", "reason", "message"], ...refusals]));
  await writeWhole(join(out, "explain.csv"), toCsv(explained));
  const worth = describe(report);
  const { id: model, synthetic } = classifier.metadata;
  const gallery = renderGallery({
    ...{ model, synthetic, scans: shown, rejected, worth, doubts: report.doubts },
    provenance: { at: options.at ?? new Date(), data: options.data, commit: await sourceCommit() },
  });
  for (const [name, content] of gallery) await writeWhole(join(out, name), content);
  await writeWhole(join(out, "explain.json"), `${JSON.stringify(report, null, 2)}\n`);
  return {
    explained: explained.length - 1,
    rejected: rejected.length,
    notes: [...notes, ...worth, ...report.doubts.map((doubt) => `do not rely on these maps: ${doubt}`)],
    report,
    synthetic,
  };
}

/** Takes away what an earlier run into this folder wrote: overlays of scans that are no more would pass for this run's. */
async function removeEarlier(out: string): Promise<void> {
  for (const name of ["explain.json", "explain.csv", "rejected.csv"]) await rm(join(out, name), { force: true });
  for (const [folder, own] of [
    [out, GALLERY_NAME],
    [join(out, OVERLAYS), OVERLAY_NAME],
    [join(out, SCANS), OVERLAY_NAME],
  ] as const) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((file) => own.test(file))) await rm(join(folder, name));
  }
}

function describe({ pointing, sanity }: ExplainReport): string[] {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const lines: string[] = [];
  if (pointing.hits !== null && pointing.chance !== null) {
    lines.push(
      `of ${pointing.scans} true positives with a mask, the map's maximum lies in the lesion (widened by ${pointing.dilation} pixels) on ${percent(pointing.hits)}; at random it would be ${percent(pointing.chance)}.`,
    );
  }
  if (sanity.occlusion !== null) {
    const value = (correlation: number | null) => (correlation === null ? "not defined" : correlation.toFixed(2));
    lines.push(
      `rank correlation of the maps of ${sanity.images} scans with hiding parts of the picture: ${value(sanity.occlusion)}; with the maps of random weights: ${value(sanity.randomisedWeights)}; with those for Non-Cancer: ${value(sanity.otherLabel)}.`,
    );
  }
  if (sanity.hidingThePeak !== null) {
    lines.push(
      `hiding the map's maximum costs Cancer more than hiding ${percent(sanity.hidingThePeak)} of the head's other places; at random it would be 50 %.`,
    );
  }
  return lines;
}

/** As many of the things offered as there is room for, each equally likely (Vitter's algorithm R). */
class Sample<T> {
  readonly drawn: T[] = [];
  private offered = 0;
  private readonly random: () => number;

  constructor(
    private readonly room: number,
    seed: number,
  ) {
    this.random = uniform(seed);
  }

  offer(thing: T): void {
    this.offered++;
    if (this.drawn.length < this.room) this.drawn.push(thing);
    else {
      const place = Math.floor(this.random() * this.offered);
      if (place < this.room) this.drawn[place] = thing;
    }
  }
}

/** What {@link overlayName} gives. */
const OVERLAY_NAME = /-[0-9a-f]{10}\.png$/;

/** A name that every file system takes, that a person recognises and that no other path has. */
export function overlayName(path: string): string {
  const readable = path.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 100);
  return `${readable}-${createHash("sha256").update(path).digest("hex").slice(0, 10)}.png`;
}
