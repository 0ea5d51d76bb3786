import { createHash } from "node:crypto";
import { RECIPE } from "../imaging";
import type { ContextWith } from "../platform/step";
import { readShards, type Split } from "../preprocess";
import type { TrainingSet } from "./trainer";

export interface TrainingData extends TrainingSet {
  readonly counts: Readonly<Record<Split, number>>;
  /** SHA-256 over id, pixels' hash, label, group and split of every labelled row: what a model's id is derived from. */
  readonly digest: string;
}

/** A data set that must not be trained on. The message says why, with examples. */
export class UnusableTrainingDataError extends Error {
  constructor(problem: string) {
    super(`The processed images cannot be trained on: ${problem}`);
    this.name = "UnusableTrainingDataError";
  }
}

/**
 * The labelled training and validation images of a workspace, in memory, one grey channel each. Test images are counted
 * and checked for leaks, and their pixels are left where they are.
 *
 * @throws {UnusableTrainingDataError} if a group or a patient stands in two splits, or a class is missing
 */
export async function loadTrainingData(workspace: ContextWith<"processed">["workspace"]): Promise<TrainingData> {
  const pixels: Uint8Array[] = [];
  const labels: number[] = [];
  const rows: Record<Split, number[]> = { train: [], validation: [], test: [] };
  const counts: Record<Split, number> = { train: 0, validation: 0, test: 0 };
  const identity: string[] = [];
  const groups = new SplitCheck("near-duplicate group");
  const patients = new SplitCheck("patient");
  const patientOf = await patientsById(workspace);

  for await (const image of readShards(workspace, { channels: 1 })) {
    const { id, label, group, split, sha256, source } = image;
    groups.add(group, split, source);
    const patient = patientOf.get(id);
    if (patient) patients.add(patient, split, source);
    if (label === null) continue;
    counts[split]++;
    identity.push([id, sha256, label, group, split].join(" "));
    if (split === "test") continue;
    rows[split].push(pixels.length);
    pixels.push(image.pixels);
    labels.push(label === "Cancer" ? 1 : 0);
  }
  const leaks = [...groups.leaks(), ...patients.leaks()];
  if (leaks.length > 0) {
    throw new UnusableTrainingDataError(
      `what is learnt would be tested on. ${leaks.slice(0, 5).join(" ")}${leaks.length > 5 ? ` And ${leaks.length - 5} more.` : ""} Correct the column split of manifest.csv.`,
    );
  }
  for (const [label, name] of ["Non-Cancer", "Cancer"].entries()) {
    if (!rows.train.some((row) => labels[row] === label)) {
      throw new UnusableTrainingDataError(
        `the training split has no ${name} image (${counts.train} labelled images in it). Add labelled scans to ${name}/.`,
      );
    }
  }
  const area = RECIPE.side * RECIPE.side;
  const joined = new Uint8Array(pixels.length * area);
  pixels.forEach((image, row) => {
    joined.set(image, row * area);
  });
  return {
    images: { side: RECIPE.side, pixels: joined, labels: Uint8Array.from(labels) },
    train: Int32Array.from(rows.train),
    validation: Int32Array.from(rows.validation),
    counts,
    digest: createHash("sha256").update(identity.sort().join("\n")).digest("hex"),
  };
}

async function patientsById(workspace: ContextWith<"processed">["workspace"]): Promise<Map<string, string>> {
  const rows = await workspace.warehouse.query<{ id: string; patient: string }>(
    "select id, patient from images where patient is not null",
  );
  return new Map(rows.map(({ id, patient }) => [id, patient]));
}

/** Finds what stands in more than one split. */
class SplitCheck {
  private readonly members = new Map<string, Map<Split, string>>();

  constructor(private readonly what: string) {}

  add(key: string, split: Split, source: string): void {
    const splits = this.members.get(key) ?? new Map<Split, string>();
    if (!splits.has(split)) splits.set(split, source);
    this.members.set(key, splits);
  }

  leaks(): string[] {
    return [...this.members.values()]
      .filter((splits) => splits.size > 1)
      .map((splits) => {
        const places = [...splits].map(([split, source]) => `${source} in ${split}`).join(", ");
        return `The same ${this.what} has ${places}.`;
      });
  }
}
