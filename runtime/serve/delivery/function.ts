import { deliverContract } from "../../deliver";
import { parseEnv } from "../../platform/config";
import {
  answerEvent,
  type FunctionRequest,
  type FunctionResponse,
  parsedBody,
  pushedMessage,
  UnusableEventError,
} from "../../platform/event-request";
import { createLogger } from "../../platform/logging";
import { openStores, openTables } from "../../platform/open-stores";
import { deliverOne, Refused } from "./delivery";
import { endpointsOf, receiverProblems } from "./receivers";

/**
 * The function as Cloud Functions and the functions framework start it. The environment is checked when this module is
 * loaded: a process that cannot work does not start.
 */
const env = parseEnv(deliverContract.env, process.env, receiverProblems);
const log = createLogger("deliver");
// A key that signs nothing ends the process here, as nobody catches it before the first answer.
const endpoints = endpointsOf(env);
let opened: ReturnType<typeof open> | undefined;

const open = async () => ({
  ...(await openStores(deliverContract, env)),
  warehouse: await openTables(deliverContract, env),
});

/**
 * Delivers the answer of one notification: an object of the history that serve has added to the bucket of reports.
 *
 * Answers 204 once it is delivered, was, or is none to deliver; else 400 or 500, so that it comes again, later each time, and
 * waits as a dead letter in the end.
 */
export async function deliverAnswer(request: FunctionRequest, response: FunctionResponse): Promise<void> {
  const told = { about: () => ({}), sorry: "The answer could not be delivered now." };
  await answerEvent(response, log, told, async () => {
    const { attributes } = pushedMessage(parsedBody(request.body)) ?? {};
    const { eventType, bucketId, objectId } = attributes ?? {};
    if (eventType === undefined || bucketId === undefined || objectId === undefined)
      throw new UnusableEventError("The request is no notification of Cloud Storage by Pub/Sub.");
    if (eventType !== "OBJECT_FINALIZE") return;
    opened ??= open();
    opened.catch(() => {
      opened = undefined;
    });
    const { reports, warehouse } = await opened;
    if (bucketId !== reports.bucket)
      throw new UnusableEventError(`The event is about another bucket than ${reports.uri}.`);
    // Each for itself: one that does not take it keeps it from no other, which has it when the event comes again.
    const tried = await Promise.allSettled(
      (await endpoints).map(async (endpoint) => {
        const outcome = await deliverOne({ reports, warehouse, endpoint, log, who: "deliver" }, objectId);
        if (outcome === undefined) throw new UnusableEventError("The event is about no answer of the history.");
        log.info({ outcome, to: endpoint.id, format: endpoint.format }, "answer");
      }),
    );
    const errors = tried.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    // What may pass first: it is the answer that says so.
    const error = errors.find((one) => !(one instanceof Refused)) ?? errors[0];
    if (error !== undefined) throw error instanceof Refused ? new UnusableEventError(error.message) : error;
  });
}
