import {
  type ChangePlan,
  type Clause,
  comparePaired,
  describeResult,
  pText,
  type ScoredScan,
  shareOf,
} from "../promotion";
import { missingUntilBelow, sideOf } from "./share";

/** One scan that both models looked at. */
export interface CanaryPair {
  readonly request: string;
  /** What belongs together: slices of a patient, near-duplicates, the same scan sent again. */
  readonly group: string;
  /** What people hold it for; undefined where nobody said, or they contradict each other. */
  readonly label: ScoredScan["label"] | undefined;
  readonly candidate: Looked;
  readonly stable: Looked;
}

interface Looked {
  /** Cancer, Non-Cancer, Uncertain, Rejected, or Failed where it gave nothing. */
  readonly decision: string;
  /** Null where it was refused, or it failed. */
  readonly probability: number | null;
}

/** What was answered or failed, and what of it failed: with 5xx, or as a shadow. What is only read is none of it. */
export interface Requests {
  readonly all: number;
  readonly failed: number;
}

/** What is known of a canary. */
export interface Evidence {
  /** Since it began. */
  readonly pairs: readonly CanaryPair[];
  /** Milliseconds of each answer, since its present share. */
  readonly times: Readonly<Record<"candidate" | "stable", readonly number[]>>;
  /** Since its present share. */
  readonly requests: Readonly<Record<"candidate" | "stable", Requests>>;
}

/** What is said of one clause of the change plan. */
export interface Finding {
  readonly clause: Clause;
  /** `held` and `broken` are shown; `open`: neither is. */
  readonly state: "held" | "broken" | "open";
  /** Scans or answers that are missing, if all goes on as it does: an estimate. Null where nobody can say. */
  readonly missing: number | null;
  readonly sentence: string;
}

export interface Judgement {
  /** `hold`: not yet. */
  readonly outcome: "advance" | "hold" | "rollback";
  readonly findings: readonly Finding[];
  /** What is shown to be broken, or all is held, or what is missing: sentences for people. */
  readonly reason: string;
  /** Scans with a label and both models' answers: whether a test of them was one more look. */
  readonly labelled: number;
}

/** Answers of the stable model from which is told what is slow. */
const LEAST_TIMES = 20;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/**
 * What the change plan says of a canary. It is rolled back as soon as one clause is shown to be broken, and goes on once each is
 * shown to be held; what is shown of agreement, errors and latency holds at the plan's confidence for each clause however
 * often one looks ({@link file://./share.ts}). People's labels are put to the test by which models are promoted: the canary is
 * rolled back where the stable model is shown to be the better one. That test is no sequential one, so each look at it,
 * `looks` of them before, has a share of the error as a comparison of the ledger has; labels that are too few hold nothing up, since
 * they come weeks later or never.
 */
export function judge(
  { pairs, times, requests }: Evidence,
  plan: Pick<ChangePlan, "canary" | "comparison">,
  looks: number,
): Judgement {
  const findings = [agreement(pairs, plan), errors(requests, plan), latency(times, plan)];
  const labelled = labelledPairs(pairs);
  const all = [...findings, labels(labelled, plan, looks)];
  const broken = all.filter(({ state }) => state === "broken");
  const open = findings.filter(({ state }) => state === "open");
  const outcome = broken.length > 0 ? "rollback" : open.length > 0 ? "hold" : "advance";
  const telling = { rollback: broken, hold: open, advance: all }[outcome];
  return {
    outcome,
    findings: all,
    reason: telling.map(({ sentence }) => sentence).join(" "),
    labelled: labelled.length,
  };
}

/** A share of what is bad, against its bound. */
function bounded(
  clause: Clause,
  {
    count,
    of,
    bound,
    confidence,
  }: { readonly count: number; readonly of: number; readonly bound: number; readonly confidence: number },
  words: { readonly what: string; readonly unit: string },
): Finding {
  const side = sideOf(count, of, bound, confidence);
  const seen = `${words.what}: ${count} of ${of}${of === 0 ? "" : ` (${percent(count / of)})`}, at most ${percent(bound)} allowed`;
  if (side === "above")
    return { clause, state: "broken", missing: 0, sentence: `${seen}, and it is shown to be more (${clause}).` };
  if (side === "below")
    return { clause, state: "held", missing: 0, sentence: `${seen}, and it is shown to be less (${clause}).` };
  const missing = missingUntilBelow(count, of, bound, confidence) ?? null;
  const more =
    missing === null ? "and as it is now no number would show it" : `about ${missing} more ${words.unit} would show it`;
  return { clause, state: "open", missing, sentence: `${seen}: not shown yet, ${more} (${clause}).` };
}

function agreement(pairs: readonly CanaryPair[], { canary }: Pick<ChangePlan, "canary">): Finding {
  // What failed is counted among the errors. Of what belongs together the first counts alone: a scan that is sent again,
  // or a patient's next slice, is no further evidence.
  const groups = new Set<string>();
  const decided = pairs.filter(({ group, candidate, stable }) => {
    if (candidate.decision === "Failed" || stable.decision === "Failed" || groups.has(group)) return false;
    groups.add(group);
    return true;
  });
  const count = decided.filter(({ candidate, stable }) => candidate.decision !== stable.decision).length;
  return bounded(
    "canary.agreement",
    { count, of: decided.length, bound: inside(1 - canary.agreement.least), confidence: canary.confidence },
    { what: "Scans that the two models decide otherwise", unit: "scans" },
  );
}

function errors({ candidate, stable }: Evidence["requests"], { canary }: Pick<ChangePlan, "canary">): Finding {
  const its = stable.all === 0 ? 0 : stable.failed / stable.all;
  return bounded(
    "canary.errors",
    {
      count: candidate.failed,
      of: candidate.all,
      bound: inside(its + canary.errors.margin),
      confidence: canary.confidence,
    },
    {
      what: `Answers that the candidate failed to give (the stable model: ${stable.failed} of ${stable.all})`,
      unit: "answers",
    },
  );
}

function latency({ candidate, stable }: Evidence["times"], { canary }: Pick<ChangePlan, "canary">): Finding {
  const clause = "canary.latency";
  if (stable.length < LEAST_TIMES) {
    const missing = LEAST_TIMES - stable.length;
    const sentence = `What is slow cannot be told from ${stable.length} answers of the stable model: ${missing} more are needed (${clause}).`;
    return { clause, state: "open", missing, sentence };
  }
  const sorted = [...stable].sort((a, b) => a - b);
  const usual = sorted[Math.ceil(0.95 * sorted.length) - 1] as number;
  const limit = canary.latency.times * usual;
  return bounded(
    clause,
    {
      count: candidate.filter((time) => time > limit).length,
      ...{ of: candidate.length, bound: canary.latency.share, confidence: canary.confidence },
    },
    {
      what: `Answers of the candidate that took longer than ${Math.round(limit)} ms, ${canary.latency.times} times what 95 of 100 of the stable model's take`,
      unit: "answers",
    },
  );
}

const labelledPairs = (pairs: readonly CanaryPair[]) =>
  pairs.flatMap(({ request, group, label, candidate, stable }) =>
    label === undefined || candidate.decision === "Failed" || stable.decision === "Failed"
      ? []
      : [{ scan: { id: request, group, collection: "", label }, candidate, stable }],
  );

function labels(
  labelled: ReturnType<typeof labelledPairs>,
  { canary, comparison }: Pick<ChangePlan, "canary" | "comparison">,
  looks: number,
): Finding {
  const clause = "canary.labels";
  const of = (which: "candidate" | "stable"): ScoredScan[] =>
    labelled.map((pair) => ({ ...pair.scan, probability: pair[which].probability }));
  const level = (1 - canary.confidence) * shareOf(looks + 1, comparison.most);
  // The stable model is the challenger here: what is to be found out is whether it is the better one.
  const tested = comparePaired(of("candidate"), of("stable"), comparison, level);
  if (tested.p === null) {
    const missing = Math.max(0, comparison.leastGroups - tested.groups);
    const needs = `nothing is tested below ${comparison.leastGroups} groups or without both classes`;
    const sentence = `${labelled.length} of these scans in ${tested.groups} groups have a label of people, and ${needs} (${clause}).`;
    return { clause, state: "open", missing: missing === 0 ? null : missing, sentence };
  }
  const numbers = `on the scans that people labelled the stable model has ${describeResult(tested)}; p ${pText(tested.p)}, at most ${pText(level)} as look ${looks + 1}`;
  return tested.better
    ? {
        clause,
        state: "broken",
        missing: 0,
        sentence: `The stable model is shown to be better: ${numbers} (${clause}).`,
      }
    : {
        clause,
        state: "held",
        missing: 0,
        sentence: `The stable model is not shown to be better: ${numbers} (${clause}).`,
      };
}

/** Bounds that a test can have. */
const inside = (bound: number) => Math.min(1 - 1e-6, Math.max(1e-6, bound));
