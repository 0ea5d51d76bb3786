import { type Evaluation, readEvaluation } from "../evaluate";
import { DISCLAIMER } from "../intake";
import { type ModelMetadata, modelFilesInStore, readMetadata } from "../model";
import type { Metric } from "../platform/metric";
import type { ReadableStore } from "../platform/stores";
import { currentModel, historyOf, type Move } from "../registry";
import { type ChangePlan, changePlan } from "./change-plan";
import { comparisonsIn, type LedgerEntry } from "./ledger";

/** A hospital's entry for this service in its inventory of AI, made of what is stored. */
export interface InventoryEntry {
  readonly product: string;
  readonly intendedUse: string;
  readonly notFor: string;
  readonly input: string;
  readonly output: string;
  /** The model that answers; null before the first promotion. */
  readonly model: {
    readonly id: string;
    readonly since: string;
    readonly reason: string;
    readonly metadata: Pick<ModelMetadata, "recipe" | "parameters" | "threshold" | "counts" | "synthetic"> | null;
    /** Local acceptance: on this hospital's own untouched test scans. */
    readonly acceptance:
      | (Pick<Evaluation, "verdict" | "dataset"> & Pick<Evaluation["test"], "n" | "groups" | AcceptanceMetric>)
      | null;
    readonly byCollection: readonly ({ readonly name: string } & Pick<Evaluation["test"], "n" | AcceptanceMetric>)[];
  } | null;
  /** Every model that answered, the oldest first. */
  readonly history: readonly Move[];
  /** Every comparison that was counted. */
  readonly comparisons: readonly LedgerEntry[];
  readonly changePlan: ChangePlan;
  readonly disclaimer: string;
}

type AcceptanceMetric = "auc" | "recall" | "specificity" | "ece";

/**
 * The entry that ACR's Recognized Center for Healthcare-AI (ARCH-AI) asks of a site for each algorithm in use: what it is
 * and is for, its version and history, how it was accepted on local scans, and how changes are governed. Who governs it,
 * and where it is in use, is the hospital's to add.
 */
export async function inventoryEntry(models: ReadableStore, reports: ReadableStore): Promise<InventoryEntry> {
  const plan = changePlan();
  const current = await currentModel(models);
  return {
    product: "brain-tumor-stack, a classifier of single slices of brain MRI",
    intendedUse: "Research: the probability that a slice shows a tumour, with a map of where evidence was found.",
    notFor: "Diagnosis; other organs; CT; a hospital on whose scans it has not been measured.",
    input: "One slice, or those of one file: DICOM MR, NIfTI, TIFF, PNG, JPEG, BMP or WebP.",
    output: "Probability of Cancer, decision (Cancer, Non-Cancer, Uncertain), map, verdict on the model.",
    model: current ? await modelOf(models, reports, current) : null,
    history: await historyOf(models),
    comparisons: await comparisonsIn(models, plan),
    changePlan: plan,
    disclaimer: DISCLAIMER,
  };
}

async function modelOf(
  models: ReadableStore,
  reports: ReadableStore,
  { model: id, promotedAt: since, reason }: Move,
): Promise<InventoryEntry["model"]> {
  const [metadata, evaluation] = await Promise.all([
    readMetadata(modelFilesInStore(models, id)).catch(() => null),
    readEvaluation(reports, id),
  ]);
  const { recipe, parameters, threshold, counts, synthetic } = metadata ?? {};
  const measured = ({ n, auc, recall, specificity, ece }: Evaluation["collections"][number] | Evaluation["test"]) => ({
    ...{ n, auc, recall, specificity, ece },
  });
  return {
    ...{ id, since, reason },
    metadata:
      metadata &&
      ({ recipe, parameters, threshold, counts, synthetic } as Pick<
        ModelMetadata,
        "recipe" | "parameters" | "threshold" | "counts" | "synthetic"
      >),
    acceptance: evaluation
      ? {
          ...measured(evaluation.test),
          groups: evaluation.test.groups,
          verdict: evaluation.verdict,
          dataset: evaluation.dataset,
        }
      : null,
    byCollection: (evaluation?.collections ?? []).map((one) => ({ name: one.name, ...measured(one) })),
  };
}

/** The entry for people, as Markdown: the model's card with its history. */
export function renderInventory(entry: InventoryEntry): string {
  const { model, history, comparisons, changePlan: plan } = entry;
  const lines = [
    `# ${entry.product}`,
    `**${entry.disclaimer}**`,
    bullets([
      `For: ${entry.intendedUse}`,
      `Not for: ${entry.notFor}`,
      `In: ${entry.input}`,
      `Out: ${entry.output}`,
      `Changes: change plan version ${plan.version}; told of a change: ${plan.told.join(", ")}.`,
    ]),
    "## The model that answers",
    ...(model ? describeModel(model) : ["None has been promoted yet."]),
    "## History",
    table(
      ["since", "model", "before it", "why"],
      history.map(({ promotedAt, model: id, previous, reason }) => [promotedAt, id, previous ?? "", reason]),
    ),
    "## Comparisons that were counted",
    table(
      ["at", "champion", "challenger", "number", "p", "at most", "shown to be better"],
      comparisons.map(({ counted, result }) => [
        ...[counted.at, counted.champion, counted.challenger, String(counted.number)],
        result?.p == null ? "" : String(Number(result.p.toPrecision(2))),
        String(Number(counted.level.toPrecision(2))),
        result === undefined ? "no result" : result.better ? "yes" : "no",
      ]),
    ),
  ];
  return `${lines.join("\n\n")}\n`;
}

function describeModel({
  id,
  since,
  reason,
  metadata,
  acceptance,
  byCollection,
}: NonNullable<InventoryEntry["model"]>): string[] {
  const rows = [...(acceptance ? [{ name: "all", ...acceptance }] : []), ...byCollection];
  return [
    bullets([
      `${id}, since ${since}: ${reason}`,
      ...(metadata
        ? [
            `${metadata.parameters} parameters, recipe ${metadata.recipe}, threshold ${metadata.threshold.toFixed(3)}, ${metadata.counts.train} images learnt from${metadata.synthetic ? "; drawn phantoms" : ""}`,
          ]
        : ["its files cannot be read"]),
      acceptance?.verdict.sentence ?? "No evaluation of it is stored.",
    ]),
    ...(rows.length > 0
      ? [
          table(
            ["test scans", "n", "AUC", "sensitivity", "specificity", "ECE"],
            rows.map((one) => [one.name, String(one.n), ...[one.auc, one.recall, one.specificity, one.ece].map(text)]),
          ),
        ]
      : []),
  ];
}

const text = (metric: Metric) =>
  metric.value === null
    ? "not defined"
    : `${metric.value.toFixed(3)} (${metric.low.toFixed(3)} to ${metric.high.toFixed(3)})`;
const bullets = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");
/** Names that others gave stay text in a cell. */
const cell = (value: string) => value.replace(/[\\|`*_<>[\]]/g, "\\$&").replace(/\s+/g, " ");
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  rows.length === 0
    ? "None."
    : [head, head.map(() => "---"), ...rows.map((row) => row.map(cell))]
        .map((row) => `| ${row.join(" | ")} |`)
        .join("\n");
