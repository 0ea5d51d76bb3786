import { createPrivateKey, createPublicKey, type KeyObject, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { CompactSign, calculateJwkThumbprint, compactVerify, exportJWK, type JSONWebKeySet, type JWK } from "jose";
import { ConfigurationError } from "../../platform/config";

/** The header of HTTP that carries a signature. */
export const SIGNATURE = "x-jws-signature";
const TYPE = "delivery+jws";
/** Seconds by which the clocks of sender and receiver may differ, and a delivery may be on its way. */
const LATEST = 300;

/** What is delivered, as a receiver sees it. */
export interface Delivered {
  /** The receiver's own address, as it was posted to. */
  readonly url: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** Signs deliveries with a private key of the curve P-256 (ES256). */
export class Signer {
  private constructor(
    private readonly key: KeyObject,
    private readonly kid: string,
    /** What a receiver needs to check them. */
    readonly publicKeys: JSONWebKeySet,
  ) {}

  /** @param file PEM. @throws {ConfigurationError} */
  static async open(file: string): Promise<Signer> {
    const wrong = wrongKey("--signing-key", file, file);
    const pem = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw wrong(`cannot be read (${error.code})`);
    });
    return Signer.from(pem, wrong);
  }

  /** @param variable that holds the key, as PEM. @throws {ConfigurationError} */
  static async of(pem: string, variable: string): Promise<Signer> {
    return Signer.from(pem, wrongKey("The environment", variable, "key.pem"));
  }

  private static async from(pem: Buffer | string, wrong: (why: string) => ConfigurationError): Promise<Signer> {
    let key: KeyObject;
    try {
      key = createPrivateKey(pem);
    } catch {
      throw wrong("is no private key in PEM");
    }
    if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw wrong("is no key of the curve P-256");
    const jwk: JWK = await exportJWK(createPublicKey(key));
    const kid = await calculateJwkThumbprint(jwk);
    return new Signer(key, kid, { keys: [{ ...jwk, kid, alg: "ES256", use: "sig" }] });
  }

  /**
   * A JWS over the body, without it (RFC 7515, appendix F). Its header says besides to whom (`aud`), of which answer
   * (`sub`), of what type (`cty`), when (`iat`) and which delivery (`jti`): each attempt is one of its own.
   */
  async sign({ url, contentType, body }: Delivered, request: string): Promise<string> {
    const signed = await new CompactSign(body)
      .setProtectedHeader({
        alg: "ES256",
        kid: this.kid,
        typ: TYPE,
        cty: contentType,
        aud: url,
        sub: request,
        iat: Math.floor(Date.now() / 1000),
        jti: randomUUID(),
      })
      .sign(this.key);
    const [head, , signature] = signed.split(".");
    return `${head}..${signature}`;
  }
}

const wrongKey = (subject: string, what: string, file: string) => (why: string) =>
  new ConfigurationError(subject, [
    `${what} ${why}. Make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ${file}`,
  ]);

/** Why a delivery is not to be taken. The message is a sentence. */
export class BadDelivery extends Error {}

/**
 * The check that docs/standards.md asks of a receiver.
 *
 * @param signature of the header; undefined where there is none
 * @param options.isNew whether a `jti` was never seen before; it has to be remembered for ten minutes
 * @param options.now seconds since 1970
 * @returns the request of the answer
 * @throws {BadDelivery}
 */
export async function checkDelivery(
  { url, contentType, body }: Delivered,
  signature: string | undefined,
  options: {
    readonly keys: JSONWebKeySet;
    readonly isNew: (jti: string) => boolean | Promise<boolean>;
    readonly now?: number;
  },
): Promise<string> {
  const { keys, isNew, now = Date.now() / 1000 } = options;
  const [head, middle, end, ...more] = (signature ?? "").split(".");
  if (!head || middle !== "" || !end || more.length > 0) throw new BadDelivery("It carries no detached signature.");
  const { protectedHeader } = await compactVerify(
    `${head}.${body.toString("base64url")}.${end}`,
    (header) => {
      const jwk = keys.keys.find(({ kid }) => kid === header.kid);
      if (!jwk) throw new BadDelivery("It is signed by a key that is not known.");
      return createPublicKey({ key: jwk as never, format: "jwk" });
    },
    { algorithms: ["ES256"] },
  ).catch((error: unknown) => {
    throw error instanceof BadDelivery ? error : new BadDelivery("It is not what was signed.", { cause: error });
  });
  const { typ, cty, aud, iat, jti, sub } = protectedHeader as Readonly<Record<string, unknown>>;
  if (typ !== TYPE || typeof jti !== "string" || typeof sub !== "string")
    throw new BadDelivery("What is signed is no delivery.");
  if (aud !== url) throw new BadDelivery("It was signed for another receiver.");
  if (cty !== contentType) throw new BadDelivery("It was signed as another type of content.");
  if (typeof iat !== "number" || Math.abs(now - iat) > LATEST)
    throw new BadDelivery(`It was signed more than ${LATEST / 60} minutes from now.`);
  if (!(await isNew(jti))) throw new BadDelivery("It was delivered before.");
  return sub;
}
