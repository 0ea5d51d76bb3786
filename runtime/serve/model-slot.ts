import { UnusableModelError, type Verdict } from "../model";
import type { Logger } from "../platform/logging";
import { ObjectStoreError, type ReadableStore } from "../platform/stores";
import type { Choice, Chosen } from "./choice";
import { Problem } from "./problem";
import { loadScorer, type Scorer } from "./scoring";

/** A model that could not be used is tried again after this, e.g. once its files are copied whole. */
const SECONDS_BEFORE_RETRY = 30;

interface Loaded {
  readonly scorer: Scorer;
  /** By the newest evaluation. */
  verdict: Verdict;
  users: number;
  retired: boolean;
}

/**
 * Holds the model that is chosen: the current one, mostly. When another one is promoted it is loaded, verified and warmed beside the
 * old one and takes its place in one step; the old one is freed once its last prediction is done. A model that cannot be
 * used never takes the place of one that can.
 */
export class ModelSlot {
  private loaded: Loaded | undefined;
  private generation: number | undefined;
  private failed: { readonly generation: number; readonly at: number } | undefined;
  private refreshing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  /** Models that are being freed: a process that ends meanwhile would end their threads inside onnxruntime. */
  private readonly disposals = new Set<Promise<void>>();
  /** Why there is no model, or why the promoted one is not served. */
  problem: string | undefined = "No model has been looked for yet.";
  /** Promotions that could not be served. */
  failures = 0;

  /**
   * @param choose says which model is to be held
   * @param onLoaded is told of a model that answers from now on
   * @param threads scans that it answers for at a time. Default: as many as a server does
   */
  constructor(
    private readonly models: ReadableStore,
    private readonly log: Logger,
    private readonly choose: Choice,
    private readonly onLoaded: (model: string) => void = () => {},
    private readonly threads?: number,
  ) {}

  get current(): Scorer | undefined {
    return this.loaded?.scorer;
  }

  /** What stands before every answer of the current model. */
  get verdict(): Verdict | undefined {
    return this.loaded?.verdict;
  }

  /** Looks at the pointer now and then every so many seconds. */
  async start(refreshSeconds: number): Promise<void> {
    await this.refresh();
    this.timer = setInterval(() => void this.refresh(), refreshSeconds * 1000);
    this.timer.unref();
  }

  /** Loads the model that is current now, if it is not loaded. Never throws: {@link problem} says what is wrong. */
  refresh(): Promise<void> {
    this.refreshing ??= this.load().finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  /** Loads a model that has just been made the current one: what was being loaded meanwhile may be the one before. */
  async follow(model: string): Promise<void> {
    for (let look = 0; look < 2 && this.current?.metadata.id !== model; look++) await this.refresh();
  }

  /** Runs `work` with the current model, which is not freed before the work is done. Undefined if there is none. */
  async use<T>(work: (scorer: Scorer, verdict: Verdict) => Promise<T>): Promise<T | undefined> {
    const { loaded } = this;
    if (!loaded) return undefined;
    loaded.users++;
    try {
      return await work(loaded.scorer, loaded.verdict);
    } finally {
      loaded.users--;
      this.disposeIfUnused(loaded);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    await this.refreshing;
    this.retire();
    await Promise.all(this.disposals);
  }

  private retire(): void {
    const { loaded } = this;
    this.loaded = undefined;
    if (!loaded) return;
    loaded.retired = true;
    this.disposeIfUnused(loaded);
  }

  private async load(): Promise<void> {
    let generation: number | undefined;
    try {
      const current = await this.choose();
      if (!current) {
        this.problem = "No model has been promoted yet. Train one first: npm run train, or npm run demo.";
        return;
      }
      generation = current.generation;
      if (generation === this.generation) return;
      if (generation === this.failed?.generation && performance.now() - this.failed.at < SECONDS_BEFORE_RETRY * 1000)
        return;
      if (current.model === this.loaded?.scorer.metadata.id) this.loaded.verdict = current.verdict;
      else await this.swap(current);
      this.generation = generation;
      this.failed = undefined;
      this.problem = undefined;
    } catch (error) {
      if (generation !== undefined) this.failed = { generation, at: performance.now() };
      this.failures++;
      const problem =
        error instanceof UnusableModelError || error instanceof ObjectStoreError
          ? error.message
          : `The pointer to the current model, or the model, cannot be read: ${(error as Error).message}`;
      if (problem === this.problem) return;
      this.problem = problem;
      const serving = this.loaded?.scorer.metadata.id ?? null;
      this.log.error({ err: error, serving }, "The promoted model is not served");
    }
  }

  private async swap({ model: id, verdict }: Chosen): Promise<void> {
    const scorer = await loadScorer(this.models, id, this.threads);
    if (this.closed) {
      await scorer.dispose();
      return;
    }
    this.retire();
    this.loaded = { scorer, verdict, users: 0, retired: false };
    this.log.info({ model: id }, "Model loaded, verified and warm");
    this.onLoaded(id);
  }

  private disposeIfUnused(loaded: Loaded): void {
    if (!loaded.retired || loaded.users > 0) return;
    const disposal = loaded.scorer.dispose().finally(() => this.disposals.delete(disposal));
    this.disposals.add(disposal);
  }
}

/** What a caller is told where there is no model. */
export const noModel = ({ problem }: ModelSlot): Problem =>
  new Problem(503, "no-model", problem ?? "No model is loaded.", { "retry-after": "5" });
