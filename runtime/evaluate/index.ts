export { type FittedCalibration, fitCalibration } from "./calibration";
export { type Evaluation, evaluateScored, type Measured, measure, type ScoredImage } from "./evaluation";
export { type EvaluateFolderOptions, evaluateFolder, type FolderEvaluation } from "./folder";
export { auc, METRICS, type Metric, type MetricName } from "./metrics";
export { fitOperatingPoints } from "./operating-points";
export { chooseBand, REFERRED, type UncertainBand } from "./selective";
export { type EvaluateStepOutcome, evaluateStep } from "./step";
export { type EvaluationRow, evaluateTestSplit, evaluationPrefix, readEvaluation } from "./test-split";
export { costThreshold } from "./threshold";
