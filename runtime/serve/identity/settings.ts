import { BlockList, isIP } from "node:net";
import { z } from "zod";
import { RoleTable } from "./roles";

/** Whether an address to listen on can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const version = isIP(host);
  return version !== 0 && LOOPBACK_ADDRESSES.check(host, version === 4 ? "ipv4" : "ipv6");
}

const LOOPBACK_ADDRESSES = new BlockList();
LOOPBACK_ADDRESSES.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK_ADDRESSES.addAddress("::1", "ipv6");

const keysUrl = z
  .string()
  .refine(isKeysUrl, "must be an https:// URL (http:// on this machine's own addresses alone)")
  .optional()
  .describe("URL of the issuer's public keys, a JSON Web Key Set (default: Google's).");

function isKeysUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname.replace(/^\[|\]$/g, "")));
}

const roleTable = z
  .string()
  .transform((json, context) => {
    const table = RoleTable.parse(json, (message) => context.addIssue({ code: "custom", message }));
    return table ?? z.NEVER;
  })
  .optional()
  .describe(
    'Who has which role, as JSON: {"viewer": ["*@hospital.org"], "clinician": [...], "admin": [...]}; a * stands for any characters but @.',
  );

/** Environment variables that say who may ask; of the contract of `serve`. */
export const identityVariables = {
  AUTH: z
    .enum(["none", "iap", "oidc"], "must be none, iap or oidc")
    .describe(
      "How callers say who they are: iap (Identity-Aware Proxy), oidc (Authorization: Bearer) or none, which is for 127.0.0.1 alone.",
    ),
  AUTH_AUDIENCE: z
    .string()
    .min(1)
    .optional()
    .describe("Audience that a token must be for: of iap /projects/NUMBER/global/backendServices/ID."),
  AUTH_ISSUER: z
    .string()
    .min(1)
    .optional()
    .describe("Issuer that a token must be of (default: Identity-Aware Proxy's for iap, Google's for oidc)."),
  AUTH_JWKS: keysUrl,
  AUTH_ROLES: roleTable,
} as const;

const SETTINGS = z.object(identityVariables);
export type IdentityVariables = z.output<typeof SETTINGS>;

/** How callers are told from each other. */
export type Authentication =
  | { readonly mode: "none" }
  | {
      readonly mode: "iap" | "oidc";
      readonly audience: string;
      /** Each is the issuer under a name of its own. */
      readonly issuers: readonly [string, ...string[]];
      readonly keys: URL;
      readonly algorithms: readonly string[];
      readonly roles: RoleTable;
    };

export const NO_AUTHENTICATION: Authentication = { mode: "none" };

const GOOGLE = {
  iap: {
    // https://cloud.google.com/iap/docs/signed-headers-howto
    issuers: ["https://cloud.google.com/iap"],
    keys: "https://www.gstatic.com/iap/verify/public_key-jwk",
    algorithms: ["ES256"],
  },
  oidc: {
    // https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
    issuers: ["https://accounts.google.com", "accounts.google.com"],
    keys: "https://www.googleapis.com/oauth2/v3/certs",
    algorithms: ["RS256", "ES256"],
  },
} as const;

/** @param variables such as {@link identityProblems} finds nothing wrong with */
export function authenticationOf(variables: IdentityVariables): Authentication {
  const { AUTH: mode, AUTH_AUDIENCE: audience, AUTH_ISSUER: issuer, AUTH_JWKS: keys, AUTH_ROLES: roles } = variables;
  if (mode === "none") return NO_AUTHENTICATION;
  if (audience === undefined || roles === undefined)
    throw new TypeError(`AUTH=${mode} without AUTH_AUDIENCE or AUTH_ROLES.`);
  const google = GOOGLE[mode];
  return {
    mode,
    audience,
    issuers: issuer === undefined ? google.issuers : [issuer],
    keys: new URL(keys ?? google.keys),
    algorithms: google.algorithms,
    roles,
  };
}

/**
 * What several variables together get wrong, each as a sentence.
 *
 * @param env as the process was given it
 * @param host the address that will be listened on
 */
export function identityProblems(env: NodeJS.ProcessEnv, host: string): readonly string[] {
  const { AUTH: mode, AUTH_AUDIENCE, AUTH_ISSUER, AUTH_JWKS, AUTH_ROLES } = env;
  if (mode === "none")
    return isLoopback(host)
      ? []
      : [
          `AUTH is none, by which everybody who reaches ${host} is an administrator: listen on 127.0.0.1, or set AUTH to iap or oidc.`,
        ];
  if (mode !== "iap" && mode !== "oidc") return [];
  const problems: string[] = [];
  const need = (name: "AUTH_AUDIENCE" | "AUTH_ROLES") =>
    problems.push(`${name} is not set, and AUTH=${mode} needs it. ${SETTINGS.shape[name].description}`);
  // What is set and empty has a problem of its own.
  if (AUTH_AUDIENCE === undefined) need("AUTH_AUDIENCE");
  if (AUTH_ROLES === undefined) need("AUTH_ROLES");
  if (mode === "oidc") {
    if (AUTH_ISSUER !== undefined && AUTH_JWKS === undefined)
      problems.push(`AUTH_JWKS is not set: Google's keys, the default, sign no token of ${AUTH_ISSUER}.`);
    const everybody = RoleTable.parse(AUTH_ROLES ?? "{}", () => {})?.forEverybody ?? [];
    if (everybody.length > 0)
      problems.push(
        `AUTH_ROLES gives a role to *@*: with AUTH=oidc that is whoever has any account of the issuer. Name a domain, as *@hospital.org.`,
      );
  }
  return problems;
}

/** Where nobody has to be asked: variables that are set and would count for nothing, as a sentence. */
export function unmeantProblems(env: NodeJS.ProcessEnv): readonly string[] {
  const set = Object.keys(identityVariables).filter((name) => env[name] !== undefined);
  if (set.length === 0 || set.includes("AUTH")) return [];
  return [
    `AUTH is not set, and ${set.join(", ")} ${set.length === 1 ? "is" : "are"}. ${SETTINGS.shape.AUTH.description}`,
  ];
}
