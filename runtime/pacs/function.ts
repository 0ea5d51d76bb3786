import { type Identities, openIdentities } from "../intake";
import { parseEnv } from "../platform/config";
import {
  answerEvent,
  type FunctionRequest,
  type FunctionResponse,
  parsedBody,
  UnusableEventError,
} from "../platform/event-request";
import { createLogger } from "../platform/logging";
import { openStores, type StoresOf } from "../platform/open-stores";
import { pacsContract } from "./contract";
import { openDicomStore } from "./dicom-store";
import { landInstance as land } from "./land";
import { fromNotification } from "./notification";

/**
 * The function as Cloud Functions and the functions framework start it. The environment is checked when this module is
 * loaded: a process that cannot work does not start.
 */
const env = parseEnv(pacsContract.env);
const log = createLogger("pacs");
const source = openDicomStore(env.HEALTHCARE_API_ENDPOINT);
let stores: Promise<StoresOf<typeof pacsContract>> | undefined;
let identities: Promise<Identities> | undefined;

/**
 * Brings the instance of one notification to landing, whose own notification then wakes ingest: a scan has one way.
 *
 * Answers 204 once it has landed, had landed, is none that ingest would look at, or is gone; 400 to what is no notification
 * of its store, or is too large; 500, so that it is delivered again, where the store or landing cannot be reached.
 */
export async function landInstance(request: FunctionRequest, response: FunctionResponse): Promise<void> {
  const told = { about: () => ({}), sorry: "The instance could not be landed now." };
  await answerEvent(response, log, told, async () => {
    const instance = fromNotification(parsedBody(request.body));
    if (!instance) return;
    if (instance.store !== env.DICOM_STORE)
      throw new UnusableEventError("The notification is about another DICOM store than DICOM_STORE.");
    const bytes = await source.retrieve(instance, env.MAX_FILE_BYTES);
    if (bytes === undefined) {
      log.info({}, "the instance is gone");
      return;
    }
    stores ??= kept(openStores(pacsContract, env), () => {
      stores = undefined;
    });
    const { landing } = await stores;
    const names = () => {
      identities ??= kept(openIdentities(env.PSEUDONYM_KEY), () => {
        identities = undefined;
      });
      return identities;
    };
    const { outcome, ...rest } = await land(bytes, landing, names);
    log.info({ ...rest, outcome }, "instance");
  });
}

/** A failure is not kept: the next notification tries again. */
function kept<T>(opened: Promise<T>, forget: () => void): Promise<T> {
  opened.catch(forget);
  return opened;
}
