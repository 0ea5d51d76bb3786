import { ComputeFirewall } from "@cdktf/provider-google/lib/compute-firewall";
import type { ComputeNetwork } from "@cdktf/provider-google/lib/compute-network";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { type HospitalRef, resourceName } from "../core/naming";
import { GOOGLE_APIS } from "./google-apis-dns";

/** Something outside Google that machines of a hospital may reach. */
export interface EgressDestination {
  /** Part of the names of rule and route, such as `pacs`. */
  readonly name: string;
  readonly cidr: string;
  readonly ports: readonly number[];
}

export interface FirewallRulesProps {
  readonly hospital: HospitalRef;
  readonly network: ComputeNetwork;
  /** Range of the subnet. */
  readonly cidr: string;
  readonly egress: readonly EgressDestination[];
}

const ANYWHERE = "0.0.0.0/0";
/** The last rule before the implied ones, which are not logged. */
const LAST = 65534;
const ALLOW = 1000;
/** Before {@link ALLOW}, by which rules for the whole network count for what is bound as well. */
const BOUND = { allow: 900, deny: 950 } as const;
/** By this name what is denied is counted. */
export const NAME_OF_DENIAL = "deny-egress";

interface AllowedEgress {
  readonly hospital: HospitalRef;
  readonly network: ComputeNetwork;
  readonly name: string;
  readonly description: string;
  readonly ports: readonly number[];
  readonly destinations: readonly string[];
}

/** A rule that lets what carries some tags, or every machine of the network, reach ranges outside, and is logged. */
function allowEgress(
  scope: Construct,
  id: string,
  { hospital, network, name, description, ports, destinations }: AllowedEgress,
  bound?: { readonly tags: readonly string[] },
): ComputeFirewall {
  return new ComputeFirewall(scope, id, {
    project: hospital.project,
    name: resourceName(hospital, `allow-${name}`),
    network: network.id,
    logConfig: { metadata: "INCLUDE_ALL_METADATA" },
    description,
    direction: "EGRESS",
    priority: bound ? BOUND.allow : ALLOW,
    allow: [{ protocol: "tcp", ports: ports.map(String) }],
    destinationRanges: [...destinations],
    ...(bound ? { targetTags: [...bound.tags] } : {}),
  });
}

/**
 * Lets what carries some tags reach ranges outside and Google's APIs, and nothing else, whatever the network lets all of
 * its machines reach. Google's own rules of a connector, by which it hears of what a function sends, come before (100).
 */
export function bindEgress(
  scope: Construct,
  props: AllowedEgress & { readonly tags: readonly string[] },
): readonly ITerraformDependable[] {
  const { hospital, network, name, tags } = props;
  const allows = [
    allowEgress(scope, "allow", props, { tags }),
    allowEgress(
      scope,
      `allow-${GOOGLE_APIS.name}`,
      {
        ...{ hospital, network, name: `${name}-${GOOGLE_APIS.name}` },
        description: `Google's APIs by their restricted addresses, for ${name}`,
        ...{ ports: [443], destinations: [GOOGLE_APIS.cidr] },
      },
      { tags },
    ),
  ];
  const denial = new ComputeFirewall(scope, "deny", {
    project: hospital.project,
    // What it denies is counted with what the network's own rule denies, whose name is a part of this one.
    name: resourceName(hospital, `${NAME_OF_DENIAL}-${name}`),
    network: network.id,
    logConfig: { metadata: "INCLUDE_ALL_METADATA" },
    description: `Nothing else leaves by ${name}, whatever machines of the network may reach`,
    direction: "EGRESS",
    priority: BOUND.deny,
    deny: [{ protocol: "all" }],
    destinationRanges: [ANYWHERE],
    targetTags: [...tags],
    // Alone it would hold up what is allowed.
    dependsOn: allows,
  });
  return [...allows, denial];
}

/** Everything is denied, in and out, and logged; what is allowed is listed here. */
export class FirewallRules extends Construct {
  readonly all: readonly ITerraformDependable[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: FirewallRulesProps,
  ) {
    super(scope, id);
    this.all = [
      this.rule(NAME_OF_DENIAL, {
        description: "Nothing leaves that no other rule allows",
        direction: "EGRESS",
        priority: LAST,
        deny: [{ protocol: "all" }],
        destinationRanges: [ANYWHERE],
      }),
      this.rule("deny-ingress", {
        description: "Nothing enters that no other rule allows",
        direction: "INGRESS",
        priority: LAST,
        deny: [{ protocol: "all" }],
        sourceRanges: [ANYWHERE],
      }),
      this.allowed(GOOGLE_APIS.name, "Google's APIs by their restricted addresses", [443], GOOGLE_APIS.cidr),
      ...props.egress.map(({ name, cidr, ports }) =>
        this.allowed(name, `What the hospital's line allows as ${name}`, ports, cidr),
      ),
    ];
  }

  /** Between machines with one tag, whatever the protocol; to be out of the subnet needs another rule. */
  allowWithin(tag: string): readonly ITerraformDependable[] {
    const allow = ["icmp", "tcp", "udp"].map((protocol) => ({ protocol }));
    return [
      this.rule(`allow-${tag}-in`, {
        description: `Machines tagged ${tag} from each other`,
        direction: "INGRESS",
        priority: ALLOW,
        allow,
        sourceTags: [tag],
        targetTags: [tag],
      }),
      this.rule(`allow-${tag}-out`, {
        description: `Machines tagged ${tag} to the subnet, which lets only each other in`,
        direction: "EGRESS",
        priority: ALLOW,
        allow,
        destinationRanges: [this.props.cidr],
        targetTags: [tag],
      }),
    ];
  }

  private allowed(name: string, description: string, ports: readonly number[], cidr: string): ComputeFirewall {
    const { hospital, network } = this.props;
    return allowEgress(this, `allow-${name}`, { hospital, network, name, description, ports, destinations: [cidr] });
  }

  private rule(
    name: string,
    config: Omit<ConstructorParameters<typeof ComputeFirewall>[2], "name" | "network" | "project" | "logConfig">,
  ): ComputeFirewall {
    const { hospital, network } = this.props;
    return new ComputeFirewall(this, name, {
      project: hospital.project,
      name: resourceName(hospital, name),
      network: network.id,
      logConfig: { metadata: "INCLUDE_ALL_METADATA" },
      ...config,
    });
  }
}
