export { AddressList } from "./addresses";
export type { Tls } from "./dimse";
export { DEFAULT_GATEWAY_LIMITS, type Gateway, type GatewayLimits, type GatewayOptions, startGateway } from "./gateway";
