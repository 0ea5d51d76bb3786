import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Warehouse } from "../platform/warehouse";
import { type ChangePlan, type Clause, changePlan } from "../promotion";
import {
  type Canary,
  type CanaryLook,
  type CanaryNext,
  currentCanary,
  currentModel,
  isOpen,
  nextOfCanary,
  noteLook,
  type PointerStore,
  type SeenCanary,
  setCanary,
} from "../registry";
import { gather } from "./gather";
import { type Judgement, judge } from "./judge";

/** What gives a revision a share of the requests; see runtime/platform/cloud-run.ts. */
export interface Shares {
  revisionName(mark: string): string;
  shareOf(revision: string): Promise<number>;
  makeRevision(revision: string, environment: Readonly<Record<string, string>>): Promise<void>;
  give(revision: string, percent: number): Promise<void>;
  reset(): Promise<void>;
  /** Requests on which a revision, and all others, failed (5xx) since a time. */
  failures(revision: string, since: Date, now: Date): Promise<Readonly<Record<"its" | "others", number>>>;
}

/** What promotion says of a model: by the plan's rule, nothing but that. */
export interface Promoting {
  /** Whether the rule would let the model take over from the current one now. Nothing is counted, nothing moves. */
  preview(
    model: string,
  ): Promise<{ readonly promotes: boolean; readonly reason: string; readonly clause?: Clause | undefined }>;
  /** Makes it the current one, if the rule says so. What fails for another reason is thrown, and says nothing of it. */
  promote(model: string): Promise<{ readonly promoted: boolean; readonly reason: string }>;
  /** @throws {Error} with the reason, if the model cannot answer */
  tryOut(model: string): Promise<void>;
}

export interface CanaryContext {
  readonly models: PointerStore;
  readonly warehouse: Pick<Warehouse, "ask">;
  readonly promoting: Promoting;
  /** Without it the candidate is asked beside the stable model and answers nobody. */
  readonly shares: Shares | undefined;
  readonly plan?: ChangePlan;
  readonly now?: () => Date;
}

/** A canary was not started or moved. The message is a sentence; `code` is stable. */
export class CanaryRefused extends Error {
  constructor(
    readonly code:
      | "no-canary"
      | "canary-open"
      | "outside-plan"
      | "current-moved"
      | "not-held"
      | "moved-meanwhile"
      | "other-mode",
    message: string,
    /** Of the change plan, which is not met. */
    readonly clause?: Clause,
  ) {
    super(message);
    this.name = "CanaryRefused";
  }
}

/** A canary, and what was made of it. */
export interface CanaryStep {
  readonly canary: Canary;
  /** Percent of the requests that Cloud Run gives it; null as a shadow, or where nobody was asked. */
  readonly given: number | null;
  readonly judgement: Judgement | null;
  /** Whether something else is so now: the model, its share, or what Cloud Run gives it. */
  readonly changed: boolean;
  /** What is to be done; null where it is over. */
  readonly next: CanaryNext | null;
}

const contextOf = ({ plan = changePlan(), now = () => new Date(), ...rest }: CanaryContext) => ({ ...rest, plan, now });

/**
 * Begins to try a model out beside the current one: with `shares` on a share of the requests, else as a shadow. A model
 * answers patients only if the change plan would let it take over. The same start again goes on where one was killed: with
 * the share that it was begun with, while the model is current that it was begun beside.
 *
 * @param share percent; default: the plan's first
 * @throws {CanaryRefused}
 */
export async function startCanary(context: CanaryContext, candidate: string, share?: number): Promise<CanaryStep> {
  const { models, promoting, shares, plan, now } = contextOf(context);
  const seen = await currentCanary(models);
  const resumed = seen?.state === "starting" && seen.candidate === candidate ? seen : undefined;
  if (seen && isOpen(seen) && !resumed)
    throw new CanaryRefused(
      "canary-open",
      `${seen.candidate} is being tried out since ${seen.startedAt}: finish it or abort it first (npm run models -- canary status).`,
    );
  const stable = (await currentModel(models))?.model;
  if (stable === undefined)
    throw new CanaryRefused("no-canary", "No model is current, so there is none to compare with: promote one.");
  if (resumed && resumed.stable !== stable)
    throw new CanaryRefused(
      "current-moved",
      `The current model is ${stable} now, and ${candidate} was begun beside ${resumed.stable}: abort the canary and start it again.`,
    );
  if (stable === candidate)
    throw new CanaryRefused("current-moved", `${candidate} is the current model: there is nothing to try out.`);
  const [most = 0] = plan.canary.shares;
  const percent = shares ? (share ?? resumed?.share ?? most) : 0;
  if (shares && percent > most)
    throw new CanaryRefused(
      "outside-plan",
      `A canary begins with ${most} % of the requests at most, and not with ${percent} % (canary.shares).`,
      "canary.shares",
    );
  if (resumed) requireMode(resumed, shares);
  if (resumed && percent !== resumed.share)
    throw new CanaryRefused(
      "canary-open",
      `${candidate} was begun with ${resumed.share} % of the requests, and not with ${percent} %: start it again with that, or abort it first.`,
    );
  await promoting.tryOut(candidate);
  if (shares) {
    const { promotes, reason, clause } = await promoting.preview(candidate);
    if (!promotes)
      throw new CanaryRefused(
        "outside-plan",
        `${candidate} answers nobody, since it could not take over: ${reason}`,
        clause,
      );
  }
  const at = now().toISOString();
  const mark = createHash("sha256").update(`${candidate} ${at}`).digest("hex").slice(0, 8);
  const begun: Canary = resumed ?? {
    ...{ candidate, stable, mode: shares ? "traffic" : "shadow", state: "starting", share: percent },
    revision: shares ? shares.revisionName(mark) : null,
    ...{
      startedAt: at,
      shareSince: at,
      looks: 0,
      labelled: 0,
      reason: `${candidate} is tried out beside ${stable}.`,
      plan: plan.version,
      look: null,
    },
  };
  const starting = resumed ?? (await set(models, begun, seen));
  const { revision } = starting;
  if (shares && revision !== null) {
    await shares.makeRevision(revision, { PINNED_MODEL: candidate, SHADOW_MODEL: "current" });
    await shares.give(revision, starting.share);
  }
  const shareSince = now().toISOString();
  const canary = await set(models, { ...bare(starting), state: "running", shareSince }, starting);
  const next = nextOfCanary(canary, stable) ?? null;
  return { canary: bare(canary), given: shares ? canary.share : null, judgement: null, changed: true, next };
}

/** What there is, what Cloud Run gives it, and what the plan says of it now. Nothing is changed. */
export async function canaryStatus(context: CanaryContext): Promise<CanaryStep | undefined> {
  const { models, shares, now } = contextOf(context);
  const canary = await currentCanary(models);
  if (!canary) return undefined;
  const given = shares && canary.revision !== null ? await shares.shareOf(canary.revision) : null;
  const judgement =
    canary.state === "running" && (shares || canary.mode === "shadow") ? await judged(context, canary) : null;
  const current = (await currentModel(models))?.model;
  const look = judgement ? lookOf(judgement, now()) : canary.look;
  const next = nextOfCanary({ ...canary, look }, current) ?? null;
  return { canary: bare(canary), given, judgement, changed: false, next };
}

/**
 * Does with a canary what the change plan says: takes it back where a clause is shown to be broken; where all are held, gives it the
 * plan's next share, and after the last one makes it the current model; else waits. Killed at any point and called again it
 * goes on.
 *
 * @param options.finish leave out the shares that are left: promote it if all clauses are held
 * @throws {CanaryRefused} `not-held` where it is to be finished and is not shown to do no harm
 */
export async function advanceCanary(context: CanaryContext, { finish = false } = {}): Promise<CanaryStep> {
  const { models, shares, plan, now } = contextOf(context);
  const seen = await openCanary(models);
  requireMode(seen, shares);
  if (seen.state === "starting")
    throw new CanaryRefused(
      "canary-open",
      `${seen.candidate} was not started to the end: start it again, or abort it.`,
    );
  const current = (await currentModel(models))?.model;
  // It was promoted, and the process was killed before the requests were given back.
  if (current === seen.candidate)
    return end(context, seen, "promoted", `${seen.candidate} is the current model.`, null);
  if (current !== seen.stable)
    throw new CanaryRefused(
      "current-moved",
      `The current model is ${current} now, and ${seen.candidate} was compared with ${seen.stable}: abort the canary and start it again.`,
    );
  const amiss = shares && seen.revision !== null && (await shares.shareOf(seen.revision)) !== seen.share;
  if (amiss) await shares.give(seen.revision, seen.share);
  const judgement = await judged(context, seen);
  const { outcome, reason, findings } = judgement;
  const looked: Looked = {
    looks: judgement.labelled > seen.labelled ? seen.looks + 1 : seen.looks,
    labelled: judgement.labelled,
    look: lookOf(judgement, now()),
  };
  if (outcome === "rollback")
    return end(context, seen, "rolled-back", `${seen.candidate} is taken back. ${reason}`, judgement, looked);
  const given = shares ? seen.share : null;
  if (outcome === "hold") {
    const [open] = findings.filter(({ state }) => state === "open");
    if (finish)
      throw new CanaryRefused("not-held", `${seen.candidate} is not shown to do no harm. ${reason}`, open?.clause);
    const canary =
      looked.looks === seen.looks
        ? await noteLook(models, seen, looked)
        : await set(models, { ...bare(seen), ...looked, reason }, seen);
    const next = nextOfCanary(canary, current) ?? null;
    return { canary: bare(canary), given, judgement, changed: amiss === true, next };
  }
  const more = shares && !finish ? plan.canary.shares.find((share) => share > seen.share) : undefined;
  if (more === undefined) return promote(context, seen, judgement, looked);
  const moved = { ...bare(seen), ...looked, share: more, shareSince: now().toISOString(), reason, plan: plan.version };
  const canary = await set(models, moved, seen);
  if (shares && canary.revision !== null) await shares.give(canary.revision, more);
  const next = nextOfCanary(canary, current) ?? null;
  return { canary: bare(canary), given: more, judgement, changed: true, next };
}

/**
 * Takes a canary back, whatever it does: whoever is not sure may. Where there is none, requests are given back all the same,
 * which repairs what somebody else has left.
 */
export async function abortCanary(context: CanaryContext, reason: string): Promise<CanaryStep> {
  const { models, shares } = contextOf(context);
  const seen = await currentCanary(models);
  if (!seen || !isOpen(seen)) {
    await shares?.reset();
    throw new CanaryRefused("no-canary", "No model is being tried out: nothing was taken back.");
  }
  requireMode(seen, shares);
  return end(context, seen, "aborted", reason, null);
}

async function judged(context: CanaryContext, canary: Canary): Promise<Judgement> {
  const { plan } = contextOf(context);
  return judge(await gather(context, canary), plan, canary.looks);
}

/** What a look adds to what is said of a canary. */
type Looked = Pick<Canary, "looks" | "labelled" | "look">;

const lookOf = ({ outcome, findings }: Judgement, at: Date): CanaryLook => ({
  at: at.toISOString(),
  outcome,
  findings: [...findings],
});

async function promote(
  context: CanaryContext,
  seen: SeenCanary,
  judgement: Judgement,
  looked: Looked,
): Promise<CanaryStep> {
  const { promoted, reason } = await context.promoting.promote(seen.candidate);
  return promoted
    ? end(context, seen, "promoted", `${reason} ${judgement.reason}`, judgement, looked)
    : end(
        context,
        seen,
        "rolled-back",
        `${seen.candidate} is shown to do no harm, and is not promoted: ${reason}`,
        judgement,
        looked,
      );
}

/** Requests first: a process that is killed in between leaves a canary that has none, and the next call ends it. */
async function end(
  context: CanaryContext,
  seen: SeenCanary,
  state: "promoted" | "rolled-back" | "aborted",
  reason: string,
  judgement: Judgement | null,
  looked: Partial<Looked> = {},
): Promise<CanaryStep> {
  await context.shares?.reset();
  const canary = await set(context.models, { ...bare(seen), ...looked, state, share: 0, reason }, seen);
  return { canary: bare(canary), given: context.shares ? 0 : null, judgement, changed: true, next: null };
}

async function openCanary(models: PointerStore): Promise<SeenCanary> {
  const seen = await currentCanary(models);
  if (seen && isOpen(seen)) return seen;
  throw new CanaryRefused("no-canary", "No model is being tried out: npm run models -- canary start MODEL begins.");
}

function requireMode({ mode, candidate }: Canary, shares: Shares | undefined): void {
  if ((mode === "traffic") === (shares !== undefined)) return;
  throw new CanaryRefused(
    "other-mode",
    mode === "traffic"
      ? `${candidate} answers a share of a Cloud Run service's requests: name the service (--service).`
      : `${candidate} is asked beside the current model and has no share of the requests: leave --service out.`,
  );
}

const bare = ({ generation: _, ...canary }: SeenCanary): Canary => canary;

/** What another process noted of a look meanwhile is no move: who takes a canary back must not fail because of it. */
async function set(models: PointerStore, next: Canary, seen: SeenCanary | undefined): Promise<SeenCanary> {
  for (let last = seen; ; ) {
    const said = await setCanary(models, next, last);
    if (said) return said;
    const now = await currentCanary(models);
    if (!now || !last || now.generation === last.generation || !isDeepStrictEqual(unlooked(now), unlooked(last))) break;
    last = now;
  }
  throw new CanaryRefused(
    "moved-meanwhile",
    "Another process moved the canary meanwhile: look at its status and run this again.",
  );
}

const unlooked = (seen: SeenCanary): Canary => ({ ...bare(seen), look: null });
