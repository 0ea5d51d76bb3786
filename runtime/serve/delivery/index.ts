export type { Tls } from "../../platform/post";
export { ATTEMPTS, BeingDelivered, type DeliverySummary, deliverAnswers, deliverOne, Refused, RUNS } from "./delivery";
export { type Client, Endpoint, type EndpointSettings } from "./endpoint";
export { BadDelivery, checkDelivery, SIGNATURE, Signer } from "./signature";
