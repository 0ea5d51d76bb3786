export {
  LEASE_SECONDS,
  RETRAIN_DEFAULTS,
  RETRAIN_STEPS,
  type RetrainStepName,
  retrainContract,
  TRIGGERS,
  type Trigger,
} from "./contract";
export {
  giveUpRun,
  OWN_WORK,
  RetrainingBusyError,
  type RetrainOptions,
  type RetrainReport,
  retrain,
  type StepWork,
} from "./runner";
export { type Begin, isOver, type KnownRun, OwnedRun, outcomeOf, readRun, runNames, workedOnUntil } from "./state";
export { checkTriggers, type TriggerFacts, type TriggerRules, type TriggerState, triggersOf } from "./triggers";
export {
  type FeedbackRules,
  modelOf,
  NothingToRetrainError,
  orderOf,
  type RetrainContext,
  requireSnapshot,
  SnapshotGoneError,
  snapshotIds,
  type Taught,
} from "./work";
