import { type CuratedPlace, curatedPixels, pixelsAnswer, planesByKey } from "../dataset";
import { RECIPE } from "../imaging";
import { type Frame, frame } from "../platform/framed";
import type { StoresOf } from "../platform/open-stores";
import type { Workspace } from "../platform/workspace";
import type { scoreContract } from "./contract";
import { planScoring, Scorer, type ScoringBatch } from "./scoring";
import { answerStudies } from "./studies";

export interface ScoreContext {
  readonly buckets: Pick<StoresOf<typeof scoreContract>, "curated" | "models" | "reports">;
  readonly warehouse: Workspace["warehouse"];
}

/**
 * What the driver spark/score.py and its tasks ask of this code, one frame a request. Each picture's pixels are asked for
 * by themselves, so that one of which the process dies is found. Nothing is kept between requests that a process started
 * anew would miss.
 *
 * | request (type) | with | answer |
 * | --- | --- | --- |
 * | hello | | recipe |
 * | plan-scoring | | a frame a batch (name, cost, images; payload: the batch), then skipped and notes |
 * | pixels | object, sha256 | payload: 128 x 128 bytes; or rejection |
 * | score | batch, made: SHA-256s; payload: the pixels in the order of `made` | refused: SHA-256s |
 * | answer-studies | | payload: studies, how many have a new answer |
 */
export class ScoreService {
  private readonly scorer: Scorer;

  constructor(private readonly context: ScoreContext) {
    // Spark starts a process on every core it has.
    this.scorer = new Scorer(context, 1);
  }

  async handle({ header, payload }: Frame): Promise<Frame | AsyncIterable<Frame>> {
    switch (header.type) {
      case "hello":
        return frame({ recipe: RECIPE.id });
      case "plan-scoring":
        return this.plan();
      case "pixels":
        return pixelsAnswer(await curatedPixels(this.context.buckets.curated, header as unknown as CuratedPlace));
      case "score": {
        const { batch, made } = header as unknown as { batch: ScoringBatch; made: string[] };
        return frame({ refused: await this.scorer.score(batch, planesByKey(made, payload), new Date()) });
      }
      case "answer-studies":
        return frame(
          {},
          Buffer.from(JSON.stringify({ studies: await answerStudies(this.context, this.scorer, new Date()) })),
        );
      default:
        throw new Error(`There is no request of the type ${JSON.stringify(header.type)}.`);
    }
  }

  close(): Promise<void> {
    return this.scorer.close();
  }

  private async *plan(): AsyncGenerator<Frame> {
    const { batches, ...rest } = await planScoring(this.context);
    for (const batch of batches) {
      const { name, cost, pictures } = batch;
      yield frame({ name, cost, images: pictures.length, more: true }, Buffer.from(JSON.stringify(batch)));
    }
    yield frame({}, Buffer.from(JSON.stringify(rest)));
  }
}
