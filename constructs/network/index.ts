export { DEFAULT_CIDR, networkLine, networkProblems, type SharedNetworkLine } from "./config";
export { type EgressDestination, FirewallRules } from "./firewall-rules";
export { GOOGLE_APIS, GoogleApisDns } from "./google-apis-dns";
export { networkMonitoring } from "./monitoring";
export { Network, type NetworkProps } from "./network";
export { hostCommands, type MachineNetwork, SharedNetwork } from "./shared-network";
