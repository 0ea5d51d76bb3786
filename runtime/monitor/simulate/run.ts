import { currentImages } from "../../dataset";
import { loadClassifier, modelFilesInStore } from "../../model";
import type { Progress } from "../../platform/progress";
import { DEEP_FEATURES, type Warehouse } from "../../platform/warehouse";
import type { Workspace } from "../../platform/workspace";
import { currentModel } from "../../registry";
import { FeatureSpread } from "../feature-spread";
import { PATIENCE, WATCHES, type WatchName } from "../watches";
import type { PictureDrift } from "./drifts";
import type { Drift } from "./kinds";
import { type Change, type Life, live, movedStatistics, Population } from "./life";
import { Pools } from "./pool";
import { quantile, type Rate, rateOf } from "./rates";
import { livesOf } from "./words";

/** What a drift is to cost of the area under the ROC curve: its strength is chosen by that. */
export const COST = 0.03;
/** Within so many days it should be found. */
export const WITHIN = 7;
/** Fewer scans or groups of either label are no hospital. */
const LEAST_SCANS = 40;
/** Distance of two distribution functions from which a statistic counts as moved. */
const MOVED = 0.1;
const DAYS_A_MONTH = 30;

export interface SimulateOptions {
  readonly days: number;
  readonly scansPerDay: number;
  /** How many lives. */
  readonly seeds: number;
  /** Seed of the first life; the others are the next ones. */
  readonly seed: number;
  readonly drift?: Drift;
  /** Share of answered scans whose label somebody confirms. */
  readonly feedback: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface Simulation {
  readonly model: string;
  readonly lives: number;
  readonly days: number;
  readonly scansPerDay: number;
  readonly feedback: number;
  /** Scans that lives are drawn from, and groups, of which there are as many in each reference. */
  readonly pool: { readonly scans: number; readonly groups: number };
  /** Alarms on days before any change, a month of 30 days. `proven`: what they cannot exceed in the mean. */
  readonly falseAlarms: {
    readonly count: number;
    readonly months: number;
    readonly perMonth: Rate;
    readonly proven: number;
    readonly byWatch: Readonly<Record<WatchName, number>>;
  };
  readonly drift: DriftFound | null;
  /** Lives in which the true accuracy before the change lay in the interval of its estimate, and those with an estimate. */
  readonly estimate: { readonly within: number; readonly of: number };
  readonly first: Pick<Life, "alarms" | "before" | "after">;
}

export interface DriftFound extends Drift {
  /** Of pictures: how strong, and what it costs of the AUC over the pool. */
  readonly strength: number | null;
  readonly aucLost: number | null;
  /** Share of lives in which an alarm rang within seven days, counting the first as one. */
  readonly within7: number;
  /** Days until the first alarm, 0 on the first day of the change; null: never. */
  readonly median: number | null;
  readonly p90: number | null;
  readonly missed: number;
  readonly byWatch: Readonly<Record<WatchName, { readonly median: number | null; readonly within7: number }>>;
  /** How often each statistic was named by the first alarm. */
  readonly drivers: Readonly<Record<string, number>>;
  /** Share of the named statistics of the input that the change moves; null where pictures stay as they are. */
  readonly driversMoved: number | null;
  /** Mean share of the scans that the first alarm names which the change concerns. */
  readonly scansConcerned: number | null;
}

/** Lets a workspace's scans and model live through so many days, so many times. */
export async function simulate(
  workspace: Pick<Workspace, "warehouse" | "buckets">,
  options: SimulateOptions,
): Promise<Simulation> {
  const { curated, models, reports } = workspace.buckets;
  const { progress, signal, drift } = options;
  const current = await currentModel(models);
  if (!current) throw new Error("There is no model here yet. Run npm run train on this workspace first.");
  const { model } = current;
  const classifier = await loadClassifier(modelFilesInStore(models, model));
  try {
    const { warehouse } = workspace;
    const spread = await spreadOf(warehouse, model, classifier.metadata.recipe);
    const pools = await Pools.open({ curated, reports, warehouse }, { classifier, progress, signal });
    const plain = await pools.plain();
    checkPool(plain.scans);
    const population = new Population(plain.scans, spread);
    const pictures = isPictures(drift?.kind) ? await pools.costing(drift.kind, COST) : undefined;
    const after = pictures && new Population(pictures.scans, spread);
    const change = drift && { ...changeOf(drift, after), day: drift.day };
    const { threshold } = classifier.metadata;
    const { days, scansPerDay, seeds, seed, feedback } = options;
    const lives: Life[] = [];
    progress.say(livesOf(seeds, days));
    progress.start(seeds);
    for (let i = 0; i < seeds; i++) {
      signal.throwIfAborted();
      lives.push(
        live({
          ...{ days, scansPerDay, seed: seed + i, plain: population, feedback, threshold },
          ...(change ? { change } : {}),
        }),
      );
      progress.advance();
      // Ctrl-C is heard between two lives.
      await new Promise((resolve) => setImmediate(resolve));
    }
    progress.finish();
    const [first] = lives;
    if (!first) throw new Error("There is at least one life.");
    const quiet = drift ? Math.min(days, drift.day) : days;
    const moved = after && movedStatistics(population, after);
    return {
      model,
      ...{ lives: seeds, days, scansPerDay, feedback },
      pool: { scans: plain.scans.length, groups: population.groups },
      falseAlarms: falseAlarms(lives, quiet),
      drift: drift
        ? {
            ...drift,
            ...found(lives, drift.day, moved),
            strength: pictures?.strength ?? null,
            aucLost: pictures?.cost ?? null,
          }
        : null,
      estimate: estimateWithin(lives),
      first: { alarms: first.alarms, before: first.before, after: first.after },
    };
  } finally {
    await classifier.dispose();
  }
}

const isPictures = (kind: string | undefined): kind is PictureDrift =>
  kind !== undefined && kind !== "prevalence" && kind !== "accuracy";

function changeOf({ kind, to }: Drift, population: Population | undefined): Change {
  if (kind === "prevalence" || kind === "accuracy") return { kind, to };
  if (!population) throw new Error("A change of pictures has pictures.");
  return { kind: "pictures", population, share: to };
}

/** Where the features of the training scans lie. */
async function spreadOf(warehouse: Warehouse, model: string, recipe: string): Promise<FeatureSpread> {
  const images = await currentImages(warehouse);
  const train = new Set(images.filter(({ split }) => split === "train").map(({ sha256 }) => sha256));
  const rows = await warehouse.ask(DEEP_FEATURES, { recipe, backbone: model });
  const features = rows.filter(({ sha256 }) => train.has(sha256)).map((row) => row.features);
  if (features.length === 0)
    throw new Error(
      `What ${model} sees in its training scans is not stored here. Run npm run score on this workspace first.`,
    );
  return FeatureSpread.of(features);
}

function checkPool(scans: readonly { readonly label: string; readonly refused: boolean }[]): void {
  const answered = scans.filter(({ refused }) => !refused);
  const cancer = answered.filter(({ label }) => label === "Cancer").length;
  if (Math.min(cancer, answered.length - cancer) < LEAST_SCANS / 2)
    throw new Error(
      `There are ${cancer} Cancer and ${answered.length - cancer} Non-Cancer scans in the validation and test split; ` +
        `lives are drawn from ${LEAST_SCANS / 2} and more of each. Put in more scans and run the steps again.`,
    );
}

function falseAlarms(lives: readonly Life[], quiet: number): Simulation["falseAlarms"] {
  const early = lives.flatMap(({ alarms }) => alarms.filter(({ day }) => day < quiet));
  const months = (lives.length * quiet) / DAYS_A_MONTH;
  const byWatch = Object.fromEntries(
    WATCHES.map((name) => [name, early.filter(({ watch }) => watch === name).length]),
  ) as Record<WatchName, number>;
  const proven = WATCHES.reduce((sum, name) => sum + DAYS_A_MONTH / PATIENCE[name], 0);
  const perMonth = months === 0 ? { value: 0, low: 0, high: 0 } : rateOf(early.length, months);
  return { count: early.length, months, perMonth, proven, byWatch };
}

function found(
  lives: readonly Life[],
  day: number,
  moved: ReadonlyMap<string, number> | undefined,
): Omit<DriftFound, keyof Drift | "strength" | "aucLost"> {
  const firsts = lives.map(({ alarms, namedRightly }) => {
    const at = alarms.findIndex((alarm) => alarm.day >= day);
    return at < 0 ? undefined : { alarm: alarms[at] as Life["alarms"][number], rightly: namedRightly[at] ?? null };
  });
  const delays = firsts.map((first) => (first ? first.alarm.day - day : null));
  const within = (all: readonly (number | null)[]) =>
    all.filter((delay) => delay !== null && delay < WITHIN).length / Math.max(1, all.length);
  const drivers: Record<string, number> = {};
  for (const first of firsts)
    for (const { statistic } of first?.alarm.drivers ?? []) drivers[statistic] = (drivers[statistic] ?? 0) + 1;
  const named = firsts
    .filter((first) => first?.alarm.watch === "input")
    .flatMap((first) => first?.alarm.drivers ?? [])
    .map(({ statistic }) => (moved?.get(statistic) ?? 0) >= MOVED);
  const rightly = firsts.map((first) => first?.rightly ?? null).filter((share) => share !== null);
  const ofWatch = (name: WatchName) => {
    const own = lives.map(({ alarms }) => {
      const first = alarms.find((alarm) => alarm.watch === name && alarm.day >= day);
      return first ? first.day - day : null;
    });
    return { median: quantile(own, 0.5), within7: within(own) };
  };
  return {
    within7: within(delays),
    median: quantile(delays, 0.5),
    p90: quantile(delays, 0.9),
    missed: delays.filter((delay) => delay === null).length,
    byWatch: Object.fromEntries(WATCHES.map((name) => [name, ofWatch(name)])) as DriftFound["byWatch"],
    drivers,
    driversMoved: moved && named.length > 0 ? named.filter(Boolean).length / named.length : null,
    scansConcerned: rightly.length > 0 ? rightly.reduce((sum, share) => sum + share, 0) / rightly.length : null,
  };
}

function estimateWithin(lives: readonly Life[]): Simulation["estimate"] {
  const told = lives.map(({ before }) => before).filter(({ estimated }) => estimated.value !== null);
  const within = told.filter(
    ({ true: right, estimated }) => estimated.value !== null && right >= estimated.low && right <= estimated.high,
  );
  return { within: within.length, of: told.length };
}
