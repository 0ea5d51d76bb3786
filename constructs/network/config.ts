import { z } from "zod";
import { documentedKeys, inEveryTier, linePart } from "../core/hospital-line";
import { parseRange } from "../core/ip-range";
import { destinationProblems } from "./destinations";

export const DEFAULT_CIDR = "10.10.0.0/20";

const PRIVATE_ADDRESS = /^(?:10\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.168\.)/;

const isPrivateRange = (text: string) => {
  const range = parseRange(text);
  return range !== undefined && range.bits >= 16 && range.bits <= 24 && PRIVATE_ADDRESS.test(text);
};

/** Google's own range needs no line, and whatever is wider than /16 is no list of destinations any more. */
export const isNarrowRange = (text: string) => (parseRange(text)?.bits ?? 0) >= 16;

const destination = documentedKeys({
  schema: z.strictObject({
    name: z
      .string()
      .regex(/^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,19}$/)
      .describe("2 to 20 lower-case letters, digits and single hyphens, a letter first"),
    cidr: z
      .string()
      .refine(isNarrowRange)
      .describe("an IPv4 range of /16 or smaller such as 203.0.113.0/28, starting at its first address"),
    ports: z
      .array(z.int().min(1).max(65_535).describe("a whole number from 1 to 65535"))
      .min(1)
      .max(20)
      .describe("a list of TCP ports"),
  }),
  purpose: {
    name: "Part of the names of the firewall's rule and of the route, each name once.",
    cidr: "The addresses that may be reached.",
    ports: "The TCP ports that may be reached there.",
  },
});

const RESOURCE = z
  .string()
  .regex(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
  .describe("a name of up to 63 lower-case letters, digits and hyphens, a letter first");

const shared = documentedKeys({
  schema: z.strictObject({
    project: z
      .string()
      .regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/)
      .describe("the id of the host project of a Shared VPC"),
    network: RESOURCE,
    subnet: RESOURCE,
  }),
  purpose: {
    project: "The host project, to which the hospital's project is attached.",
    network: "The network in it, whose administrators keep rules, routes and names.",
    subnet: "The subnet in it, in the hospital's region, where its machines run.",
  },
});

/** A network that others keep. */
export type SharedNetworkLine = z.output<typeof shared.schema>;

/** `network` of a hospital's line. */
export const networkLine = linePart({
  schema: z.strictObject({
    cidr: z.string().refine(isPrivateRange).optional().describe("a private range of /16 to /24 such as 10.10.0.0/20"),
    egress: z
      .array(destination.schema.describe("an object with name, cidr and ports"))
      .max(20)
      .optional()
      .describe("a list of at most 20 destinations, each with name, cidr and ports"),
    shared: shared.schema.optional().describe("an object with project, network and subnet"),
  }),
  purpose: {
    cidr: "The subnet of the hospital's machines: one that overlaps no network it will be connected to.",
    egress:
      "What machines may reach beside Google's APIs. With none there is no way out; the first makes a NAT, which costs.",
    shared:
      "A subnet of a Shared VPC in place of a network of the hospital's own. `npm run prepare-project` prints what its administrators have to allow.",
  },
  within: { egress: destination, shared },
  defaults: inEveryTier({ cidr: DEFAULT_CIDR, egress: [] }),
});

/**
 * Rules over several values of the part, as ends of sentences that begin with the hospital.
 * @param tags of machines that the network lets talk to each other
 */
export function networkProblems(line: Partial<z.output<typeof networkLine.schema>>, tags: readonly string[]): string[] {
  const { cidr = DEFAULT_CIDR, egress = [] } = line;
  if (!line.shared) return destinationProblems(egress, cidr, tags);
  return (["cidr", "egress"] as const)
    .filter((key) => line[key] !== undefined)
    .map(
      (key) =>
        `"network.${key}" is given with "network.shared"; allowed: without it, as the network's own administrators decide that.`,
    );
}
