import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Identities, ReplacementNames } from "../../intake";
import type { Logger } from "../../platform/logging";
import type { CreatableStore, ReadableStore } from "../../platform/stores";
import type { Bodies } from "../bodies";
import type { Connections } from "../connections";
import { InstanceStore } from "../dicomweb/instance-store";
import { FAILURE, type FailureReason, type Outcome, responseOf } from "../dicomweb/outcome";
import type { createMetrics } from "../metrics";
import { MULTIPART_OVERHEAD, relatedPartsOf } from "../multipart";
import { INSTANCES, responses } from "../openapi";
import { Problem, tooLate } from "../problem";
import type { Queue } from "../queue";
import { type FileReaders, UnreadableFile } from "../reading/file-readers";
import { problemSchema, storeInstancesSchema } from "../schemas";

export interface DicomWebDependencies {
  /** Where instances land. */
  readonly landing: CreatableStore;
  readonly reports: ReadableStore & CreatableStore;
  readonly identities: Identities;
  readonly bodies: Bodies;
  readonly connections: Connections;
  readonly readers: FileReaders;
  /** Requests are stored so many at a time. */
  readonly storing: Queue;
  readonly metrics: Pick<ReturnType<typeof createMetrics>, "instances">;
  readonly log: Logger;
  /** Of a body. */
  readonly maxBodyBytes: number;
  /** Seconds from the end of the upload: what is not stored by then fails by its own. */
  readonly deadlineSeconds: number;
}

export const STUDIES = "/dicomweb/studies";
export const DICOM_JSON = "application/dicom+json";
/** Of one request. A body of the largest size holds some hundred slices. */
const MOST_INSTANCES = 1000;
/** Of one request that are stored at a time. */
const AT_A_TIME = 4;

/** `POST /dicomweb/studies`: the Store transaction of DICOM's Studies Service (STOW-RS), PS3.18, 10.5. */
export async function dicomWebRoutes(app: FastifyInstance, dependencies: DicomWebDependencies): Promise<void> {
  const { landing, reports, log, bodies, connections, storing, maxBodyBytes, deadlineSeconds } = dependencies;
  const store = new InstanceStore(landing, reports, log);
  const api = app.withTypeProvider<ZodTypeProvider>();
  const most = maxBodyBytes + MULTIPART_OVERHEAD;
  const tooLarge = new Problem(
    413,
    "body-too-large",
    `The instances together are larger than ${Math.floor(maxBodyBytes / 2 ** 20)} MiB, the most that is taken here. Send them in several requests; npm run upload and npm run gateway take larger ones.`,
  );

  /** Refuses what can be refused before its body is read. */
  const admit = async ({ raw: { headers } }: FastifyRequest) => {
    checkAccept(headers.accept);
    kindOf(headers["content-type"]);
    if (Number(headers["content-length"] ?? 0) > most) throw tooLarge;
    storing.check();
  };
  const take = (request: FastifyRequest, reply: FastifyReply, study: string | undefined) =>
    bodies.receive(request.raw, most, tooLarge, (body) =>
      connections.whileWorking(request.raw, async (gone) => {
        const end = performance.now() + deadlineSeconds * 1000;
        const parts = instancesOf(body, request.headers["content-type"]);
        const price = { units: parts.length, large: parts.length > 1 };
        const outcomes = await storing.admit(price, gone, (lane) =>
          lane(async () => {
            const names = await namesOf(dependencies);
            return storeAll(dependencies, store, parts, names, { study, gone, end });
          }),
        );
        for (const { reason = 0 } of outcomes) dependencies.metrics.instances.inc({ reason: hexOf(reason) });
        await writeDown(app, request, outcomes);
        return (
          reply
            .code(statusOf(outcomes, deadlineSeconds))
            .header("cache-control", "no-store")
            .type(DICOM_JSON)
            // As bytes: to JSON Fastify adds a charset, with which dicomweb-client does not know the type.
            .send(Buffer.from(JSON.stringify(responseOf(outcomes))) as never)
        );
      }),
    );

  const answer = (description: string) => ({
    description,
    content: { [DICOM_JSON]: { schema: storeInstancesSchema } },
  });
  const route = {
    config: { role: "clinician", takes: INSTANCES },
    preHandler: admit,
    response: responses(
      {
        200: answer("Every instance is stored"),
        202: answer("Some are stored; why others are not, stands with each"),
        409: {
          description: "None is stored; why, stands with each",
          content: {
            [DICOM_JSON]: { schema: storeInstancesSchema },
            "application/problem+json": { schema: problemSchema },
          },
        },
      },
      406,
      413,
      415,
    ),
  } as const;
  const summary = "Takes DICOM instances (STOW-RS), which ingest then examines; sent again, each is there once";
  api.post(STUDIES, {
    config: route.config,
    preHandler: route.preHandler,
    schema: { summary, response: route.response },
    handler: (request, reply) => take(request, reply, undefined),
  });
  api.post(`${STUDIES}/:study`, {
    config: route.config,
    preHandler: route.preHandler,
    schema: {
      summary: `${summary}. All are of the study of the path`,
      params: z.object({
        study: z
          .string()
          .regex(/^[0-9]+(\.[0-9]+)*$/)
          .max(64),
      }),
      response: route.response,
    },
    handler: (request, reply) => take(request, reply, request.params.study),
  });
}

/** Instances of a body; undefined stands for a part that says it is something else. */
function instancesOf(body: Buffer, contentType: string | undefined): readonly (Buffer | undefined)[] {
  if (kindOf(contentType) === "single") {
    if (body.length === 0) throw new Problem(400, "no-instance", "The body is empty. Send a DICOM instance.");
    return [body];
  }
  const parts = relatedPartsOf(body, contentType as string, MOST_INSTANCES);
  if (parts.length === 0)
    throw new Problem(400, "no-instance", "The multipart body has no part. Send DICOM instances.");
  return parts.map(({ contentType: type, bytes }) =>
    type === undefined || mediaType(type) === "application/dicom" ? bytes : undefined,
  );
}

/**
 * Stores instance after instance, some at a time. What there is no time for fails by its own, so that what was stored is
 * told of.
 */
async function storeAll(
  { readers }: Pick<DicomWebDependencies, "readers">,
  store: InstanceStore,
  parts: readonly (Buffer | undefined)[],
  names: ReplacementNames,
  { study, gone, end }: { study: string | undefined; gone: AbortSignal; end: number },
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const left = parts.entries();
  const failed = (reason: FailureReason): Outcome => ({ instance: undefined, study: undefined, reason });
  const storeOne = async (bytes: Buffer): Promise<Outcome> => {
    try {
      return await store.store(bytes, await readers.instance(bytes, gone), names, study);
    } catch (error) {
      if (error instanceof UnreadableFile) return failed(FAILURE.tooLong);
      throw error;
    }
  };
  const work = async () => {
    for (const [index, bytes] of left) {
      gone.throwIfAborted();
      if (bytes === undefined) outcomes[index] = failed(FAILURE.notUnderstood);
      else if (performance.now() >= end) outcomes[index] = failed(FAILURE.outOfResources);
      else outcomes[index] = await storeOne(bytes);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return outcomes;
}

/** PS3.18, table 10.5.3-1. @throws {Problem} where no instance could even be read, or none for reasons that pass */
function statusOf(outcomes: readonly Outcome[], deadlineSeconds: number): 200 | 202 | 409 {
  const reasons = outcomes.flatMap(({ reason }) => reason ?? []);
  if (reasons.length === 0) return 200;
  if (reasons.length < outcomes.length) return 202;
  if (outcomes.every(({ instance, reason }) => !instance && reason === FAILURE.notUnderstood))
    throw new Problem(400, "no-dicom", "Nothing in the body is DICOM. Send each instance as a file of DICOM PS3.10.");
  if (reasons.every((reason) => reason === FAILURE.tooLong))
    throw new Problem(
      409,
      "damaged",
      "What was sent is made so that it cannot be read in time, or at all. Export it again.",
    );
  if (outcomes.every(({ instance, reason }) => !instance && reason === FAILURE.outOfResources))
    throw tooLate(deadlineSeconds, 1);
  if (reasons.every((reason) => reason === FAILURE.outOfResources || reason === FAILURE.processing))
    throw new Problem(
      503,
      "storage-unavailable",
      "The server cannot keep what was sent. Send it again in a moment; if it goes on, tell an administrator.",
      { "retry-after": "5" },
    );
  return 409;
}

/** One row a study, by its pseudonym. */
async function writeDown(app: FastifyInstance, request: FastifyRequest, outcomes: readonly Outcome[]): Promise<void> {
  for (const study of new Set(outcomes.map((each) => each.study))) {
    const all = outcomes.filter((each) => each.study === study);
    const stored = all.filter(({ reason }) => reason === undefined).length;
    const result = `stored ${stored} of ${all.length}`;
    await app.audit.record({ action: "store", ...request.caller, request: request.id, subject: study ?? null, result });
  }
}

async function namesOf({ identities, log }: DicomWebDependencies): Promise<ReplacementNames> {
  try {
    return await identities.of(undefined);
  } catch (error) {
    log.error({ err: error }, "The pseudonym key cannot be used, so nothing is stored");
    throw new Problem(
      503,
      "names-unavailable",
      "The server cannot make pseudonyms now, and takes no DICOM without. Send it again in a moment; if it goes on, tell an administrator.",
      { "retry-after": "5" },
    );
  }
}

/** @throws {Problem} `unsupported-media-type` */
function kindOf(contentType: string | undefined): "single" | "multipart" {
  const type = mediaType(contentType ?? "");
  if (type === "application/dicom") return "single";
  const [, quoted, plain] = /;\s*type=(?:"([^"]*)"|([^\s;"]*))/i.exec(contentType ?? "") ?? [];
  // RFC 2387 asks for the type of the parts; who leaves it out has it with each part.
  if (type === "multipart/related" && (quoted ?? plain ?? "application/dicom").toLowerCase() === "application/dicom")
    return "multipart";
  throw new Problem(
    415,
    "unsupported-media-type",
    'Instances are taken as multipart/related; type="application/dicom", or one as application/dicom.',
  );
}

const mediaType = (contentType: string) => contentType.split(";", 1)[0]?.trim().toLowerCase();

/** @throws {Problem} `not-acceptable` */
function checkAccept(accept: string | undefined): void {
  const wanted = (accept ?? "*/*").split(",").map(mediaType);
  const given = [DICOM_JSON, "application/json", "application/*", "*/*", ""];
  if (wanted.some((type) => given.includes(type ?? ""))) return;
  throw new Problem(406, "not-acceptable", `This is answered as ${DICOM_JSON} alone. Name it in Accept.`);
}

const hexOf = (reason: number) => reason.toString(16).toUpperCase().padStart(4, "0");
