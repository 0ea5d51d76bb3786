import { curatedName, currentImages, readCuratedObject } from "../../dataset";
import { auc } from "../../evaluate";
import { applyRecipeGrey, decodeCurated, replicate } from "../../imaging";
import { asSplit, isLabel, type Label, type Split } from "../../intake";
import type { Classifier } from "../../model";
import type { Progress } from "../../platform/progress";
import { mixSeed } from "../../platform/random";
import type { CreatableStore, ReadableStore } from "../../platform/stores";
import { ObjectNotFoundError, PreconditionFailedError } from "../../platform/stores";
import type { Warehouse } from "../../platform/warehouse";
import { isHeldOut } from "../held-out";
import { type PictureStatistic, pictureStatistics } from "../picture-statistics";
import { drifted, type PictureDrift, STRENGTHS } from "./drifts";

/** A scan of the pool with all that the real code says of it. */
export interface PoolScan {
  readonly sha256: string;
  readonly label: Label;
  readonly group: string;
  readonly split: Split;
  readonly collection: string | null;
  readonly subtype: string | null;
  readonly view: string | null;
  readonly refused: boolean;
  /** Of Cancer, calibrated: also where the guard refuses the picture, to know what that saves. */
  readonly probability: number;
  readonly statistics: Readonly<Record<PictureStatistic, number>>;
  readonly features: readonly number[];
}

/** Pictures with one change; `strength` 0 where they are as they landed. */
export interface Pool {
  readonly drift: PictureDrift | "none";
  readonly strength: number;
  readonly scans: readonly PoolScan[];
}

export interface PoolPlace {
  readonly curated: ReadableStore;
  readonly reports: ReadableStore & CreatableStore;
  readonly warehouse: Warehouse;
}

interface Work {
  readonly classifier: Classifier;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Grows when a stored pool would come out otherwise. */
const VERSION = 2;
/** Scans over which a strength is looked for. */
const SEARCHED = 240;
/** Most scans of a pool. */
const MOST = 800;
/** Pictures under way at a time. */
const READS = 8;

/** The area under the ROC curve over a pool, refused scans included. */
export function aucOf(scans: readonly PoolScan[]): number {
  const value = auc({
    labels: Uint8Array.from(scans, ({ label }) => (label === "Cancer" ? 1 : 0)),
    probabilities: Float64Array.from(scans, ({ probability }) => probability),
    groups: scans.map(({ group }) => group),
  });
  return "value" in value && value.value !== null ? value.value : Number.NaN;
}

/** A scan before the real code says anything of it. */
type Picture = Omit<PoolScan, "refused" | "probability" | "statistics" | "features">;

/** Held-out labelled scans of a workspace (validation and test split), put through the real code and stored. */
export class Pools {
  private constructor(
    private readonly place: PoolPlace,
    private readonly pictures: readonly Picture[],
    private readonly learnt: readonly Picture[],
    private readonly work: Work,
  ) {}

  static async open(place: PoolPlace, work: Work): Promise<Pools> {
    const seen = new Map<string, Picture>();
    for (const row of await currentImages(place.warehouse)) {
      const { sha256, label, group, collection, subtype, view } = row;
      const split = asSplit(row.split);
      if (!split || !isLabel(label) || seen.has(sha256)) continue;
      seen.set(sha256, { sha256, label, group: group ?? row.id, split, collection: collection ?? null, subtype, view });
    }
    // By their hashes: as if drawn by chance, and the same each time.
    const pictures = [...seen.values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    const some = (held: boolean) => pictures.filter(({ split }) => isHeldOut(split) === held).slice(0, MOST);
    return new Pools(place, some(true), some(false), work);
  }

  get size(): number {
    return this.pictures.length;
  }

  /** The scans as they landed. */
  plain(): Promise<Pool> {
    return this.of("none", 0, this.pictures);
  }

  /** Training scans, as they landed. */
  training(): Promise<Pool> {
    return this.of("none", 0, this.learnt);
  }

  /** The scans with a change. @param strength that another model's {@link costing} has found */
  changed({ drift, strength }: Pick<Pool, "drift" | "strength">): Promise<Pool> {
    return this.of(drift, strength, this.pictures);
  }

  /**
   * The scans with a change, of the least strength that costs so much of the AUC; of the greatest where none does.
   * @param cost of AUC, 0 to 1
   */
  async costing(drift: PictureDrift, cost: number): Promise<Pool & { readonly cost: number }> {
    const before = await this.plain();
    const some = new Set(this.pictures.slice(0, SEARCHED).map(({ sha256 }) => sha256));
    const ofSome = aucOf(before.scans.filter(({ sha256 }) => some.has(sha256)));
    for (const strength of STRENGTHS) {
      const least = strength === STRENGTHS.at(-1);
      const tried = await this.of(drift, strength, this.pictures.slice(0, SEARCHED));
      if (ofSome - aucOf(tried.scans) < cost && !least) continue;
      const all = await this.of(drift, strength, this.pictures);
      const lost = aucOf(before.scans) - aucOf(all.scans);
      if (lost >= cost || least) return { ...all, cost: lost };
    }
    throw new Error("There is always a greatest strength.");
  }

  private async of(drift: Pool["drift"], strength: number, pictures: readonly Picture[]): Promise<Pool> {
    const { reports } = this.place;
    const { id } = this.work.classifier.metadata;
    const seed = mixSeed(VERSION, ...pictures.map(({ sha256 }) => Number.parseInt(sha256.slice(0, 8), 16)));
    const name = `simulation/${id}/${drift}-${strength}-${pictures.length}-${seed.toString(16)}.json`;
    const stored = await reports.read(name).catch((error: unknown) => {
      if (error instanceof ObjectNotFoundError) return undefined;
      throw error;
    });
    if (stored) return JSON.parse(stored.toString("utf8")) as Pool;
    const pool: Pool = { drift, strength, scans: await this.answered(drift, strength, pictures) };
    await reports
      .create(name, Buffer.from(JSON.stringify(pool)), { contentType: "application/json" })
      .catch((error) => {
        // Another run was as far.
        if (!(error instanceof PreconditionFailedError)) throw error;
      });
    return pool;
  }

  private async answered(drift: Pool["drift"], strength: number, pictures: readonly Picture[]): Promise<PoolScan[]> {
    const { classifier, progress, signal } = this.work;
    const scans: PoolScan[] = [];
    progress.say(
      drift === "none" ? `${classifier.metadata.id} answers for the scans` : `${drift}, strength ${strength}`,
    );
    progress.start(pictures.length);
    try {
      for (let start = 0; start < pictures.length; start += READS) {
        signal.throwIfAborted();
        const part = pictures.slice(start, start + READS);
        const done = await Promise.all(part.map((picture) => this.answer(picture, drift, strength)));
        scans.push(...done.filter((scan) => scan !== undefined));
        progress.advance(part.length);
      }
    } finally {
      progress.finish();
    }
    return scans;
  }

  private async answer(picture: Picture, drift: Pool["drift"], strength: number): Promise<PoolScan | undefined> {
    const { classifier, signal } = this.work;
    const bytes = await readCuratedObject(this.place.curated, curatedName(picture.sha256));
    if ("reason" in bytes) return undefined;
    const landed = await decodeCurated(bytes);
    const seed = Number.parseInt(picture.sha256.slice(0, 8), 16);
    const { grey, geometry } = applyRecipeGrey(drift === "none" ? landed : drifted(landed, drift, strength, seed));
    const image = replicate(grey);
    const [answer] = await classifier.answer([image], signal);
    if (!answer) throw new Error("The model gave no answer.");
    return {
      ...picture,
      refused: classifier.guard?.judge(image).refused ?? false,
      probability: answer.probability,
      statistics: pictureStatistics(grey, geometry),
      features: Array.from(answer.features, (value) => Number(value.toPrecision(6))),
    };
  }
}
