import type { Frame } from "../../runtime/platform/framed";
import type { ScoringBatch } from "../../runtime/score/scoring";
import type { ScoreService } from "../../runtime/score/service";

export async function ask(service: ScoreService, header: Frame["header"], payload: Uint8Array = Buffer.alloc(0)) {
  const answer = await service.handle({ header, payload });
  if (!(Symbol.asyncIterator in answer)) return [answer];
  const frames: Frame[] = [];
  for await (const one of answer) frames.push(one);
  return frames;
}

export const parse = (frame: Frame | undefined) => JSON.parse(Buffer.from(frame?.payload ?? "").toString("utf8"));

/** What spark/score.py does with the answers. */
export async function drive(service: ScoreService) {
  const frames = await ask(service, { type: "plan-scoring" });
  const rest = parse(frames.pop()) as { skipped: number; notes: string[] };
  const rejections: unknown[] = [];
  let scored = 0;
  for (const planned of frames) {
    const batch = parse(planned) as ScoringBatch;
    const made: [string, Uint8Array][] = [];
    for (const { object, sha256 } of batch.pictures) {
      const [answer] = await ask(service, { type: "pixels", object, sha256 });
      if (answer?.header.rejection) rejections.push(answer.header.rejection);
      else made.push([sha256, answer?.payload as Uint8Array]);
    }
    const request = { type: "score", batch, made: made.map(([sha256]) => sha256) };
    const [answer] = await ask(service, request, Buffer.concat(made.map(([, pixels]) => pixels)));
    scored += made.length - ((answer as Frame).header.refused as string[]).length;
  }
  await ask(service, { type: "answer-studies" });
  return { scored, rejections, ...rest };
}
