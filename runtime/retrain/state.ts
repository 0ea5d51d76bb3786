import { randomBytes } from "node:crypto";
import { z } from "zod";
import { DAY_MS } from "../platform/day";
import { Lease, type LeaseTaken } from "../platform/lease";
import { type ObjectStore, type ReadableStore, readJson, tryToCreate } from "../platform/stores";
import { RETRAINING, RUN_NAME } from "../registry";

import { LEASE_SECONDS, RETRAIN_STEPS, type RetrainStepName, TRIGGERS } from "./contract";

/*
 * What is known of a run lies below reports/retraining/RUN/: begin.json, an object a step, and owners/. Objects are
 * created and never replaced; the lease alone is. A run whose last step is there is over.
 */

const LEASE = `${RETRAINING}lease.json`;
const LEASE_MS = LEASE_SECONDS * 1000;

const beginSchema = z.object({
  trigger: z.enum(TRIGGERS),
  /** Why it was started, as a sentence. */
  reason: z.string(),
  seed: z.number().int().nonnegative(),
  /** Of training, where they were given. */
  epochs: z.number().int().positive().optional(),
  backend: z.string().optional(),
  teacher: z
    .object({
      backbone: z.string(),
      epochs: z.number().int().positive().optional(),
      /** Absent: the pupil. */
      serves: z.enum(["pupil", "teacher"]).optional(),
    })
    .optional(),
  /** ISO 8601. */
  at: z.string(),
});
/** How a run began: whoever goes on with it goes on with this. */
export type Begin = z.infer<typeof beginSchema>;

const resultSchema = z.object({
  step: z.string(),
  /** Of the lease under which it was done. */
  token: z.number(),
  seconds: z.number(),
  /** ISO 8601. */
  at: z.string(),
  result: z.unknown(),
});
type StepResult = z.infer<typeof resultSchema>;

const ownerSchema = z.object({
  token: z.number(),
  owner: z.string(),
  /** Names of the objects that there were: what another adds later under an older lease does not count. */
  found: z.array(z.string()),
});

/** A run as it is known to one who may only look. */
export interface KnownRun {
  readonly run: string;
  readonly begin: Begin;
  /** What each step that is done came to, by its name. */
  readonly steps: ReadonlyMap<RetrainStepName, StepResult>;
}

const LAST = RETRAIN_STEPS[RETRAIN_STEPS.length - 1]?.name as RetrainStepName;
export const isOver = ({ steps }: Pick<KnownRun, "steps">): boolean => steps.has(LAST);

/** What came of it: the model of the run is current, or the one before stayed, or the run was given up. */
export const OUTCOMES = ["promoted", "kept", "given-up"] as const;
export type Outcome = (typeof OUTCOMES)[number];
const recordSchema = z.object({ outcome: z.enum(OUTCOMES) });

/** Undefined of a run that is not over. */
export const outcomeOf = ({ steps }: Pick<KnownRun, "steps">): Outcome | undefined =>
  recordSchema.safeParse(steps.get(LAST)?.result).data?.outcome;

const at = (run: string, name: string) => `${RETRAINING}${run}/${name}`;
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
const AS_JSON = { contentType: "application/json" };

/** Runs, the newest first. */
export async function runNames(reports: ReadableStore): Promise<string[]> {
  const names = new Set<string>();
  const latest = nameOf(new Date(Date.now() + DAY_MS));
  for await (const { name } of reports.listAll(RETRAINING)) {
    const [run = "", file] = name.slice(RETRAINING.length).split("/");
    // One that is yet to come was named by a clock that was wrong, or by somebody who wants to be the newest for good.
    if (file === "begin.json" && RUN_NAME.test(run) && run < latest) names.add(run);
  }
  return [...names].sort().reverse();
}

/** What is known of a run, and counts. */
export async function readRun(reports: ReadableStore, run: string): Promise<KnownRun> {
  const parsed = async <T>(name: string, schema: z.ZodType<T>) => {
    try {
      return schema.parse(await readJson(reports, at(run, name)));
    } catch (error) {
      throw new Error(`${reports.uri}/${at(run, name)} is damaged: put its first generation back, or take it away.`, {
        cause: error,
      });
    }
  };
  const owners: z.infer<typeof ownerSchema>[] = [];
  const objects: string[] = [];
  for await (const { name } of reports.listAll(`${RETRAINING}${run}/`)) {
    const file = name.slice(`${RETRAINING}${run}/`.length);
    if (file.startsWith("owners/")) owners.push(await parsed(file, ownerSchema));
    else objects.push(file);
  }
  const steps = new Map<RetrainStepName, StepResult>();
  for (const { name } of RETRAIN_STEPS)
    for (const file of objects.filter(
      (one) => one === `${name}.json` || new RegExp(`^${name}\\.\\d+\\.json$`).test(one),
    )) {
      const result = await parsed(file, resultSchema);
      if (owners.every(({ token, found }) => token <= result.token || found.includes(file))) steps.set(name, result);
    }
  return { run, begin: await parsed("begin.json", beginSchema), steps };
}

/** A run in the hands of the one who has the lease. */
export class OwnedRun {
  private constructor(
    private readonly reports: ObjectStore,
    readonly lease: Lease,
    private known: KnownRun,
  ) {}

  get run(): string {
    return this.known.run;
  }

  get begin(): Begin {
    return this.known.begin;
  }

  /** Whether an earlier runner had begun it. */
  get isResumed(): boolean {
    return this.resumed;
  }

  private resumed = false;

  /** The right to retrain, or until when another has it. @param takeOver whether it is taken from him all the same */
  static lease(reports: ObjectStore, owner?: string, takeOver = false): Promise<Lease | LeaseTaken> {
    return Lease.take(reports, LEASE, { lastsMs: LEASE_MS, takeOver, ...(owner === undefined ? {} : { owner }) });
  }

  /** The newest run that is not over; undefined where there is none. */
  static async unfinished(reports: ObjectStore): Promise<KnownRun | undefined> {
    const [newest] = await runNames(reports);
    if (newest === undefined) return undefined;
    const known = await readRun(reports, newest);
    return isOver(known) ? undefined : known;
  }

  /** Goes on with a run, or begins one. From here on, what an earlier holder of the lease adds does not count. */
  static async open(reports: ObjectStore, lease: Lease, begin: Begin, unfinished?: KnownRun): Promise<OwnedRun> {
    const run = unfinished?.run ?? nameOf(new Date(begin.at));
    if (!unfinished) await reports.create(at(run, "begin.json"), json(begin), AS_JSON);
    const found: string[] = [];
    for await (const { name } of reports.listAll(`${RETRAINING}${run}/`))
      found.push(name.slice(`${RETRAINING}${run}/`.length));
    const mark = json({ token: lease.token, owner: lease.owner, found });
    await tryToCreate(reports, at(run, `owners/${lease.token}.json`), mark, AS_JSON);
    const opened = new OwnedRun(reports, lease, await readRun(reports, run));
    opened.resumed = unfinished !== undefined;
    return opened;
  }

  /**
   * A run that this owner opened in another process.
   * @throws {LeaseLostError}
   */
  static async continued(reports: ObjectStore, run: string, owner: string, token: number): Promise<OwnedRun> {
    const lease = await Lease.continued(reports, LEASE, owner, token);
    return new OwnedRun(reports, lease, await readRun(reports, run));
  }

  /** What a step that is done came to. */
  of(step: RetrainStepName): StepResult | undefined {
    return this.known.steps.get(step);
  }

  /**
   * Writes down what a step came to.
   * @throws {LeaseLostError} if another has the lease
   */
  async write(step: RetrainStepName, result: unknown, seconds: number): Promise<StepResult> {
    await this.lease.renew();
    const done: StepResult = { step, token: this.lease.token, seconds, at: new Date().toISOString(), result };
    // The usual name may be taken by what one who had lost the lease wrote all the same.
    for (let n = 1; ; n++) {
      const name = n === 1 ? `${step}.json` : `${step}.${n}.json`;
      if (await tryToCreate(this.reports, at(this.run, name), json(done), AS_JSON)) break;
      this.known = await readRun(this.reports, this.run);
      const there = this.of(step);
      if (there) return there;
    }
    const steps = new Map(this.known.steps).set(step, done);
    this.known = { ...this.known, steps };
    return done;
  }

  /** Keeps an object of the run beside its state, once. */
  async keep(name: string, value: unknown): Promise<void> {
    await tryToCreate(this.reports, at(this.run, name), JSON.stringify(value), AS_JSON);
  }

  /** An object that was kept; undefined where there is none. */
  async kept(name: string): Promise<unknown> {
    if (!(await this.reports.stat(at(this.run, name)))) return undefined;
    return readJson(this.reports, at(this.run, name));
  }
}

/** Until when somebody retrains, ISO 8601; undefined where nobody does. */
export const workedOnUntil = (reports: ReadableStore): Promise<string | undefined> => Lease.heldUntil(reports, LEASE);

function nameOf(now: Date): string {
  const digits = now.toISOString().replace(/[-:]/g, "").slice(0, 15).replace("T", "-");
  return `${digits}-${randomBytes(3).toString("hex")}`;
}
