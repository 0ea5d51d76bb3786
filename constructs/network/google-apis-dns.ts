import type { ComputeNetwork } from "@cdktf/provider-google/lib/compute-network";
import { DnsManagedZone } from "@cdktf/provider-google/lib/dns-managed-zone";
import { DnsRecordSet } from "@cdktf/provider-google/lib/dns-record-set";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { type HospitalRef, resourceName } from "../core/naming";

/**
 * restricted.googleapis.com: the APIs that support VPC Service Controls, and none through which data could leave.
 * https://cloud.google.com/vpc/docs/configure-private-google-access#config-options
 */
export const GOOGLE_APIS = {
  /** Part of the names of the rule and the route that lead there. */
  name: "google-apis",
  host: "restricted.googleapis.com.",
  cidr: "199.36.153.4/30",
  addresses: ["199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"],
} as const;

/** Domains that machines use: the APIs, what Artifact Registry has, and the installer of GPU drivers. */
export const GOOGLE_DOMAINS = [
  { id: "googleapis", domain: "googleapis.com.", target: GOOGLE_APIS.host },
  { id: "pkg-dev", domain: "pkg.dev.", target: "pkg.dev." },
  { id: "gcr-io", domain: "gcr.io.", target: "gcr.io." },
] as const;

const TTL_SECONDS = 300;

/** Answers the names of Google's APIs with addresses that are reached without leaving Google's network. */
export class GoogleApisDns extends Construct {
  readonly records: readonly ITerraformDependable[];

  constructor(
    scope: Construct,
    id: string,
    props: { readonly hospital: HospitalRef; readonly network: ComputeNetwork },
  ) {
    super(scope, id);
    const { hospital, network } = props;
    this.records = GOOGLE_DOMAINS.flatMap(({ id: zoneId, domain, target }) => {
      const zone = new DnsManagedZone(this, zoneId, {
        project: hospital.project,
        name: resourceName(hospital, zoneId),
        dnsName: domain,
        description: `Google's addresses for ${domain} inside ${hospital.name}`,
        visibility: "private",
        privateVisibilityConfig: { networks: [{ networkUrl: network.id }] },
        forceDestroy: false,
      });
      const record = (recordId: string, name: string, type: "A" | "CNAME", rrdatas: readonly string[]) =>
        new DnsRecordSet(this, `${zoneId}-${recordId}`, {
          project: hospital.project,
          managedZone: zone.name,
          name,
          type,
          ttl: TTL_SECONDS,
          rrdatas: [...rrdatas],
        });
      return [
        record("addresses", target, "A", GOOGLE_APIS.addresses),
        record("names", `*.${domain}`, "CNAME", [target]),
      ];
    });
  }
}
