export { type EgressDestination, FirewallRules } from "./firewall-rules";
export { GOOGLE_APIS, GoogleApisDns } from "./google-apis-dns";
export { networkMonitoring } from "./monitoring";
export { DEFAULT_CIDR, Network, type NetworkProps } from "./network";
