import { createHash } from "node:crypto";
import { z } from "zod";
import { DOCUMENTS } from "../documents";
import type { ReportFormat } from "../schemas";
import { post, type Reply, type Tls } from "./post";
import { SIGNATURE, type Signer } from "./signature";

/** OAuth 2.0, client credentials (RFC 6749, 4.4). */
export interface Client {
  readonly tokenUrl: URL;
  readonly id: string;
  readonly secret: string;
  readonly scope: string | undefined;
}

export interface EndpointSettings {
  /** FHIR: the base; STOW-RS: `.../studies`. */
  readonly url: URL;
  readonly format: Exclude<ReportFormat, "hl7">;
  /** @default nothing is signed: the receiver knows who sends by how it signs in */
  readonly signer?: Signer | undefined;
  readonly client: Client | undefined;
  /** The header by which this process signs in as itself, in place of a client. */
  readonly identity?: (() => Promise<string>) | undefined;
  readonly tls: Tls;
}

/** What came of an attempt. `sentence` names the status alone: what a server says may name a patient. */
export type Outcome =
  | { readonly kind: "delivered" }
  /** It may go better later. */
  | { readonly kind: "failed"; readonly sentence: string; readonly retryAfter: number | undefined }
  /** It will not. */
  | { readonly kind: "refused"; readonly sentence: string };

/** Early enough that a token does not end on its way, seconds. */
const TOKEN_MARGIN = 30;
const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().positive().default(60) });

/** Where answers are delivered to. */
export class Endpoint {
  private token: { readonly value: string; readonly until: number } | undefined;

  constructor(private readonly settings: EndpointSettings) {}

  get format(): EndpointSettings["format"] {
    return this.settings.format;
  }

  /** Names the endpoint where deliveries are written down. */
  get id(): string {
    const { url, format } = this.settings;
    return createHash("sha256").update(`${format} ${url.href}`).digest("hex").slice(0, 16);
  }

  /** One attempt. */
  async send(document: Buffer, request: string, signal: AbortSignal | undefined): Promise<Outcome> {
    const { url, signer, tls } = this.settings;
    const { contentType, body } = this.wrapped(document, request);
    try {
      const headers = {
        "content-type": contentType,
        accept: this.format === "fhir" ? "application/fhir+json" : "application/dicom+json",
        ...(signer ? { [SIGNATURE]: await signer.sign({ url: url.href, contentType, body }, request) } : {}),
        ...(await this.authorization(signal)),
      };
      return this.outcomeOf(await post(url, headers, body, { tls, signal }));
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof NoToken) return error.outcome;
      const { code, message } = error as NodeJS.ErrnoException;
      return {
        kind: "failed",
        sentence: `The endpoint could not be reached: ${code ?? message}.`,
        retryAfter: undefined,
      };
    }
  }

  /** As STOW-RS takes instances: PS3.18, 10.5. */
  private wrapped(document: Buffer, request: string): { readonly contentType: string; readonly body: Buffer } {
    const { type } = DOCUMENTS[this.format];
    if (this.format === "fhir") return { contentType: type, body: document };
    const boundary = `answer-${request}`;
    return {
      contentType: `multipart/related; type="${type}"; boundary=${boundary}`,
      body: Buffer.concat([
        Buffer.from(`--${boundary}\r\nContent-Type: ${type}\r\n\r\n`),
        document,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ]),
    };
  }

  private outcomeOf(reply: Reply): Outcome {
    const { status, body } = reply;
    // Another token may be taken.
    if (status === 401) this.token = undefined;
    const taken = status >= 200 && status < 300;
    if (taken && this.format !== "fhir") {
      // With 202 an archive has taken some instances of several, or taken one as it likes: here there is one.
      if (names(body, FAILED)) return { kind: "refused", sentence: "The archive did not take it." };
      if (status === 202 && !names(body, STORED))
        return { kind: "refused", sentence: "The archive answers 202, and does not say that it took it." };
    }
    return taken
      ? { kind: "delivered" }
      : failureOf("endpoint", reply, status === 401 && (this.settings.client ?? this.settings.identity) !== undefined);
  }

  private async authorization(signal: AbortSignal | undefined): Promise<Readonly<Record<string, string>>> {
    const { client, tls, identity } = this.settings;
    if (identity) return { authorization: await identity() };
    if (!client) return {};
    if (!this.token || this.token.until < Date.now()) this.token = await this.ask(client, tls, signal);
    return { authorization: `Bearer ${this.token.value}` };
  }

  private async ask({ tokenUrl, id, secret, scope }: Client, tls: Tls, signal: AbortSignal | undefined) {
    const form = new URLSearchParams({ grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) });
    const credentials = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64");
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
      authorization: `Basic ${credentials}`,
    };
    const reply = await post(tokenUrl, headers, Buffer.from(form.toString()), { tls, signal });
    if (reply.status !== 200) throw new NoToken(failureOf("server of tokens", reply, false));
    const parsed = tokenSchema.safeParse(jsonOf(reply.body));
    if (!parsed.success)
      throw new NoToken({ kind: "refused", sentence: "The server of tokens answers with something that is no token." });
    const { access_token: value, expires_in } = parsed.data;
    return { value, until: Date.now() + Math.max(0, expires_in - TOKEN_MARGIN) * 1000 };
  }
}

class NoToken extends Error {
  constructor(readonly outcome: Outcome) {
    super();
  }
}

/** Statuses that pass. */
const PASSING = [408, 425, 429];

function failureOf(who: string, { status, retryAfter }: Reply, again: boolean): Outcome {
  const moved = status >= 300 && status < 400;
  // It may be back tomorrow, and nothing is lost meanwhile. Nothing is sent there: what is signed is for one receiver.
  const sentence = moved
    ? `The ${who} answers ${status} and sends elsewhere, where nothing is sent: is that its new address?`
    : `The ${who} answers ${status}.`;
  const passes = again || moved || status >= 500 || PASSING.includes(status);
  return passes ? { kind: "failed", sentence, retryAfter } : { kind: "refused", sentence };
}

/** Sequences of an answer of STOW-RS (PS3.18, I.2): Failed SOP, Other Failures; Referenced SOP. */
const FAILED = ["00081198", "0008119A"];
const STORED = ["00081199"];

/** Whether an answer has an item in one of some sequences: as JSON, or as XML, which archives send whatever is asked for. */
function names(body: string, sequences: readonly string[]): boolean {
  const answer = jsonOf(body);
  if (typeof answer === "object" && answer !== null) {
    const [set] = Array.isArray(answer) ? answer : [answer];
    const of = (tag: string) => (set as Readonly<Record<string, { readonly Value?: readonly unknown[] }>>)?.[tag];
    return sequences.some((tag) => (of(tag)?.Value?.length ?? 0) > 0);
  }
  return sequences.some((tag) =>
    new RegExp(
      `<(?:\\w+:)?DicomAttribute\\b[^>]*\\btag\\s*=\\s*["']${tag}["'](?:[^>]*[^/>])?>\\s*<(?:\\w+:)?Item\\b`,
      "i",
    ).test(body),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
