import { METRICS, readEvaluation } from "../evaluate";
import { DISCLAIMER } from "../intake";
import { type ExaminedModel, examineModel, modelFilesInStore, readTrainingCurve } from "../model";
import type { ReadableStore } from "../platform/stores";
import { ChangedReferenceError, contenderOf, modelCard, previewPromotion, readReference } from "../promotion";
import {
  type CurrentModel,
  currentCanary,
  currentModel,
  nextOfCanary,
  type PublishedModel,
  publishedModels,
  type SeenCanary,
} from "../registry";
import {
  type Comparison,
  type EvaluationAnswer,
  evaluationSchema,
  type MetricValue,
  type ModelDetail,
  type ModelItem,
  type ModelList,
} from "./schemas";

/** Models that are read at a time: each takes some megabytes until it is verified. */
const AT_A_TIME = 4;

/** What the buckets say of all models: those that are served, were, or could be. */
export class Models {
  /** What was found of each model: its files are read once, and again when one has changed. */
  private readonly examined = new Map<string, { readonly version: string; readonly found: Promise<ExaminedModel> }>();

  constructor(
    private readonly models: ReadableStore,
    private readonly reports: ReadableStore,
  ) {}

  /** Every published model, the newest first. */
  async list(): Promise<ModelList> {
    const current = await currentModel(this.models);
    const published: PublishedModel[] = [];
    for await (const model of publishedModels(this.models)) published.push(model);
    published.sort((a, b) => b.at.localeCompare(a.at));
    const items: ModelItem[] = [];
    for (let from = 0; from < published.length; from += AT_A_TIME)
      items.push(
        ...(await Promise.all(published.slice(from, from + AT_A_TIME).map((model) => this.item(model, current)))),
      );
    return {
      items,
      current: current
        ? {
            model: current.model,
            previous: current.previous,
            reason: current.reason,
            promoted_at: new Date(current.promotedAt).toISOString(),
          }
        : null,
      canary: canaryOf(await currentCanary(this.models), current?.model),
    };
  }

  /** A line of the list; undefined where there is no such model. */
  async find(id: string): Promise<ModelItem | undefined> {
    const published = await this.published(id);
    return published && this.item(published, await currentModel(this.models));
  }

  async detail(id: string): Promise<ModelDetail | undefined> {
    const published = await this.published(id);
    if (!published) return undefined;
    const item = await this.item(published, await currentModel(this.models));
    const [{ metadata }, card, evaluation, training] = await Promise.all([
      this.examine(published),
      modelCard(this.models, this.reports, id),
      this.evaluation(id),
      readTrainingCurve(modelFilesInStore(this.models, id)),
    ]);
    return {
      ...item,
      threshold: metadata?.threshold ?? null,
      uncertain: metadata?.uncertain ? { low: metadata.uncertain.low, high: metadata.uncertain.high } : null,
      guard: metadata ? metadata.guard !== undefined : null,
      counts: metadata?.counts ?? null,
      configuration: metadata?.configuration ?? null,
      card,
      evaluation,
      training: training ?? null,
      disclaimer: DISCLAIMER,
    };
  }

  /** Two models side by side, and what the rule of promotion says of the second. Undefined where one is not there. */
  async compare(first: string, second: string): Promise<Comparison | undefined> {
    const [a, b] = await Promise.all([this.find(first), this.find(second)]);
    if (!a || !b) return undefined;
    const [mine, its] = await Promise.all([this.evaluation(first), this.evaluation(second)]);
    const comparable = mine !== null && its !== null && mine.dataset === its.dataset;
    return {
      a,
      b,
      comparable,
      metrics: METRICS.map((name) => {
        const [left, right] = [mine?.test[name] ?? null, its?.test[name] ?? null];
        return { name, a: left, b: right, difference: comparable ? difference(left, right) : null };
      }),
      rule: await this.ruleOn(second, first),
    };
  }

  /** What the rule says of a challenger taking over from a champion; nothing is counted. */
  private async ruleOn(challenger: string, champion: string): Promise<Comparison["rule"]> {
    const [b, a] = await Promise.all([
      readEvaluation(this.reports, challenger),
      readEvaluation(this.reports, champion),
    ]);
    if (!b) return { promotes: false, reason: `No evaluation of ${challenger} is stored: it cannot be compared.` };
    if (!a) return { promotes: false, reason: `No evaluation of ${champion} is stored: it cannot be compared.` };
    try {
      const { promoted, reason } = await previewPromotion({
        models: this.models,
        challenger: await contenderOf(this.reports, b),
        champion: await contenderOf(this.reports, a),
        reference: await readReference(this.reports),
        asker: "person",
      });
      return { promotes: promoted, reason };
    } catch (error) {
      if (error instanceof RangeError || error instanceof ChangedReferenceError)
        return { promotes: false, reason: error.message };
      throw error;
    }
  }

  private async item(published: PublishedModel, current: CurrentModel | undefined): Promise<ModelItem> {
    const { id, at } = published;
    const [{ metadata, problem }, evaluation] = await Promise.all([this.examine(published), this.evaluation(id)]);
    return {
      id,
      current: current?.model === id,
      previous: current?.previous === id,
      usable: problem === undefined,
      problem: problem?.message ?? null,
      verdict: evaluation?.verdict ?? (current?.model === id ? current.verdict : null),
      recipe: metadata?.recipe ?? null,
      parameters: metadata?.parameters ?? null,
      synthetic: metadata?.synthetic ?? null,
      trained_on: metadata?.counts.train ?? null,
      test: evaluation && {
        n: evaluation.test.n,
        auc: evaluation.test.auc.value,
        accuracy: evaluation.test.accuracy.value,
      },
      published_at: new Date(at).toISOString(),
    };
  }

  private async published(id: string): Promise<PublishedModel | undefined> {
    for await (const model of publishedModels(this.models, id)) return model;
    return undefined;
  }

  private examine({ id, version }: PublishedModel): Promise<ExaminedModel> {
    const known = this.examined.get(id);
    if (known?.version === version) return known.found;
    const found = examineModel(modelFilesInStore(this.models, id));
    this.examined.set(id, { version, found });
    // What the store refuses now it may give later.
    found.catch(() => this.examined.delete(id));
    return found;
  }

  private async evaluation(id: string): Promise<EvaluationAnswer | null> {
    const stored = evaluationSchema.safeParse(await readEvaluation(this.reports, id));
    return stored.success ? stored.data : null;
  }
}

function canaryOf(seen: SeenCanary | undefined, current: string | undefined): ModelList["canary"] {
  if (!seen) return null;
  const { candidate, stable, mode, state, share, startedAt, shareSince, reason, look } = seen;
  const next = nextOfCanary(seen, current);
  return {
    ...{ candidate, stable, mode, state, share, started_at: startedAt, share_since: shareSince, reason },
    judged: look,
    next: next ? { sentence: next.sentence, commands: [...next.commands] } : null,
  };
}

function difference(a: MetricValue | null, b: MetricValue | null): number | null {
  return a?.value == null || b?.value == null ? null : b.value - a.value;
}
