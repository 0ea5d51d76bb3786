import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyBaseLogger } from "fastify";
import { type ImageLimits, RejectedImage } from "../imaging";
import type { ScoredScan } from "../model";
import type { Logger } from "../platform/logging";
import type { Row, Warehouse } from "../platform/warehouse";
import type { Audit, Caller } from "./identity";
import type { ModelSlot } from "./model-slot";
import type { Queue } from "./queue";
import type { Scorer } from "./scoring";

/** Scans that wait for the model beside at most, and how many bytes they have together. */
const PLACES = 8;
/** How often it is looked whether a thread is free, milliseconds. */
const LOOK = 20;

/** An answer that was given, or the refusal of a scan by the model: what the model beside is compared with. */
export interface Answered extends Caller {
  readonly request: string;
  readonly bytes: Buffer;
  /** Of several pages, or very many pixels. */
  readonly large: boolean;
  readonly model: string;
  /** Undefined where the model refused the scan. */
  readonly scored: Pick<ScoredScan, "sha256" | "probability" | "decision"> | undefined;
  /** Decoding and answering alone. */
  readonly milliseconds: number | undefined;
}

/** What became of scans since the process began. */
export interface ShadowCounts {
  compared: number;
  /** Not looked at, because answers go first. */
  dropped: number;
  /** The model gave nothing, or what it gave could not be written down. */
  failed: number;
}

export interface ShadowDependencies {
  /** The model beside. It has one thread of its own. */
  readonly slot: ModelSlot;
  /** Where answers wait for their turn. */
  readonly queue: Pick<Queue, "size" | "lanes">;
  readonly warehouse: Pick<Warehouse, "append">;
  readonly audit: Audit;
  readonly log: Logger | FastifyBaseLogger;
  readonly limits: Partial<ImageLimits> & { readonly bytes: number };
  /** What an answer may take; the model beside fails where it takes longer. */
  readonly deadlineSeconds: number;
}

/**
 * Asks a second model for what was answered by the first, to compare the two: nobody is told what it says. Answers go
 * first. A scan is looked at after its answer was given, one at a time, by one thread, and begun only while a thread that
 * answers is free: what an answer can lose is a share of a core for the rest of one scan of a page. Scans of several pages,
 * and those that come while others wait or while the server is busy for longer than an answer may take, are left out
 * and counted. Nothing here fails an answer.
 */
export class Shadow {
  readonly counts: ShadowCounts = { compared: 0, dropped: 0, failed: 0 };
  private readonly waiting: Answered[] = [];
  private bytes = 0;
  private working: Promise<void> | undefined;
  private readonly ended = new AbortController();

  constructor(private readonly dependencies: ShadowDependencies) {}

  /** The model beside, once it is loaded. */
  get model(): string | undefined {
    return this.dependencies.slot.current?.metadata.id;
  }

  /** Why there is none. */
  get problem(): string | undefined {
    return this.dependencies.slot.problem;
  }

  /** Takes a scan that was answered, or leaves it out. Never throws. */
  offer(answered: Answered): void {
    // The one that answers has been promoted meanwhile: there is nothing to compare it with.
    if (this.model === answered.model) return;
    const { limits } = this.dependencies;
    const full = this.waiting.length >= PLACES || this.bytes + answered.bytes.length > limits.bytes;
    if (answered.large || full || this.model === undefined || this.ended.signal.aborted) {
      this.counts.dropped++;
      return;
    }
    // A copy: the bytes may be a view of a request's whole body, which would be kept as long as they wait.
    this.waiting.push({ ...answered, bytes: Buffer.from(answered.bytes) });
    this.bytes += answered.bytes.length;
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
  }

  /** Drops what waits, and resolves once nothing is written any more. */
  async end(): Promise<void> {
    this.ended.abort();
    await this.working;
  }

  private async work(): Promise<void> {
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      this.bytes -= next.bytes.length;
      if (!(await this.hasTurn())) {
        this.counts.dropped++;
        continue;
      }
      await this.compare(next).then(
        (compared) => {
          if (compared) this.counts[compared]++;
        },
        (error: unknown) => {
          this.counts.failed++;
          const { request } = next;
          this.dependencies.log.warn({ err: error, request }, "What the model beside says cannot be written down");
        },
      );
    }
  }

  /** Whether a thread that answers was free within the time that an answer may take. */
  private async hasTurn(): Promise<boolean> {
    const { queue, deadlineSeconds } = this.dependencies;
    const end = performance.now() + deadlineSeconds * 1000;
    const { signal } = this.ended;
    while (!signal.aborted && queue.size >= queue.lanes && performance.now() < end)
      await sleep(LOOK, undefined, { signal }).catch(() => undefined);
    return !signal.aborted && queue.size < queue.lanes;
  }

  /** @returns undefined where there was nothing to compare */
  private async compare(answered: Answered): Promise<"compared" | "failed" | "dropped" | undefined> {
    const { slot, warehouse, audit, log } = this.dependencies;
    const { request, who, role, model, scored, milliseconds } = answered;
    const beside = await slot.use(async (scorer) =>
      scorer.metadata.id === model ? undefined : { scorer, ...(await this.ask(scorer, answered)) },
    );
    if (!beside) return undefined;
    const { scorer, decision, its, error } = beside;
    // It was stopped, and did not fail.
    if (decision === "Failed" && this.ended.signal.aborted) return "dropped";
    if (error) log.warn({ err: error, request, model: scorer.metadata.id }, "The model beside gave nothing");
    const row: Row<"shadows"> = {
      request,
      sha256: scored?.sha256 ?? its?.sha256 ?? null,
      model,
      shadow: scorer.metadata.id,
      decision: scored?.decision ?? "Rejected",
      shadow_decision: decision,
      probability: scored?.probability ?? null,
      shadow_probability: its?.probability ?? null,
      milliseconds: milliseconds ?? null,
      shadow_milliseconds: its ? beside.milliseconds : null,
      compared_at: new Date().toISOString(),
    };
    await audit.record({
      ...{ action: "shadow", who, role, request, servedAs: "shadow" },
      ...{ subject: its?.id ?? null, sha256: row.sha256, model: row.shadow, recipe: scorer.metadata.recipe },
      result: decision,
    });
    await warehouse.append("shadows", request, [row], { unique: true });
    return decision === "Failed" ? "failed" : "compared";
  }

  private async ask(scorer: Scorer, { bytes }: Answered) {
    const { limits, deadlineSeconds } = this.dependencies;
    const begun = performance.now();
    const took = () => Math.round(performance.now() - begun);
    try {
      const signal = AbortSignal.any([this.ended.signal, AbortSignal.timeout(deadlineSeconds * 1000)]);
      const its = await scorer.score(bytes, { limits, signal });
      return { its, decision: its.decision, milliseconds: took(), error: undefined };
    } catch (error) {
      const refused = error instanceof RejectedImage;
      return {
        its: undefined,
        decision: refused ? "Rejected" : "Failed",
        milliseconds: took(),
        error: refused ? undefined : error,
      };
    }
  }
}
