export { gatewayLine } from "./config";
export { Gateway, type GatewayProps } from "./gateway";
