import { withDeadline } from "../platform/deadline";
import type { Logger } from "../platform/logging";
import { type CreatableStore, PreconditionFailedError, type ReadableStore } from "../platform/stores";
import type { Mapping } from "./mapping";
import { type Prepared, RefusedInstance } from "./prepare";
import type { Refusal, Spool } from "./spool";
import { Turns } from "./turns";

export interface ForwarderOptions {
  readonly spool: Spool;
  readonly mapping: Mapping;
  /** Landing. */
  readonly store: CreatableStore & Pick<ReadableStore, "stat">;
  /** @throws {RefusedInstance} */
  prepare(path: string): Promise<Prepared>;
  readonly log: Logger;
}

/** What became of an instance. */
type Outcome = "landed" | "there already" | "refused" | "waits";

/** Instances on their way to landing at the same time. */
const SIDE_BY_SIDE = 4;
/** Failures one after the other, after which the rest is not tried until the pause is over. */
const FAILURES_IN_A_ROW = 4;
const PAUSE_MS = { first: 1_000, longest: 300_000 } as const;
/** The folder is looked into without being told: somebody may have put a refused one back. */
const LOOK_MS = 60_000;
/** For one upload: a network that swallows packets tells nobody. What arrives late finds its own name taken. */
const UPLOAD_MS = 300_000;

/**
 * Brings what waits in the spool to landing: de-identified, its names recorded at home first, then created once, then removed
 * here. Each step can be repeated, so that a death between any two loses nothing and lands nothing twice.
 */
export class Forwarder {
  private readonly turns = new Turns();
  private readonly failures = new Map<string, number>();
  private inARow = 0;
  private stopped = false;
  private wakeUp: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private woken = false;

  constructor(private readonly options: ForwarderOptions) {}

  start(): void {
    this.running ??= this.run();
  }

  /** There is something new. */
  wake(): void {
    this.woken = true;
    this.wakeUp?.();
  }

  /** Begins nothing any more; ends when what is under way has ended, or was given up. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.wakeUp?.();
    await this.running;
  }

  private async run(): Promise<void> {
    let pause = 0;
    while (!this.stopped) {
      this.woken = false;
      const failed = await this.round();
      if (failed) {
        pause = Math.min(PAUSE_MS.longest, Math.max(PAUSE_MS.first, pause * 2));
        // News do not shorten it: they would fail as well.
        await this.sleep(pause * (0.5 + Math.random() / 2), false);
      } else {
        pause = 0;
        if (!this.woken) await this.sleep(LOOK_MS, true);
      }
    }
  }

  /** @returns whether something failed that is to be tried again */
  private async round(): Promise<boolean> {
    const { spool, log } = this.options;
    const counts: Record<Outcome, number> = { landed: 0, "there already": 0, refused: 0, waits: 0 };
    this.inARow = 0;
    try {
      const queue = (await this.inOrder(await spool.waiting())).values();
      const work = async () => {
        for (const name of queue) {
          if (this.stopped || this.inARow >= FAILURES_IN_A_ROW) return;
          counts[await this.settle(name)]++;
        }
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
    } catch (err) {
      log.error({ err }, "the spool cannot be read");
      return true;
    }
    if (counts.landed + counts["there already"] + counts.refused > 0)
      log.info({ landed: counts.landed, repeated: counts["there already"], refused: counts.refused }, "forwarded");
    return counts.waits > 0;
  }

  /** Those that failed come last, so that one that fails for ever holds up no other. */
  private async inOrder(names: readonly string[]): Promise<string[]> {
    const there = new Set(names);
    for (const name of this.failures.keys()) if (!there.has(name)) this.failures.delete(name);
    const failures = (name: string) => this.failures.get(name) ?? 0;
    return [...names].sort((a, b) => failures(a) - failures(b));
  }

  /** Never throws. */
  private async settle(name: string): Promise<Outcome> {
    const { log } = this.options;
    try {
      const outcome = await this.forward(name);
      this.inARow = 0;
      return outcome;
    } catch (err) {
      this.inARow++;
      this.failures.set(name, (this.failures.get(name) ?? 0) + 1);
      log.warn({ err, entry: name }, "an instance waits; it is tried again");
      return "waits";
    }
  }

  private async forward(name: string): Promise<Outcome> {
    const { spool } = this.options;
    let prepared: Prepared;
    try {
      prepared = await this.options.prepare(spool.path(name));
    } catch (error) {
      if (error instanceof RefusedInstance) return this.refuse(name, error.refusal);
      throw error;
    }
    return this.turns.take(prepared.record.instance, () => this.land(name, prepared));
  }

  private async land(name: string, { bytes, crc32c, object, record }: Prepared): Promise<Outcome> {
    const { spool, mapping } = this.options;
    const known = await mapping.find(record.study, record.instance);
    if (known && known.sha256 !== record.sha256) return this.refuse(name, ANOTHER_FILE);
    if (known?.landed) {
      await spool.remove(name);
      return "there already";
    }
    if (!known) await mapping.add({ ...record, recorded: new Date().toISOString() });
    if (!(await this.create(object, bytes, crc32c))) return this.refuse(name, ANOTHER_FILE);
    await mapping.landed(record.study, record.instance, object);
    await spool.remove(name);
    return "landed";
  }

  /** @returns whether landing has it now; not where another file has its name */
  private async create(object: string, bytes: Uint8Array, crc32c: string): Promise<boolean> {
    const { store } = this.options;
    try {
      await inTime(
        store.create(object, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), {
          crc32c,
          contentType: "application/dicom",
        }),
      );
      return true;
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
      // An earlier attempt whose answer was lost; or somebody else's.
      const there = await inTime(store.stat(object));
      if (there === undefined) throw error;
      return there.size === bytes.length && there.crc32c === crc32c;
    }
  }

  private async refuse(name: string, refusal: Refusal): Promise<Outcome> {
    const { spool, log } = this.options;
    await spool.refuse(name, refusal);
    log.warn({ entry: name, code: refusal.code }, refusal.message);
    return "refused";
  }

  private async sleep(ms: number, untilWoken: boolean): Promise<void> {
    if (this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        if (!untilWoken && !this.stopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}

const ANOTHER_FILE: Refusal = {
  code: "another-file",
  message: "Another file of this SOP instance was sent before, and that one counts.",
};

const inTime = <T>(work: Promise<T>) =>
  withDeadline(UPLOAD_MS, work, () => new Error("Landing did not answer in five minutes."));
