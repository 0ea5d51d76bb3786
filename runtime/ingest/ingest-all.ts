import { classify, LOCAL_PSEUDONYM_KEY, openPseudonymiser } from "../intake";
import { parseEnv } from "../platform/config";
import type { StepContext, StepCounts } from "../platform/step";
import { Backlog } from "./backlog";
import { BurnedInTextCheck } from "./burned-in-text";
import { keep } from "./commit";
import { IngestContext } from "./context";
import { ingestContract } from "./contract";
import { examine } from "./examine";
import { inOrder } from "./in-order";

export interface IngestAllOptions {
  /** Objects looked at side by side. Default 3. */
  readonly concurrency?: number;
  /** Default {@link LOCAL_PSEUDONYM_KEY}. */
  readonly pseudonymKey?: string;
}

/** Bytes of landed files that may be in memory together; a larger one waits until it is alone. */
export const BYTES_IN_FLIGHT = 192 * 2 ** 20;

/**
 * Ingests whatever lies in a workspace's landing folder and has no rows yet, with the code that the function runs.
 * Objects are examined side by side and committed one by one in the order of their names, so that which of two equal
 * images came first does not depend on speed.
 */
export async function ingestAll(step: StepContext, options: IngestAllOptions = {}): Promise<StepCounts> {
  const { buckets, warehouse } = step.workspace;
  const { BURNED_IN_TEXT } = parseEnv(ingestContract.env.pick({ BURNED_IN_TEXT: true }));
  const text = BurnedInTextCheck.of(BURNED_IN_TEXT);
  const context = new IngestContext({
    landing: buckets.landing,
    curated: buckets.curated,
    quarantine: buckets.quarantine,
    warehouse,
    pseudonymiser: openPseudonymiser(options.pseudonymKey ?? process.env.PSEUDONYM_KEY ?? LOCAL_PSEUDONYM_KEY),
    log: step.log,
    text,
  });
  // A manifest that cannot be used concerns every scan: it is said before the first is touched.
  await context.manifest();

  const backlog = new Backlog(warehouse);
  await backlog.look();
  const waiting: { name: string; generation: number; size: number }[] = [];
  let skipped = 0;
  for await (const { name, generation, size } of buckets.landing.listAll()) {
    const { kind } = classify(name);
    if (kind === "manifest" || kind === "mask") continue;
    if (backlog.isDone({ name, generation })) skipped++;
    else waiting.push({ name, generation, size });
  }

  const counts = { items: 0, rejected: 0 };
  const maskless: string[] = [];
  step.progress.start(waiting.length);
  const examined = inOrder(
    waiting,
    ({ name, generation }) => examine(context, { bucket: buckets.landing.bucket, name, generation }),
    {
      concurrency: options.concurrency ?? 3,
      weight: ({ size }) => size,
      capacity: BYTES_IN_FLIGHT,
      signal: step.signal,
    },
  );
  try {
    for await (const found of examined) {
      const { rows, counts: kept } = await keep(context, found);
      const { curated, quarantined, maskless: without = [] } = kept;
      if (rows.length > 0) await backlog.add(found.event, rows);
      maskless.push(...without);
      counts.items += curated + quarantined;
      counts.rejected += quarantined;
      step.progress.advance();
    }
  } finally {
    await text?.close();
  }
  await backlog.write();
  step.progress.finish();
  step.signal.throwIfAborted();
  if (maskless.length === 0) return { ...counts, skipped };
  const notes = [`${maskless.length} scans are without the lesion mask that was meant for them. ${maskless[0]}`];
  return { ...counts, skipped, notes };
}
