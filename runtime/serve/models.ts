import { contender, evaluationPrefix, METRICS, readEvaluation } from "../evaluate";
import { DISCLAIMER } from "../intake";
import {
  checkRecipe,
  METADATA_FILE,
  type ModelMetadata,
  modelFilesInStore,
  readEngine,
  readMetadata,
  UnusableModelError,
} from "../model";
import type { ReadableStore } from "../platform/stores";
import { type CurrentModel, currentModel, decide, publishedIds } from "../registry";
import {
  type Comparison,
  type EvaluationAnswer,
  evaluationSchema,
  type MetricValue,
  type ModelDetail,
  type ModelItem,
  type ModelList,
  trainingCurveSchema,
} from "./schemas";

/** What the buckets say of all models: those that are served, were, or could be. */
export class Models {
  constructor(
    private readonly models: ReadableStore,
    private readonly reports: ReadableStore,
  ) {}

  /** Every published model, the newest first. */
  async list(): Promise<ModelList> {
    const current = await currentModel(this.models);
    const published: { id: string; at: string }[] = [];
    for await (const model of publishedIds(this.models)) published.push(model);
    published.sort((a, b) => b.at.localeCompare(a.at));
    const items = await Promise.all(published.map(({ id, at }) => this.item(id, at, current)));
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
    };
  }

  /** A line of the list; undefined where there is no such model. */
  async find(id: string): Promise<ModelItem | undefined> {
    const published = await this.models.stat(`${id}/${METADATA_FILE}`);
    return published && this.item(id, published.updated, await currentModel(this.models));
  }

  async detail(id: string): Promise<ModelDetail | undefined> {
    const item = await this.find(id);
    if (!item) return undefined;
    const [{ metadata }, card, evaluation, training] = await Promise.all([
      this.metadata(id),
      read(this.reports, `${evaluationPrefix(id)}model-card.md`),
      this.evaluation(id),
      read(this.models, `${id}/training.json`),
    ]);
    const curve = training === null ? undefined : trainingCurveSchema.safeParse(JSON.parse(training));
    return {
      ...item,
      threshold: metadata?.threshold ?? null,
      uncertain: metadata?.uncertain ? { low: metadata.uncertain.low, high: metadata.uncertain.high } : null,
      guard: metadata ? metadata.guard !== undefined : null,
      counts: metadata?.counts ?? null,
      configuration: metadata?.configuration ?? null,
      card,
      evaluation,
      training: curve?.success ? curve.data : null,
      disclaimer: DISCLAIMER,
    };
  }

  /** Two models side by side, and what the registry's rule says of the second. Undefined where one is not there. */
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

  /** What the registry's rule says of a challenger taking over from a champion. */
  private async ruleOn(challenger: string, champion: string): Promise<Comparison["rule"]> {
    const [b, a] = await Promise.all([
      readEvaluation(this.reports, challenger),
      readEvaluation(this.reports, champion),
    ]);
    if (!b) return { promotes: false, reason: `No evaluation of ${challenger} is stored: it cannot be compared.` };
    if (!a) return { promotes: false, reason: `No evaluation of ${champion} is stored: it cannot be compared.` };
    try {
      const { promoted, reason } = decide(contender(b), contender(a));
      return { promotes: promoted, reason };
    } catch (error) {
      if (error instanceof RangeError) return { promotes: false, reason: error.message };
      throw error;
    }
  }

  private async item(id: string, publishedAt: string, current: CurrentModel | undefined): Promise<ModelItem> {
    const [{ metadata, problem }, evaluation] = await Promise.all([this.metadata(id), this.evaluation(id)]);
    return {
      id,
      current: current?.model === id,
      previous: current?.previous === id,
      usable: problem === null,
      problem,
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
      published_at: new Date(publishedAt).toISOString(),
    };
  }

  private async metadata(id: string): Promise<{ metadata: ModelMetadata | undefined; problem: string | null }> {
    const files = modelFilesInStore(this.models, id);
    let metadata: ModelMetadata | undefined;
    try {
      metadata = await readMetadata(files);
      checkRecipe(files, metadata);
      await readEngine(files, metadata);
      return { metadata, problem: null };
    } catch (error) {
      if (!(error instanceof UnusableModelError)) throw error;
      return { metadata, problem: error.message };
    }
  }

  private async evaluation(id: string): Promise<EvaluationAnswer | null> {
    const stored = evaluationSchema.safeParse(await readEvaluation(this.reports, id));
    return stored.success ? stored.data : null;
  }
}

async function read(store: ReadableStore, name: string): Promise<string | null> {
  return (await store.stat(name)) ? (await store.read(name)).toString("utf8") : null;
}

function difference(a: MetricValue | null, b: MetricValue | null): number | null {
  return a?.value == null || b?.value == null ? null : b.value - a.value;
}
