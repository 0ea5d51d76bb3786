import { logOddsOf } from "../model";
import { mixSeed, uniform } from "../platform/random";
import { ConformalStream } from "./conformal";
import { type AnyBet, betsOn, Detector, type Driver, logBet, SHIFT_BETS, type TailBet } from "./detector";
import { FEATURE_STATISTICS } from "./feature-spread";
import { PICTURE_STATISTICS } from "./picture-statistics";
import { PATIENCE, type WatchName } from "./watches";

/** Names of the numbers of a scan that the watch over the input sees, in this order. */
export const INPUT_STATISTICS = [...PICTURE_STATISTICS, ...FEATURE_STATISTICS, "origin"] as const;

/** Bets that more scans than before are among those on which the model was most wrong. */
const WRONG_BETS: readonly TailBet[] = [
  { of: "tail", tail: 0.05, share: 0.2 },
  { of: "tail", tail: 0.05, share: 0.1 },
  { of: "tail", tail: 0.02, share: 0.14 },
  { of: "tail", tail: 0.01, share: 0.12 },
  { of: "tail", tail: 0.1, share: 0.2 },
];

/**
 * Bets on the log odds, half of them on other shares of the two classes: odds twice or half as large, where the reference
 * has its own share. Two heaps that change in size are seen sooner so than by where all values lie.
 */
function predictionBets(scans: readonly { readonly label: Confirmed["label"] }[]): Detector["bets"] {
  const cancer = scans.filter(({ label }) => label === "Cancer").length;
  const tail = (cancer + 1) / (scans.length + 2);
  const odds = tail / (1 - tail);
  const steps = [2 * odds, odds / 2].map((other): TailBet => ({ of: "tail", tail, share: other / (1 + other) }));
  return [
    ...steps.map((bet) => ({ statistic: 0, bet, weight: 0.25 })),
    ...SHIFT_BETS.map((bet) => ({ statistic: 0, bet, weight: 0.5 / SHIFT_BETS.length })),
  ];
}

/** A scan with what is watched of it. */
export interface WatchedScan {
  /** That a person finds it by: the request, or the picture's SHA-256. */
  readonly name: string;
  /** Scans of one patient or picture share it: of these, one a day counts. Undefined where it is not known. */
  readonly group?: string | undefined;
  /** By {@link INPUT_STATISTICS}; null where it is not known of this scan. */
  readonly input: readonly (number | null)[];
  /** Of Cancer, calibrated, 0 to 1. */
  readonly probability: number;
}

/** What a person said of a scan. */
export interface Confirmed {
  readonly name: string;
  readonly group?: string | undefined;
  readonly probability: number;
  readonly label: "Cancer" | "Non-Cancer";
}

/** Held-out scans with labels: neither the network nor a statistic was fitted to them. */
export interface Reference {
  readonly scans: readonly (WatchedScan & { readonly label: Confirmed["label"] })[];
}

export interface Alarm {
  readonly watch: WatchName;
  readonly day: number;
  /** The day from which the stretch reaches that speaks for a change. */
  readonly since: number;
  /** Statistics that drove it, the first most; those with a tenth of the evidence, or strong evidence of their own. */
  readonly drivers: readonly { readonly statistic: string; readonly direction: Direction; readonly share: number }[];
  /** Scans that spoke most for a change. */
  readonly scans: readonly string[];
}

export type Direction = "higher" | "lower" | "wider" | "narrower" | "worse";

export interface WatchedDay {
  readonly day: number;
  /** Scans that counted. */
  readonly scans: number;
  /** Evidence over what an alarm needs, of each watch. */
  readonly levels: Readonly<Record<WatchName, number>>;
  readonly alarms: readonly Alarm[];
}

/** Most scans that an alarm names. */
const NAMED = 10;
/** Days whose p-values are kept for naming scans. */
const REMEMBERED = 45;
/** Of the evidence: less does not name a driver, unless it would be hard to explain by itself. */
const SHARE = 0.1;
const STRONG = Math.log(1000);

interface Seen {
  readonly day: number;
  readonly name: string;
  readonly pvalues: readonly (number | null)[];
}

interface Line {
  readonly name: WatchName;
  readonly statistics: readonly string[];
  readonly streams: readonly ConformalStream[];
  readonly detector: Detector;
  readonly seen: Seen[];
}

/** Watches a stream of scans, day by day, for change against a reference; see {@link Detector} for the rate of false alarms. */
export class Watch {
  private readonly lines: readonly Line[];

  private readonly draw: () => number;

  /** @param seed of what breaks ties and picks one scan of a group: anything that knows nothing of the scans */
  constructor(reference: Reference, seed: number) {
    this.draw = uniform(mixSeed(seed, 1));
    const scans = oneOfEach(reference.scans, uniform(mixSeed(seed, 2)));
    const random = uniform(mixSeed(seed, 3));
    const line = (
      name: WatchName,
      statistics: readonly string[],
      values: (statistic: number) => Iterable<number>,
      bets: Detector["bets"],
    ): Line => ({
      name,
      statistics,
      streams: statistics.map((_, i) => new ConformalStream(values(i), random)),
      detector: new Detector(bets, PATIENCE[name]),
      seen: [],
    });
    this.lines = [
      line(
        "input",
        INPUT_STATISTICS,
        (i) => scans.map(({ input }) => input[i] ?? null).filter((value) => value !== null),
        betsOn(INPUT_STATISTICS.length, SHIFT_BETS),
      ),
      line(
        "prediction",
        ["log-odds"],
        () => scans.map(({ probability }) => logOddsOf(probability)),
        predictionBets(scans),
      ),
      line("feedback", ["loss"], () => scans.map(lossOf), betsOn(1, WRONG_BETS)),
    ];
  }

  /**
   * @param day number of the day; days come in ascending order
   * @param scans answered that day, in the order of their answers
   * @param feedback given that day
   */
  day(day: number, scans: readonly WatchedScan[], feedback: readonly Confirmed[] = []): WatchedDay {
    const counted = oneOfEach(scans, this.draw);
    const said = oneOfEach(feedback, this.draw);
    const values: Readonly<Record<WatchName, readonly Omit<Seen, "day">[]>> = {
      input: counted.map(({ name, input }) => ({ name, pvalues: input })),
      prediction: counted.map(({ name, probability }) => ({ name, pvalues: [logOddsOf(probability)] })),
      feedback: said.map((one) => ({ name: one.name, pvalues: [lossOf(one)] })),
    };
    const alarms: Alarm[] = [];
    const levels = {} as Record<WatchName, number>;
    for (const line of this.lines) {
      const { streams, detector, seen, name } = line;
      for (const { name: scan, pvalues } of values[name]) {
        const ranked = streams.map((stream, i) => {
          const value = pvalues[i];
          return value === null || value === undefined ? null : stream.next(value);
        });
        seen.push({ day, name: scan, pvalues: ranked });
      }
      const today = seen.filter((one) => one.day === day);
      const pvalues = streams.map((_, i) => today.map((one) => one.pvalues[i] ?? null).filter((u) => u !== null));
      const { level, alarm, drivers } = detector.day(pvalues, day);
      levels[name] = level;
      if (alarm) {
        alarms.push(alarmOf(line, day, drivers));
        seen.length = 0;
      } else {
        const first = seen.findIndex((one) => one.day > day - REMEMBERED);
        seen.splice(0, first < 0 ? seen.length : first);
      }
    }
    return { day, scans: counted.length, levels, alarms };
  }
}

function alarmOf({ name, statistics, seen }: Line, day: number, drivers: readonly Driver[]): Alarm {
  const named = drivers.filter(({ share, strength }, i) => i === 0 || share >= SHARE || strength >= STRONG);
  const since = named[0]?.since ?? day;
  const evidence = seen
    .filter((one) => one.day >= since)
    .map((one) => {
      let sum = 0;
      for (const { statistic, bet } of named) {
        const u = one.pvalues[statistic];
        if (u !== null && u !== undefined) sum += logBet(bet, u);
      }
      return { name: one.name, sum };
    })
    .sort((a, b) => b.sum - a.sum);
  return {
    watch: name,
    day,
    since,
    drivers: named.map(({ statistic, share, bet }) => ({
      statistic: statistics[statistic] as string,
      direction: directionOf(name, bet),
      share,
    })),
    scans: [...new Set(evidence.map((one) => one.name))].slice(0, NAMED),
  };
}

function directionOf(watch: WatchName, bet: AnyBet): Direction {
  if (watch === "feedback") return "worse";
  if (bet.of === "tail") return bet.share > bet.tail ? "higher" : "lower";
  if (bet.of === "place") return bet.tilt > 0 ? "higher" : "lower";
  return bet.tilt > 0 ? "wider" : "narrower";
}

/** Logarithmic loss of a probability where the label is known. */
function lossOf({ probability, label }: Pick<Confirmed, "probability" | "label">): number {
  const odds = logOddsOf(probability);
  return Math.log1p(Math.exp(label === "Cancer" ? -odds : odds));
}

/** Of the scans of one group one, drawn by chance; the others keep their order. */
export function oneOfEach<T extends { readonly group?: string | undefined }>(
  scans: readonly T[],
  random: () => number,
): readonly T[] {
  const count = new Map<string, number>();
  const kept = new Map<string, T>();
  for (const scan of scans) {
    if (scan.group === undefined) continue;
    const before = (count.get(scan.group) ?? 0) + 1;
    count.set(scan.group, before);
    if (random() * before < 1) kept.set(scan.group, scan);
  }
  return scans.filter((scan) => scan.group === undefined || kept.get(scan.group) === scan);
}
