export { BACKENDS, type Backend, useBackend, usesAllCores } from "./backend";
export type { Classifier } from "./classifier";
export {
  imagesToTensor,
  loadClassifier,
  METADATA_FILE,
  type ModelFiles,
  modelFileContents,
  modelFilesInDirectory,
  modelFilesInStore,
  type SerializedNetwork,
  saveClassifier,
  serializeNetwork,
  TOPOLOGY_FILE,
  UnusableModelError,
  WEIGHTS_FILE,
} from "./load-classifier";
export { type ModelMetadata, modelMetadataSchema } from "./metadata";
export { labelOf, type ScoredScan, scoreScan } from "./score";
export { type FileResult, scoreFolder } from "./score-folder";
