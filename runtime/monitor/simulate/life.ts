import { splitOfNewGroup } from "../../dataset";
import type { ScoredScan } from "../../evaluate";
import type { Split } from "../../intake";
import { labelOf } from "../../model";
import { mixSeed, uniform } from "../../platform/random";
import { calibrationGap, estimatedAccuracy, feedbackAccuracy, type Share } from "../estimate";
import { FEATURE_STATISTICS, type FeatureSpread } from "../feature-spread";
import { PICTURE_STATISTICS } from "../picture-statistics";
import { type Alarm, type Confirmed, INPUT_STATISTICS, Watch, type WatchedScan } from "../watch";
import type { WatchName } from "../watches";
import type { PoolScan } from "./pool";
import { type Promotions, type Retraining, type SimulatedRetraining, truthOf, worthOf } from "./retraining";

/** A hospital whose scans are drawn from a pool. */
export interface LifeOptions {
  readonly days: number;
  readonly scansPerDay: number;
  readonly seed: number;
  /** Scans as they landed, without those that the guard refuses. */
  readonly plain: Population;
  /** What happens, and from which day (the first is 0). */
  readonly change?: Change & { readonly day: number };
  /** Of the scans with an answer, whose label somebody confirms on the same day. @default 0 */
  readonly feedback?: number;
  /** Those whose answers the populations have, in the same order; the first serves on the first day. */
  readonly models: readonly LifeModel[];
  readonly retraining?: Pick<Retraining, "due"> & {
    readonly promotions: Promotions;
    /** Scans of the test split before the first day, of a group each. */
    readonly testScans: number;
  };
}

export interface LifeModel {
  readonly id: string;
  readonly threshold: number;
}

export type Change =
  /** The pictures come otherwise from now on; `share` of them. */
  | { readonly kind: "pictures"; readonly population: Population; readonly share: number }
  /** Share of Cancer among the scans. */
  | { readonly kind: "prevalence"; readonly to: number }
  /** The model's label is right for this share alone, whatever it says: people's labels are others. */
  | { readonly kind: "accuracy"; readonly to: number };

export interface Life {
  readonly alarms: readonly Alarm[];
  /** Of each alarm, the share of the scans it names that the change concerns; null before any change. */
  readonly namedRightly: readonly (number | null)[];
  /** Of the first model, as long as it serves: over the days before a change, and over those after it. */
  readonly before: LifeAccuracy;
  readonly after: LifeAccuracy | null;
  /** Of the scans that came, those that the guard refused. */
  readonly refused: number;
  /** Evidence of each day, by watch. */
  readonly levels: Readonly<Record<WatchName, readonly number[]>>;
  readonly retrainings: readonly SimulatedRetraining[];
  /**
   * Share of right labels among the scans that came from the change on, or from the first day where there is none, each
   * with the answer of the model that served, and had the first model served on; refused scans left out.
   */
  readonly served: { readonly accuracy: number | null; readonly without: number | null };
}

interface LifeAccuracy {
  readonly true: number;
  readonly estimated: Share;
  readonly feedback: Share;
}

/** Share of Cancer as long as nothing changes. */
export const PREVALENCE = 0.5;

type Labelled = PoolScan["label"];

/** What one model says of a scan, and what the watches see through it. */
type ModelAnswer = Pick<WatchedScan, "input" | "probability"> & { readonly refused: boolean };

interface DrawnScan {
  readonly name: string;
  readonly label: Labelled;
  readonly collection: string;
  /** In the order of the models. */
  readonly answers: readonly ModelAnswer[];
}

const answerOf = ({ answers }: DrawnScan, model: number): ModelAnswer => answers[model] as ModelAnswer;

/** As the watches take it. */
const watchedOf = (scan: DrawnScan, model: number) => {
  const { input, probability } = answerOf(scan, model);
  return { name: scan.name, label: scan.label, input, probability };
};

/** What one model says of scans, and where the features of its training scans lie. */
export interface ModelPool {
  readonly scans: readonly PoolScan[];
  readonly spread: FeatureSpread;
}

/**
 * Scans from which others are drawn, with replacement: first a label, then a group, then one of its scans. All that is
 * drawn is independent, so what is simulated is a hospital whose scans are those of this population.
 */
export class Population {
  private readonly byLabel: Readonly<Record<Labelled, readonly (readonly DrawnScan[])[]>>;

  readonly groups: number;

  /** @param pools the same scans in the same order, with the answers of one model each */
  constructor(pools: readonly [ModelPool, ...ModelPool[]]) {
    const groups: Record<Labelled, Map<string, DrawnScan[]>> = { Cancer: new Map(), "Non-Cancer": new Map() };
    pools[0].scans.forEach((scan, i) => {
      const group = groups[scan.label].get(scan.group) ?? [];
      groups[scan.label].set(scan.group, group);
      const answers = pools.map(({ scans, spread }): ModelAnswer => {
        const its = scans[i];
        if (its?.sha256 !== scan.sha256) throw new Error("Two models have answered for different scans.");
        const { refused, probability, statistics, features } = its;
        return { refused, probability, input: inputOf(statistics, spread.statistics(features)) };
      });
      group.push({ name: scan.sha256, label: scan.label, collection: scan.collection ?? "", answers });
    });
    this.byLabel = { Cancer: [...groups.Cancer.values()], "Non-Cancer": [...groups["Non-Cancer"].values()] };
    this.groups = this.byLabel.Cancer.length + this.byLabel["Non-Cancer"].length;
  }

  draw(random: () => number, prevalence: number): DrawnScan {
    const groups = this.byLabel[random() < prevalence ? "Cancer" : "Non-Cancer"];
    const group = groups[Math.floor(random() * groups.length)] as readonly DrawnScan[];
    return group[Math.floor(random() * group.length)] as DrawnScan;
  }

  /** Share of right labels among scans that the first model answers, at {@link PREVALENCE}. @param threshold its own */
  accuracy(threshold: number): number {
    const of = (groups: readonly (readonly DrawnScan[])[]) => {
      let [right, all] = [0, 0];
      for (const group of groups)
        for (const scan of group) {
          const { refused, probability } = answerOf(scan, 0);
          if (refused) continue;
          all += 1 / group.length;
          if (labelOf(probability, threshold) === scan.label) right += 1 / group.length;
        }
      return right / all;
    };
    return PREVALENCE * of(this.byLabel.Cancer) + (1 - PREVALENCE) * of(this.byLabel["Non-Cancer"]);
  }

  /** Every scan, for descriptions. */
  all(): readonly DrawnScan[] {
    return [...this.byLabel.Cancer.flat(), ...this.byLabel["Non-Cancer"].flat()];
  }
}

/** In the order of {@link INPUT_STATISTICS}: simulated scans tell nothing of where they come from. */
function inputOf(
  picture: PoolScan["statistics"],
  features: ReturnType<FeatureSpread["statistics"]>,
): readonly (number | null)[] {
  const known: Readonly<Record<string, number>> = { ...picture, ...features };
  return INPUT_STATISTICS.map((name) => known[name] ?? null);
}

/**
 * Lives so many days: draws a reference and then scans, and puts them before the watches that a hospital has. Where it
 * retrains, whatever is promoted answers from the next day on, watched anew, as a hospital's new model is: the reference is
 * then what its data set holds out, with those of the labelled scans that came which fell to validation or test.
 */
export async function live(options: LifeOptions): Promise<Life> {
  const { days, scansPerDay, seed, plain, change, feedback = 0, models, retraining } = options;
  const random = uniform(mixSeed(seed, 0x6c696665));
  const held: HeldOut[] = [];
  for (let answered = 0; answered < plain.groups; ) {
    const scan = plain.draw(random, PREVALENCE);
    held.push({ scan, split: held.length < (retraining?.testScans ?? 0) ? "test" : "validation", came: false });
    if (!answerOf(scan, 0).refused) answered++;
  }
  const usual = plain.accuracy(modelOf(models, 0).threshold);
  let serving = 0;
  let watch = watchFor(held, serving, seed);
  const gap = calibrationGap(referenceOf(held, 0), modelOf(models, 0).threshold);
  const alarms: Alarm[] = [];
  const namedRightly: (number | null)[] = [];
  const levels: Record<WatchName, number[]> = { input: [], prediction: [], feedback: [] };
  const spans = { before: newSpan(), after: newSpan() };
  const changed = new Set<string>();
  const came: Came[] = [];
  const state: Retrained = { since: -1, fresh: 0, alarms: [], turn: 0 };
  const decided: (Omit<SimulatedRetraining, "after" | "worth"> & { readonly pair: readonly [number, number] })[] = [];
  let refused = 0;
  for (let day = 0; day < days; day++) {
    const now = change && day >= change.day ? change : undefined;
    const prevalence = now?.kind === "prevalence" ? now.to : PREVALENCE;
    const { threshold } = modelOf(models, serving);
    const answered: (WatchedScan & Confirmed)[] = [];
    const confirmed: Confirmed[] = [];
    const span = serving > 0 ? undefined : now ? spans.after : spans.before;
    for (let i = 0; i < scansPerDay; i++) {
      const moved = now?.kind === "pictures" && random() < now.share;
      const drawn = (moved ? now.population : plain).draw(random, prevalence);
      if (answerOf(drawn, serving).refused) {
        refused++;
        came.push({ day, serving, scan: drawn });
        continue;
      }
      const label = truth(drawn, now, usual, random);
      const scan: DrawnScan = { ...drawn, name: `${day}/${i}/${drawn.name}`, label };
      came.push({ day, serving, scan });
      const watched = watchedOf(scan, serving);
      if (moved || (now && now.kind !== "pictures")) changed.add(scan.name);
      answered.push(watched);
      if (span) span.right += labelOf(watched.probability, threshold) === label ? 1 : 0;
      if (random() >= feedback) continue;
      confirmed.push(watched);
      // It lands as a scan of its own group, which has its split as any other.
      held.push({ scan, split: splitOfNewGroup(scan.name), came: true });
    }
    span?.probabilities.push(...answered.map(({ probability }) => probability));
    span?.confirmed.push(...confirmed);
    const result = watch.day(day, answered, confirmed);
    for (const [name, level] of Object.entries(result.levels)) levels[name as WatchName].push(level);
    for (const alarm of result.alarms) {
      alarms.push(alarm);
      if (alarm.watch === "input" && now && span) span.inputDrift = true;
      const { scans } = alarm;
      namedRightly.push(now ? scans.filter((name) => changed.has(name)).length / scans.length : null);
    }
    if (!retraining) continue;
    const { id: model } = modelOf(models, serving);
    state.fresh += confirmed.length;
    state.alarms.push(...result.alarms.map(({ watch }) => ({ watch, day })));
    const due = retraining.due({ day, since: state.since, fresh: state.fresh, model, alarms: state.alarms });
    if (!due) continue;
    const challengers = [...models.keys()].filter((i) => i > 0 && i !== serving);
    const challenger = challengers[state.turn++ % challengers.length];
    // All that there is serves: a retraining would bring nothing.
    if (challenger === undefined) continue;
    const test = held.filter(({ split }) => split === "test");
    const ids = { challenger: modelOf(models, challenger).id, champion: model };
    const { promoted, reason, clause } = await retraining.promotions.consider({
      day,
      challenger: scored(test, challenger),
      champion: scored(test, serving),
      models: ids,
    });
    decided.push({
      ...{ day, trigger: due.trigger, reason: due.reason, ...ids, promoted, decision: reason },
      ...(clause === undefined ? {} : { clause }),
      test: { scans: test.length, came: test.filter((one) => one.came).length },
      pair: [challenger, serving],
    });
    Object.assign(state, { since: day, fresh: 0 });
    if (!promoted) continue;
    serving = challenger;
    state.alarms = [];
    watch = watchFor(held, serving, mixSeed(seed, day));
  }
  const accuracy = ({ right, probabilities, confirmed, inputDrift }: Span): LifeAccuracy => ({
    true: right / probabilities.length,
    estimated: estimatedAccuracy(probabilities, modelOf(models, 0).threshold, { gap, inputDrift }),
    feedback: feedbackAccuracy(confirmed, modelOf(models, 0).threshold),
  });
  const { before, after } = spans;
  return {
    alarms,
    namedRightly,
    before: accuracy(before),
    after: after.probabilities.length > 0 ? accuracy(after) : null,
    refused,
    levels,
    retrainings: decided.map(({ pair, ...one }) => ({ ...one, ...worthAfter(one, pair, came, models) })),
    served: servedOf(
      came.filter(({ day }) => day >= (change?.day ?? 0)),
      models,
    ),
  };
}

/** A scan that no model learns from. */
interface HeldOut {
  readonly scan: DrawnScan;
  readonly split: Split;
  /** Since the first day. */
  readonly came: boolean;
}

interface Came {
  readonly day: number;
  /** The model that answered. */
  readonly serving: number;
  readonly scan: DrawnScan;
}

/** What a hospital that retrains remembers. */
interface Retrained {
  since: number;
  fresh: number;
  /** Of the watches over the model that serves. */
  alarms: { readonly watch: WatchName; readonly day: number }[];
  /** How many challengers there were. */
  turn: number;
}

const modelOf = (models: readonly LifeModel[], i: number): LifeModel => models[i] as LifeModel;

/** As a hospital's held-out scans are: those that the model refuses have no answer. */
const referenceOf = (held: readonly HeldOut[], model: number) =>
  held
    .filter(({ scan, split }) => split !== "train" && !answerOf(scan, model).refused)
    .map(({ scan }) => watchedOf(scan, model));

const watchFor = (held: readonly HeldOut[], model: number, seed: number): Watch =>
  new Watch({ scans: referenceOf(held, model) }, mixSeed(seed, 0x7761));

/** As an evaluation stores it. Each was drawn for itself, and is a group of its own. */
const scored = (test: readonly HeldOut[], model: number): ScoredScan[] =>
  test.map(({ scan }, i) => {
    const { refused, probability } = answerOf(scan, model);
    const { label, collection } = scan;
    return { id: `${i}`, group: `${i}`, sha256: `${i}`, label, collection, probability: refused ? null : probability };
  });

/** @param model the one whose answers are asked for; default: of each scan the one that served */
const known = ({ scan, serving }: Came, model = serving) => ({ label: scan.label, ...answerOf(scan, model) });

function worthAfter(
  { day, promoted }: Pick<SimulatedRetraining, "day" | "promoted">,
  [challenger, champion]: readonly [number, number],
  came: readonly Came[],
  models: readonly LifeModel[],
): Pick<SimulatedRetraining, "after" | "worth"> {
  const later = came.filter((one) => one.day > day);
  const truthFor = (model: number) =>
    truthOf(
      later.map((one) => known(one, model)),
      modelOf(models, model).threshold,
    );
  const after = { scans: later.length, champion: truthFor(champion), challenger: truthFor(challenger) };
  return { after, worth: worthOf(promoted, after.challenger, after.champion) };
}

function servedOf(came: readonly Came[], models: readonly LifeModel[]): Life["served"] {
  const share = (rights: readonly (boolean | null)[]) => {
    const answered = rights.filter((right) => right !== null);
    return answered.length > 0 ? answered.filter(Boolean).length / answered.length : null;
  };
  const isRight = (one: Came, model: number) => {
    const { refused, probability, label } = known(one, model);
    return refused ? null : labelOf(probability, modelOf(models, model).threshold) === label;
  };
  return {
    accuracy: share(came.map((one) => isRight(one, one.serving))),
    without: share(came.map((one) => isRight(one, 0))),
  };
}

interface Span {
  right: number;
  inputDrift: boolean;
  readonly probabilities: number[];
  readonly confirmed: Confirmed[];
}

const newSpan = (): Span => ({ right: 0, inputDrift: false, probabilities: [], confirmed: [] });

/** The label that people give. @param usual accuracy of the first model as long as nothing changes */
function truth({ label }: DrawnScan, change: Change | undefined, usual: number, random: () => number): Labelled {
  if (change?.kind !== "accuracy") return label;
  const turned = (usual - change.to) / (2 * usual - 1);
  if (random() >= turned) return label;
  return label === "Cancer" ? "Non-Cancer" : "Cancer";
}

/** Statistics whose distribution a change moves: the largest distance of the two distribution functions (Kolmogorov and Smirnov). */
export function movedStatistics(before: Population, after: Population): ReadonlyMap<string, number> {
  const names: readonly string[] = [...PICTURE_STATISTICS, ...FEATURE_STATISTICS];
  const column = (population: Population, i: number) =>
    population
      .all()
      .map((scan) => answerOf(scan, 0))
      .filter(({ refused }) => !refused)
      .map(({ input }) => input[i] ?? 0)
      .sort((a, b) => a - b);
  return new Map(names.map((name, i) => [name, largestGap(column(before, i), column(after, i))]));
}

function largestGap(a: readonly number[], b: readonly number[]): number {
  let [i, j, largest] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i] as number, b[j] as number);
    while (i < a.length && (a[i] as number) <= value) i++;
    while (j < b.length && (b[j] as number) <= value) j++;
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length));
  }
  return largest;
}
