export type { Answer } from "./answer";
export { AnswerPool, type PoolOptions } from "./answer-pool";
export { besideInWords, describeTeacher } from "./beside";
export { type FittedCalibration, fitCalibration } from "./calibration";
export { CALIBRATION_BINS, calibrationBin, ece } from "./calibration-error";
export { type CalibrationCheck, describeCalibration } from "./choose-calibration";
export type { Classifier, ScoreFileOptions } from "./classifier";
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
export type { ViewedAnswer } from "./engine";
export { type ExaminedModel, examineModel } from "./examine";
export { DECISION, fitDecision } from "./fit-decision";
export { checkRecipe, loadClassifier, readParts } from "./load-classifier";
export { type ModelMetadata, modelMetadataSchema } from "./metadata";
export {
  ENGINE_FILE,
  GUARD_FILE,
  METADATA_FILE,
  type ModelFiles,
  modelFilesInDirectory,
  modelFilesInStore,
  ONNX_FILE,
  readEngine,
  readMetadata,
  readOnnx,
  readVerified,
  sha256,
  TOPOLOGY_FILE,
  UnusableModelError,
  WEIGHTS_FILE,
} from "./model-files";
export { fitOperatingPoints, SPECIFICITIES, thresholdFor } from "./operating-points";
export {
  type Converted,
  describeParity,
  type EngineRecord,
  type MeasuredParity,
  type Parity,
  parityProblem,
  TOLERANCE,
} from "./parity";
export {
  type AssumedPrevalence,
  assumedPrevalence,
  restate,
} from "./prevalence";
export { type EncodedScan, type ScoredScan, type ScoreOptions, scanId, scoreScan } from "./score";
export { type FileResult, scoreFolder } from "./score-folder";
export { chooseBand, keptBy, type UncertainBand } from "./selective";
export { SIGNATURE } from "./signature";
export { COST_OF_A_MISS, costThreshold } from "./threshold";
export { readTrainingCurve, TRAINING_FILE } from "./training-curve";
export { LEAST_STEPS, NOT_EVALUATED, type Verdict, type VerdictReason, verdictOf, verdictSchema } from "./verdict";
export { type View, type Views, viewsOf } from "./views";
