import { isLabel } from "../intake";
import { DAY_MS } from "../platform/day";
import { CANARY_PAIRS, CANARY_TIMES, STANDING_FEEDBACK } from "../platform/warehouse";
import type { Canary } from "../registry";
import type { CanaryPair, Evidence } from "./judge";
import type { CanaryContext } from "./steps";

/** What is known of a canary now: pairs since it began, times, answers and failures since its present share. */
export async function gather(
  { warehouse, shares, now = () => new Date() }: CanaryContext,
  canary: Canary,
): Promise<Evidence> {
  const { candidate, stable, revision, startedAt, shareSince } = canary;
  const [rows, said] = await Promise.all([
    warehouse.ask(CANARY_PAIRS, { candidate, stable, since: startedAt }),
    warehouse.ask(STANDING_FEEDBACK, { before: laterThan(now()) }),
  ]);
  const labels = new Map<string, Set<string>>();
  for (const { request, label } of said) labels.set(request, (labels.get(request) ?? new Set()).add(label));
  const pairs = rows.map((row): CanaryPair => {
    const [label, ...others] = labels.get(row.request) ?? [];
    return {
      request: row.request,
      group: row.group ?? row.sha256 ?? NO_PICTURE,
      label: others.length === 0 && isLabel(label) ? label : undefined,
      candidate: { decision: row.candidate_decision, probability: row.candidate_probability },
      stable: { decision: row.stable_decision, probability: row.stable_probability },
    };
  });
  if (!shares || revision === null) {
    const failed = pairs.filter(({ candidate: { decision } }) => decision === "Failed").length;
    const timed = (which: "candidate_milliseconds" | "stable_milliseconds") =>
      rows.flatMap(({ [which]: time }) => (time === null ? [] : [time]));
    return {
      pairs,
      times: { candidate: timed("candidate_milliseconds"), stable: timed("stable_milliseconds") },
      requests: { candidate: { all: pairs.length, failed }, stable: { all: pairs.length, failed: 0 } },
    };
  }
  const [times, failures] = await Promise.all([
    warehouse.ask(CANARY_TIMES, { candidate, stable, since: shareSince }),
    shares.failures(revision, new Date(shareSince), now()),
  ]);
  const of = (model: string) => times.filter((one) => one.model === model).map(({ milliseconds }) => milliseconds);
  const withAnswers = (model: string, failed: number) => ({ all: of(model).length + failed, failed });
  return {
    pairs,
    times: { candidate: of(candidate), stable: of(stable) },
    // Whoever looks at a page asks too: what Cloud Run counts as requests are scans for the smaller part.
    requests: { candidate: withAnswers(candidate, failures.its), stable: withAnswers(stable, failures.others) },
  };
}

/** Of a picture that both models refuse no hash is known: nothing tells it from the next. */
const NO_PICTURE = "no-picture";

/** The day after, since a question tells of what was before one. */
const laterThan = (now: Date) => new Date(now.getTime() + DAY_MS).toISOString().slice(0, 10);
