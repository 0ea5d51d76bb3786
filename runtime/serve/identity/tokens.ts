import type { IncomingMessage } from "node:http";
import { errors, jwtVerify } from "jose";
import { Problem } from "../problem";
import { IssuerKeys, KeysUnavailableError, type KeyTimes } from "./keys";
import { addressIn, type Caller } from "./roles";
import type { Authentication } from "./settings";

type Checked = Exclude<Authentication, { readonly mode: "none" }>;

/** Longest token, characters; Google's have a thousand. */
const MOST_CHARACTERS = 16_384;
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const ASSERTION = "x-goog-iap-jwt-assertion";

/** There was a token, and it is no good. */
export class RefusedToken extends Problem {}

/** Says who sent a request, by the token that it carries. */
export class Tokens {
  private readonly keys: IssuerKeys;

  constructor(
    private readonly settings: Checked,
    times?: KeyTimes,
  ) {
    this.keys = new IssuerKeys(settings.keys, times);
  }

  /** @throws {Problem} 401 where the token is missing or no good, 403 without a role, 503 where nobody can tell */
  async callerOf(message: IncomingMessage): Promise<Caller> {
    const token = this.tokenIn(message);
    const { issuers, audience, algorithms, mode, roles } = this.settings;
    const { payload } = await jwtVerify(token, this.keys.find, {
      algorithms: [...algorithms],
      audience,
      issuer: [...issuers],
      requiredClaims: ["exp"],
    }).catch((error: unknown) => {
      throw this.refusal(error);
    });
    const who = addressIn(payload.email);
    if (who === undefined) throw unauthenticated("The token names nobody by an e-mail address of plain letters.", true);
    if (mode === "oidc" && payload.email_verified !== true)
      throw unauthenticated("The issuer of the token has not verified the e-mail address in it.", true);
    const role = roles.roleOf(who);
    if (!role) throw new Problem(403, "forbidden", "You have no role here. An administrator gives one in AUTH_ROLES.");
    return { who, role };
  }

  private tokenIn({ rawHeaders, headers }: IncomingMessage): string {
    const name = this.settings.mode === "iap" ? ASSERTION : "authorization";
    // Of several, Node would take the first or put them together.
    const count = rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length;
    if (count === 0) throw unauthenticated(this.missing);
    if (count > 1) throw unauthenticated(`The request has ${count} headers ${name}; send one.`, true);
    const value = String(headers[name]);
    const token = name === ASSERTION ? value : /^bearer +(\S+)$/i.exec(value)?.[1];
    if (token === undefined || token.length > MOST_CHARACTERS || !COMPACT.test(token))
      throw unauthenticated(`What the header ${name} holds is no signed token.`, true);
    return token;
  }

  private get missing(): string {
    return this.settings.mode === "iap"
      ? "The request did not come through Identity-Aware Proxy. Open the address that it stands before."
      : "The request has no token. Send the header Authorization: Bearer TOKEN.";
  }

  private refusal(error: unknown): Problem {
    if (error instanceof KeysUnavailableError)
      return new Problem(
        503,
        "keys-unavailable",
        "The keys by which tokens are checked cannot be fetched from their issuer just now. Send the request again in a moment.",
        { "retry-after": "5" },
      );
    if (error instanceof errors.JWTExpired) return unauthenticated("The token has expired. Get a new one.", true);
    // Which of its checks a token failed is not for whoever tries some.
    return unauthenticated("The token is not valid here.", true);
  }
}

/** @param refused whether there was something to refuse */
function unauthenticated(detail: string, refused = false): Problem {
  const scheme = 'Bearer realm="brain-tumor-stack"';
  return refused
    ? new RefusedToken(401, "unauthenticated", detail, { "www-authenticate": `${scheme}, error="invalid_token"` })
    : new Problem(401, "unauthenticated", detail, { "www-authenticate": scheme });
}
