import { type Evaluation, readEvaluation } from "../evaluate";
import { DISCLAIMER } from "../intake";
import { type ModelMetadata, modelFilesInStore, readMetadata } from "../model";
import type { ReadableStore } from "../platform/stores";
import { currentModel, historyOf, type Move } from "../registry";
import { type ChangePlan, changePlan } from "./change-plan";
import { comparisonsIn, type LedgerEntry } from "./ledger";
import { bullets, metricText, plain, table } from "./markdown";
import { comparisonTable, type Reign, reignsOf } from "./model-history";

/** A hospital's entry for this service in its inventory of AI, made of what is stored. */
export interface InventoryEntry {
  readonly product: string;
  readonly intendedUse: string;
  readonly notFor: string;
  readonly input: string;
  readonly output: string;
  /** The model that answers; null before the first promotion. */
  readonly model: (Pick<Move, "reason"> & { readonly since: string } & DescribedModel) | null;
  /** Models that answered before and do not now, the oldest first. */
  readonly earlier: readonly (DescribedModel & { readonly reigns: readonly Reign[] })[];
  /** Every move of the pointer, the oldest first. */
  readonly history: readonly Move[];
  /** Every comparison that was counted. */
  readonly comparisons: readonly LedgerEntry[];
  readonly changePlan: ChangePlan;
  readonly disclaimer: string;
}

/** A model as far as its files and its evaluation are still there. */
interface DescribedModel {
  readonly id: string;
  readonly metadata: Pick<ModelMetadata, "recipe" | "parameters" | "threshold" | "counts" | "synthetic"> | null;
  /** Local acceptance: on this hospital's own untouched test scans. */
  readonly acceptance:
    | (Pick<Evaluation, "verdict" | "dataset"> & Pick<Evaluation["test"], "n" | "groups" | AcceptanceMetric>)
    | null;
  readonly byCollection: readonly ({ readonly name: string } & Pick<Evaluation["test"], "n" | AcceptanceMetric>)[];
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
  const history = await historyOf(models);
  const earlier: InventoryEntry["earlier"][number][] = [];
  for (const [id, reigns] of reignsOf(history))
    if (id !== current?.model) earlier.push({ ...(await described(models, reports, id)), reigns });
  return {
    product: "brain-tumor-stack, a classifier of single slices of brain MRI",
    intendedUse: "Research: the probability that a slice shows a tumour, with a map of where evidence was found.",
    notFor: "Diagnosis; other organs; CT; a hospital on whose scans it has not been measured.",
    input: "One slice, or those of one file: DICOM MR, NIfTI, TIFF, PNG, JPEG, BMP or WebP.",
    output: "Probability of Cancer, decision (Cancer, Non-Cancer, Uncertain), map, verdict on the model.",
    model: current
      ? {
          ...(await described(models, reports, current.model)),
          ...{ since: current.promotedAt, reason: current.reason },
        }
      : null,
    earlier,
    history,
    comparisons: await comparisonsIn(models, plan),
    changePlan: plan,
    disclaimer: DISCLAIMER,
  };
}

async function described(models: ReadableStore, reports: ReadableStore, id: string): Promise<DescribedModel> {
  const [metadata, evaluation] = await Promise.all([
    readMetadata(modelFilesInStore(models, id)).catch(() => null),
    readEvaluation(reports, id),
  ]);
  const { recipe, parameters, threshold, counts, synthetic } = metadata ?? {};
  const measured = ({ n, auc, recall, specificity, ece }: Evaluation["collections"][number] | Evaluation["test"]) => ({
    ...{ n, auc, recall, specificity, ece },
  });
  return {
    id,
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
  const { model, earlier, history, comparisons, changePlan: plan } = entry;
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
    ...(model ? describeModel(model, `since ${model.since}: ${model.reason}`) : ["None has been promoted yet."]),
    "## Models that answered before",
    ...(earlier.length === 0 ? ["None."] : earlier.flatMap((one) => describeModel(one, reignText(one.reigns)))),
    "## History",
    table(
      ["since", "model", "before it", "why"],
      history.map(({ promotedAt, model: id, previous, reason }) => [promotedAt, id, previous ?? "", reason]),
    ),
    "## Comparisons that were counted",
    comparisonTable(comparisons),
  ];
  return `${lines.join("\n\n")}\n`;
}

/** From when to when, and what came after. */
const reignText = (reigns: readonly Reign[]) =>
  reigns
    .map(({ since, next }) => {
      const until = next ? `until ${next.promotedAt}, when ${next.model} took its place` : "until now";
      return `${since === null ? "since when was not kept" : `from ${since}`} ${until}`;
    })
    .join("; ");

function describeModel({ id, metadata, acceptance, byCollection }: DescribedModel, when: string): string[] {
  const rows = [...(acceptance ? [{ name: "all", ...acceptance }] : []), ...byCollection];
  return [
    bullets([
      plain(`${id}, ${when}`),
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
            rows.map((one) => [
              one.name,
              String(one.n),
              ...[one.auc, one.recall, one.specificity, one.ece].map(metricText),
            ]),
          ),
        ]
      : []),
  ];
}
