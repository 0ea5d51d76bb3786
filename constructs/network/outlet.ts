import { ComputeRoute } from "@cdktf/provider-google/lib/compute-route";
import { ComputeSubnetwork } from "@cdktf/provider-google/lib/compute-subnetwork";
import { VpcAccessConnector } from "@cdktf/provider-google/lib/vpc-access-connector";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { type HospitalRef, resourceName } from "../core/naming";
import { bindEgress } from "./firewall-rules";
import { addNat, FLOW_LOGS, INTERNET_GATEWAY, type Network } from "./network";

export interface OutletProps {
  readonly hospital: HospitalRef;
  readonly network: Network;
  /** Name of the connector, of at most 25 characters, which is unique in the project's region; part of all other names. */
  readonly name: string;
  /** Range of the connector's own subnet, /28. */
  readonly cidr: string;
  /** What is reached through it, beside Google's APIs. */
  readonly destinations: readonly string[];
  /** TCP. */
  readonly ports: readonly number[];
}

/**
 * The way by which one function leaves: all that it sends goes into the network, which lets it reach some addresses outside
 * Google and Google's APIs, and nothing else, neither what the hospital's line lets machines reach nor these machines. Rules
 * and routes are bound to it: no machine of the network gets a way out.
 */
export class Outlet extends Construct {
  /** What a function names. */
  readonly connector: VpcAccessConnector;
  /** What the function waits for. */
  readonly ready: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, props: OutletProps) {
    super(scope, id);
    const { hospital, network, name, destinations, ports } = props;
    const { project, region } = hospital;
    const vpc = network.network;
    const subnet = new ComputeSubnetwork(this, "subnet", {
      project,
      region,
      name: resourceName(hospital, name),
      network: vpc.id,
      ipCidrRange: props.cidr,
      privateIpGoogleAccess: true,
      stackType: "IPV4_ONLY",
      purpose: "PRIVATE",
      logConfig: FLOW_LOGS,
    });
    this.connector = new VpcAccessConnector(this, "connector", {
      project,
      region,
      name,
      subnet: { name: subnet.name, projectId: project },
      machineType: "e2-micro",
      minInstances: 2,
      maxInstances: 3,
    });
    // https://cloud.google.com/vpc/docs/configure-serverless-vpc-access: Google gives its machines this tag.
    const tags = [`vpc-connector-${region}-${name}`];
    const rules = bindEgress(this, {
      hospital,
      network: vpc,
      name,
      description: `What ${name} may reach outside Google`,
      ports,
      destinations,
      tags,
    });
    const routes = destinations.map(
      (destRange, index) =>
        new ComputeRoute(this, `route-${index + 1}`, {
          project,
          name: resourceName(hospital, `to-${name}-${index + 1}`),
          network: vpc.id,
          destRange,
          nextHopGateway: INTERNET_GATEWAY,
          priority: 1000,
          tags,
        }),
    );
    const nat = addNat(this, { hospital, network: vpc, subnet, name });
    this.ready = [...network.ready, subnet, ...rules, ...routes, nat];
  }
}
