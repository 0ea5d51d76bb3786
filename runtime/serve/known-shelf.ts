import type { FastifyBaseLogger } from "fastify";
import { readEvaluation } from "../evaluate";
import type { Logger } from "../platform/logging";
import type { ReadableStore } from "../platform/stores";
import type { Warehouse } from "../platform/warehouse";
import { type KnownScan, KnownScans, USUAL_NEIGHBOURS } from "../similar";
import { Problem } from "./problem";
import { type MetricValue, metricSchema } from "./schemas";

/** What answers of one model are compared with. */
export interface Shelved {
  readonly known: KnownScans;
  /** How many of the nearest are counted, as the model's evaluation chose it. */
  readonly neighbours: number;
  /** Of their share of Cancer on the test images; null where no evaluation says so. */
  readonly auc: MetricValue | null;
}

interface Place {
  shelved?: Shelved;
  loading?: Promise<Shelved>;
  /** When the last loading ended, milliseconds. */
  at: number;
}

/** Models whose known scans are held: the one that answers, and one whose answers somebody still looks at. */
const MOST_MODELS = 2;
/** Milliseconds after which they are read again, beside those that are there: labels and scans come and change. */
const FRESH = 15 * 60_000;
/** The same where there were none, or where they could not be read. */
const FRESH_NOTHING = 10_000;

/**
 * The known scans of the data set by the model that answered, in memory. They are read in the background, when a model
 * begins to answer and again now and then; what cannot be read stops nothing but the question for similar scans.
 */
export class KnownShelf {
  /** The one that was asked for last at the end. */
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly warehouse: Pick<Warehouse, "ask">,
    private readonly reports: ReadableStore,
    private readonly log: Logger | FastifyBaseLogger,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Begins to read what will be asked for. */
  prepare(model: string): void {
    this.read(model, this.placeOf(model)).catch(() => undefined);
  }

  /**
   * @throws {Problem} `no-features` where no scan has features by the model, `similar-unavailable` where they cannot be read
   */
  async of(model: string): Promise<Shelved> {
    const place = this.placeOf(model);
    const { shelved } = place;
    const age = this.now() - place.at;
    if (shelved && shelved.known.size > 0) {
      if (age > FRESH) this.prepare(model);
      return shelved;
    }
    if (place.loading || age > FRESH_NOTHING) await this.read(model, place).catch(() => undefined);
    if (!place.shelved)
      throw new Problem(
        503,
        "similar-unavailable",
        "The scans of the data set cannot be read just now, so none can be compared. Try again in a moment; if it goes on, tell who runs this service: its log has the cause.",
        { "retry-after": String(FRESH_NOTHING / 1000) },
      );
    if (place.shelved.known.size === 0) throw noFeatures(model);
    return place.shelved;
  }

  /** A known scan by its id. */
  async find(id: string): Promise<KnownScan | undefined> {
    for (const place of [...this.places.values()].reverse()) {
      await place.loading?.catch(() => undefined);
      const found = place.shelved?.known.find(id);
      if (found) return found;
    }
    return undefined;
  }

  /** Waits for what is being read. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.places.values()].map(({ loading }) => loading));
  }

  private placeOf(model: string): Place {
    const place = this.places.get(model) ?? { at: Number.NEGATIVE_INFINITY };
    this.places.delete(model);
    this.places.set(model, place);
    const [longestAgo] = this.places.keys();
    if (this.places.size > MOST_MODELS && longestAgo !== undefined) this.places.delete(longestAgo);
    return place;
  }

  private read(model: string, place: Place): Promise<Shelved> {
    place.loading ??= this.load(model)
      .then((shelved) => {
        place.shelved = shelved;
        return shelved;
      })
      .finally(() => {
        place.at = this.now();
        delete place.loading;
      });
    return place.loading;
  }

  private async load(model: string): Promise<Shelved> {
    try {
      const [known, evaluation] = await Promise.all([
        KnownScans.load(this.warehouse, model),
        // What is chosen there helps; the scans can be shown without it.
        readEvaluation(this.reports, model).catch(() => undefined),
      ]);
      const { size, isComplete, leftOut } = known;
      this.log.info({ model, scans: size, isComplete, ...leftOut }, "Known scans read");
      const auc = metricSchema.safeParse(evaluation?.neighbours?.auc);
      return { known, neighbours: evaluation?.neighbours?.chosen ?? USUAL_NEIGHBOURS, auc: auc.data ?? null };
    } catch (error) {
      this.log.error({ err: error, model }, "The known scans cannot be read");
      throw error;
    }
  }
}

const noFeatures = (model: string) =>
  new Problem(
    409,
    "no-features",
    `No labelled scan of the data set has features by the model ${model} yet, so none can be compared. Who runs this service makes them: npm run score -- --out WORKSPACE, or the step score on a cluster.`,
  );
