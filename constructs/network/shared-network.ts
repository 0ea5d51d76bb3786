import type { ITerraformDependable } from "../core/cdktf";
import type { HospitalRef } from "../core/naming";
import { apiAgentMember, serviceAgentMember } from "../core/service-agents";
import type { SharedNetworkLine } from "./config";
import { GOOGLE_APIS, GOOGLE_DOMAINS } from "./google-apis-dns";

/** Where machines run, whoever keeps it. */
export interface MachineNetwork {
  readonly subnet: { readonly selfLink: string };
  /** What a machine needs from its first second on: put it into `dependsOn`. */
  readonly ready: readonly ITerraformDependable[];
  /**
   * Lets machines with a tag talk to each other, and only to each other, on every port: the nodes of a cluster.
   * @returns what must exist before the first such machine
   */
  allowWithin(tag: string): readonly ITerraformDependable[];
  /** The tag that machines of a role carry in this network, by which rules find them. */
  tagOf(role: string): string;
  /** What every machine of the hospital carries beside it. */
  readonly machineTags: readonly string[];
}

/** Others use a shared network as well, with rules of their own: a tag without the hospital's name may be anybody's. */
const sharedTag = ({ name }: Pick<HospitalRef, "name">, role: string) => `${name}-${role}`;
const MACHINE = "machine";

/** A subnet of a Shared VPC. Nothing is made in it: its administrators keep rules, routes and names ({@link hostCommands}). */
export class SharedNetwork implements MachineNetwork {
  readonly subnet: { readonly selfLink: string };
  readonly ready: readonly ITerraformDependable[] = [];
  readonly machineTags: readonly string[];

  constructor(
    private readonly hospital: Pick<HospitalRef, "name" | "region">,
    { project, subnet }: SharedNetworkLine,
  ) {
    this.machineTags = [sharedTag(hospital, MACHINE)];
    this.subnet = {
      selfLink: `https://www.googleapis.com/compute/v1/projects/${project}/regions/${hospital.region}/subnetworks/${subnet}`,
    };
  }

  allowWithin(): readonly ITerraformDependable[] {
    return [];
  }

  tagOf(role: string): string {
    return sharedTag(this.hospital, role);
  }
}

/**
 * What the administrators of a Shared VPC run for one hospital, with rights on the host project that whoever deploys a
 * hospital does not need: the same that a hospital's own network has.
 * @param role of machines that talk to each other
 */
export function hostCommands(
  hospital: Pick<HospitalRef, "name" | "project" | "projectNumber" | "region" | "deployer">,
  { project, network, subnet }: SharedNetworkLine,
  role: string,
): [program: string, ...args: string[]][] {
  const compute = (...args: string[]): [string, ...string[]] => ["gcloud", "compute", ...args, `--project=${project}`];
  const rule = (name: string, direction: "INGRESS" | "EGRESS", action: string, priority: number, ...rest: string[]) =>
    compute(
      "firewall-rules",
      "create",
      `${hospital.name}-${name}`,
      `--network=${network}`,
      `--direction=${direction}`,
      action,
      `--priority=${priority}`,
      "--enable-logging",
      ...rest,
    );
  const { deployer } = hospital;
  const users = [serviceAgentMember(hospital, "dataproc"), apiAgentMember(hospital), ...(deployer ? [deployer] : [])];
  const subnetUse = users.map((member): [string, ...string[]] =>
    compute(
      "networks",
      "subnets",
      "add-iam-policy-binding",
      subnet,
      `--region=${hospital.region}`,
      `--member=${member}`,
      "--role=roles/compute.networkUser",
    ),
  );
  // By tag: other machines of the network are none of the hospital's.
  const tags = (kind: "source" | "target") => `--${kind}-tags=${sharedTag(hospital, role)}`;
  const machines = `--target-tags=${sharedTag(hospital, MACHINE)}`;
  const zones = GOOGLE_DOMAINS.flatMap(({ id, domain, target }): [string, ...string[]][] => {
    const dns = (...args: string[]): [string, ...string[]] => ["gcloud", "dns", ...args, `--project=${project}`];
    const record = (name: string, type: string, data: string) =>
      dns("record-sets", "create", name, `--zone=${id}`, `--type=${type}`, "--ttl=300", `--rrdatas=${data}`);
    return [
      dns(
        "managed-zones",
        "create",
        id,
        `--dns-name=${domain}`,
        "--visibility=private",
        `--networks=${network}`,
        `--description=Google's addresses for ${domain}`,
      ),
      record(target, "A", GOOGLE_APIS.addresses.join(",")),
      record(`*.${domain}`, "CNAME", target),
    ];
  });
  return [
    // A network that somebody else keeps in the hospital's own project needs no attachment.
    ...(project === hospital.project
      ? []
      : [compute("shared-vpc", "associated-projects", "add", hospital.project, `--host-project=${project}`)]),
    compute(
      "networks",
      "subnets",
      "update",
      subnet,
      `--region=${hospital.region}`,
      "--enable-private-ip-google-access",
    ),
    compute("networks", "subnets", "update", subnet, `--region=${hospital.region}`, "--enable-flow-logs"),
    ...subnetUse,
    rule("nodes-in", "INGRESS", "--action=ALLOW", 1000, "--rules=icmp,tcp,udp", tags("source"), tags("target")),
    rule(
      "nodes-out",
      "EGRESS",
      "--action=ALLOW",
      1000,
      "--rules=icmp,tcp,udp",
      "--destination-ranges=RANGE_OF_THE_SUBNET",
      tags("target"),
    ),
    rule(
      GOOGLE_APIS.name,
      "EGRESS",
      "--action=ALLOW",
      1000,
      "--rules=tcp:443",
      `--destination-ranges=${GOOGLE_APIS.cidr}`,
      machines,
    ),
    rule("deny-egress", "EGRESS", "--action=DENY", 65_534, "--rules=all", "--destination-ranges=0.0.0.0/0", machines),
    compute(
      "routes",
      "create",
      `${hospital.name}-to-${GOOGLE_APIS.name}`,
      `--network=${network}`,
      `--destination-range=${GOOGLE_APIS.cidr}`,
      "--next-hop-gateway=default-internet-gateway",
    ),
    ...zones,
  ];
}
