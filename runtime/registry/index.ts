export { useBackend, usesAllCores } from "./backend";
export { BACKENDS, type Backend } from "./backend-names";
export type { Classifier } from "./classifier";
export { type Contender, type CurrentModel, currentModel, type Decision, decide, setCurrent } from "./current";
export {
  type Calibration,
  calibrate,
  decisionOf,
  labelOf,
  logit,
  type ScanDecision,
  SUREST,
  sigmoid,
  uncalibrate,
} from "./decision";
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
export { isPublished, publishModel } from "./publish";
export { type ScoredScan, scoreScan } from "./score";
export { type FileResult, scoreFolder } from "./score-folder";
export { predictViews, showAs, unshow, type Views, viewsOf } from "./views";
