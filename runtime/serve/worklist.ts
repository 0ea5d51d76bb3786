import type { Label } from "../intake";
import { logOddsOf } from "../model";
import type { Agreement } from "../similar";
import type { WorkReason } from "./schemas";

/** An answer that a person could look at, with what speaks for it. */
export interface Candidate {
  readonly label: Label;
  readonly decision: Label | "Uncertain";
  /** Of Cancer, 0 to 1. */
  readonly probability: number;
  readonly threshold: number;
  /** ISO 8601. */
  readonly answeredAt: string;
  /** What people say of the picture. */
  readonly said: "nothing" | "labelled" | "contradicted";
  /** Of an alarm of monitoring that it is among the drivers of: what rang, and on which day. */
  readonly alarm?: { readonly watch: string; readonly day: string } | undefined;
  /** What people hold the most similar known scans for. */
  readonly neighbours?: Agreement | undefined;
}

/** How much a reason weighs: the one before outweighs the next. */
const WEIGHTS = { contradicted: 8, drift: 4, neighbours: 2, uncertain: 1 } as const;
/** Log odds between probability and threshold: less is nearly undecided, such as 0.4 to 0.6 about 0.5. */
const CLOSE = 0.4;
/** Fewer known scans say nothing. */
const FEWEST_NEIGHBOURS = 5;
/** Share of neighbours that people hold for the other label: more disagree with the answer. */
const DISAGREEING = 0.7;

/**
 * What a person should look at first. An answer on whose picture people agree, or on which one person has said something, is
 * left out, and so is one that nothing speaks for. Those with weightier reasons come first; among equal ones those whose
 * probability is nearer to the threshold, then the newer.
 */
export function rankWorklist<C extends Candidate>(
  candidates: readonly C[],
): readonly { readonly candidate: C; readonly reasons: readonly WorkReason[] }[] {
  return candidates
    .filter(({ said }) => said !== "labelled")
    .map((candidate) => {
      const reasons = reasonsFor(candidate);
      const weight = reasons.reduce((sum, { code }) => sum + WEIGHTS[code], 0);
      return { candidate, reasons, weight, distance: distanceOf(candidate) };
    })
    .filter(({ reasons }) => reasons.length > 0)
    .sort(
      (a, b) =>
        b.weight - a.weight ||
        a.distance - b.distance ||
        (a.candidate.answeredAt > b.candidate.answeredAt
          ? -1
          : a.candidate.answeredAt < b.candidate.answeredAt
            ? 1
            : 0),
    )
    .map(({ candidate, reasons }) => ({ candidate, reasons }));
}

/** Between probability and threshold, log odds. */
const distanceOf = ({ probability, threshold }: Candidate) => Math.abs(logOddsOf(probability) - logOddsOf(threshold));

/** The weightiest first. */
function reasonsFor(candidate: Candidate): WorkReason[] {
  const { said, alarm, neighbours, decision, label } = candidate;
  const reasons: WorkReason[] = [];
  if (said === "contradicted") reasons.push({ code: "contradicted", sentence: "People contradict each other on it." });
  if (alarm)
    reasons.push({
      code: "drift",
      sentence: `It is among the scans that drove the alarm "${alarm.watch}" of ${alarm.day}.`,
    });
  if (neighbours && neighbours.neighbours >= FEWEST_NEIGHBOURS) {
    const other = label === "Cancer" ? neighbours.neighbours - neighbours.cancer : neighbours.cancer;
    if (other / neighbours.neighbours >= DISAGREEING)
      reasons.push({
        code: "neighbours",
        sentence: `The model says ${label}, and people say otherwise of ${other} of the ${neighbours.neighbours} most similar scans.`,
      });
  }
  if (decision === "Uncertain") reasons.push({ code: "uncertain", sentence: "The model is uncertain." });
  else if (distanceOf(candidate) < CLOSE)
    reasons.push({ code: "uncertain", sentence: `The model says ${label} by a narrow margin.` });
  return reasons;
}
