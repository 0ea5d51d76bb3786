import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "./disk";
import type { Metric } from "./metric";
import { DATASET_COUNTS } from "./warehouse";
import type { Workspace } from "./workspace";

/** What one step did the last time it ran. */
export interface StepSummary {
  readonly name: string;
  readonly seconds: number;
  /** Worked on. */
  readonly items: number;
  /** Done by an earlier run. */
  readonly skipped: number;
  readonly rejected: number;
  /** Items a second of the last run that had something to do. */
  readonly itemsPerSecond: number | null;
}

/** `summary.json` of a workspace. Every step updates what it redid and leaves the rest alone. */
export interface Summary {
  readonly seed: number;
  readonly backend: string | null;
  readonly steps: readonly StepSummary[];
  readonly dataset: {
    readonly images: number;
    readonly curated: number;
    readonly quarantined: number;
    readonly groups: number;
    readonly split: { readonly train: number; readonly validation: number; readonly test: number };
  } | null;
  readonly model: {
    readonly id: string;
    readonly recipe: string;
    readonly parameters: number;
    readonly synthetic: boolean;
  } | null;
  /** Whether the model is fit for use, by `test`: what is said before any of its numbers. */
  readonly verdict: {
    readonly fit: boolean;
    readonly sentence: string;
    /** Stable codes; empty where it is fit. */
    readonly reasons: readonly string[];
  } | null;
  readonly test:
    | ({
        readonly n: number;
        readonly threshold: number;
        /**
         * Where the model has an input guard: how many of the Cancer images it refuses, and the share of all of them that
         * is found if a refused one counts as missed. `recall` knows nothing of the guard.
         */
        readonly tumours?: { readonly scans: number; readonly refused: number; readonly found: Metric };
      } & Readonly<Record<"accuracy" | "precision" | "recall" | "specificity" | "f1" | "auc" | "ece", Metric>>)
    | null;
  /** Whether the model above is the current one, which alone is served, and why. */
  readonly promotion: { readonly current: boolean; readonly reason: string } | null;
}

export type SummaryChange = Partial<Omit<Summary, "steps">>;

const FILE = "summary.json";
const EMPTY: Summary = {
  seed: 0,
  backend: null,
  steps: [],
  dataset: null,
  model: null,
  verdict: null,
  test: null,
  promotion: null,
};

export async function readSummary(workspace: Pick<Workspace, "directory">): Promise<Summary> {
  try {
    return { ...EMPTY, ...(JSON.parse(await readFile(join(workspace.directory, FILE), "utf8")) as Partial<Summary>) };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return EMPTY;
    throw new Error(`${join(workspace.directory, FILE)} cannot be read: remove it, and the next step writes it anew.`, {
      cause: error,
    });
  }
}

/** Enters a step, in place of its earlier entry, and what it changed. */
export async function updateSummary(
  workspace: Workspace,
  step: Omit<StepSummary, "itemsPerSecond">,
  change: SummaryChange,
): Promise<Summary> {
  const summary = await readSummary(workspace);
  const earlier = summary.steps.find(({ name }) => name === step.name);
  const entry: StepSummary = {
    ...step,
    seconds: Number(step.seconds.toFixed(2)),
    itemsPerSecond:
      step.items > 0 && step.seconds > 0
        ? Number((step.items / step.seconds).toFixed(1))
        : (earlier?.itemsPerSecond ?? null),
  };
  const steps = earlier ? summary.steps.map((other) => (other === earlier ? entry : other)) : [...summary.steps, entry];
  const updated: Summary = { ...summary, ...change, steps };
  await writeWhole(join(workspace.directory, FILE), `${JSON.stringify(updated, null, 2)}\n`);
  return updated;
}

/** Counts of the workspace's images: of the newest generation of everything that landed, as the warehouse has it now. */
export async function countDataset({ warehouse }: Workspace): Promise<NonNullable<Summary["dataset"]>> {
  const [counts] = await warehouse.ask(DATASET_COUNTS, {});
  if (!counts) throw new Error("A count has one row.");
  const { train, validation, test, ...images } = counts;
  return { ...images, split: { train, validation, test } };
}
