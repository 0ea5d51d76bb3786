export { ingestLine } from "./config";
export { Ingest, type IngestProps } from "./ingest";
export { IngestFunction, type IngestFunctionProps } from "./ingest-function";
export { LandingEvents, type LandingEventsProps } from "./landing-events";
export { ingestMonitoring } from "./monitoring";
export { PushSubscription, type PushSubscriptionProps } from "./push-subscription";
