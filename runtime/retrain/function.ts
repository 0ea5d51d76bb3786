import { z } from "zod";
import { parseEnv } from "../platform/config";
import { LeaseLostError } from "../platform/lease";
import { createLogger } from "../platform/logging";
import { messageForLogs } from "../platform/names-in-logs";
import { openStores, openTables } from "../platform/open-stores";
import { silentProgress } from "../platform/progress";
import { RETRAIN_STEPS, type RetrainStepName, retrainContract, TRIGGERS } from "./contract";
import { doStep, giveUpRun, OWN_WORK } from "./runner";
import { OwnedRun } from "./state";
import { awaitIngested } from "./take-in";
import { checkTriggers } from "./triggers";
import { NothingToRetrainError, NotTrainedError, orderOf, type RetrainContext, SnapshotGoneError } from "./work";

/**
 * The function that keeps the state of retraining, as Cloud Functions and the functions framework start it: the workflow
 * asks it before and after each step. The environment is checked when this module is loaded: a process that cannot work
 * does not start.
 */
const env = parseEnv(retrainContract.env);
const log = createLogger("retrain");

const FEEDBACK = { consent: env.LEARN_FROM_FEEDBACK === "yes", samePerson: env.SAME_PERSON };
const STEP_NAMES = RETRAIN_STEPS.map(({ name }) => name) as [RetrainStepName, ...RetrainStepName[]];
/** An execution of the workflow. */
const owner = z.string().min(1).max(200);
const held = { owner, run: z.string(), token: z.int() };

const requestSchema = z.discriminatedUnion("action", [
  z.strictObject({
    action: z.literal("begin"),
    owner,
    /** auto: whichever of the others is due. */
    trigger: z.enum([...TRIGGERS, "auto"]),
  }),
  z.strictObject({ action: z.literal("step"), step: z.enum(STEP_NAMES), ...held }),
  /** Keeps the lease while others work. */
  z.strictObject({ action: z.literal("renew"), ...held }),
  z.strictObject({ action: z.literal("end"), ...held }),
  /** Ends the run that is not over, whoever works on it. */
  z.strictObject({ action: z.literal("give-up"), owner }),
]);
type Request = z.infer<typeof requestSchema>;

interface FunctionRequest {
  readonly body?: unknown;
}

interface FunctionResponse {
  status(code: number): FunctionResponse;
  json(body: unknown): unknown;
}

/** 200 with what was asked for; 400 what is no request; 409 the lease is another's; 410, 422 it cannot go on; 500. */
export async function retrain(request: FunctionRequest, response: FunctionResponse): Promise<void> {
  const { data, error } = requestSchema.safeParse(request.body);
  if (!data) {
    response.status(400).json({ code: "bad-request", message: z.prettifyError(error) });
    return;
  }
  try {
    response.status(200).json(await answer(data));
  } catch (failure) {
    const [status, code] = codeOf(failure);
    const message = messageForLogs(failure);
    log.error({ action: data.action, code }, message);
    response.status(status).json({ code, message });
  }
}

function codeOf(error: unknown): readonly [status: number, code: string] {
  if (error instanceof LeaseLostError) return [409, "lease-lost"];
  if (error instanceof SnapshotGoneError) return [410, "snapshot-gone"];
  if (error instanceof NothingToRetrainError) return [422, "nothing-to-retrain"];
  if (error instanceof NotTrainedError) return [422, "not-trained"];
  return [500, "failed"];
}

async function answer(asked: Request): Promise<unknown> {
  const stores = await openStores(retrainContract, env);
  const warehouse = await openTables(retrainContract, env);
  const { reports } = stores;
  try {
    if (asked.action === "begin") return await begin(asked, stores, warehouse);
    if (asked.action === "give-up") {
      const run = await giveUpRun({ workspace: { warehouse, buckets: stores } }, "A person gave it up.", asked.owner);
      return run === undefined ? { ended: false, reason: "There is no run to give up." } : { ended: true, run };
    }
    const { run: name, owner, token } = asked;
    const run = await OwnedRun.continued(reports, name, owner, token);
    if (asked.action === "end") {
      await run.lease.giveBack();
      return { ended: true };
    }
    // A machine is told what it may learn from once that is known.
    const order = run.of("preprocess") ? orderOf(run) : null;
    if (asked.action === "renew") return { order };
    return await run.lease.during(async (signal) => {
      const feedback = {
        ...FEEDBACK,
        takeIn: async (objects: readonly string[], stop: AbortSignal) => {
          const missing = await awaitIngested(warehouse, objects, stop);
          if (missing.length > 0)
            log.warn(
              { objects: missing.length },
              "What landed by feedback is not ingested yet: the next run learns from it.",
            );
        },
      };
      const context: RetrainContext = {
        feedback,
        workspace: { directory: "/tmp", warehouse, buckets: stores },
        ...{ seed: run.begin.seed, log, progress: silentProgress, signal },
      };
      const result = await doStep(context, run, asked.step, OWN_WORK[asked.step]);
      return { result, order: run.of("preprocess") ? orderOf(run) : null };
    });
  } finally {
    await warehouse.close();
  }
}

type Stores = Awaited<ReturnType<typeof openStores<typeof retrainContract>>>;
type Tables = Awaited<ReturnType<typeof openTables>>;

async function begin(
  { owner, trigger }: Extract<Request, { action: "begin" }>,
  { models, reports }: Stores,
  warehouse: Tables,
): Promise<unknown> {
  const now = new Date();
  const unfinished = await OwnedRun.unfinished(reports);
  const { EVERY_DAYS: everyDays, NEW_SCANS: newScans, ON_ALARM: onAlarm } = env;
  const rules = { everyDays, newScans, onAlarm: onAlarm === "yes", feedback: FEEDBACK };
  const states =
    unfinished || trigger === "person" ? [] : await checkTriggers({ warehouse, models, reports }, rules, now);
  const due = states.find((state) => state.fires && (trigger === "auto" || state.trigger === trigger));
  const reason = trigger === "person" ? "A person asked for it." : (unfinished?.begin.reason ?? due?.reason);
  if (reason === undefined)
    return { begun: false, reason: states.map((state) => `${state.trigger}: ${state.reason}`).join(" ") };
  const lease = await OwnedRun.lease(reports, owner);
  if ("until" in lease)
    return { begun: false, reason: `Another retraining is at work: its lease ends at ${lease.until} at the latest.` };
  const by = due?.trigger ?? (trigger === "auto" ? "schedule" : trigger);
  const run = await OwnedRun.open(
    reports,
    lease,
    { trigger: by, reason, seed: env.SEED, at: now.toISOString() },
    // Another may have ended it before the lease was had.
    await OwnedRun.unfinished(reports),
  );
  const done = RETRAIN_STEPS.map(({ name }) => name).filter((name) => run.of(name) !== undefined);
  return { begun: true, run: run.run, token: lease.token, resumed: run.isResumed, reason: run.begin.reason, done };
}
