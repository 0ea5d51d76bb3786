export { dayOf, isDay, laterDay } from "./days";
export {
  type CalibrationGap,
  calibrationGap,
  estimatedAccuracy,
  feedbackAccuracy,
  psi,
  type Share,
  type UnknownReason,
} from "./estimate";
export { type HeldOutAnswers, heldOutAnswers } from "./held-out";
export { type DayRow, WINDOW_DAYS } from "./report";
export { DRIFT_KINDS, type Drift, parseDrift } from "./simulate/kinds";
export type { Evening, Promotions, Retraining } from "./simulate/retraining";
export { type SimulateOptions, type Simulation, simulate } from "./simulate/run";
export { describeSimulation } from "./simulate/words";
export { type MonitorContext, type Monitored, monitorDays } from "./step";
export { ADVICE, WATCHES, type WatchName } from "./watches";
export {
  alarmIn,
  describeAlarm,
  describeMonitored,
  describeUnknown,
  standingAlarms,
  standingOf,
} from "./words";
