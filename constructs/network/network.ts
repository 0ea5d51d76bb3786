import { ComputeNetwork } from "@cdktf/provider-google/lib/compute-network";
import { ComputeRoute } from "@cdktf/provider-google/lib/compute-route";
import { ComputeRouter } from "@cdktf/provider-google/lib/compute-router";
import { ComputeRouterNat } from "@cdktf/provider-google/lib/compute-router-nat";
import { ComputeSubnetwork } from "@cdktf/provider-google/lib/compute-subnetwork";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { type HospitalRef, resourceName } from "../core/naming";
import { DEFAULT_CIDR } from "./config";
import { type EgressDestination, FirewallRules } from "./firewall-rules";
import { GOOGLE_APIS, GoogleApisDns } from "./google-apis-dns";
import type { MachineNetwork } from "./shared-network";

export interface NetworkProps {
  readonly hospital: HospitalRef;
  /**
   * Range of the subnet, /20 or larger for a cluster of some size.
   * @default 10.10.0.0/20
   */
  readonly cidr?: string;
  /**
   * What machines may reach beside Google's APIs. Where there is something, a NAT is made for it.
   * @default nothing
   */
  readonly egress?: readonly EgressDestination[];
}

/** https://cloud.google.com/vpc/docs/routes#default-route */
export const INTERNET_GATEWAY = "default-internet-gateway";

/** Of half of all packets. */
export const FLOW_LOGS = {
  aggregationInterval: "INTERVAL_5_MIN",
  flowSampling: 0.5,
  metadata: "INCLUDE_ALL_METADATA",
  filterExpr: "true",
};

/**
 * A network without a way out: no default rule, no default route, no external address. Machines reach Google's APIs
 * through the restricted addresses and each other where {@link allowWithin} lets them; everything else is denied and
 * logged.
 */
export class Network extends Construct implements MachineNetwork {
  readonly network: ComputeNetwork;
  readonly subnet: ComputeSubnetwork;
  /** Routes, names and rules. */
  readonly ready: readonly ITerraformDependable[];
  /** Whatever runs here is the hospital's. */
  readonly machineTags: readonly string[] = [];
  private readonly rules: FirewallRules;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    const { hospital } = props;
    const { project, region } = hospital;
    const cidr = props.cidr ?? DEFAULT_CIDR;
    const egress = props.egress ?? [];

    this.network = new ComputeNetwork(this, "vpc", {
      project,
      name: resourceName(hospital, "vpc"),
      description: `Machines of ${hospital.name}: Google's APIs only`,
      autoCreateSubnetworks: false,
      deleteDefaultRoutesOnCreate: true,
      routingMode: "REGIONAL",
      networkFirewallPolicyEnforcementOrder: "AFTER_CLASSIC_FIREWALL",
    });
    this.subnet = new ComputeSubnetwork(this, "subnet", {
      project,
      region,
      name: resourceName(hospital, "subnet"),
      network: this.network.id,
      ipCidrRange: cidr,
      privateIpGoogleAccess: true,
      stackType: "IPV4_ONLY",
      purpose: "PRIVATE",
      logConfig: FLOW_LOGS,
    });
    this.rules = new FirewallRules(this, "firewall", { hospital, network: this.network, cidr, egress });
    const dns = new GoogleApisDns(this, "dns", { hospital, network: this.network });

    // The gateway is the next hop of Google's own addresses too; packets to them do not leave Google's network.
    const destinations = [{ name: GOOGLE_APIS.name, cidr: GOOGLE_APIS.cidr }, ...egress];
    const routes = destinations.map(
      (destination) =>
        new ComputeRoute(this, `route-${destination.name}`, {
          project,
          name: resourceName(hospital, `to-${destination.name}`),
          network: this.network.id,
          destRange: destination.cidr,
          nextHopGateway: INTERNET_GATEWAY,
          priority: 1000,
        }),
    );
    this.ready = [this.subnet, ...dns.records, ...routes, ...this.rules.all];
    if (egress.length > 0) addNat(this, { hospital, network: this.network, subnet: this.subnet });
  }

  allowWithin(tag: string): readonly ITerraformDependable[] {
    return this.rules.allowWithin(tag);
  }

  tagOf(role: string): string {
    return role;
  }
}

/** Addresses of Google's for what leaves one subnet. @param name part of the names of router and NAT */
export function addNat(
  scope: Construct,
  {
    hospital,
    network,
    subnet,
    name,
  }: {
    readonly hospital: HospitalRef;
    readonly network: ComputeNetwork;
    readonly subnet: ComputeSubnetwork;
    readonly name?: string;
  },
): ComputeRouterNat {
  const { project, region } = hospital;
  const own = (suffix: string) => resourceName(hospital, name === undefined ? suffix : `${name}-${suffix}`);
  const router = new ComputeRouter(scope, "router", { project, region, name: own("router"), network: network.id });
  return new ComputeRouterNat(scope, "nat", {
    project,
    region,
    router: router.name,
    name: own("nat"),
    natIpAllocateOption: "AUTO_ONLY",
    sourceSubnetworkIpRangesToNat: "LIST_OF_SUBNETWORKS",
    subnetwork: [{ name: subnet.id, sourceIpRangesToNat: ["ALL_IP_RANGES"] }],
    logConfig: { enable: true, filter: "ALL" },
  });
}
