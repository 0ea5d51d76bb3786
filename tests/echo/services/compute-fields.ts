import { createHash } from "node:crypto";
import { type Json, recordOf } from "../json";
import { failedPrecondition } from "../problem";
import type { World } from "../service";
import { checkKey } from "./kms";

const LINK = "https://www.googleapis.com/compute/v1/";

export const linkTo = (name: string) => `${LINK}${name}`;

/** `projects/p/global/networks/n` of a link in any form. */
export const pathOf = (link: unknown) => String(link).replace(/^https?:\/\/.*?\/compute\/v1\//, "");

/** What Google adds to what was written of each collection: at creation, and after every change. */
export type Complete = (written: Json, context: { readonly name: string; readonly world: World }) => Json;

export const COLLECTIONS: Readonly<Record<string, Complete>> = {
  networks: (network, { name, world }) => {
    const selfLink = linkTo(name);
    if (network.routingConfig === undefined || !world.store.find(`compute/${name}`)) {
      // A network begins with a way to the internet.
      const route = `default-route-${fingerprint(name).slice(0, 8)}`;
      const project = name.split("/")[1];
      world.store.put(`compute/projects/${project}/global/routes/${route}`, {
        kind: "compute#route",
        name: route,
        description: "Default route to the Internet.",
        network: selfLink,
        destRange: "0.0.0.0/0",
        priority: 1000,
        nextHopGateway: linkTo(`projects/${project}/global/gateways/default-internet-gateway`),
        selfLink: linkTo(`projects/${project}/global/routes/${route}`),
      });
    }
    return {
      networkFirewallPolicyEnforcementOrder: "AFTER_CLASSIC_FIREWALL",
      ...network,
      routingConfig: {
        routingMode: "REGIONAL",
        bgpBestPathSelectionMode: "LEGACY",
        ...recordOf(network.routingConfig),
      },
    };
  },
  subnetworks: (subnet) => ({
    gatewayAddress: String(subnet.ipCidrRange).replace(/\.\d+\/\d+$/, ".1"),
    privateIpGoogleAccess: false,
    privateIpv6GoogleAccess: "DISABLE_GOOGLE_ACCESS",
    purpose: "PRIVATE",
    stackType: "IPV4_ONLY",
    allowSubnetCidrRoutesOverlap: false,
    ...subnet,
    fingerprint: fingerprint(subnet),
    logConfig: recordOf(subnet.logConfig).enable
      ? {
          aggregationInterval: "INTERVAL_5_SEC",
          flowSampling: 0.5,
          metadata: "INCLUDE_ALL_METADATA",
          filterExpr: "true",
          ...recordOf(subnet.logConfig),
        }
      : { enable: false },
    enableFlowLogs: recordOf(subnet.logConfig).enable === true,
  }),
  firewalls: (rule) => {
    const direction = rule.direction ?? "INGRESS";
    const from = ["sourceRanges", "sourceTags", "sourceServiceAccounts"].some((field) => nonEmpty(rule[field]));
    const { enable, metadata } = recordOf(rule.logConfig);
    return {
      priority: 1000,
      disabled: false,
      ...rule,
      direction,
      ...(direction === "INGRESS" && !from ? { sourceRanges: ["0.0.0.0/0"] } : {}),
      ...(direction === "EGRESS" && !nonEmpty(rule.destinationRanges) ? { destinationRanges: ["0.0.0.0/0"] } : {}),
      logConfig: enable ? { enable, metadata: metadata ?? "INCLUDE_ALL_METADATA" } : { enable: false },
    };
  },
  routes: (route) => ({ priority: 1000, ...route, routeType: "STATIC", routeStatus: "ACTIVE" }),
  routers: (router) => ({
    encryptedInterconnectRouter: false,
    ...router,
    ...(Array.isArray(router.nats) ? { nats: (router.nats as Json[]).map(completeNat) } : {}),
  }),
  addresses: (address) => ({
    address: `203.0.113.${(Number.parseInt(fingerprint(address.name).slice(0, 4), 16) || 7) % 256}`,
    addressType: "EXTERNAL",
    networkTier: "PREMIUM",
    ipVersion: "IPV4",
    ...address,
    status: "RESERVED",
    labelFingerprint: fingerprint(address.labels ?? {}),
  }),
  forwardingRules: (rule, { world }) => ({
    networkTier: "PREMIUM",
    ...rule,
    IPAddress: addressOf(rule.IPAddress, world),
    portRange: String(rule.portRange).includes("-") ? rule.portRange : `${rule.portRange}-${rule.portRange}`,
    labelFingerprint: fingerprint(rule.labels ?? {}),
    fingerprint: fingerprint(rule),
  }),
  targetHttpProxies: (proxy) => ({ ...proxy, fingerprint: fingerprint(proxy) }),
  targetHttpsProxies: (proxy) => ({
    quicOverride: "NONE",
    tlsEarlyData: "DISABLED",
    ...proxy,
    fingerprint: fingerprint(proxy),
  }),
  urlMaps: (map) => {
    const { defaultUrlRedirect: redirect } = map;
    return {
      ...map,
      ...(redirect === undefined
        ? {}
        : {
            defaultUrlRedirect: {
              redirectResponseCode: "MOVED_PERMANENTLY_DEFAULT",
              httpsRedirect: false,
              stripQuery: false,
              ...recordOf(redirect),
            },
          }),
      fingerprint: fingerprint(map),
    };
  },
  backendServices: (service) => {
    const { iap, logConfig } = service;
    return {
      port: 80,
      portName: "http",
      protocol: "HTTP",
      timeoutSec: 30,
      sessionAffinity: "NONE",
      affinityCookieTtlSec: 0,
      enableCDN: false,
      connectionDraining: { drainingTimeoutSec: 0 },
      ...service,
      ...(Array.isArray(service.backends)
        ? {
            backends: (service.backends as Json[]).map((backend) => ({
              balancingMode: "UTILIZATION",
              capacityScaler: 1,
              ...backend,
            })),
          }
        : {}),
      logConfig: recordOf(logConfig).enable
        ? { sampleRate: 1, optionalMode: "EXCLUDE_ALL_OPTIONAL", ...recordOf(logConfig) }
        : { enable: false },
      ...(iap === undefined ? {} : { iap: { enabled: false, oauth2ClientId: "", ...recordOf(iap) } }),
      fingerprint: fingerprint(service),
    };
  },
  networkEndpointGroups: (group) => ({ ...group, size: 0 }),
  sslCertificates: (certificate) => {
    const managed = recordOf(certificate.managed);
    const domains = (managed.domains as string[] | undefined) ?? [];
    const domainStatus = Object.fromEntries(domains.map((domain) => [domain, "PROVISIONING"]));
    return { ...certificate, managed: { ...managed, domains, status: "PROVISIONING", domainStatus } };
  },
  sslPolicies: (policy) => ({
    profile: "COMPATIBLE",
    minTlsVersion: "TLS_1_0",
    ...policy,
    enabledFeatures: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
    fingerprint: fingerprint(policy),
  }),
  securityPolicies: (policy) => ({
    type: "CLOUD_ARMOR",
    ...policy,
    rules: ((policy.rules as Json[] | undefined) ?? [])
      .map((rule) => ({ kind: "compute#securityPolicyRule", preview: false, ...rule }) as Json)
      .sort((a, b) => Number(a.priority) - Number(b.priority)),
    fingerprint: fingerprint(policy),
    labelFingerprint: fingerprint({}),
  }),
  instanceTemplates: completeTemplate,
};

/** What an instance that is made of it would have is filled in already. */
function completeTemplate(template: Json, { world }: { readonly world: World }): Json {
  const properties = recordOf(template.properties);
  const disks = (properties.disks as Json[] | undefined) ?? [];
  for (const disk of disks) checkKey(recordOf(disk.diskEncryptionKey).kmsKeyName, world);
  const scheduling = recordOf(properties.scheduling);
  const spot = scheduling.provisioningModel === "SPOT";
  return {
    ...template,
    properties: {
      canIpForward: false,
      ...properties,
      metadata: {
        kind: "compute#metadata",
        fingerprint: fingerprint(properties.metadata),
        ...recordOf(properties.metadata),
      },
      ...(properties.tags === undefined
        ? {}
        : { tags: { ...recordOf(properties.tags), fingerprint: fingerprint(properties.tags) } }),
      disks: disks.map((disk, index) => ({
        kind: "compute#attachedDisk",
        type: "PERSISTENT",
        mode: "READ_WRITE",
        deviceName: `persistent-disk-${index}`,
        index,
        ...disk,
      })),
      networkInterfaces: ((properties.networkInterfaces as Json[] | undefined) ?? []).map((nic, index) => {
        const subnet = recordOf(world.store.find(`compute/${pathOf(nic.subnetwork)}`));
        return { kind: "compute#networkInterface", name: `nic${index}`, network: subnet.network, ...nic };
      }),
      scheduling: {
        preemptible: spot,
        automaticRestart: !spot,
        onHostMaintenance: spot ? "TERMINATE" : "MIGRATE",
        provisioningModel: "STANDARD",
        ...scheduling,
      },
    },
  };
}

const completeNat = (nat: Json): Json => ({
  type: "PUBLIC",
  enableEndpointIndependentMapping: false,
  enableDynamicPortAllocation: false,
  endpointTypes: ["ENDPOINT_TYPE_VM"],
  autoNetworkTier: "PREMIUM",
  ...nat,
});

/** A rule that is given the name of an address has its number. */
function addressOf(named: unknown, world: World): unknown {
  const path = pathOf(named);
  if (!path.startsWith("projects/")) return named;
  const { address } = world.store.get(`compute/${path}`);
  if (address === undefined) throw failedPrecondition(`${path} has no address.`);
  return address;
}

const nonEmpty = (value: unknown) => Array.isArray(value) && value.length > 0;
const fingerprint = (value: unknown) =>
  createHash("sha256")
    .update(JSON.stringify(value ?? null))
    .digest("hex")
    .slice(0, 12);
