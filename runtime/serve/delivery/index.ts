export { ATTEMPTS, BeingDelivered, type DeliverySummary, deliverAnswers, deliverOne, Refused, RUNS } from "./delivery";
export { type Client, Endpoint, type EndpointSettings } from "./endpoint";
export type { Tls } from "./post";
export { BadDelivery, checkDelivery, SIGNATURE, Signer } from "./signature";
