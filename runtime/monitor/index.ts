export { calibrationGap, estimatedAccuracy, feedbackAccuracy, psi, type Share, type UnknownReason } from "./estimate";
export { DRIFT_KINDS, type Drift, parseDrift } from "./simulate/kinds";
export { type SimulateOptions, type Simulation, simulate } from "./simulate/run";
export { describeSimulation } from "./simulate/words";
