export {
  type Canary,
  type CanaryLook,
  currentCanary,
  isOpen,
  noteLook,
  type SeenCanary,
  setCanary,
} from "./canary";
export { type CanaryNext, nextOfCanary } from "./canary-next";
export {
  type CurrentModel,
  currentModel,
  historyOf,
  type PointerReader,
  type PointerStore,
  type SeenModel,
  setCurrent,
  updateVerdict,
} from "./current";
export { HISTORY_FOLDER, type Move } from "./history";
export { type PublishedModel, publishedModels } from "./models";
export { isPublished, publishModel } from "./publish";
export {
  orderedScans,
  orderTraining,
  progressWrittenDown,
  RETRAINING,
  RUN_NAME,
  readProgress,
  type StepProgress,
  tellTrained,
  trainedBy,
} from "./retraining";
export { type Rollback, rollback } from "./rollback";
