import { workerData } from "piscina";
import { InputGuard, parseGuard } from "../guard";
import { encodePng, oneChannel, RejectedImage } from "../imaging";
import { type Answer, answerOf } from "./answer";
import { Abandoned, checkClaim } from "./claim";
import { Engine, type ViewedAnswer } from "./engine";
import { inside } from "./engine-gate";
import { type ScoredScan, scoreScan } from "./score";
import type { AnswerTask, Outcome, PortableScan, ScoreTask, WorkerSetup } from "./worker-protocol";

/** One thread of an {@link AnswerPool}: an onnxruntime session of its own, and all that is done with one file. */

const { onnx, views, gate, model } = workerData as WorkerSetup;
const engine = inside(gate, () => Engine.open(onnx, views));
// Whoever asks hears of it; nobody may ask.
engine.catch(() => undefined);
const guard = model?.guard && new InputGuard(parseGuard(model.guard.parameters), model.guard.limits);

/** Resolves once the session is open. */
export async function hello(): Promise<Outcome<true>> {
  return outcome(async () => {
    await engine;
    return true as const;
  });
}

export async function answer({ grey, claim }: AnswerTask): Promise<Outcome<ViewedAnswer>> {
  return outcome(async () => {
    checkClaim(claim);
    return answered(grey);
  });
}

export async function score({ bytes, limits, png, claim }: ScoreTask): Promise<Outcome<PortableScan>> {
  return outcome(async () => {
    checkClaim(claim);
    if (!model) throw new Error("This pool was started without a model.");
    const { metadata } = model;
    const scan = await scoreScan(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      {
        metadata,
        guard,
        answer: async (images): Promise<readonly Answer[]> => {
          const answers: Answer[] = [];
          for (const image of images) answers.push(answerOf(await answered(oneChannel(image)), metadata));
          return answers;
        },
      },
      {
        ...(limits ? { limits } : {}),
        pause: async () => checkClaim(claim),
      },
    );
    const picture = png && scan.slices.length === 1 ? { png: await encodePng(scan.image, { quick: true }) } : {};
    return portable({ ...scan, ...picture });
  });
}

async function answered(grey: Uint8Array): Promise<ViewedAnswer> {
  const opened = await engine;
  const answer = await inside(gate, () => opened.answer(grey));
  const bad = [...answer.logits, ...answer.map.values].find((value) => !Number.isFinite(value));
  if (bad === undefined) return answer;
  throw new BadAnswer(`it answers ${bad} for an image where a number is due. Train it again.`);
}

class BadAnswer extends Error {}

/** Errors lose their class and their code on the way out of a thread. */
async function outcome<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof RejectedImage) return { rejected: { code: error.code, message: error.message } };
    if (error instanceof BadAnswer) return { unusable: error.message };
    if (error instanceof Abandoned) return { abandoned: true };
    throw error;
  }
}

/** Without the buffer that the page's pixels may be a view on: all of it would be copied. */
function portable(scan: ScoredScan): PortableScan {
  const { pixels } = scan.image;
  const own = pixels.byteLength === pixels.buffer.byteLength ? pixels : pixels.slice();
  return {
    ...scan,
    image: { ...scan.image, pixels: own } as ScoredScan["image"],
    rejectedPages: scan.rejectedPages.map(({ page, reason: { code, message } }) => ({ page, code, message })),
  };
}
