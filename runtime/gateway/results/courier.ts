import { createHash } from "node:crypto";
import type { ColourPicture } from "../../exchange";
import { decodeColourPng } from "../../imaging";
import { DAY_MS } from "../../platform/day";
import { withDeadline } from "../../platform/deadline";
import type { Logger } from "../../platform/logging";
import { ObjectNotFoundError, type ReadableStore } from "../../platform/stores";
import { DamagedStudyAnswer, readStudyAnswer, type StudyAnswer, studyObject, studyOverlay } from "../../study";
import type { Mapping, StudyAtHome } from "../mapping";
import type { Destination } from "./destinations";
import { type Job, nameOf, type Outbox, type Seen } from "./outbox";
import { NotAtHomeError, RefusedError, reportedStudy } from "./report";

export interface CourierOptions {
  readonly mapping: Mapping;
  readonly outbox: Outbox;
  /** Where answers of studies lie; read by name, and not listed. */
  readonly reports: Pick<ReadableStore, "read">;
  readonly destinations: readonly Destination[];
  /** Also answers of models that are not fit for use, which say so. */
  readonly unfit: boolean;
  /** Seconds between two looks for answers of a study that has just landed. */
  readonly lookSeconds: number;
  /** Hours after which a study is handed on although some of its slices are not answered. */
  readonly incompleteHours: number;
  readonly log: Logger;
}

const HOUR_MS = 3_600_000;
/** Studies are looked for so long after their last slice has landed, and the seldomer the older they are. */
const LOOKED_FOR_MS = 30 * DAY_MS;
const SELDOMER = 20;
/** Between two attempts at one answer. */
const AGAIN_MS = { first: 1_000, longest: 300_000 } as const;
const LEAST_PAUSE_MS = 250;
/** After which an answer that nobody took is given up. */
const GIVEN_UP_MS = 7 * DAY_MS;
/** Of one destination, one after the other: then the others of it wait for its next turn. */
const FAILURES_IN_A_ROW = 3;
const READ_MS = 60_000;
/** Of an overlay, at most 1,024 by 1,024 pixels: what is larger was not drawn by score. */
const OVERLAY = { bytes: 8 * 2 ** 20, pixels: 2 ** 20 } as const;

/**
 * Fetches the answers of the studies that this gateway has sent, and hands each on to every destination: once the slices
 * that were sent are answered, under the hospital's own identifiers. What is to be handed on is on the disk before it is
 * noted that it was seen, and noted as sent once its receiver has said so; whoever dies between sends again, the same
 * document under the same identifiers.
 */
export class Courier {
  private readonly stopping = new AbortController();
  private readonly lookAt = new Map<string, number>();
  private readonly tryAt = new Map<string, number>();
  /** What is at work, by destination: one that is silent holds up no other. */
  private readonly serving = new Map<string, Promise<void>>();
  private running: Promise<void> | undefined;
  private wakeUp: (() => void) | undefined;
  /** Told to look again while it was awake. */
  private woken = false;

  constructor(private readonly options: CourierOptions) {}

  start(): void {
    this.running ??= this.run();
  }

  /** Begins nothing any more; what is being sent is broken off. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.running;
    await Promise.all(this.serving.values());
  }

  private async run(): Promise<void> {
    const { log, lookSeconds } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.look();
        await this.deliver();
      } catch (err) {
        if (!signal.aborted) log.error({ err }, "answers cannot be fetched or handed on just now");
      }
      const next = Math.min(lookSeconds * 1000, ...[...this.tryAt.values()].map((at) => at - Date.now()));
      // What is due may wait for a destination that is at work.
      await this.sleep(Math.max(LEAST_PAUSE_MS, next));
    }
  }

  /** Looks for new answers of the studies that are due. */
  private async look(): Promise<void> {
    const { mapping, log, lookSeconds } = this.options;
    let unanswered = 0;
    for (const study of await mapping.studies()) {
      if (this.stopping.signal.aborted) return;
      if ((this.lookAt.get(study) ?? 0) > Date.now()) continue;
      const home = await mapping.atHome(study);
      const last = Math.max(0, ...home.landed.values());
      const age = Date.now() - last;
      if (last > 0 && age > LOOKED_FOR_MS) {
        this.lookAt.set(study, Date.now() + DAY_MS);
        continue;
      }
      this.lookAt.set(study, Date.now() + Math.max(lookSeconds * 1000, age / SELDOMER));
      // Nothing of it has left: it cannot be answered.
      if (last === 0) {
        this.lookAt.delete(study);
        continue;
      }
      try {
        if (!(await this.take(study, home, age)) && age > HOUR_MS) unanswered++;
      } catch (err) {
        log.warn({ err, study }, "the answers of a study cannot be read; it is tried again");
      }
    }
    if (unanswered > 0)
      log.info(
        { studies: unanswered },
        "studies that landed more than an hour ago have no answer that may be read yet",
      );
  }

  /** @returns whether the study has any answer */
  private async take(study: string, home: StudyAtHome, age: number): Promise<boolean> {
    const { outbox, destinations, unfit, incompleteHours, log } = this.options;
    const seen = await outbox.seen(study);
    const { answer, revision } = await this.newest(study, seen.revision);
    if (revision === seen.revision) {
      if (revision === 0) return false;
      // What was looked at is gone where the cloud forgot of it: its numbers begin anew.
      if ((await this.read(studyObject(study, revision))) !== undefined) return true;
      await outbox.see(study, { revision: 0, pictures: seen.pictures });
      log.info({ study, revision }, "the answers of a study are gone; they are looked at from the first");
      return false;
    }
    const answered = new Set(answer?.slices.map(({ instance }) => instance));
    const complete = [...home.landed.keys()].every((instance) => answered.has(instance));
    // A further answer will come, or the time.
    if (answer && !complete && age < incompleteHours * HOUR_MS) {
      log.debug({ study, revision }, "not all slices of a study are answered yet");
      return true;
    }
    const why = !answer ? "damaged" : whyKept(answer, seen, unfit);
    if (answer && why === undefined) {
      const since = Date.now();
      for (const { id } of destinations) await outbox.add({ to: id, answer, since, attempts: 0 });
      log.info({ study, revision, slices: answer.slices.length, complete }, "a study is answered");
    } else log.info({ study, revision, why }, "an answer is not handed on");
    const pictures = answer && why === undefined ? [...seen.pictures, answer.pictures] : seen.pictures;
    await outbox.see(study, { revision, pictures });
    return true;
  }

  /** The newest answer behind one, of which the older ones say less. */
  private async newest(study: string, after: number): Promise<{ answer: StudyAnswer | undefined; revision: number }> {
    let answer: StudyAnswer | undefined;
    for (let revision = after; ; revision++) {
      const bytes = await this.read(studyObject(study, revision + 1));
      if (bytes === undefined) return { answer, revision };
      try {
        answer = readStudyAnswer(bytes, study, revision + 1);
      } catch (error) {
        if (!(error instanceof DamagedStudyAnswer)) throw error;
        this.options.log.warn({ study, revision: revision + 1 }, "an answer is damaged and passed over");
      }
    }
  }

  /** The picture of an answer. @throws {RefusedError} where there is none, or another */
  private async overlayOf({ study, overlay }: StudyAnswer): Promise<ColourPicture> {
    if (overlay === null)
      throw new RefusedError("It has no overlay: an earlier version answered, which drew none of studies.");
    const bytes = await this.read(studyOverlay(study, overlay), OVERLAY.bytes);
    // It was there before the answer. Who may not list is not told whether it is gone or may not be read.
    if (bytes === undefined) throw new Error("the overlay of the study is gone, or may not be read");
    const damaged = () => new RefusedError("Its overlay is not as it was drawn.");
    if (createHash("sha256").update(bytes).digest("hex") !== overlay) throw damaged();
    const { width, height, samples } = await decodeColourPng(bytes, OVERLAY.pixels).catch(() => {
      throw damaged();
    });
    return { width, height, rgb: samples };
  }

  private async read(name: string, atMost?: number): Promise<Buffer | undefined> {
    try {
      return await withDeadline(
        READ_MS,
        this.options.reports.read(name, atMost === undefined ? {} : { atMost }),
        () => new Error("The reports did not answer in a minute."),
      );
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return undefined;
      // Who may read by name and not list is told this of what is not there.
      if ((error as { readonly code?: unknown }).code === 403) return undefined;
      throw error;
    }
  }

  private async deliver(): Promise<void> {
    const { outbox, destinations, log } = this.options;
    // What these hand on while the queue is read stands in what was read, and is done by then.
    const busy = new Set(this.serving.keys());
    const { jobs, damaged } = await outbox.waiting();
    if (damaged.length > 0) log.warn({ files: damaged.length }, "files in queue/ are none of answers, and stay there");
    const waiting = new Set(jobs.map(nameOf));
    for (const name of this.tryAt.keys()) if (!waiting.has(name)) this.tryAt.delete(name);
    for (const destination of destinations) {
      const { id } = destination;
      if (busy.has(id)) continue;
      const work = this.serve(
        destination,
        jobs.filter(({ to }) => to === id),
      )
        .catch((err) => log.error({ err, to: destination.uri }, "answers cannot be handed on just now"))
        .finally(() => {
          this.serving.delete(id);
          this.wake();
        });
      this.serving.set(id, work);
    }
  }

  private async serve(destination: Destination, jobs: readonly Job[]): Promise<void> {
    const { log } = this.options;
    let inARow = 0;
    let sent = 0;
    for (const job of jobs) {
      if (this.stopping.signal.aborted) return;
      if ((this.tryAt.get(nameOf(job)) ?? 0) > Date.now()) continue;
      // Not tried: it waits as long as the one before.
      if (inARow >= FAILURES_IN_A_ROW) {
        this.tryAt.set(nameOf(job), Date.now() + pauseAfter(inARow));
        continue;
      }
      if (await this.settle(destination, job)) {
        inARow = 0;
        sent++;
      } else inARow++;
    }
    if (sent > 0) log.info({ to: destination.uri, answers: sent }, "handed on");
  }

  /** @returns false where it failed and is tried again */
  private async settle(destination: Destination, job: Job): Promise<boolean> {
    const { mapping, outbox, log } = this.options;
    const { study, revision } = job.answer;
    try {
      const report = reportedStudy(job.answer, await mapping.atHome(study));
      await destination.send({ report, overlay: () => this.overlayOf(job.answer) }, this.stopping.signal);
      await outbox.sent(job);
      this.tryAt.delete(nameOf(job));
      return true;
    } catch (err) {
      if (this.stopping.signal.aborted) return false;
      const refused = err instanceof RefusedError || err instanceof NotAtHomeError;
      const late = Date.now() - job.since > GIVEN_UP_MS;
      if (refused || late) {
        const reason = refused ? err.message : `Nobody took it for a week, in ${job.attempts + 1} attempts.`;
        await outbox.giveUp(job, reason);
        this.tryAt.delete(nameOf(job));
        log.error({ study, revision, to: destination.uri }, `an answer is given up: ${reason}`);
        return true;
      }
      await outbox.failed(job);
      this.tryAt.set(nameOf(job), Date.now() + pauseAfter(job.attempts));
      log.warn({ err, study, revision, to: destination.uri }, "an answer waits; it is tried again");
      return false;
    }
  }

  private wake(): void {
    if (this.wakeUp) this.wakeUp();
    else this.woken = true;
  }

  private async sleep(ms: number): Promise<void> {
    const woken = this.woken;
    this.woken = false;
    if (woken || this.stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}

/** Doubled with each attempt; a random half of it is left out, so that not all come at once. */
const pauseAfter = (attempts: number): number =>
  Math.min(AGAIN_MS.longest, AGAIN_MS.first * 2 ** Math.min(attempts, 20)) * (0.5 + Math.random() / 2);

/** Why an answer is not handed on; undefined where it is. */
function whyKept({ pictures, verdict }: StudyAnswer, seen: Seen, unfit: boolean): string | undefined {
  // What the hospital was told of these slices stays; another model's answer stands on the dashboard.
  if (seen.pictures.includes(pictures)) return "of slices that were answered before";
  if (!verdict.fit && !unfit) return "the model is not fit for use";
  return undefined;
}
