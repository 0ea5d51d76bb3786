export { buildServer, type ServerDependencies } from "./app";
export { serveContract } from "./contract";
export type { Prediction } from "./predictions";
export { type Callers, localCallers, type RunningServer, serveWorkspace } from "./server";
