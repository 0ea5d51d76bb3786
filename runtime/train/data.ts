import { createHash } from "node:crypto";
import { findLeaks, type ProcessedImage, readMaskHashes, readShardRows, readShards, tornMembers } from "../dataset";
import { RECIPE } from "../imaging";
import { LABELS, type Split } from "../intake";
import type { WithMessageForLogs } from "../platform/names-in-logs";
import type { ContextWith } from "../platform/step";
import type { ReadableStore } from "../platform/stores";
import { UNLABELLED } from "./batch";
import { NO_LESION, UNKNOWN_LESION } from "./lesions";
import { PLANTING } from "./planting";
import type { TrainingSet } from "./trainer";

type TrainingWorkspace = ContextWith<{ processed: ReadableStore }>["workspace"];

/** Ids of the images that may be learnt from and tested on; without it, every labelled one. */
export type OnlyImages = ReadonlySet<string> | undefined;

/** What is known of a data set without looking at a pixel. */
export interface TrainingDescription {
  /** Labelled images of each split. */
  readonly counts: Readonly<Record<Split, number>>;
  /** SHA-256 over id, pixels' hash, label, group, split and mask's hash of every labelled image: a model's id is derived from it. */
  readonly digest: string;
  /** Images of the training split without a label, which only a pupil of a teacher learns from: how many, and the SHA-256 over ids and pixels' hashes. */
  readonly unlabelled: { readonly count: number; readonly digest: string };
}

/** A data set that must not be trained on. The message says why, with examples. */
export class UnusableTrainingDataError extends Error implements WithMessageForLogs {
  readonly forLogs: string;

  /** @param forLogs the problem without names of files, where it has some */
  constructor(problem: string, forLogs = problem) {
    const subject = "The processed images cannot be trained on:";
    super(`${subject} ${problem}`);
    this.forLogs = `${subject} ${forLogs}`;
    this.name = "UnusableTrainingDataError";
  }
}

/**
 * Counts and names the labelled images of a workspace, and checks that they may be trained on.
 *
 * @throws {UnusableTrainingDataError} if a patient or two near-duplicates stand in two splits (the message names a pair), or a class is missing
 */
export async function describeTrainingData(
  workspace: TrainingWorkspace,
  only?: OnlyImages,
): Promise<TrainingDescription> {
  const counts: Record<Split, number> = { train: 0, validation: 0, test: 0 };
  const identity: string[] = [];
  const unlabelled: string[] = [];
  const learnt = new Set<string>();
  const masks = await readMaskHashes(workspace);
  for (const { id, label, group, split, sha256 } of await readShardRows(workspace)) {
    if (only?.has(id) === false) continue;
    if (label === null) {
      if (split === "train") unlabelled.push([id, sha256].join(" "));
      continue;
    }
    counts[split]++;
    identity.push([id, sha256, label, group, split, masks.get(id) ?? ""].join(" "));
    if (split === "train") learnt.add(label);
  }
  const leaks = findLeaks(await tornMembers(workspace));
  if (leaks.length > 0) {
    const shown = leaks.slice(0, 5);
    const others = leaks.length > 5 ? ` And ${leaks.length - 5} more.` : "";
    const [why, remedy] = ["what is learnt would be tested on.", "Correct the column split of manifest.csv."];
    throw new UnusableTrainingDataError(
      `${why} ${shown.map(({ sentence }) => sentence).join(" ")}${others} ${remedy}`,
      `${why} Groups in two splits: ${shown.map(({ group }) => group).join(", ")}.${others} ${remedy}`,
    );
  }
  if (counts.train + counts.validation + counts.test === 0) {
    throw new UnusableTrainingDataError(
      "there is no labelled image among them. Run npm run ingest -- --data DIR and npm run preprocess on this workspace first; where they have run, they say which images landed under both labels, and so under none.",
    );
  }
  const missing = LABELS.filter((label) => !learnt.has(label));
  if (missing.length > 0) {
    throw new UnusableTrainingDataError(
      `the training split has no ${missing.join(" and no ")} image (${counts.train} labelled images in it). Add labelled scans to ${missing.map((label) => `${label}/`).join(" and ")}.`,
    );
  }
  const digestOf = (lines: string[]) => createHash("sha256").update(lines.sort().join("\n")).digest("hex");
  return {
    counts,
    digest: digestOf(identity),
    unlabelled: { count: unlabelled.length, digest: digestOf(unlabelled) },
  };
}

/**
 * The labelled training and validation images in memory, one grey channel each. Test images stay where they are.
 *
 * @param withUnlabelled also the training split's images without a label, for a pupil
 */
export async function loadTrainingSet(
  workspace: TrainingWorkspace,
  only?: OnlyImages,
  withUnlabelled = false,
): Promise<TrainingSet> {
  const pixels: Uint8Array[] = [];
  const labels: number[] = [];
  const masks: Uint8Array[] = [];
  const maskOf: number[] = [];
  const donors: number[] = [];
  const groups: string[] = [];
  const rows: Record<Split, number[]> = { train: [], validation: [], test: [] };
  for (const split of ["train", "validation"] as const) {
    for (const image of await labelledById(workspace, split, only)) {
      rows[split].push(pixels.length);
      pixels.push(image.pixels);
      labels.push(image.label === "Cancer" ? 1 : 0);
      groups.push(image.group);
      // An empty mask of a tumour says that nobody drew it, not that it is nowhere.
      if (image.label === "Non-Cancer") maskOf.push(NO_LESION);
      else if (image.mask?.some((share) => share > 0)) {
        if (split === "train" && areaOf(image.mask) >= PLANTING.transplanted.smallest) donors.push(maskOf.length);
        maskOf.push(masks.push(image.mask) - 1);
      } else maskOf.push(UNKNOWN_LESION);
    }
  }
  const unlabelled: number[] = [];
  for (const image of withUnlabelled ? await imagesById(workspace, "train", "unlabelled", only) : []) {
    unlabelled.push(pixels.length);
    pixels.push(image.pixels);
    labels.push(UNLABELLED);
    groups.push(image.group);
    maskOf.push(UNKNOWN_LESION);
  }
  return {
    images: {
      side: RECIPE.side,
      pixels: concatenate(pixels),
      labels: Uint8Array.from(labels),
      masks: concatenate(masks),
      maskOf: Int32Array.from(maskOf),
      donors: Int32Array.from(donors),
    },
    train: Int32Array.from(rows.train),
    validation: Int32Array.from(rows.validation),
    unlabelled: Int32Array.from(unlabelled),
    groups,
  };
}

/**
 * The labelled images of a split, one channel each, ascending by id. Images that nobody learns from decide which shard the
 * others lie in, and so the order in which they are read; they must not decide a weight.
 */
export function labelledById(
  workspace: TrainingWorkspace,
  split: Exclude<Split, "test">,
  only?: OnlyImages,
): Promise<readonly ProcessedImage[]> {
  return imagesById(workspace, split, "labelled", only);
}

async function imagesById(
  workspace: TrainingWorkspace,
  split: Exclude<Split, "test">,
  which: "labelled" | "unlabelled",
  only?: OnlyImages,
): Promise<readonly ProcessedImage[]> {
  const images: ProcessedImage[] = [];
  for await (const image of readShards(workspace, { split, channels: 1 }))
    if ((image.label === null) === (which === "unlabelled") && only?.has(image.id) !== false) images.push(image);
  return images.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Pixels that a mask covers. */
const areaOf = (mask: Uint8Array) => mask.reduce((sum, share) => sum + share, 0) / 255;

function concatenate(planes: readonly Uint8Array[]): Uint8Array {
  const area = RECIPE.side * RECIPE.side;
  const joined = new Uint8Array(planes.length * area);
  planes.forEach((plane, i) => {
    joined.set(plane, i * area);
  });
  return joined;
}
