import { createHash } from "node:crypto";
import {
  captureInstance,
  fhirBundle,
  hl7Message,
  mayPass,
  reportInstance,
  secondaryCapture,
  storeRequest,
  structuredReport,
  whyNotStored,
} from "../../exchange";
import { post, type Tls } from "../../platform/post";
import { connected, NotStoredError, storeInstance } from "../dimse";
import { dataSetOf } from "../file-meta";
import { sendByMllp } from "./mllp";
import { type Outgoing, RefusedError } from "./report";

/** Where answers are handed on to, inside the hospital. */
export interface Destination {
  /** Names it where it is written down what was handed on. */
  readonly id: string;
  /** For people and logs: no password is in it, and no patient. */
  readonly uri: string;
  /**
   * Hands an answer on; returns once the receiver has it. The same answer is the same document, under the same identifiers.
   *
   * @throws {RefusedError} where it will not take it; anything else may pass
   */
  send(answer: Outgoing, signal: AbortSignal): Promise<void>;
}

export interface DestinationOptions {
  /** What this gateway calls itself. */
  readonly aet: string;
  /** Of connections that are secured. */
  readonly tls: Tls;
}

const FORMS =
  "dicom://TITLE@HOST:PORT (or dicoms), stow+https://HOST/.../studies, either with #sc behind it for the overlay in place of the report, fhir+https://HOST/BASE, or mllp://HOST:PORT (or mllps)";
const TITLE = /^(?=.*[^ ])[ -[\]-~]{1,16}$/;
const LOCAL: readonly string[] = ["127.0.0.1", "localhost", "[::1]"];

/** @throws {RangeError} a sentence about what is wrong with the address */
export function destinationOf(text: string, options: DestinationOptions): Destination {
  const wrong = (why: string) => new RangeError(`"${text}" ${why}. Write ${FORMS}.`);
  if (!URL.canParse(text)) throw wrong("is no address");
  const url = new URL(text);
  const { protocol } = url;
  if (url.password !== "" || (url.username !== "" && !protocol.startsWith("dicom")))
    throw new RangeError("An address holds a password or a user, which does not belong there.");
  // What stands behind # is for this side alone, by every protocol.
  const form = url.hash === "" ? "sr" : url.hash.slice(1);
  const isObject = /^(?:dicoms?|stow\+https?):$/.test(protocol);
  if (!isForm(form) || (form === "sc" && !isObject))
    throw wrong(`asks for "${url.hash}", which is not handed on by ${protocol.slice(0, -1)}`);
  const id = createHash("sha256").update(text).digest("hex").slice(0, 16);
  switch (protocol) {
    case "dicom:":
    case "dicoms:":
    case "mllp:":
    case "mllps:": {
      const port = Number(url.port);
      if (url.hostname === "" || !(port > 0)) throw wrong("names no host and port");
      const host = url.hostname.replace(/^\[|\]$/g, "");
      const tls = protocol.endsWith("s:") ? options.tls : undefined;
      if (protocol.startsWith("mllp")) return { id, uri: text, send: byMllp({ host, port, tls }) };
      const calledAet = decodeURIComponent(url.username);
      if (!TITLE.test(calledAet)) throw wrong("names no application entity title in front of @");
      return { id, uri: text, send: byCStore({ host, port, tls, calledAet, callingAet: options.aet }, form) };
    }
    case "stow+https:":
    case "stow+http:":
    case "fhir+https:":
    case "fhir+http:": {
      const [kind, scheme] = protocol.slice(0, -1).split("+");
      // Names cross the network: in the open to this machine alone.
      const target = new URL(text.replace(/^\w+\+/, ""));
      if (scheme === "http" && !LOCAL.includes(target.hostname)) throw wrong("is not secured by https");
      target.hash = "";
      return { id, uri: text, send: kind === "stow" ? byStow(target, options.tls, form) : byFhir(target, options.tls) };
    }
    default:
      throw wrong("is of no kind that answers are handed on by");
  }
}

/** Objects of DICOM that an answer becomes. */
const OBJECTS = {
  sr: { sopClass: "1.2.840.10008.5.1.4.1.1.88.33", instanceOf: reportInstance },
  sc: { sopClass: "1.2.840.10008.5.1.4.1.1.7", instanceOf: captureInstance },
} as const;
type Form = keyof typeof OBJECTS;
const isForm = (text: string): text is Form => Object.hasOwn(OBJECTS, text);

/** As all of them are written. */
const TRANSFER_SYNTAX = "1.2.840.10008.1.2.1";

const byCStore =
  (target: Parameters<typeof storeInstance>[0], form: Form): Destination["send"] =>
  async (answer, signal) => {
    const dataSet = dataSetOf(await objectOf(answer, form));
    const { sopClass, instanceOf } = OBJECTS[form];
    const sopInstance = instanceOf(answer.report.request);
    try {
      await storeInstance(target, { sopClass, sopInstance, transferSyntax: TRANSFER_SYNTAX, dataSet }, signal);
    } catch (error) {
      if (error instanceof NotStoredError && !error.passes) throw new RefusedError(error.message);
      throw error;
    }
  };

const byMllp =
  (target: Parameters<typeof connected>[0]): Destination["send"] =>
  async ({ report }, signal) => {
    const message = hl7Message(report);
    const controlId = message.slice(0, message.indexOf("\r")).split("|")[9] ?? "";
    const socket = await connected(target, signal);
    const stop = () => socket.destroy();
    signal.addEventListener("abort", stop);
    try {
      const { code } = await sendByMllp(socket, message, controlId);
      if (code === "AA" || code === "CA") return;
      // HL7 2.5.1, 2.9.2: an error is in the message; a rejection, as of a receiver that is full, may pass.
      if (code === "AE" || code === "CE") throw new RefusedError(`The receiver acknowledges with ${code}.`);
      throw new Error(
        /^(AR|CR)$/.test(code)
          ? `The receiver acknowledges with ${code}.`
          : "The receiver's acknowledgement has no code.",
      );
    } finally {
      signal.removeEventListener("abort", stop);
      socket.destroy();
    }
  };

const byStow =
  (url: URL, tls: Tls, form: Form): Destination["send"] =>
  async (answer, signal) => {
    const { contentType, body } = storeRequest(await objectOf(answer, form), answer.report.request);
    const { status, body: said } = await posted(
      url,
      { contentType, accept: "application/dicom+json", body },
      tls,
      signal,
    );
    judge("archive", status);
    const sentence = whyNotStored(status, said);
    if (sentence !== undefined) throw new RefusedError(sentence);
  };

const byFhir =
  (url: URL, tls: Tls): Destination["send"] =>
  async ({ report }, signal) => {
    const [contentType, body] = ["application/fhir+json", Buffer.from(JSON.stringify(fhirBundle(report)))];
    const { status } = await posted(url, { contentType, accept: contentType, body }, tls, signal);
    judge("server", status);
  };

const posted = (
  url: URL,
  { contentType, accept, body }: { readonly contentType: string; readonly accept: string; readonly body: Buffer },
  tls: Tls,
  signal: AbortSignal,
) => post(url, { "content-type": contentType, accept }, body, { tls, signal });

function judge(who: string, status: number): void {
  if (status >= 200 && status < 300) return;
  const sentence = `The ${who} answers ${status}.`;
  throw mayPass(status) ? new Error(sentence) : new RefusedError(sentence);
}

/** @throws {RefusedError} where something that the file says does not fit into a DICOM object, or there is no overlay */
async function objectOf({ report, overlay }: Outgoing, form: Form): Promise<Buffer> {
  const picture = form === "sc" ? await overlay() : undefined;
  try {
    return picture ? secondaryCapture(report, picture) : structuredReport(report);
  } catch (error) {
    // Its message would quote what does not fit.
    if (error instanceof RangeError)
      throw new RefusedError("An identifier of the study is longer than an object of DICOM may have it.");
    throw error;
  }
}
