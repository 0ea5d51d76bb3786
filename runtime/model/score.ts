import { createHash } from "node:crypto";
import type { GuardVerdict } from "../guard";
import {
  applyRecipe,
  decodeScan,
  type Geometry,
  type GreyImage,
  type ImageFormat,
  type ImageLimits,
  pixelSha256,
  RejectedImage,
} from "../imaging";
import type { Label } from "../intake";
import type { Answer } from "./answer";
import type { Classifier } from "./classifier";
import { decisionOf, labelOf, type ScanDecision } from "./decision";

/** A file with a model's answer. */
export interface ScoredScan {
  /** SHA-256 over the model and the pixels of every page: the same image under the same model has the same id. */
  readonly id: string;
  /** Of Cancer, 0 to 1: that of the most suspicious page. */
  readonly probability: number;
  readonly label: Label;
  readonly decision: ScanDecision;
  /** Number of the most suspicious page, from 1. */
  readonly page: number;
  /** Pages that the answer is drawn from. */
  readonly pages: number;
  /** Pages of the file that could not be used; the others were. */
  readonly rejectedPages: readonly { readonly page: number; readonly reason: RejectedImage }[];
  /** The most suspicious page, its SHA-256 and what the recipe made of it. */
  readonly image: GreyImage;
  /** What the file's bytes are. */
  readonly format: ImageFormat;
  readonly sha256: string;
  readonly pixels: Uint8Array;
  readonly geometry: Geometry;
  /** Where that page speaks for Cancer, and its features. */
  readonly map: Answer["map"];
  readonly features: Float32Array;
  /** Every page that was answered for, in the file's order. */
  readonly slices: readonly { readonly page: number; readonly probability: number; readonly sha256: string }[];
}

/** The same for who keeps the page: as PNG, and without its pixels. */
export interface EncodedScan extends Omit<ScoredScan, "image" | "pixels"> {
  readonly image: Pick<GreyImage, "width" | "height" | "depth">;
  /** The page as a PNG of its size and depth, where no other page was answered for. */
  readonly png?: Uint8Array;
}

export interface ScoreOptions {
  readonly limits?: Partial<ImageLimits>;
  /**
   * Called between two pages. Whoever does several things at a time lets another have its turn here; what it throws ends
   * the work.
   */
  readonly pause?: () => Promise<void>;
}

/**
 * Decodes a file, sends every page through the recipe and the model, and answers for the most suspicious page: one
 * suspicious slice makes a suspicious scan.
 *
 * @throws {RejectedImage} if no page can be used
 */
export async function scoreScan(
  bytes: Buffer,
  classifier: Pick<Classifier, "metadata" | "guard" | "answer">,
  { limits, pause }: ScoreOptions = {},
): Promise<ScoredScan> {
  const { metadata } = classifier;
  const hashes: string[] = [];
  const rejectedPages: { page: number; reason: RejectedImage }[] = [];
  const slices: ScoredScan["slices"][number][] = [];
  let best: (Pick<ScoredScan, "page" | "image" | "format" | "sha256" | "pixels" | "geometry"> & Answer) | undefined;
  for await (const decoded of withPauses(decodeScan(bytes, limits), pause)) {
    if ("rejected" in decoded) {
      rejectedPages.push({ page: decoded.page, reason: decoded.rejected });
      continue;
    }
    const { image, page } = decoded;
    const sha256 = pixelSha256(image);
    hashes.push(sha256);
    const { pixels, geometry } = applyRecipe(image);
    const verdict = classifier.guard?.judge(pixels);
    if (verdict?.refused) {
      rejectedPages.push({ page, reason: notABrainScan(verdict) });
      continue;
    }
    const [answer] = await classifier.answer([pixels]);
    if (!answer) throw new Error(`Model ${metadata.id} gave no answer.`);
    slices.push({ page, probability: answer.probability, sha256 });
    if (!best || answer.probability > best.probability)
      best = { ...answer, page, image, format: decoded.format, sha256, pixels, geometry };
  }
  if (!best) {
    const first = rejectedPages[0];
    if (first) throw first.reason;
    throw new Error("The decoder gave neither a page nor a reason.");
  }
  return {
    id: scanId(metadata.id, hashes),
    label: labelOf(best.probability, metadata.threshold),
    decision: decisionOf(best.probability, metadata),
    pages: slices.length,
    slices,
    rejectedPages,
    ...best,
  };
}

/** @param hashes of the pixels of every page that was decoded, those that the guard refused too, in the file's order */
export function scanId(model: string, hashes: readonly string[]): string {
  return createHash("sha256")
    .update(model + hashes.join(""))
    .digest("hex");
}

async function* withPauses<T extends { readonly page: number; readonly pages: number }>(
  pages: AsyncIterable<T>,
  pause: (() => Promise<void>) | undefined,
): AsyncGenerator<T> {
  for await (const decoded of pages) {
    yield decoded;
    if (decoded.page < decoded.pages) await pause?.();
  }
}

function notABrainScan({ because }: GuardVerdict): RejectedImage {
  if (because === "ct") {
    return new RejectedImage(
      "not-a-brain-scan",
      "The picture shows a head with a bright shell of bone around it, as CT does and MRI does not, so it gives no probability: the model was trained on brain MRI. If it is an MRI scan, have a person read it.",
    );
  }
  return new RejectedImage(
    "not-a-brain-scan",
    "The picture does not look like the brain MRI scans that the model was trained on, so it gives no probability. If it is one, check that it shows a single slice, upright and without a frame of text, and have a person read it.",
  );
}
