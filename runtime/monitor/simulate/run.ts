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
import { type Change, type Life, type LifeModel, live, type ModelPool, movedStatistics, Population } from "./life";
import { type Pool, Pools } from "./pool";
import { quantile, type Rate, rateOf } from "./rates";
import type { Retraining } from "./retraining";
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
  /** @default nothing is retrained, whatever rings */
  readonly retraining?: Retraining;
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
  readonly retraining: RetrainingFound | null;
  readonly first: Pick<Life, "alarms" | "before" | "after" | "retrainings">;
}

/** What retraining came to, over all lives. */
export interface RetrainingFound {
  readonly challengers: readonly string[];
  readonly started: number;
  /** By what started them. */
  readonly byTrigger: Readonly<Record<string, number>>;
  /** `right` and `wrong` by the scans that came after; the others had too few after them to say. */
  readonly promoted: { readonly count: number; readonly right: number; readonly wrong: number };
  /** `missed`: the challenger was better on the scans that came after, which was not shown. */
  readonly kept: { readonly count: number; readonly right: number; readonly missed: number };
  /** By which clause of the change plan the champion stayed. */
  readonly clauses: Readonly<Record<string, number>>;
  /** Days from the change to the first promotion after it, of half of the lives; null: never, or nothing changes. */
  readonly untilPromoted: number | null;
  /** Mean over the lives of {@link Life.served}; null where no scan was answered. */
  readonly accuracy: Life["served"];
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
  const { models: store } = workspace.buckets;
  const { progress, signal, drift, retraining } = options;
  const current = await currentModel(store);
  if (!current) throw new Error("There is no model here yet. Run npm run train on this workspace first.");
  const { model } = current;
  const first = await answersOf(workspace, model, options);
  const { drifted: changed } = first;
  checkPool(first.plain.scans);
  const others: AnsweredModel[] = [];
  for (const id of retraining?.challengers ?? []) others.push(await answersOf(workspace, id, options, first));
  const answered = [first, ...others] as const;
  const population = populationOf(answered, ({ plain }) => plain);
  const after = changed && populationOf(answered, ({ drifted }) => drifted);
  const change = drift && { ...changeOf(drift, after), day: drift.day };
  const { days, scansPerDay, seeds, seed, feedback } = options;
  const lives: Life[] = [];
  progress.say(livesOf(seeds, days));
  progress.start(seeds);
  for (let i = 0; i < seeds; i++) {
    signal.throwIfAborted();
    const promotions = await retraining?.hospital(model);
    try {
      lives.push(
        await live({
          ...{ days, scansPerDay, seed: seed + i, plain: population, feedback, models: answered },
          ...(change ? { change } : {}),
          ...(retraining && promotions
            ? { retraining: { due: retraining.due, promotions, testScans: testGroups(first.plain) } }
            : {}),
        }),
      );
    } finally {
      await promotions?.close();
    }
    progress.advance();
    // Ctrl-C is heard between two lives.
    await new Promise((resolve) => setImmediate(resolve));
  }
  progress.finish();
  const [example] = lives;
  if (!example) throw new Error("There is at least one life.");
  const quiet = drift ? Math.min(days, drift.day) : days;
  const moved = after && movedStatistics(population, after);
  return {
    model,
    ...{ lives: seeds, days, scansPerDay, feedback },
    pool: { scans: first.plain.scans.length, groups: population.groups },
    falseAlarms: falseAlarms(lives, quiet),
    drift: drift
      ? {
          ...drift,
          ...found(lives, drift.day, moved),
          strength: changed?.strength ?? null,
          aucLost: changed?.cost ?? null,
        }
      : null,
    estimate: estimateWithin(lives),
    retraining: retraining ? { challengers: retraining.challengers, ...retrained(lives, drift?.day) } : null,
    first: { alarms: example.alarms, before: example.before, after: example.after, retrainings: example.retrainings },
  };
}

/** What a model says of the pool, as it landed and with the change that happens to it. */
interface AnsweredModel extends LifeModel {
  readonly spread: FeatureSpread;
  readonly plain: Pool;
  readonly drifted: (Pool & { readonly cost: number }) | undefined;
}

/** @param champion whose loss decides how strong a change is; default: this model's own */
async function answersOf(
  { buckets: { curated, models, reports }, warehouse }: Pick<Workspace, "warehouse" | "buckets">,
  id: string,
  { drift, progress, signal }: SimulateOptions,
  champion?: AnsweredModel,
): Promise<AnsweredModel> {
  const classifier = await loadClassifier(modelFilesInStore(models, id));
  try {
    const { threshold, recipe } = classifier.metadata;
    const pools = await Pools.open({ curated, reports, warehouse }, { classifier, progress, signal });
    const spread = FeatureSpread.of(await trainingFeatures(warehouse, id, recipe, champion ? pools : undefined));
    const plain = await pools.plain();
    const drifted = isPictures(drift?.kind) ? await changedPool(pools, drift.kind, champion) : undefined;
    return { id, threshold, spread, plain, drifted };
  } finally {
    await classifier.dispose();
  }
}

async function changedPool(
  pools: Pools,
  drift: PictureDrift,
  champion: AnsweredModel | undefined,
): Promise<AnsweredModel["drifted"]> {
  if (!champion?.drifted) return pools.costing(drift, COST);
  const { cost } = champion.drifted;
  return { ...(await pools.changed(champion.drifted)), cost };
}

/** Pictures as several models see them. */
function populationOf(
  [first, ...others]: readonly [AnsweredModel, ...AnsweredModel[]],
  of: (model: AnsweredModel) => Pool | undefined,
): Population {
  const poolOf = (model: AnsweredModel): ModelPool => ({ scans: of(model)?.scans ?? [], spread: model.spread });
  return new Population([poolOf(first), ...others.map(poolOf)]);
}

const testGroups = ({ scans }: Pool): number =>
  new Set(scans.filter(({ split }) => split === "test").map(({ group }) => group)).size;

const isPictures = (kind: string | undefined): kind is PictureDrift =>
  kind !== undefined && kind !== "prevalence" && kind !== "accuracy";

function changeOf({ kind, to }: Drift, population: Population | undefined): Change {
  if (kind === "prevalence" || kind === "accuracy") return { kind, to };
  if (!population) throw new Error("A change of pictures has pictures.");
  return { kind: "pictures", population, share: to };
}

/** @param pools answer where nothing is stored, as of a model that has never served; default: that is an error */
async function trainingFeatures(
  warehouse: Warehouse,
  model: string,
  recipe: string,
  pools: Pools | undefined,
): Promise<readonly (readonly number[])[]> {
  const images = await currentImages(warehouse);
  const train = new Set(images.filter(({ split }) => split === "train").map(({ sha256 }) => sha256));
  const rows = await warehouse.ask(DEEP_FEATURES, { recipe, backbone: model });
  const stored = rows.filter(({ sha256 }) => train.has(sha256)).map((row) => row.features);
  if (stored.length > 0) return stored;
  const answered = pools ? (await pools.training()).scans.map(({ features }) => features) : [];
  if (answered.length > 0) return answered;
  throw new Error(
    `What ${model} sees in its training scans is not stored here. Run npm run score on this workspace first.`,
  );
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

function retrained(lives: readonly Life[], changed: number | undefined): Omit<RetrainingFound, "challengers"> {
  const all = lives.flatMap(({ retrainings }) => retrainings);
  const tally = (names: readonly string[]) => {
    const counts: Record<string, number> = {};
    for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  };
  const [promoted, kept] = [all.filter((one) => one.promoted), all.filter((one) => !one.promoted)];
  const of = (some: typeof all, worth: string) => some.filter((one) => one.worth === worth).length;
  const untilPromoted = lives.map(({ retrainings }) => {
    const first = retrainings.find((one) => one.promoted && changed !== undefined && one.day >= changed);
    return first && changed !== undefined ? first.day - changed : null;
  });
  const mean = (shares: readonly (number | null)[]) => {
    const told = shares.filter((share) => share !== null);
    return told.length > 0 ? told.reduce((sum, share) => sum + share, 0) / told.length : null;
  };
  return {
    started: all.length,
    byTrigger: tally(all.map(({ trigger }) => trigger)),
    promoted: { count: promoted.length, right: of(promoted, "right"), wrong: of(promoted, "wrong") },
    kept: { count: kept.length, right: of(kept, "right"), missed: of(kept, "missed") },
    clauses: tally(kept.map(({ clause }) => clause ?? "another reason")),
    untilPromoted: quantile(untilPromoted, 0.5),
    accuracy: {
      accuracy: mean(lives.map(({ served }) => served.accuracy)),
      without: mean(lives.map(({ served }) => served.without)),
    },
  };
}
