export { AddressList } from "./addresses";
export type { Tls } from "./dimse";
export { type ForgottenAtHome, forgetAtHome, type WantedAtHome } from "./forget";
export {
  DEFAULT_GATEWAY_LIMITS,
  type Gateway,
  type GatewayLimits,
  type GatewayOptions,
  type ResultsOptions,
  startGateway,
} from "./gateway";
export type { PixelTextChoice } from "./pixel-text";
export { type Destination, destinationOf } from "./results";
