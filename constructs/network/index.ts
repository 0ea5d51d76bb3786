export { DEFAULT_CIDR, isNarrowRange, networkLine, networkProblems, type SharedNetworkLine } from "./config";
export { noWayTo } from "./destinations";
export { type EgressDestination, FirewallRules } from "./firewall-rules";
export { GOOGLE_APIS, GoogleApisDns } from "./google-apis-dns";
export { networkMonitoring } from "./monitoring";
export { Network, type NetworkProps } from "./network";
export { Outlet, type OutletProps } from "./outlet";
export { hostCommands, type MachineNetwork, SharedNetwork } from "./shared-network";
