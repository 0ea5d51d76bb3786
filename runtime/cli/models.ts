import { randomUUID } from "node:crypto";
import { type Act, writeAct } from "../audit";
import { readEvaluation } from "../evaluate";
import { describeParity, examineModel, type ModelMetadata, modelFilesInStore } from "../model";
import { ConfigurationError } from "../platform/config";
import type { Metric } from "../platform/metric";
import { openStore, type ReadableStore } from "../platform/stores";
import { openWarehouse, type Warehouse } from "../platform/warehouse";
import { openWorkspace, type Workspace } from "../platform/workspace";
import { changePlan, comparisonsIn, type InventoryEntry, inventoryEntry, modelCard } from "../promotion";
import { currentModel, publishedModels } from "../registry";
import { type Comparison, type ModelShelves, Models, type Promotion, promoteModel, rollBackModel } from "../serve";

/** A model of a workspace, as `models -- list` shows it. What its metadata would say is null where they cannot be read. */
export interface ListedModel {
  readonly id: string;
  readonly current: boolean;
  readonly parameters: number | null;
  readonly counts: ModelMetadata["counts"] | null;
  readonly synthetic: boolean | null;
  /** Whether it is fit for use, and why; null where no evaluation of it is stored. */
  readonly verdict: string | null;
  /** Over the test split; null where no evaluation is stored. */
  readonly auc: Metric | null;
  /** How near its answers are to those of the network that was trained, as a sentence; or why it answers nobody. */
  readonly engine: string;
  readonly answers: boolean;
  /** As what it was compared with a champion, the last one last. */
  readonly comparisons: readonly ComparedModel[];
}

interface ComparedModel {
  readonly champion: string;
  /** Among the comparisons against that test set, of which the plan allows so many. */
  readonly number: number;
  readonly most: number;
  /** What p could be at most. */
  readonly level: number;
  /** Null where nothing could be tested, or the process was killed before it was. */
  readonly p: number | null;
  readonly better: boolean;
}

/** Where models and their evaluations lie: in a workspace, or in two buckets. */
export type ModelPlace = string | ModelBuckets;

interface ModelBuckets {
  readonly models: string;
  readonly reports: string;
  /** Where what is done is written down, as the processes are told: `bigquery://PROJECT/DATASET`. @default nowhere */
  readonly warehouse?: string | undefined;
  /** Account as which BigQuery is asked. @default this process's own */
  readonly reader?: string | undefined;
}

export async function listModels(place: ModelPlace): Promise<readonly ListedModel[]> {
  return onShelves(place, async ({ pointer: models, reports }) => {
    const current = (await currentModel(models))?.model;
    const plan = changePlan();
    const compared = await comparisonsIn(models, plan);
    const listed: ListedModel[] = [];
    for await (const { id } of publishedModels(models)) {
      const { metadata, parity, problem } = await examineModel(modelFilesInStore(models, id));
      const { parameters = null, counts = null, synthetic = null } = metadata ?? {};
      const engine = parity ? describeParity(parity) : `${problem?.message}`;
      const evaluation = await readEvaluation(reports, id);
      listed.push({
        id,
        current: id === current,
        parameters,
        counts,
        synthetic,
        verdict: evaluation?.verdict.sentence ?? null,
        auc: evaluation?.test.auc ?? null,
        engine,
        answers: !problem,
        comparisons: compared.flatMap(({ counted: { champion, challenger, number, level }, result }) =>
          challenger === id
            ? [{ champion, number, most: plan.comparison.most, level, p: result?.p ?? null, better: !!result?.better }]
            : [],
        ),
      });
    }
    return listed;
  });
}

/** The hospital's entry for its inventory of AI. */
export async function inventory(place: ModelPlace): Promise<InventoryEntry> {
  return onShelves(place, ({ pointer, reports }) => inventoryEntry(pointer, reports));
}

/** A model's card with its history. @throws {ConfigurationError} if there is no such model, or it was never evaluated */
export async function card(place: ModelPlace, id: string): Promise<string> {
  return onShelves(place, async ({ pointer, reports }) => {
    await requireModels(pointer, id);
    const found = await modelCard(pointer, reports, id);
    if (found !== null) return found;
    throw new ConfigurationError("The model", [`${id} has no card: its evaluation writes it, and none is stored.`]);
  });
}

/** @throws {ConfigurationError} if one of them is not there */
export async function compareModels(place: ModelPlace, a: string, b: string): Promise<Comparison> {
  return onShelves(place, async ({ pointer, reports }) => {
    await requireModels(pointer, a, b);
    return (await new Models(pointer, reports).compare(a, b)) as Comparison;
  });
}

/**
 * Makes a model the current one, by the change plan's rule.
 *
 * @throws {NotMoved} with the reason; {ConfigurationError} if there is no such model
 */
export async function promote(place: ModelPlace, id: string): Promise<Promotion> {
  return onShelves(place, async (shelves, warehouse) => {
    await requireModels(shelves.pointer, id);
    return writtenDown(warehouse, "promote", id, () => promoteModel(shelves, id));
  });
}

/** Makes the model before the current one current again. @throws {NotMoved} with the reason */
export async function rollBack(place: ModelPlace): Promise<Promotion> {
  return onShelves(place, async (shelves, warehouse) => {
    const current = (await currentModel(shelves.pointer))?.model ?? null;
    return writtenDown(warehouse, "rollback", current, () => rollBackModel(shelves));
  });
}

/** Does what moves the pointer: rows of `audit` say before that it was asked for, and after what is current then. */
async function writtenDown(
  warehouse: Warehouse | undefined,
  action: "promote" | "rollback",
  subject: string | null,
  work: () => Promise<Promotion>,
): Promise<Promotion> {
  const request = randomUUID();
  const write = async (result: string) => {
    if (warehouse) await writeAct(warehouse, byHand({ request, action, subject, result }));
  };
  await write("asked");
  const moved = await work();
  await write(moved.current);
  return moved;
}

/** What somebody did at the command line, where nobody is asked who he is. */
export function byHand(act: Pick<Act, "request" | "action" | "subject" | "result">): Act {
  return { ...act, who: "local", role: "admin", sha256: null, model: null, recipe: null };
}

/** @throws {ConfigurationError} with a sentence for each that is not there */
export async function requireModels(models: ReadableStore, ...ids: readonly string[]): Promise<void> {
  const published: string[] = [];
  for await (const { id } of publishedModels(models)) published.push(id);
  const there = published.length > 0 ? `There are ${published.join(", ")}.` : "There is none: npm run train makes one.";
  const missing = [...new Set(ids)].filter((id) => !published.includes(id));
  if (missing.length === 0) return;
  throw new ConfigurationError(
    "The model",
    missing.map((id) => `There is no model ${id} in ${models.uri}. ${there}`),
  );
}

export async function onShelves<T>(
  place: ModelPlace,
  work: (shelves: ModelShelves, warehouse: Warehouse | undefined) => Promise<T>,
): Promise<T> {
  if (typeof place === "string")
    return inWorkspace(place, ({ buckets: { models, reports }, warehouse }) =>
      work({ pointer: models, reports }, warehouse),
    );
  const [pointer, reports] = await Promise.all([openStore(place.models), openStore(place.reports)]);
  const warehouse =
    place.warehouse === undefined
      ? undefined
      : await openWarehouse(place.warehouse, {
          reader: place.reader,
          endpoints: { rest: process.env.BIGQUERY_API_ENDPOINT, storage: process.env.BIGQUERY_STORAGE_ENDPOINT },
        });
  try {
    return await work({ pointer, reports }, warehouse);
  } finally {
    await warehouse?.close();
  }
}

export async function inWorkspace<T>(directory: string, work: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workspace = await openWorkspace(directory);
  try {
    return await work(workspace);
  } finally {
    await workspace.close();
  }
}
