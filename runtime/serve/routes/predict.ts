import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DISCLAIMER } from "../../intake";
import { type AnsweringDependencies, answerFor, PREDICTIONS } from "../answering";
import type { Bodies } from "../bodies";
import type { Connections } from "../connections";
import type { Caller } from "../identity";
import type { Idempotency } from "../kept/idempotency";
import { noModel } from "../model-slot";
import { type FormFile, fileOf, filesOf, isMultipart, MULTIPART_OVERHEAD } from "../multipart";
import { IDEMPOTENT, responses, SCAN, SCANS } from "../openapi";
import { Problem, problemDocument, tooLate, toProblem } from "../problem";
import { replyOnce } from "../request";
import { type Batch, type BatchItem, batchSchema, predictionSchema } from "../schemas";

export interface PredictDependencies extends AnsweringDependencies {
  readonly bodies: Bodies;
  readonly connections: Connections;
  readonly keys: Idempotency;
  /** Is told of every refusal of a file of a batch. */
  readonly refused: (problem: Problem) => void;
}

/** Files of a batch; their bytes together may be twice those of a scan. */
const MOST_FILES = 64;
const BATCH_BODIES = 2;
/** How long a file of a batch waits before it looks for a place again, milliseconds. */
const NO_PLACE_WAIT = 200;

const BATCH = `${PREDICTIONS}/batch`;
export const TAKE_SCANS: readonly string[] = [PREDICTIONS, BATCH];

/** `POST /v1/predictions` and `/batch`: what takes scans. */
export async function predictRoutes(app: FastifyInstance, dependencies: PredictDependencies): Promise<void> {
  const { slot, queue, bodies, connections, keys, limits } = dependencies;
  const api = app.withTypeProvider<ZodTypeProvider>();
  const most = (message: IncomingMessage, files: number) =>
    files * limits.bytes + (isMultipart(message.headers["content-type"]) ? MULTIPART_OVERHEAD : 0);
  const tooLarge = (what: string, files: number) =>
    new Problem(
      413,
      "file-too-large",
      `${what} larger than ${Math.floor((files * limits.bytes) / 2 ** 20)} MiB, the most that is taken here.`,
    );
  const scanTooLarge = tooLarge("The scan is", 1);
  const batchTooLarge = tooLarge("The files together are", BATCH_BODIES);

  /** Refuses what can be refused before its body is read. */
  const admit = (files: number, problem: Problem) => async (request: FastifyRequest) => {
    const { raw } = request;
    if (Number(raw.headers["content-length"] ?? 0) > most(raw, files)) throw problem;
    if (!slot.current) await slot.refresh();
    if (!slot.current) throw noModel(slot);
    queue.check();
  };

  api.post(PREDICTIONS, {
    config: { role: "clinician", takes: SCAN },
    schema: {
      summary: "Answers for one scan",
      headers: IDEMPOTENT,
      response: responses({ 200: predictionSchema }, 409, 413, 415, 422),
    },
    preHandler: admit(1, scanTooLarge),
    handler: (request, reply) =>
      bodies.receive(request.raw, most(request.raw, 1), scanTooLarge, (body) =>
        connections.whileWorking(request.raw, async (gone) => {
          const type = request.headers["content-type"];
          const bytes = isMultipart(type) ? await fileOf(body, type) : body;
          const asked = { request: request.id, ...request.caller };
          return withDeadline(dependencies, gone, (signal, check) => {
            const work = () => answerFor(dependencies, asked, bytes, signal);
            return replyOnce(keys, request, reply, "predict", [bytes], work, check);
          });
        }),
      ),
  });

  api.post(BATCH, {
    config: { role: "clinician", takes: SCANS(MOST_FILES) },
    schema: {
      summary: `Answers for up to ${MOST_FILES} scans; one that is bad stops none of the others`,
      headers: IDEMPOTENT,
      response: responses({ 200: batchSchema }, 409, 413, 415, 422),
    },
    preHandler: admit(BATCH_BODIES, batchTooLarge),
    handler: (request, reply) =>
      bodies.receive(request.raw, most(request.raw, BATCH_BODIES), batchTooLarge, (body) =>
        connections.whileWorking(request.raw, async (gone) => {
          const type = request.headers["content-type"];
          if (!isMultipart(type))
            throw new Problem(415, "not-multipart", "A batch is multipart/form-data with each scan as a field file.");
          const files = await filesOf(body, type, MOST_FILES);
          return replyOnce(keys, request, reply, "predict", partsOf(files), () =>
            withDeadline(dependencies, gone, (signal) =>
              answerForAll(dependencies, request.caller, files, { gone, signal }),
            ),
          );
        }),
      ),
  });
}

const partsOf = (files: readonly FormFile[]) => files.flatMap(({ name = "", bytes }) => [name, bytes]);

/**
 * Runs work within the time that an answer may take, counted from now.
 *
 * @param work gets a signal that is aborted once it is too late or the client has gone, and what throws the same reason:
 * by the clock too, for the moment in which the timer has not been heard yet
 */
async function withDeadline<T>(
  { queue, deadlineSeconds }: Pick<PredictDependencies, "queue" | "deadlineSeconds">,
  gone: AbortSignal,
  work: (signal: AbortSignal, check: () => void) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const end = performance.now() + deadlineSeconds * 1000;
  const abort = () => late.abort(tooLate(deadlineSeconds, queue.wait));
  const timer = setTimeout(abort, deadlineSeconds * 1000);
  const signal = AbortSignal.any([gone, late.signal]);
  try {
    return await work(signal, () => {
      if (performance.now() >= end) abort();
      signal.throwIfAborted();
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Answers file after file, as many at a time as there are lanes, within the time that one file may take. */
async function answerForAll(
  dependencies: PredictDependencies,
  caller: Caller,
  files: readonly FormFile[],
  { gone, signal }: { readonly gone: AbortSignal; readonly signal: AbortSignal },
): Promise<Batch> {
  const items: BatchItem[] = [];
  const left = files.entries();
  const work = async () => {
    for (const [index, { name, bytes }] of left) {
      items[index] = { name: name ?? String(index + 1), ...(await answerForOne(dependencies, caller, bytes, signal)) };
      gone.throwIfAborted();
    }
  };
  await Promise.all(Array.from({ length: dependencies.queue.lanes }, work));
  return { items, disclaimer: DISCLAIMER };
}

async function answerForOne(
  dependencies: PredictDependencies,
  caller: Caller,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<Omit<BatchItem, "name">> {
  const request = randomUUID();
  for (;;) {
    try {
      return { status: 200, prediction: await answerFor(dependencies, { request, ...caller }, bytes, signal) };
    } catch (error) {
      const problem = toProblem(error);
      if (problem.code === "busy" && !signal.aborted) {
        // The files of a batch wait for a place: who sent them waits for all.
        await new Promise((resolve) => setTimeout(resolve, NO_PLACE_WAIT));
        continue;
      }
      if (problem.status === 500) dependencies.log.error({ err: error, request }, "A file of a batch failed");
      dependencies.refused(problem);
      return { status: problem.status, problem: problemDocument(problem, request) };
    }
  }
}
