import { coverEverything, shareOfInternet } from "../address-space";
import { type Problem, type Rule, resourceRule, stackRule } from "../rule";
import { block, blocks, isGiven, type Json, type StackDocument, strings } from "../stack-document";
import { clusterConfig } from "./dataproc";

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

/** Ranges to or from which something leads. */
interface Way {
  readonly address: string;
  readonly ranges: readonly string[];
}

const CONNECTOR_TAG = /\bvpc-connector\b/;
/** Tags that a firewall rule or a route is bound to. */
const tagsOf = (type: string, config: Json): readonly string[] =>
  type === "google_compute_route" ? strings(config.tags) : FIREWALL.test(type) ? strings(config.target_tags) : [];

/** The tag that Google gives a connector alone. */
const connectorTag = ({ region, name }: Json) => `vpc-connector-${region}-${name}`;

/** https://cloud.google.com/firewall/docs/firewalls#priority_order_for_firewall_rules */
const DEFAULT_PRIORITY = 1000;
const LAST_PRIORITY = 65_535;
const priorityOf = ({ priority }: Json) => (typeof priority === "number" ? priority : DEFAULT_PRIORITY);

const MAX_SHOWN = 4;
const shown = (ranges: readonly string[]) =>
  `${ranges.slice(0, MAX_SHOWN).join(", ")}${ranges.length > MAX_SHOWN ? ` and ${ranges.length - MAX_SHOWN} more` : ""}`;

/**
 * Ways that are as wide as the internet, each by itself or all together: halves of it are the whole, too.
 * @param what begins the clause, such as "it allows egress to"
 */
function wideWays(ways: readonly Way[], what: string): Problem[] {
  const wide = ways.filter(({ ranges }) => shareOfInternet(ranges) === "huge");
  const narrow = ways.filter(({ ranges }) => shareOfInternet(ranges) === "some");
  const together = shareOfInternet(narrow.flatMap(({ ranges }) => ranges)) === "huge" ? narrow : [];
  return [
    ...wide.map(({ address, ranges }) => ({ address, problem: `${what} ${shown(ranges)}` })),
    ...together.map(({ address, ranges }) => ({
      address,
      problem: `${what} ${shown(ranges)}, and with its like to a large part of the internet`,
    })),
  ];
}

/** A rule over the firewall rules of one direction that allow something. */
function allowRule(text: Omit<Rule, "check">, direction: "ingress" | "egress"): Rule {
  const side =
    direction === "ingress"
      ? ({ ends: "sources", end: "source", to: "from" } as const)
      : ({ ends: "destinations", end: "destination", to: "to" } as const);
  return {
    ...text,
    check: ({ resources }: StackDocument) => {
      const allowing = resources.flatMap(({ address, type, config }) => {
        const rule = FIREWALL.test(type) ? firewallRule(type, config) : undefined;
        return rule?.allows && rule.ingress === (direction === "ingress") ? [{ address, rule }] : [];
      });
      return [
        ...wideWays(
          allowing.map(({ address, rule }) => ({ address, ranges: rule[side.ends] })),
          `it allows ${direction} ${side.to}`,
        ),
        ...allowing
          .filter(({ rule }) => rule[side.ends].length === 0 && !(rule.ingress ? rule.narrowed : rule.toNames))
          .map(({ address }) => ({ address, problem: `it allows ${direction} and names no ${side.end}` })),
      ];
    },
  };
}

export const networkRules = [
  allowRule(
    {
      id: "no-ingress-from-anywhere",
      severity: "critical",
      title: "No firewall rule lets the internet in.",
      checkov: ["CKV_GCP_2", "CKV_GCP_3", "CKV_GCP_75", "CKV_GCP_77", "CKV_GCP_88", "CKV_GCP_106", "CKV2_GCP_12"],
      cis: ["3.6", "3.7"],
      remedy: "Name the source ranges; for a shell use Identity-Aware Proxy (35.235.240.0/20).",
    },
    "ingress",
  ),
  allowRule(
    {
      id: "no-egress-to-anywhere",
      severity: "high",
      title: "No firewall rule lets data out to everywhere.",
      checkov: [],
      cis: [],
      remedy: "Name the destination ranges: private.googleapis.com (199.36.153.8/30) is enough for Google's APIs.",
    },
    "egress",
  ),
  {
    id: "no-default-route",
    severity: "high",
    title: "No route leads to the whole internet.",
    checkov: [],
    cis: [],
    remedy:
      "Set delete_default_routes_on_create = true on the network, and give a route to the internet gateway the range of one destination.",
    check: ({ resources }) => [
      ...wideWays(
        resources.flatMap(({ address, type, config }) =>
          type === "google_compute_route" && /(?:^|\/)default-internet-gateway$/.test(String(config.next_hop_gateway))
            ? [{ address, ranges: strings(config.dest_range) }]
            : [],
        ),
        "it leads to the internet gateway for",
      ),
      ...resources.flatMap(({ address, type, config }) =>
        type === "google_compute_network" && config.delete_default_routes_on_create !== true
          ? [{ address, problem: "delete_default_routes_on_create is not true, so that Google adds a default route" }]
          : [],
      ),
    ],
  } satisfies Rule,
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
      const denied = resources.flatMap(({ type, config }) => {
        const rule = FIREWALL.test(type) ? firewallRule(type, config) : undefined;
        return rule && !rule.ingress && rule.denies && rule.everything ? rule.destinations : [];
      });
      return coverEverything(denied) ? undefined : "there is a network and no firewall rule that denies all egress";
    },
  ),
  {
    id: "connector-egress-tagged",
    severity: "high",
    title: "What is opened for a serverless connector is opened for it alone.",
    checkov: [],
    cis: [],
    remedy: "Set target_tags of the firewall rule, and tags of the route, to vpc-connector-REGION-NAME.",
    check: ({ resources }) => {
      const tagged = resources.filter(({ type, config }) => CONNECTOR_TAG.test(tagsOf(type, config).join(" ")));
      const names = new Set(
        resources.flatMap(({ type, config }) => (type === "google_vpc_access_connector" ? [connectorTag(config)] : [])),
      );
      return [
        // Google gives every connector the short tag, whoever made it.
        ...tagged.flatMap(({ address, type, config }) => {
          const wide = tagsOf(type, config).find((tag) => !names.has(tag));
          return wide === undefined
            ? []
            : [{ address, problem: `it is open to ${wide}, which is no connector of this stack` }];
        }),
        ...resources
          .filter(
            ({ type, config }) =>
              type === "google_vpc_access_connector" &&
              !tagged.some((one) => tagsOf(one.type, one.config).includes(connectorTag(config))),
          )
          .map(({ address }) => ({
            address,
            problem: "no firewall rule is for it alone: what it reaches, every machine of the network reaches",
          })),
      ];
    },
  } satisfies Rule,
  {
    id: "connector-egress-bound",
    severity: "high",
    title: "What all machines of a network may reach is not open to a serverless connector in it.",
    checkov: [],
    cis: [],
    remedy:
      "Deny all protocols to 0.0.0.0/0 for the tag vpc-connector-REGION-NAME, at a priority before every rule that allows egress and has no target; what the connector may reach is allowed for its tag, before that.",
    check: ({ resources }) => {
      // Rules of policies are none of these: networks here ask them after the classic ones.
      const egress = resources.flatMap(({ type, config }) =>
        type === "google_compute_firewall" && config.direction === "EGRESS"
          ? [{ ...firewallRule(type, config), tags: strings(config.target_tags), priority: priorityOf(config), config }]
          : [],
      );
      const forAll = egress.filter(
        ({ allows, tags, config }) =>
          allows && tags.length === 0 && strings(config.target_service_accounts).length === 0,
      );
      // Of two rules of one priority the one that denies counts.
      const first = Math.min(LAST_PRIORITY, ...forAll.map(({ priority }) => priority));
      return resources.flatMap(({ address, type, config }) => {
        if (type !== "google_vpc_access_connector") return [];
        const denied = egress.filter(
          ({ denies, everything, tags, priority }) =>
            denies && everything && priority <= first && tags.includes(connectorTag(config)),
        );
        return coverEverything(denied.flatMap(({ destinations }) => destinations))
          ? []
          : [{ address, problem: "it reaches what every machine of the network may" }];
      });
    },
  } satisfies Rule,
  resourceRule(
    {
      id: "own-network",
      severity: "medium",
      title: "What the network of a machine lets through can be seen where the machine is.",
      checkov: [],
      cis: [],
      remedy: "Use a subnetwork of the same stack, or acknowledge it where the hospital's line names a shared one.",
    },
    /^google_compute_(?:instance|instance_template|region_instance_template)$|^google_dataproc_(?:cluster|workflow_template)$/,
    (resource) => {
      const cluster = clusterConfig(resource);
      const interfaces = cluster ? blocks(cluster, "gce_cluster_config") : blocks(resource.config, "network_interface");
      const foreign = interfaces
        .map(({ subnetwork, network }) => String(subnetwork ?? network ?? ""))
        .find((name) => name !== "" && !name.startsWith("${google_compute_"));
      return foreign === undefined ? undefined : `its network is ${foreign}, whose rules stand elsewhere`;
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
