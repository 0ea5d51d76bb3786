import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import { readInputFolder, requireLabelFolders } from "../platform/input-folder";
import { type Progress, silentProgress } from "../platform/progress";
import { type Backend, loadClassifier, scoreFolder, useBackend } from "../registry";
import { gradCam } from "./gradcam";
import { peakInOriginal, renderOverlay } from "./overlay";

export interface ExplainFolderOptions {
  /** Directory of the model. */
  readonly model: string;
  /** Directory with `Cancer/`, `Non-Cancer/` and `Unlabelled/`. */
  readonly data: string;
  /** Directory for the results. */
  readonly out: string;
  /** @default the best there is */
  readonly backend?: Backend;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** Folder of the overlays below the results. */
const OVERLAYS = "overlays";

/**
 * Writes, for every scan of a folder, the place that speaks most for Cancer (`explain.csv`: path, x and y in pixels of
 * the original, then overlay, page and probability) and a PNG of the original's size with the map over it. Of a
 * multi-page file the most suspicious page is explained. Files that cannot be used stand in `rejected.csv`.
 *
 * @throws {ConfigurationError} if the folder cannot be read or has no scan in a label folder
 * @throws {UnusableModelError} if the model cannot be used
 */
export async function explainFolder(
  options: ExplainFolderOptions,
): Promise<{ readonly explained: number; readonly rejected: number; readonly notes: readonly string[] }> {
  const { out, signal, progress = silentProgress } = options;
  const folder = readInputFolder(options.data);
  requireLabelFolders(folder);
  await useBackend(options.backend);
  const classifier = await loadClassifier(options.model);
  const explained: (string | number)[][] = [["path", "x", "y", "overlay", "page", "probability"]];
  const rejected: string[][] = [["path", "reason", "message"]];
  try {
    await mkdir(join(out, OVERLAYS), { recursive: true });
    progress.start(folder.files.filter(({ input }) => input.kind === "scan" || input.kind === "stray").length);
    for await (const result of scoreFolder(classifier, folder.files, signal)) {
      const path = result.file.name;
      if ("rejected" in result) {
        rejected.push([path, result.rejected.code, result.rejected.message]);
      } else {
        const { image, pixels, geometry, page, probability } = result.scored;
        const explanation = await gradCam(classifier, pixels, geometry);
        const peak = peakInOriginal(explanation, geometry, image);
        const overlay = `${OVERLAYS}/${overlayName(path)}`;
        await writeFile(join(out, overlay), await renderOverlay(image, geometry, explanation));
        explained.push([path, peak.x, peak.y, overlay, page, Number(probability.toPrecision(9))]);
      }
      progress.advance();
    }
    progress.finish();
  } finally {
    classifier.dispose();
  }
  await writeFile(join(out, "rejected.csv"), stringify(rejected));
  await writeFile(join(out, "explain.csv"), stringify(explained));
  return { explained: explained.length - 1, rejected: rejected.length - 1, notes: folder.notes };
}

/** A name that every file system takes, that a person recognises and that no other path has. */
export function overlayName(path: string): string {
  const readable = path.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 100);
  return `${readable}-${createHash("sha256").update(path).digest("hex").slice(0, 10)}.png`;
}
