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

/** A rule that lets what carries some tags, or whatever has none of its own, reach ranges outside, and is logged. */
export function allowEgress(
  scope: Construct,
  id: string,
  {
    hospital,
    network,
    name,
    description,
    ports,
    destinations,
    tags,
  }: {
    readonly hospital: HospitalRef;
    readonly network: ComputeNetwork;
    readonly name: string;
    readonly description: string;
    readonly ports: readonly number[];
    readonly destinations: readonly string[];
    /** @default every machine of the network */
    readonly tags?: readonly string[];
  },
): ComputeFirewall {
  return new ComputeFirewall(scope, id, {
    project: hospital.project,
    name: resourceName(hospital, `allow-${name}`),
    network: network.id,
    logConfig: { metadata: "INCLUDE_ALL_METADATA" },
    description,
    direction: "EGRESS",
    priority: ALLOW,
    allow: [{ protocol: "tcp", ports: ports.map(String) }],
    destinationRanges: [...destinations],
    ...(tags ? { targetTags: [...tags] } : {}),
  });
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
      this.rule("deny-egress", {
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
