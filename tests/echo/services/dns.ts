import { type Json, recordOf } from "../json";
import { failedPrecondition, invalid } from "../problem";
import { NOW, resourceService } from "../resources";
import type { Service, World } from "../service";

/** https://cloud.google.com/dns/docs/reference/rest/v1 */
export const dns: Service = (() => {
  const zones = resourceService({
    name: "dns",
    endpoints: {},
    keepsDefaults: true,
    kinds: [
      {
        collection: "projects/*/managedZones",
        complete: (zone, { id, world, before }) => {
          const servers = ["ns-gcp-private.googledomains.com."];
          return {
            ...zone,
            kind: "dns#managedZone",
            name: id,
            id: before?.id ?? String(1000 + world.store.next()),
            creationTime: NOW,
            nameServers: servers,
            cloudLoggingConfig: { kind: "dns#managedZoneCloudLoggingConfig", ...recordOf(zone.cloudLoggingConfig) },
            ...(zone.visibility === "private" ? {} : { visibility: "public" }),
          };
        },
        deleting: (_zone, { name, world }) => {
          if (rrsets(world, name).length > 0) throw failedPrecondition(`${name} has record sets.`);
        },
      },
    ],
  });
  return {
    // The provider cuts "/dns/" out of the address, wherever it stands.
    name: "clouddns",
    endpoints: { DNS: "v1" },
    handle(request, world) {
      const { method, path, body, query } = request;
      const [, zone = "", what] =
        /^(projects\/[^/]+\/managedZones\/[^/]+)\/(rrsets|changes)(?:\/.*)?$/.exec(path) ?? [];
      if (what === undefined) return zones.handle(request, world);
      const { dnsName } = world.store.get(`dns/${zone}`);
      if (what === "rrsets") {
        const wanted = rrsets(world, zone).filter(
          ({ name, type }) => (query.get("name") ?? name) === name && (query.get("type") ?? type) === type,
        );
        return {
          kind: "dns#resourceRecordSetsListResponse",
          rrsets: [...ownRecords(String(dnsName), query), ...wanted],
        };
      }
      if (method === "POST") {
        const list = (value: unknown) => (Array.isArray(value) ? (value as Json[]) : []);
        for (const record of list(body.deletions)) world.store.delete(rrset(zone, record));
        for (const record of list(body.additions)) {
          if (!String(record.name).endsWith(String(dnsName))) throw invalid(`${record.name} is not below ${dnsName}`);
          world.store.create(rrset(zone, record), { kind: "dns#resourceRecordSet", ...record });
        }
      }
      return { kind: "dns#change", ...body, id: "1", status: "done", startTime: NOW };
    },
  };
})();

/** `rrsets` of a zone lie beside it under one name each. */
const rrset = (zone: string, { name, type }: Json) => `dns/${zone}/rrsets/${String(name)}:${String(type)}`;
const rrsets = (world: World, zone: string) => world.store.below(`dns/${zone}/rrsets`).map(([, record]) => record);

/** Every zone has these two, and they go with it. */
function ownRecords(name: string, query: URLSearchParams): Json[] {
  const own = [
    { kind: "dns#resourceRecordSet", name, type: "NS", ttl: 21600, rrdatas: ["ns-gcp-private.googledomains.com."] },
    {
      kind: "dns#resourceRecordSet",
      name,
      type: "SOA",
      ttl: 21600,
      rrdatas: ["ns-gcp-private.googledomains.com. cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"],
    },
  ];
  return own.filter(
    (record) => query.get("name") === null || (query.get("name") === name && query.get("type") === record.type),
  );
}
