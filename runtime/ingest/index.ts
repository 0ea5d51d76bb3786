export { checkFolder } from "./check-folder";
export { type Committed, commit } from "./commit";
export { IngestContext, type IngestOptions } from "./context";
export { ingestContract } from "./contract";
export { fromCloudEvent, fromPush, type LandingEvent } from "./event";
export { batchName, type Examined, examine, INGEST_CODES, identify } from "./examine";
export { type IngestAllOptions, ingestAll } from "./ingest-all";
export { ingestStep, type LandedCounts, type Selection, uploadStep } from "./step";
export { type UploadCounts, type UploadOptions, uploadFolder } from "./upload";
