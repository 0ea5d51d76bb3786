export { BucketEvents, type BucketEventsProps, hospitalTopic } from "./bucket-events";
export { ingestLine } from "./config";
export { EventFunction, type EventFunctionProps } from "./event-function";
export { Ingest, type IngestProps } from "./ingest";
export { type FunctionParts, makeFunction, type SecretRef } from "./make-function";
export { ingestMonitoring } from "./monitoring";
export { PushSubscription, type PushSubscriptionProps } from "./push-subscription";
export { type Queue, queueMonitoring } from "./queue-monitoring";
