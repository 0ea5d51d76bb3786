export { buildServer, type ServerDependencies } from "./app";
export { serveContract } from "./contract";
export { NothingToReplay, type Replay, replay } from "./replay";
export type { Prediction } from "./schemas";
export { type Callers, localCallers, type RunningServer, serveWorkspace } from "./server";
