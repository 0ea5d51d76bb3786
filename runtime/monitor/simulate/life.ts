import { labelOf } from "../../model";
import { mixSeed, uniform } from "../../platform/random";
import { calibrationGap, estimatedAccuracy, feedbackAccuracy, type Share } from "../estimate";
import { FEATURE_STATISTICS, type FeatureSpread } from "../feature-spread";
import { PICTURE_STATISTICS } from "../picture-statistics";
import { type Alarm, type Confirmed, INPUT_STATISTICS, Watch, type WatchedScan } from "../watch";
import type { WatchName } from "../watches";
import type { PoolScan } from "./pool";

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
  /** Over the days before a change and over those after it. */
  readonly before: LifeAccuracy;
  readonly after: LifeAccuracy | null;
  /** Of the scans that came, those that the guard refused. */
  readonly refused: number;
  /** Evidence of each day, by watch. */
  readonly levels: Readonly<Record<WatchName, readonly number[]>>;
}

interface LifeAccuracy {
  readonly true: number;
  readonly estimated: Share;
  readonly feedback: Share;
}

/** Share of Cancer as long as nothing changes. */
export const PREVALENCE = 0.5;

type Labelled = PoolScan["label"];
type DrawnScan = WatchedScan & { readonly label: Labelled; readonly refused: boolean };

/**
 * Scans from which others are drawn, with replacement: first a label, then a group, then one of its scans. All that is
 * drawn is independent, so what is simulated is a hospital whose scans are those of this population.
 */
export class Population {
  private readonly byLabel: Readonly<Record<Labelled, readonly (readonly DrawnScan[])[]>>;

  private readonly accuracies = new Map<number, number>();

  readonly groups: number;

  constructor(scans: readonly PoolScan[], spread: FeatureSpread) {
    const groups: Record<Labelled, Map<string, DrawnScan[]>> = { Cancer: new Map(), "Non-Cancer": new Map() };
    for (const scan of scans) {
      const group = groups[scan.label].get(scan.group) ?? [];
      groups[scan.label].set(scan.group, group);
      group.push({
        name: scan.sha256,
        label: scan.label,
        probability: scan.probability,
        refused: scan.refused,
        input: inputOf(scan.statistics, spread.statistics(scan.features)),
      });
    }
    this.byLabel = { Cancer: [...groups.Cancer.values()], "Non-Cancer": [...groups["Non-Cancer"].values()] };
    this.groups = this.byLabel.Cancer.length + this.byLabel["Non-Cancer"].length;
  }

  draw(random: () => number, prevalence: number): DrawnScan {
    const groups = this.byLabel[random() < prevalence ? "Cancer" : "Non-Cancer"];
    const group = groups[Math.floor(random() * groups.length)] as readonly DrawnScan[];
    return group[Math.floor(random() * group.length)] as DrawnScan;
  }

  /** Share of right labels among scans that are answered, at {@link PREVALENCE}. */
  accuracy(threshold: number): number {
    const known = this.accuracies.get(threshold);
    if (known !== undefined) return known;
    const of = (groups: readonly (readonly DrawnScan[])[]) => {
      let [right, all] = [0, 0];
      for (const group of groups)
        for (const { refused, probability, label } of group) {
          if (refused) continue;
          all += 1 / group.length;
          if (labelOf(probability, threshold) === label) right += 1 / group.length;
        }
      return right / all;
    };
    const value = PREVALENCE * of(this.byLabel.Cancer) + (1 - PREVALENCE) * of(this.byLabel["Non-Cancer"]);
    this.accuracies.set(threshold, value);
    return value;
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

/** Lives so many days: draws a reference and then scans, and puts them before the watches that a hospital has. */
export function live({ days, scansPerDay, seed, plain, change, feedback = 0, threshold }: LifeOptions): Life {
  const random = uniform(mixSeed(seed, 0x6c696665));
  const reference: DrawnScan[] = [];
  while (reference.length < plain.groups) {
    const scan = plain.draw(random, PREVALENCE);
    if (!scan.refused) reference.push(scan);
  }
  const watch = new Watch({ scans: reference }, mixSeed(seed, 0x7761));
  const gap = calibrationGap(reference, threshold);
  const alarms: Alarm[] = [];
  const namedRightly: (number | null)[] = [];
  const levels: Record<WatchName, number[]> = { input: [], prediction: [], feedback: [] };
  const spans = { before: newSpan(), after: newSpan() };
  const changed = new Set<string>();
  let refused = 0;
  for (let day = 0; day < days; day++) {
    const now = change && day >= change.day ? change : undefined;
    const prevalence = now?.kind === "prevalence" ? now.to : PREVALENCE;
    const answered: DrawnScan[] = [];
    const confirmed: Confirmed[] = [];
    const span = now ? spans.after : spans.before;
    for (let i = 0; i < scansPerDay; i++) {
      const moved = now?.kind === "pictures" && random() < now.share;
      const drawn = (moved ? now.population : plain).draw(random, prevalence);
      if (drawn.refused) {
        refused++;
        continue;
      }
      const scan = { ...drawn, name: `${day}/${i}/${drawn.name}`, label: truth(drawn, now, threshold, plain, random) };
      if (moved || (now && now.kind !== "pictures")) changed.add(scan.name);
      answered.push(scan);
      span.right += labelOf(scan.probability, threshold) === scan.label ? 1 : 0;
      if (random() < feedback) confirmed.push(scan);
    }
    span.probabilities.push(...answered.map(({ probability }) => probability));
    span.confirmed.push(...confirmed);
    const result = watch.day(day, answered, confirmed);
    for (const [name, level] of Object.entries(result.levels)) levels[name as WatchName].push(level);
    for (const alarm of result.alarms) {
      alarms.push(alarm);
      if (alarm.watch === "input" && now) span.inputDrift = true;
      const { scans } = alarm;
      namedRightly.push(now ? scans.filter((name) => changed.has(name)).length / scans.length : null);
    }
  }
  const accuracy = ({ right, probabilities, confirmed, inputDrift }: Span): LifeAccuracy => ({
    true: right / probabilities.length,
    estimated: estimatedAccuracy(probabilities, threshold, { gap, inputDrift }),
    feedback: feedbackAccuracy(confirmed, threshold),
  });
  const { before, after } = spans;
  return {
    alarms,
    namedRightly,
    before: accuracy(before),
    after: after.probabilities.length > 0 ? accuracy(after) : null,
    refused,
    levels,
  };
}

interface Span {
  right: number;
  inputDrift: boolean;
  readonly probabilities: number[];
  readonly confirmed: Confirmed[];
}

const newSpan = (): Span => ({ right: 0, inputDrift: false, probabilities: [], confirmed: [] });

/** The label that people give. */
function truth(
  { label }: DrawnScan,
  change: Change | undefined,
  threshold: number,
  plain: Population,
  random: () => number,
): Labelled {
  if (change?.kind !== "accuracy") return label;
  const usual = plain.accuracy(threshold);
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
