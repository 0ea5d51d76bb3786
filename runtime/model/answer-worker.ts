import { workerData } from "piscina";
import { InputGuard, parseGuard } from "../guard";
import { encodePng, oneChannel, RejectedImage } from "../imaging";
import { type Answer, answerOf } from "./answer";
import { Abandoned, checkClaim } from "./claim";
import { Engine, type ViewedAnswer } from "./engine";
import { inside } from "./engine-gate";
import { type EncodedScan, type ScoredScan, scoreScan } from "./score";
import type { AnswerTask, Outcome, Portable, ScoreTask, WorkerSetup } from "./worker-protocol";

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

export async function score(task: ScoreTask): Promise<Outcome<Portable<ScoredScan>>> {
  return outcome(async () => {
    const scan = await scored(task);
    const { image } = scan;
    const { pixels } = image;
    // Without the buffer that the page's pixels may be a view on: all of it would be copied.
    const own = pixels.byteLength === pixels.buffer.byteLength ? pixels : pixels.slice();
    return portable<ScoredScan>({ ...scan, image: { ...image, pixels: own } as ScoredScan["image"] });
  });
}

export async function encode(task: ScoreTask): Promise<Outcome<Portable<EncodedScan>>> {
  return outcome(async () => {
    const { image, pixels: _pixels, ...scan } = await scored(task);
    const { width, height, depth } = image;
    const picture = scan.slices.length === 1 ? { png: await encodePng(image, { quick: true }) } : {};
    return portable<EncodedScan>({ ...scan, ...picture, image: { width, height, depth } });
  });
}

async function scored({ bytes, limits, claim }: ScoreTask): Promise<ScoredScan> {
  checkClaim(claim);
  if (!model) throw new Error("This pool was started without a model.");
  const { metadata } = model;
  return scoreScan(
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

function portable<T extends ScoredScan | EncodedScan>(scan: T): Portable<T> {
  return {
    ...scan,
    rejectedPages: scan.rejectedPages.map(({ page, reason: { code, message } }) => ({ page, code, message })),
  };
}
