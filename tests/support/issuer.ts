import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

type Claims = Readonly<Record<string, unknown>>;

export interface IssuerKey {
  readonly kid: string;
  readonly alg: "ES256" | "RS256";
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

let keys = 0;

export function newKey(alg: IssuerKey["alg"] = "ES256"): IssuerKey {
  const pair =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { kid: `key-${++keys}`, alg, ...pair };
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token as RFC 7515 has it, signed here and not by the library that reads it. */
export function token(key: IssuerKey, claims: Claims, header: Claims = {}): string {
  const input = `${part({ alg: key.alg, typ: "JWT", kid: key.kid, ...header })}.${part(claims)}`;
  const signature =
    key.alg === "ES256"
      ? sign("sha256", Buffer.from(input), { key: key.privateKey, dsaEncoding: "ieee-p1363" })
      : createSign("sha256").update(input).sign(key.privateKey);
  return `${input}.${signature.toString("base64url")}`;
}

/** The same with no signature, and with one by a secret that everybody has: the public key. */
export const unsigned = (claims: Claims, kid: string) => `${part({ alg: "none", typ: "JWT", kid })}.${part(claims)}.`;
export function signedWithPublicKey(key: IssuerKey, claims: Claims, secret: string | Buffer): string {
  const input = `${part({ alg: "HS256", typ: "JWT", kid: key.kid })}.${part(claims)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

export const seconds = () => Math.floor(Date.now() / 1000);

/** A server of public keys. */
export class Issuer {
  /** Times that the keys were asked for. */
  asked = 0;
  /** What it answers in place of the keys: a status, or a text. */
  failing: number | string | undefined;
  /** What it says of how long its keys may be kept. */
  cacheControl: string | undefined;

  private constructor(
    private readonly server: Server,
    public keys: readonly IssuerKey[],
  ) {}

  static async start(...keys: readonly IssuerKey[]): Promise<Issuer> {
    const server = createServer((_, response) => {
      issuer.asked++;
      const { failing } = issuer;
      if (typeof failing === "number") {
        response.writeHead(failing).end();
        return;
      }
      const set = issuer.keys.map(({ kid, alg, publicKey }) => ({
        ...publicKey.export({ format: "jwk" }),
        kid,
        alg,
        use: "sig",
      }));
      response.setHeader("content-type", "application/json");
      if (issuer.cacheControl !== undefined) response.setHeader("cache-control", issuer.cacheControl);
      response.end(failing ?? JSON.stringify({ keys: set }));
    });
    const issuer = new Issuer(server, keys);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/keys`;
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((closed) => this.server.close(() => closed()));
  }
}
