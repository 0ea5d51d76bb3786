import { type Column, table } from "../tools/table";
import type { LoadMeasurement } from "./load";
import { quantile } from "./load";
import type { PEER_ENGINES, Side } from "./serve-sides";

export type Peer = (typeof PEER_ENGINES)[number];

/** What a side says of one scan. */
export interface SideAnswer {
  /** Of Cancer, calibrated. */
  readonly probability: number;
  /** Signed, row by row. */
  readonly map: readonly number[];
}

/** How near a peer's answers are to ours. */
export interface Agreement {
  readonly scans: number;
  /** The largest difference of a probability. */
  readonly probability: number;
  /** Mean cosine of the angle between its map and ours. */
  readonly maps: number;
}

/** Two recipes whose arithmetic differs: the pixels are near and not equal. */
export const NEAR = { probability: 0.02, maps: 0.9 } as const;

export function agreementOf(ours: readonly SideAnswer[], peer: readonly SideAnswer[]): Agreement {
  const pairs = ours.map((one, i) => [one, peer[i] as SideAnswer] as const);
  return {
    scans: ours.length,
    probability: Math.max(...pairs.map(([a, b]) => Math.abs(a.probability - b.probability))),
    maps: pairs.reduce((sum, [a, b]) => sum + cosine(a.map, b.map), 0) / pairs.length,
  };
}

function cosine(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.NaN;
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Why a peer does other work than ours, as a sentence; undefined where it does the same. */
export function disagreement(peer: Peer, { scans, probability, maps }: Agreement): string | undefined {
  // Not a number is not near.
  if (probability <= NEAR.probability && maps >= NEAR.maps) return undefined;
  return (
    `${peer} answers something else than ours: on ${scans} scans its probabilities are up to ${probability.toFixed(4)} away ` +
    `(${NEAR.probability} may be), and its maps point the same way by ${maps.toFixed(3)} (${NEAR.maps} are due). There is nothing to compare.`
  );
}

/** What one side takes for pairs of an answer and its overlay. */
export interface SideMeasurement {
  readonly side: Side;
  /** That were best for it. */
  readonly connections: number;
  readonly answersPerSecond: number;
  /** Processor milliseconds of all its processes, at its best load. */
  readonly cpuMsPerAnswer: number;
  /** At half of its own best load. */
  readonly half: LoadMeasurement;
  /** MiB of all its processes after that. */
  readonly memoryMiB: number;
  /** Not of ours. */
  readonly agreement?: Agreement;
}

const left = (title: string): Column => ({ title, width: 40 });
const right = (title: string): Column => ({ title, width: 20, align: "right" });

export function sidesTable(measured: readonly SideMeasurement[]): string {
  const ours = measured.find(({ side }) => side === "ours");
  const over = (value: number | undefined) => (value === undefined ? "" : value.toFixed(2));
  const rows = measured.map((one) => {
    const { side, connections, answersPerSecond, cpuMsPerAnswer, half, memoryMiB, agreement } = one;
    const peerOf = side === "ours" ? undefined : ours;
    const { answered, drawn } = half;
    return [
      ...[side, answersPerSecond.toFixed(1), over(peerOf && peerOf.answersPerSecond / answersPerSecond)],
      ...[cpuMsPerAnswer.toFixed(1), over(peerOf && cpuMsPerAnswer / peerOf.cpuMsPerAnswer), String(connections)],
      ...[answered?.p50, answered?.p99, drawn?.p50, drawn?.p99].map((ms) => ms?.toFixed(0) ?? "-"),
      ...[memoryMiB.toFixed(0), agreement?.probability.toFixed(4) ?? "", agreement?.maps.toFixed(3) ?? ""],
    ];
  });
  const titles = [
    ...["ANSWERS/S", "OURS/PEER", "CPU MS/ANSWER", "PEER/OURS", "CONNECTIONS"],
    ...["P50 MS", "P99 MS", "OVERLAY P50", "OVERLAY P99", "MiB", "DIFFERENCE", "MAPS"],
  ];
  return table([left("SIDE"), ...titles.map(right)], rows);
}

/** A share of the longer run at its beginning and at its end. */
const EDGE = 0.1;

/** Memory over a longer run. */
export interface MemoryMeasurement {
  readonly seconds: number;
  readonly answers: number;
  /** MiB; the median of the first and of the last tenth of the run, and the most. */
  readonly begin: number;
  readonly end: number;
  readonly most: number;
}

/** @param samples MiB, at even intervals; one at least */
export function memoryOf(samples: readonly number[]): Pick<MemoryMeasurement, "begin" | "end" | "most"> {
  const edge = Math.max(1, Math.floor(EDGE * samples.length));
  const median = (part: readonly number[]) =>
    quantile(
      [...part].sort((a, b) => a - b),
      0.5,
    );
  return { begin: median(samples.slice(0, edge)), end: median(samples.slice(-edge)), most: Math.max(...samples) };
}

/** Ours, asked for many times as much as it can give. */
export interface OverloadMeasurement {
  /** Times its best load. */
  readonly times: number;
  readonly load: LoadMeasurement;
  /** Answers a second while it was asked, over its best. */
  readonly goodput: number;
  /** Longest that an accepted answer took, milliseconds, and its deadline. */
  readonly longest: number;
  readonly deadline: number;
  /** Two seconds later: answers a second over its best. */
  readonly after: number;
}

export function describeOverload({ times, load, goodput, longest, deadline, after }: OverloadMeasurement): string {
  const { answers, refused, failed, failure } = load;
  const late = longest <= deadline ? "none" : "at least one";
  return [
    `${times} times its best load: ${answers} answered, ${refused} sent away (503), ${failed} failed${failure ? ` (${failure})` : ""}`,
    `goodput over its best: ${goodput.toFixed(2)}; longest answer ${(longest / 1000).toFixed(2)} s, so ${late} came after the deadline of ${deadline / 1000} s`,
    `two seconds later, over its best: ${after.toFixed(2)}`,
  ].join("\n");
}
