export type { ReplacementNames } from "../imaging";
export { factsOf, type ScanFacts, type ScannedHeader, scannedHeader, scannerOf } from "./facts";
export {
  type BadLine,
  FEEDBACK_LABELS,
  type FeedbackLabel,
  type FeedbackLine,
  type FeedbackTable,
  parseFeedback,
} from "./feedback-table";
export { type Identities, identitiesUnder, openIdentities } from "./identities";
export { type InputFile, type InputFolder, pickScans, readInputFolder, requireLabelFolders } from "./input-folder";
export { inputLines } from "./input-lines";
export { DISCLAIMER, isLabel, LABEL_FOLDERS, LABELS, type Label } from "./labels";
export { headerOfFile, type Landing, type LandingPlan, planLanding } from "./landing";
export {
  EMPTY_MANIFEST,
  landedManifest,
  type Manifest,
  type ManifestEntry,
  manifestNotes,
  mergeManifests,
  parseManifest,
  patientsKnown,
  readManifest,
  withoutRows,
} from "./manifest";
export { classify, type FolderNames, type InputKind, LANDED_NAMES, MANIFEST, maskBeside, parseLabels } from "./names";
export { type Input, labelNotes, openInput } from "./open-input";
export {
  KmsPseudonymiser,
  LOCAL_PSEUDONYM_KEY,
  LocalPseudonymiser,
  openPseudonymiser,
  type Pseudonymiser,
} from "./pseudonym";
export {
  type DicomPlace,
  dicomObject,
  GATEWAY_FOLDER,
  isCalledPicture,
  isDicomObject,
  LEARNT_FOLDERS,
  type LearntFacts,
  learntFacts,
  learntObject,
  namesOfLanded,
  ORIGINAL_NAME,
  objectPseudonym,
  otherDicomObject,
  placeOf,
  readLearnt,
  unreadObject,
} from "./scan-names";
export { asSplit, SPLITS, type Split } from "./splits";
