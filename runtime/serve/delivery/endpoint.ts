import { createHash } from "node:crypto";
import { z } from "zod";
import { mayPass, storeRequest, whyNotStored } from "../../exchange";
import { post, type Reply, type Tls } from "../../platform/post";
import { DOCUMENTS } from "../documents";
import type { ReportFormat } from "../schemas";
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
    return storeRequest(document, request);
  }

  private outcomeOf(reply: Reply): Outcome {
    const { status, body } = reply;
    // Another token may be taken.
    if (status === 401) this.token = undefined;
    const taken = status >= 200 && status < 300;
    if (taken && this.format !== "fhir") {
      const sentence = whyNotStored(status, body);
      if (sentence !== undefined) return { kind: "refused", sentence };
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

function failureOf(who: string, { status, retryAfter }: Reply, again: boolean): Outcome {
  const moved = status >= 300 && status < 400;
  // It may be back tomorrow, and nothing is lost meanwhile. Nothing is sent there: what is signed is for one receiver.
  const sentence = moved
    ? `The ${who} answers ${status} and sends elsewhere, where nothing is sent: is that its new address?`
    : `The ${who} answers ${status}.`;
  const passes = again || moved || mayPass(status);
  return passes ? { kind: "failed", sentence, retryAfter } : { kind: "refused", sentence };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
