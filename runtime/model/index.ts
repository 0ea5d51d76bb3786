export { useBackend, usesAllCores } from "./backend";
export { BACKENDS, type Backend } from "./backend-names";
export { type FittedCalibration, fitCalibration } from "./calibration";
export { CALIBRATION_BINS, calibrationBin, ece } from "./calibration-error";
export { type CalibrationCheck, describeCalibration } from "./choose-calibration";
export type { Classifier } from "./classifier";
export {
  type Calibration,
  calibrate,
  decisionOf,
  labelOf,
  logOddsOf,
  type ScanDecision,
  SUREST,
  uncalibrate,
} from "./decision";
export { DECISION, fitDecision } from "./fit-decision";
export {
  GUARD_FILE,
  imagesToTensor,
  loadClassifier,
  METADATA_FILE,
  type ModelFiles,
  modelFileContents,
  modelFilesInDirectory,
  modelFilesInStore,
  readMetadata,
  type SerializedNetwork,
  saveClassifier,
  serializeNetwork,
  TOPOLOGY_FILE,
  UnusableModelError,
  WEIGHTS_FILE,
} from "./load-classifier";
export { type ModelMetadata, modelMetadataSchema } from "./metadata";
export { fitOperatingPoints, SPECIFICITIES, thresholdFor } from "./operating-points";
export { type ScoredScan, type ScoreOptions, scoreScan } from "./score";
export { type FileResult, scoreFolder } from "./score-folder";
export { chooseBand, keptBy, type UncertainBand } from "./selective";
export { COST_OF_A_MISS, costThreshold } from "./threshold";
export { LEAST_STEPS, NOT_EVALUATED, type Verdict, type VerdictReason, verdictOf, verdictSchema } from "./verdict";
export { predictViews, showAs, unshow, type View, type Views, viewsOf } from "./views";
