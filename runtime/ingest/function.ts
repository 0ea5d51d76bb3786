import { openPseudonymiser } from "../intake";
import { parseEnv } from "../platform/config";
import {
  answerEvent,
  type FunctionRequest,
  type FunctionResponse,
  parsedBody,
  UnusableEventError,
} from "../platform/event-request";
import { createLogger } from "../platform/logging";
import { openStores, openTables } from "../platform/open-stores";
import { BurnedInTextCheck } from "./burned-in-text";
import { commit } from "./commit";
import { IngestContext } from "./context";
import { ingestContract } from "./contract";
import { fromCloudEvent, fromPush, type LandingEvent } from "./event";
import { examine } from "./examine";

/**
 * The ingest function as Cloud Functions and the functions framework start it. The environment is checked when this
 * module is loaded: a process that cannot work does not start.
 */
const env = parseEnv(ingestContract.env);
const log = createLogger("ingest");
let opened: Promise<IngestContext> | undefined;

/**
 * Ingests the object of one event: a Pub/Sub push, or a CloudEvent over HTTP in binary or structured mode. Under the
 * framework's signature type `cloudevent` it is called with the event alone.
 *
 * Answers 204 once everything is committed, or where there is nothing to do; 400 to what is no event; 500, so that the
 * event is delivered again, when a store cannot be reached.
 */
export async function ingest(...call: [FunctionRequest, FunctionResponse] | [CloudEvent]): Promise<void> {
  const [request, response] = call;
  let event: LandingEvent | undefined;
  const told = {
    about: () => ({ source: event?.name, generation: event?.generation }),
    sorry: "The scan could not be ingested now.",
  };
  const done = await answerEvent(response, log, told, async () => {
    event = response ? readRequest(request as FunctionRequest) : fromCloudEvent(request as CloudEvent);
    await handle(event);
  });
  // The framework answers and logs by itself then, with all that an error says: this one says nothing.
  if (!done && !response) throw new Error("The event was not ingested. The line before this one says why.");
}

interface CloudEvent {
  readonly type: string;
  readonly data?: unknown;
}

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md */
function readRequest({ headers, body }: FunctionRequest): LandingEvent | undefined {
  const content = parsedBody(body);
  const type = headers["ce-type"];
  if (typeof type === "string") return fromCloudEvent({ type, data: content });
  const structured = content as
    | { specversion?: unknown; type?: unknown; data?: unknown; data_base64?: unknown }
    | undefined;
  if (structured?.specversion !== undefined && typeof structured.type === "string") {
    const { data, data_base64: encoded } = structured;
    return fromCloudEvent({
      type: structured.type,
      data: typeof encoded === "string" ? parsedBody(Buffer.from(encoded, "base64")) : data,
    });
  }
  return fromPush(content);
}

async function handle(event: LandingEvent | undefined): Promise<void> {
  if (!event) return;
  const context = await open();
  if (event.bucket !== context.landing.bucket) {
    throw new UnusableEventError(
      `The event is about the bucket ${event.bucket}; this function ingests ${context.landing.uri}.`,
    );
  }
  const examined = await examine(context, event);
  // Its sentences name masks, which may be called after patients.
  const { maskless, ...counts } = await commit(context, examined);
  const outcome =
    examined.kind === "nothing" ? { skipped: examined.why } : { ...counts, withoutMask: maskless?.length ?? 0 };
  log.info({ source: event.name, generation: event.generation, ...outcome }, "ingested");
}

function open(): Promise<IngestContext> {
  opened ??= createContext();
  // A failure is not kept: the next event tries again.
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

async function createContext(): Promise<IngestContext> {
  const buckets = await openStores(ingestContract, env);
  return new IngestContext({
    ...buckets,
    warehouse: await openTables(ingestContract, env),
    pseudonymiser: openPseudonymiser(env.PSEUDONYM_KEY),
    log,
    text: BurnedInTextCheck.of(env.BURNED_IN_TEXT),
    limits: { bytes: env.MAX_FILE_BYTES, pixels: env.MAX_PIXELS, pages: env.MAX_PAGES },
  });
}
