export { aucDifference } from "./bootstrap";
export {
  type Evaluation,
  evaluateScored,
  type Measured,
  measure,
  type Part,
  type ScoredImage,
  type StudyReport,
} from "./evaluation";
export { type EvaluateFolderOptions, evaluateFolder, type FolderEvaluation } from "./folder";
export { auc, METRICS, type MetricName } from "./metrics";
export { evaluationPrefix, readScans, type ScoredScan } from "./scored-scan";
export { type EvaluateContext, TestBench } from "./test-bench";
export { contender, type EvaluationRow, evaluateTestSplit, readEvaluation, summaryOf } from "./test-split";
