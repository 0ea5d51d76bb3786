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
import { HEALTHCARE_ROOT, healthcareAuthorization } from "../../platform/healthcare";
import { createLogger } from "../../platform/logging";
import { openStores, openTables } from "../../platform/open-stores";
import { deliverOne, Refused } from "./delivery";
import { Endpoint } from "./endpoint";

/**
 * The function as Cloud Functions and the functions framework start it. The environment is checked when this module is
 * loaded: a process that cannot work does not start.
 */
const env = parseEnv(deliverContract.env);
const log = createLogger("deliver");
const endpoint = new Endpoint({
  url: new URL(`${env.HEALTHCARE_API_ENDPOINT?.replace(/\/$/, "") ?? HEALTHCARE_ROOT}/v1/${env.FHIR_STORE}/fhir`),
  format: "fhir",
  client: undefined,
  identity: env.HEALTHCARE_API_ENDPOINT === undefined ? healthcareAuthorization() : undefined,
  tls: {},
});
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
    try {
      const outcome = await deliverOne({ reports, warehouse, endpoint, log, who: "deliver" }, objectId);
      if (outcome === undefined) throw new UnusableEventError("The event is about no answer of the history.");
      log.info({ outcome }, "answer");
    } catch (error) {
      throw error instanceof Refused ? new UnusableEventError(error.message) : error;
    }
  });
}
