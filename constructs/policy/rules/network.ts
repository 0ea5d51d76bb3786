import { resourceRule, stackRule } from "../rule";
import { block, blocks, isGiven, type Json, strings } from "../stack-document";

const ANYWHERE = new Set(["0.0.0.0/0", "::/0", "0::0/0"]);
const FIREWALL = /^google_compute_(?:firewall|(?:region_)?network_firewall_policy_rule|firewall_policy_rule)$/;

/** A firewall rule of either kind, in one form. */
function firewallRule(type: string, config: Json) {
  const classic = type === "google_compute_firewall";
  const match = classic ? config : block(config, "match");
  const narrowed = [
    "source_tags",
    "source_service_accounts",
    "src_secure_tags",
    "src_address_groups",
    "src_fqdns",
  ].some((name) => strings(match[name]).length > 0 || blocks(match, name).length > 0);
  return {
    ingress: (config.direction ?? "INGRESS") === "INGRESS",
    allows: config.disabled !== true && (classic ? blocks(config, "allow").length > 0 : config.action === "allow"),
    denies: config.disabled !== true && (classic ? blocks(config, "deny").length > 0 : config.action === "deny"),
    everything: classic
      ? [...blocks(config, "allow"), ...blocks(config, "deny")].some(({ protocol }) => protocol === "all")
      : blocks(match, "layer4_configs").some(({ ip_protocol }) => ip_protocol === "all"),
    sources: strings(classic ? match.source_ranges : match.src_ip_ranges),
    destinations: strings(classic ? match.destination_ranges : match.dest_ip_ranges),
    narrowed,
    toNames: strings(match.dest_fqdns).length > 0 || strings(match.dest_address_groups).length > 0,
  };
}

const anywhere = (ranges: readonly string[]) => ranges.find((range) => ANYWHERE.has(range));

export const networkRules = [
  resourceRule(
    {
      id: "no-ingress-from-anywhere",
      severity: "critical",
      title: "No firewall rule lets the internet in.",
      checkov: ["CKV_GCP_2", "CKV_GCP_3", "CKV_GCP_75", "CKV_GCP_77", "CKV_GCP_88", "CKV_GCP_106", "CKV2_GCP_12"],
      cis: ["3.6", "3.7"],
      remedy: "Name the source ranges; for a shell use Identity-Aware Proxy (35.235.240.0/20).",
    },
    FIREWALL,
    ({ type, config }) => {
      const rule = firewallRule(type, config);
      if (!rule.ingress || !rule.allows) return undefined;
      const source = anywhere(rule.sources);
      if (source !== undefined) return `it allows ingress from ${source}`;
      return rule.sources.length === 0 && !rule.narrowed ? "it allows ingress and names no source" : undefined;
    },
  ),
  resourceRule(
    {
      id: "no-egress-to-anywhere",
      severity: "high",
      title: "No firewall rule lets data out to everywhere.",
      checkov: [],
      cis: [],
      remedy: "Name the destination ranges: private.googleapis.com (199.36.153.8/30) is enough for Google's APIs.",
    },
    FIREWALL,
    ({ type, config }) => {
      const rule = firewallRule(type, config);
      if (rule.ingress || !rule.allows) return undefined;
      const destination = anywhere(rule.destinations);
      if (destination !== undefined) return `it allows egress to ${destination}`;
      return rule.destinations.length === 0 && !rule.toNames ? "it allows egress and names no destination" : undefined;
    },
  ),
  stackRule(
    {
      id: "egress-denied",
      severity: "high",
      title: "A network denies all egress but what is allowed.",
      checkov: [],
      cis: [],
      remedy: "Add a firewall rule that denies all protocols to 0.0.0.0/0, after the allow rules.",
    },
    ({ resources }) => {
      if (!resources.some(({ type }) => type === "google_compute_network")) return undefined;
      const denied = resources.some(({ type, config }) => {
        if (!FIREWALL.test(type)) return false;
        const rule = firewallRule(type, config);
        return !rule.ingress && rule.denies && rule.everything && anywhere(rule.destinations) !== undefined;
      });
      return denied ? undefined : "there is a network and no firewall rule that denies all egress";
    },
  ),
  resourceRule(
    {
      id: "no-external-ip",
      severity: "high",
      title: "No VM has an external address.",
      checkov: ["CKV_GCP_40"],
      cis: ["4.9"],
      remedy: "Remove access_config; reach Google's APIs by private Google access.",
    },
    /^google_compute_(?:instance|instance_template|region_instance_template)$/,
    ({ config }) => {
      const open = blocks(config, "network_interface").some(
        ({ access_config, ipv6_access_config }) =>
          (access_config !== undefined && access_config !== null && !isEmptyList(access_config)) ||
          (ipv6_access_config !== undefined && !isEmptyList(ipv6_access_config)),
      );
      return open ? "network_interface has an access_config" : undefined;
    },
  ),
  resourceRule(
    {
      id: "network-custom-mode",
      severity: "medium",
      title: "A network has only the subnetworks that were asked for.",
      checkov: [],
      cis: ["3.1"],
      remedy: "Set auto_create_subnetworks = false.",
    },
    ["google_compute_network"],
    ({ config }) => (config.auto_create_subnetworks === false ? undefined : "auto_create_subnetworks is not false"),
  ),
  resourceRule(
    {
      id: "subnetwork-private-access",
      severity: "medium",
      title: "A subnetwork reaches Google's APIs without external addresses.",
      checkov: ["CKV_GCP_74"],
      cis: [],
      remedy: "Set private_ip_google_access = true.",
    },
    ["google_compute_subnetwork"],
    ({ config }) =>
      isProxyOnly(config) || config.private_ip_google_access === true
        ? undefined
        : "private_ip_google_access is not true",
  ),
  resourceRule(
    {
      id: "subnetwork-flow-logs",
      severity: "low",
      title: "A subnetwork keeps flow logs.",
      checkov: ["CKV_GCP_26"],
      cis: ["3.8"],
      remedy: "Add a log_config block.",
    },
    ["google_compute_subnetwork"],
    ({ config }) =>
      isProxyOnly(config) || blocks(config, "log_config").length > 0 ? undefined : "log_config is missing",
  ),
  resourceRule(
    {
      id: "load-balancer-tls",
      severity: "high",
      title: "A load balancer speaks TLS 1.2 or newer, and no plain HTTP.",
      checkov: ["CKV_GCP_4", "CKV2_GCP_37", "CKV2_GCP_38"],
      cis: ["3.9"],
      remedy: "Use a target HTTPS proxy with an SSL policy of TLS_1_2 and profile MODERN or RESTRICTED.",
    },
    /^google_compute_(?:region_)?(?:target_https?_proxy|ssl_policy)$/,
    ({ type, config }) => {
      if (type.endsWith("target_http_proxy")) return "it speaks plain HTTP";
      if (type.endsWith("target_https_proxy")) return isGiven(config.ssl_policy) ? undefined : "ssl_policy is missing";
      if (!/^TLS_1_[23]$/.test(String(config.min_tls_version))) return "min_tls_version is not TLS_1_2";
      return /^(?:MODERN|RESTRICTED)$/.test(String(config.profile)) ? undefined : "profile is not MODERN or RESTRICTED";
    },
  ),
  resourceRule(
    {
      id: "load-balancer-identity",
      severity: "critical",
      title: "Whoever comes through the load balancer has signed in, and is filtered and logged.",
      checkov: [],
      cis: ["2.16", "3.10"],
      remedy: "Set iap.enabled, security_policy (Cloud Armor) and log_config.enable on the backend service.",
    },
    ["google_compute_backend_service", "google_compute_region_backend_service"],
    ({ config }) => {
      if (!String(config.load_balancing_scheme ?? "EXTERNAL").startsWith("EXTERNAL")) return undefined;
      const lacks = [
        ...(block(config, "iap").enabled === true ? [] : ["iap.enabled"]),
        ...(isGiven(config.security_policy) ? [] : ["security_policy"]),
        ...(block(config, "log_config").enable === true ? [] : ["log_config.enable"]),
      ];
      return lacks.length === 0 ? undefined : `it lacks ${lacks.join(", ")}`;
    },
  ),
];

const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;
const isProxyOnly = (config: Json) => /MANAGED_PROXY|PRIVATE_SERVICE_CONNECT/.test(String(config.purpose ?? ""));
