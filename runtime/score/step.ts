import { curatedPixels } from "../dataset";
import type { StoresOf } from "../platform/open-stores";
import type { ContextWith, StepCounts } from "../platform/step";
import type { scoreContract } from "./contract";
import { planScoring, Scorer } from "./scoring";
import { answerStudies } from "./studies";

export type ScoreStepContext = ContextWith<Pick<StoresOf<typeof scoreContract>, "curated" | "models" | "reports">>;

/** Most pictures that are named one by one to a person. */
const NAMED = 20;
/** Pictures that are read at a time. */
const READS = 16;

/**
 * The current model's answer for every curated picture that has none, and what the model sees in it: rows of
 * `predictions` and `features_deep`; and of every study whose slices they are, see {@link answerStudies}. What spark/score.py does on many machines.
 */
export async function scoreStep({ workspace, progress, signal }: ScoreStepContext): Promise<StepCounts> {
  const { batches, skipped, notes } = await planScoring(workspace);
  const scorer = new Scorer(workspace);
  const sentences: string[] = [];
  let items = 0;
  let studies = 0;
  progress.start(batches.reduce((sum, { pictures }) => sum + pictures.length, 0));
  try {
    for (const batch of batches) {
      const pixels = new Map<string, Uint8Array>();
      for (let start = 0; start < batch.pictures.length; start += READS) {
        signal.throwIfAborted();
        const part = batch.pictures.slice(start, start + READS);
        const made = await Promise.all(part.map((picture) => curatedPixels(workspace.buckets.curated, picture)));
        for (const [i, one] of made.entries()) {
          const { sha256 } = part[i] as (typeof part)[number];
          if ("reason" in one) sentences.push(`The picture ${sha256} is not scored: ${one.message}`);
          else pixels.set(sha256, one);
        }
      }
      const refused = await scorer.score(batch, pixels, new Date());
      for (const sha256 of refused)
        sentences.push(`The picture ${sha256} is not scored: it does not look like a brain scan.`);
      items += pixels.size - refused.length;
      progress.advance(batch.pictures.length);
    }
    studies = await answerStudies(workspace, scorer, new Date(), signal);
  } finally {
    progress.finish();
    await scorer.close();
  }
  const more = sentences.length > NAMED ? [`and ${sentences.length - NAMED} more.`] : [];
  const told = studies > 0 ? [`Studies with a new answer of their own: ${studies}.`] : [];
  return {
    items,
    skipped,
    rejected: sentences.length,
    notes: [...notes, ...sentences.slice(0, NAMED), ...more, ...told],
  };
}
