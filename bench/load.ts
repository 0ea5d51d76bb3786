import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** What a server is asked for, and how often. */
export interface LoadPlan {
  /** Of one server, or of several that share the load evenly. */
  readonly urls: readonly string[];
  readonly scans: ScanFolder;
  /** Asks for the overlay of every answer too. */
  readonly overlay: boolean;
  /**
   * `connections` of which each sends its next request when it has the answer to the one before, and `answers` of each;
   * or so many answers a second for so many seconds, asked for at even intervals whatever becomes of those before.
   */
  readonly how:
    | { readonly connections: number; readonly answers: number }
    | { readonly rate: number; readonly seconds: number };
}

/** Files `0.png`, `1.png`, ...; they are sent in turn from `from` on, and again from the first one after the last. */
export interface ScanFolder {
  readonly folder: string;
  readonly count: number;
  readonly from: number;
}

const latenciesSchema = z.object({ p50: z.number(), p99: z.number(), longest: z.number() }).nullable();
/** Milliseconds; null where nothing was measured. */
export type Latencies = z.infer<typeof latenciesSchema>;

export const loadSchema = z.object({
  /** From the first request to the last response. */
  seconds: z.number(),
  answers: z.number(),
  /** 503: sent away because it is busy, or because the answer would have come too late. */
  refused: z.number(),
  /** Everything else that was no answer. */
  failed: z.number(),
  /** What the first of these said. */
  failure: z.string().optional(),
  answered: latenciesSchema,
  drawn: latenciesSchema,
});
export type LoadMeasurement = z.infer<typeof loadSchema>;

/** @param share of them that took no longer, 0 to 1 */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function latenciesOf(milliseconds: readonly number[]): Latencies {
  if (milliseconds.length === 0) return null;
  const sorted = [...milliseconds].sort((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), longest: sorted.at(-1) as number };
}

/** Undefined of a body that broke off: it is no JSON. */
function overlayIn(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { overlay: string }).overlay;
  } catch {
    return undefined;
  }
}

/** Counts what came of requests. */
export class LoadRecord {
  private readonly counts = { answers: 0, refused: 0, failed: 0 };
  private readonly milliseconds = { answered: [] as number[], drawn: [] as number[] };
  private failure: string | undefined;
  private readonly started = performance.now();
  private ended = this.started;

  /** @returns the path of its overlay, if it is an answer */
  answer(status: number, body: string, milliseconds?: number): string | undefined {
    this.ended = performance.now();
    if (status === 503) this.counts.refused++;
    else if (status !== 200) this.fail(`POST gave ${status}: ${body.slice(0, 300)}`);
    else {
      const overlay = overlayIn(body);
      if (overlay === undefined) this.fail(`An answer was cut off: ${body.slice(0, 300)}`);
      else {
        this.counts.answers++;
        if (milliseconds !== undefined) this.milliseconds.answered.push(milliseconds);
      }
      return overlay;
    }
    return undefined;
  }

  overlay(status: number, type: string, milliseconds?: number): void {
    this.ended = performance.now();
    if (status !== 200) this.fail(`The overlay gave ${status}: ${type}`);
    else if (milliseconds !== undefined) this.milliseconds.drawn.push(milliseconds);
  }

  fail(failure: string, times = 1): void {
    this.counts.failed += times;
    this.failure ??= failure;
  }

  measurement(): LoadMeasurement {
    return {
      seconds: (this.ended - this.started) / 1000,
      ...this.counts,
      ...(this.failure === undefined ? {} : { failure: this.failure }),
      answered: latenciesOf(this.milliseconds.answered),
      drawn: latenciesOf(this.milliseconds.drawn),
    };
  }
}

/** Gives one scan after the other. */
export function scansOf({ folder, count, from }: ScanFolder): () => Buffer {
  const files = Array.from({ length: count }, (_, i) => readFileSync(join(folder, `${i}.png`)));
  let next = from;
  return () => files[next++ % count] as Buffer;
}
