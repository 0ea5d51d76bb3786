import { CANARY_PAIRS, CANARY_TIMES, STANDING_FEEDBACK } from "../platform/warehouse";
import type { Canary } from "../registry";
import type { CanaryPair, Evidence } from "./judge";
import type { CanaryContext } from "./steps";

/** What is known of a canary now: pairs since it began, times and requests since its present share. */
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
      group: row.group ?? row.sha256 ?? row.request,
      label: others.length === 0 && (label === "Cancer" || label === "Non-Cancer") ? label : undefined,
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
  const [times, requests] = await Promise.all([
    warehouse.ask(CANARY_TIMES, { candidate, stable, since: shareSince }),
    shares.requests(revision, new Date(shareSince), now()),
  ]);
  const of = (model: string) => times.filter((one) => one.model === model).map(({ milliseconds }) => milliseconds);
  return {
    pairs,
    times: { candidate: of(candidate), stable: of(stable) },
    requests: { candidate: requests.its, stable: requests.others },
  };
}

/** The day after, since a question tells of what was before one. */
const laterThan = (now: Date) => new Date(now.getTime() + 24 * 3600 * 1000).toISOString().slice(0, 10);
