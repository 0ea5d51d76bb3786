import { z } from "zod";
import { documentedKeys, inEveryTier, linePart, type Tier } from "../core/hospital-line";
import { overlaps, parseRange } from "../core/ip-range";
import { DEFAULT_CIDR, isNarrowRange, noWayTo } from "../network";

/** Part of the names of all that leads to the receiver, and the name of the connector. */
export const OUTLET = "deliver-out";

const url = (what: string) =>
  z
    .url({ protocol: /^https$/ })
    .refine((text) => {
      const { username, password, hash } = new URL(text);
      return username === "" && password === "" && hash === "";
    })
    .describe(`${what}: an https URL without user, password and #`);

/** Never a value: that would stand in every state and plan. */
const SECRET = z
  .string()
  .regex(/^secrets\/[A-Za-z0-9_-]{1,255}\/versions\/[1-9][0-9]{0,8}$/)
  .describe("a version of a secret of the hospital's project: secrets/NAME/versions/N");

const oauth2 = documentedKeys({
  schema: z.strictObject({
    signInUrl: url("where the client's token is had"),
    clientId: z
      .string()
      .regex(/^[\x21-\x7e]{1,200}$/)
      .describe("the client's name at that server"),
    clientSecret: SECRET,
    scope: z
      .string()
      .regex(/^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/)
      .optional()
      .describe("scopes with single blanks between them"),
  }),
  purpose: {
    signInUrl: "The server of tokens. Its addresses belong to `addresses` too.",
    clientId: "Who signs in.",
    clientSecret: "Its secret.",
    scope: "What the token is asked for.",
  },
});

const mtls = documentedKeys({
  schema: z.strictObject({ certificate: SECRET, key: SECRET }),
  purpose: { certificate: "The own certificate, PEM.", key: "Its private key, PEM." },
});

const range = (most: number, what: string, isRange: (text: string) => boolean) =>
  z
    .string()
    .refine((text) => isRange(text) && (parseRange(text)?.bits ?? 0) >= most)
    .describe(what);

/** `delivery` of a hospital's line. */
export const deliveryLine = linePart({
  schema: z.strictObject({
    to: url("the base of a FHIR server, or .../studies of an archive").optional(),
    format: z.enum(["fhir", "sr", "sc"]).optional().describe("fhir, sr or sc"),
    addresses: z
      .array(range(24, "a range of /24 or smaller such as 203.0.113.7/32", isNarrowRange))
      .min(1)
      .max(10)
      .optional()
      .describe("a list of at most 10 ranges such as 203.0.113.7/32"),
    signingKey: SECRET.optional(),
    oauth2: oauth2.schema.optional().describe("an object with signInUrl, clientId, clientSecret and scope"),
    mtls: mtls.schema.optional().describe("an object with certificate and key"),
    ca: SECRET.optional(),
    cidr: range(28, "a private range of /28 such as 10.10.16.0/28", (text) => /^(?:10|172|192)\./.test(text))
      .refine((text) => parseRange(text)?.bits === 28)
      .optional(),
  }),
  purpose: {
    to: "A receiver outside Google to which each answer is delivered as it is given, signed: a FHIR server, or an archive that takes STOW-RS. Without it answers leave by `npm run deliver` and the gateway alone.",
    format: "What it is sent: a transaction of FHIR R4, the structured report, or the overlay.",
    addresses:
      "Where the receiver, and the server of tokens, are. The function that delivers reaches these on the ports of the URLs and Google's APIs, and nothing else; no machine of the network reaches them.",
    signingKey: "The private key (PEM, P-256) by which the receiver knows who sent what.",
    oauth2: "Signs in by OAuth 2.0 client credentials. This, `mtls` or both.",
    mtls: "Signs in by a certificate.",
    ca: "Who signed the receiver's certificate (PEM). Without it, whom Node trusts.",
    cidr: "The subnet of the way out; one that overlaps no network it will be connected to.",
  },
  within: { oauth2, mtls },
  defaults: inEveryTier({ format: "fhir" as const, cidr: "10.10.16.0/28" }),
});

type DeliveryLine = Partial<z.output<typeof deliveryLine.schema>>;

/** Everything that a receiver outside needs, once the line was checked. */
export interface Receiver {
  readonly url: string;
  readonly format: "fhir" | "sr" | "sc";
  readonly addresses: readonly string[];
  readonly signingKey: string;
  readonly oauth2: z.output<typeof oauth2.schema> | undefined;
  readonly mtls: z.output<typeof mtls.schema> | undefined;
  readonly ca: string | undefined;
  readonly cidr: string;
}

/** Undefined where the line names none. */
export function receiverOf(line: DeliveryLine & { readonly cidr: string }): Receiver | undefined {
  const { to, addresses, signingKey, format = "fhir", cidr } = line;
  if (to === undefined || addresses === undefined || signingKey === undefined) return undefined;
  return { url: to, format, addresses, signingKey, oauth2: line.oauth2, mtls: line.mtls, ca: line.ca, cidr };
}

type NetworkLine = {
  readonly cidr?: string | undefined;
  readonly shared?: unknown;
  readonly egress?: readonly { readonly name: string }[] | undefined;
};

/** Rules over several values, as ends of sentences that begin with the hospital. */
export function deliveryProblems(line: DeliveryLine, tier: Tier | undefined, network: NetworkLine): string[] {
  const given = Object.keys(line).filter((key) => line[key as keyof DeliveryLine] !== undefined);
  if (given.length === 0) return [];
  if (line.to === undefined)
    return [`"delivery" has ${given.join(", ")} and no "to"; allowed: with the URL of the receiver.`];
  const problems: string[] = [];
  if (tier === "ephemeral")
    problems.push(
      '"delivery" names a receiver in tier ephemeral; allowed: in tiers prod and test, as environments share a project whose secrets belong to none of them.',
    );
  for (const key of ["addresses", "signingKey"] as const)
    if (line[key] === undefined)
      problems.push(`"delivery.${key}" is missing; allowed: ${deliveryLine.schema.shape[key].description}.`);
  if (line.oauth2 === undefined && line.mtls === undefined)
    problems.push('"delivery" does not say how to sign in; allowed: with "oauth2", "mtls" or both.');
  if (network.shared !== undefined)
    problems.push(
      '"delivery" is given with "network.shared"; allowed: without it, as the network\'s own administrators decide what leaves. npm run deliver delivers from any machine that they let out.',
    );
  for (const { name } of network.egress ?? [])
    if (name === OUTLET || name.startsWith(`${OUTLET}-`))
      problems.push(
        `"network.egress" has the name "${name}", which is one of the way to "delivery.to"; allowed: another name.`,
      );
  const { cidr = deliveryLine.defaults.prod.cidr } = line;
  const subnet = network.cidr ?? DEFAULT_CIDR;
  if (overlaps(parseRange(cidr), parseRange(subnet)))
    problems.push(`"delivery.cidr" is ${cidr}, a part of "network.cidr", ${subnet}; allowed: a range of its own.`);
  for (const address of line.addresses ?? []) {
    const not =
      noWayTo(address, subnet) ??
      (overlaps(parseRange(address), parseRange(cidr))
        ? { range: cidr, what: "the subnet of the way out" }
        : undefined);
    if (not)
      problems.push(
        `"delivery.addresses" has ${address}, of which ${not.range} is ${not.what}; allowed: addresses outside the hospital's network that a gateway leads to.`,
      );
  }
  return problems;
}

/** The Google APIs that a hospital needs beside the others for what its line says. */
export const deliveryServices = ({ delivery }: { readonly delivery: DeliveryLine }): readonly string[] =>
  delivery.to === undefined ? [] : ["secretmanager.googleapis.com", "vpcaccess.googleapis.com"];
