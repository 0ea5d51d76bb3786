import { overlaps, parseRange } from "../core/ip-range";
import type { EgressDestination } from "./firewall-rules";
import { GOOGLE_APIS } from "./google-apis-dns";

/** Parts of the names of the network's own routes and rules: a destination called so would make them twice. */
const ownNames = (tags: readonly string[]): readonly string[] => [
  GOOGLE_APIS.name,
  ...tags.flatMap((tag) => [`${tag}-in`, `${tag}-out`]),
];

/** What no route to the internet gateway leads to, or what is reached without one. */
const TAKEN: readonly (readonly [cidr: string, what: string])[] = [
  ["0.0.0.0/8", "no address"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local, with the metadata server in it"],
  ["224.0.0.0/4", "multicast, which the network does not carry"],
  ["240.0.0.0/4", "reserved"],
  [GOOGLE_APIS.cidr, "Google's APIs, which are reached already"],
  // https://cloud.google.com/vpc/docs/configure-private-google-access#domain-options
  ["199.36.153.8/30", "private.googleapis.com, with APIs through which data could leave"],
];

/** Why no gateway leads to a range, of which a part is something else; undefined where one does. */
export function noWayTo(cidr: string, subnet: string): { readonly range: string; readonly what: string } | undefined {
  const taken = [[subnet, "the hospital's own subnet"] as const, ...TAKEN];
  const [range, what] = taken.find(([one]) => overlaps(parseRange(cidr), parseRange(one))) ?? [];
  return range === undefined || what === undefined ? undefined : { range, what };
}

/**
 * Names and places that a destination outside cannot have, as ends of sentences that begin with the hospital.
 * @param subnet range of the hospital's machines
 * @param tags of machines that the network lets talk to each other
 */
export function destinationProblems(
  destinations: readonly EgressDestination[],
  subnet: string,
  tags: readonly string[],
): string[] {
  const names = destinations.map(({ name }) => name);
  const twice = [...new Set(names)].filter((name) => names.indexOf(name) !== names.lastIndexOf(name));
  return [
    ...twice.map((name) => `"network.egress" has the name "${name}" twice; allowed: each name once.`),
    ...names
      .filter((name) => ownNames(tags).includes(name))
      .map(
        (name) =>
          `"network.egress" has the name "${name}", which is that of one of the network's own rules; allowed: another name.`,
      ),
    ...destinations.flatMap(({ name, cidr }) => {
      const not = noWayTo(cidr, subnet);
      return not
        ? [
            `"network.egress" has the destination "${name}" at ${cidr}, of which ${not.range} is ${not.what}; allowed: addresses outside the hospital's network that a gateway leads to.`,
          ]
        : [];
    }),
  ];
}
